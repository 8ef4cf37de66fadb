// context/context_state.hpp: what a cancellable context has beside its place in the tree: the
// channel of done(), the timer of its deadline, what on_cancel() has left there, a stop source.
//
// Invariants
//   X1  done_ is closed once announced_ is true, if it has been made; it is made closed after that.
//       (announce, done)
//   X2  A callback is in callbacks_, holding itself, until exactly one of announce(), remove() and
//       the destructor takes it out; announce() starts it, the destructor hands it to the context
//       above, which is then all that could have cancelled this one.        (bequeath, inherit)
//   X3  While callbacks_ is not empty and the deadline may still come, the context holds a share of
//       itself (held_): the deadline is a promise to the callbacks.  (add, remove, announce,
//       lose_timer)
//   X4  The timer is armed before the node joins the tree, and never again: announce() disarms it,
//       and may do so on any thread.                                                       (make)
// Locks     lock_ (leaf). Channels are closed, callbacks started and dropped without it; inherit()
//           takes the lock of the context above when none is held.
// User code Functions and stop callbacks run in goroutines, which also destroy them. The destructor
//           runs user destructors, so the last share is never dropped at a scheduling point:
//           the timer's share goes by release_aside().
// Memory order: sequentially consistent.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/spin_lock.hpp>

#include "src/base/list.hpp"
#include "src/cancel/cancel_node.hpp"
#include "src/sched/timers.hpp"

namespace runnel::detail {

/// The deadline that a child of `parent` has from above.
[[nodiscard]] ticks deadline_of(const context_ref& parent) noexcept;

class context_state : public cancel_node {
public:
    /// A child of `parent` in its place in the tree, with its timer armed.
    [[nodiscard]] static context_ref make(const context_ref& parent, ticks deadline);

    void announce() noexcept override;
    [[nodiscard]] recv_chan<unit> done() override;
    [[nodiscard]] std::stop_token token();
    /// Its owner has cancelled it, or let it go: what it has taken from the process goes back.
    virtual void withdraw() noexcept {}

    /// False, and nothing is added, if it is too late.
    [[nodiscard]] bool add(const std::shared_ptr<cancel_callback>& callback) noexcept;
    bool remove(cancel_callback& callback) noexcept;

protected:
    context_state(context_ref parent, ticks deadline) noexcept
        : cancel_node(std::move(parent), deadline) {}
    ~context_state() override;

private:
    struct deadline_timer : timer_node {
        context_state* owner = nullptr;  ///< null: it has not been armed
    };
    static const timer_ops deadline_ops;

    /// Under lock_.
    [[nodiscard]] bool deadline_may_come() const noexcept {
        return timer_.owner != nullptr && !timer_lost_;
    }
    void lose_timer() noexcept;
    void bequeath() noexcept;
    [[nodiscard]] bool inherit(intrusive_list<cancel_callback>& list) noexcept;

    deadline_timer timer_;
    std::atomic<bool> announced_ = false;

    spin_lock lock_;
    // Protected by lock_.
    bool announcing_ = false;
    bool held_ = false;
    bool timer_lost_ = false;  ///< with its runtime
    chan<unit> done_;
    intrusive_list<cancel_callback> callbacks_;
    std::stop_source stop_{std::nostopstate};
};

/// A context that a stop token cancels.
class stoppable_state final : public context_state {
public:
    [[nodiscard]] static context_ref make(const context_ref& parent, std::stop_token token);

private:
    struct on_stop {
        stoppable_state* node;
        void operator()() const noexcept;
    };

    explicit stoppable_state(context_ref parent, ticks deadline) noexcept
        : context_state(std::move(parent), deadline) {}
    ~stoppable_state() override = default;

    std::optional<std::stop_callback<on_stop>> link_;  ///< its destructor waits for on_stop
};

}  // namespace runnel::detail
