// cancel/cancel_node.hpp: a context that can be cancelled, and the tree of those below it.
//
// Purpose   cancel() ends a node and all its descendants before it returns: without recursion, in
//           time linear in their number, and also when several threads cancel parts of one tree.
// Method    Depth first along the links between parents and children. A node is ended (its error is
//           fixed), then published (waits end, done() closes, callbacks start), then its children
//           follow; it leaves its parent's list only when its own list is empty. Whoever meets a
//           node that another thread is about to cancel does the same steps, all of which may be
//           done twice: nobody waits for anybody, and nobody returns before all is done. No user
//           code runs in cancel(), so it may run where a goroutine cannot block (timers): functions
//           get goroutines, and so does the destruction of what turns out to be left to us.
// Invariants
//   K1  A node in a parent's list is not dead: whoever destroys it takes it out first; whoever
//       finds it there with no shares left takes it out, too.           (~cancel_node, first_child)
//   K2  Once ended_ is set nobody joins children_.                                          (adopt)
//   K3  error_ and cause_ are written before word is cancelled and never again.               (end)
//   K4  A node that is not linked and not cancelled has no parent that can be cancelled. (adopt)
// Locks     lock_ of one node at a time; a leaf. Nobody is woken and no callback started under it.
// Memory order: error_ and cause_ are released by word.cancel() and acquired by word.canceled()
// (cancel_word.hpp, X-1); under lock_ they are read once ended_ is seen.
#pragma once

#include <cstddef>
#include <exception>
#include <utility>

#include <runnel/detail/cancel_word.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>

#include "src/base/list.hpp"

namespace runnel::detail {

class cancel_node : public context_node {
public:
    cancel_node(context_ref parent, ticks deadline) noexcept
        : context_node(std::move(parent), this), deadline_(deadline) {}

    /// Cancels this node and all below it. Runs no user code, neither blocks nor switches.
    void cancel(errc error, std::exception_ptr cause) noexcept;

    /// Waits are linked to it.
    [[nodiscard]] cancel_word& word() noexcept { return word_; }
    [[nodiscard]] bool canceled() const noexcept { return word_.canceled(); }
    [[nodiscard]] ticks deadline() const noexcept { return deadline_; }

    // Once it is cancelled.
    [[nodiscard]] errc error() const noexcept { return error_; }
    [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

    /// Lets everybody know that the node is cancelled, as far as that has not been done: when it
    /// returns, done() is closed. Any thread, any number of times.
    virtual void announce() noexcept = 0;
    /// The channel behind context::done().
    [[nodiscard]] virtual recv_chan<unit> done() = 0;

    /// How many contexts below it would be cancelled next.
    [[nodiscard]] std::size_t child_count() noexcept;

    // In the list of the node above; protected by that node's lock.
    cancel_node* next = nullptr;
    cancel_node* prev = nullptr;

protected:
    ~cancel_node() override;

    /// Joins the nearest node above that can be cancelled, or is cancelled with it. Call once, when
    /// the node is complete.
    void adopt() noexcept;

    /// The nearest node above that can be cancelled; null if there is none.
    [[nodiscard]] cancel_node* above() const noexcept;

private:
    bool end(errc error, std::exception_ptr cause) noexcept;
    void publish() noexcept;
    [[nodiscard]] cancel_node* first_child() noexcept;
    void remove_child(cancel_node& child) noexcept;

    cancel_word word_;
    const ticks deadline_;

    spin_lock lock_;
    // Protected by lock_.
    bool ended_ = false;
    errc error_ = errc::canceled;
    std::exception_ptr cause_;
    intrusive_list<cancel_node> children_;

    bool linked_ = false;  // protected by the lock of the node above
};

}  // namespace runnel::detail
