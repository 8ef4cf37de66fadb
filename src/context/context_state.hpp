// context/context_state.hpp: what a cancellable context has beside its place in the tree: the
// channel of done(), the timer of its deadline, and what on_cancel() has left there.
//
// Invariants
//   X1  done_ is closed once announced_ is true, if it has been made; it is made closed after that.
//       (announce, done)
//   X2  A callback is in callbacks_, holding itself, until exactly one of announce(), remove() and
//       the destructor takes it out; only announce() starts it.
// Locks     lock_ (leaf). Channels are closed, callbacks started and dropped without it.
// Memory order: sequentially consistent.
#pragma once

#include <atomic>
#include <memory>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/spin_lock.hpp>

#include "src/base/list.hpp"
#include "src/cancel/cancel_node.hpp"
#include "src/sched/timers.hpp"

namespace runnel::detail {

class context_state final : public cancel_node {
public:
    /// A child of `parent` in its place in the tree, with its timer armed.
    [[nodiscard]] static context_ref make(const context_ref& parent, ticks deadline);

    void announce() noexcept override;
    [[nodiscard]] recv_chan<unit> done() override;

    /// False, and nothing is added, if it is too late.
    [[nodiscard]] bool add(const std::shared_ptr<cancel_callback>& callback) noexcept;
    bool remove(cancel_callback& callback) noexcept;

private:
    struct deadline_timer : timer_node {
        context_state* owner = nullptr;
    };
    static const timer_ops deadline_ops;

    context_state(context_ref parent, ticks deadline) noexcept
        : cancel_node(std::move(parent), deadline) {}
    ~context_state() override;

    deadline_timer timer_;
    std::atomic<bool> announced_ = false;

    spin_lock lock_;
    // Protected by lock_.
    bool announcing_ = false;
    chan<unit> done_;
    intrusive_list<cancel_callback> callbacks_;
};

}  // namespace runnel::detail
