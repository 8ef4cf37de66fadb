// runnel/detail/cancel_word.hpp: the word a wait can be linked to, so that it ends by cancellation.
//
// Contexts are built on it. Invariant: a node is linked only while the word is not cancelled;
// cancel() ends every linked wait before it returns, and wakes them after the lock is released.
// Locks: lock_ (leaf). Memory order: canceled_ is written under the lock, and released to readers
// that look without it; a reader that sees true acquires what came before cancel().
#pragma once

#include <atomic>

#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

namespace runnel::detail {

class cancel_word {
public:
    cancel_word() = default;
    cancel_word(const cancel_word&) = delete;
    cancel_word& operator=(const cancel_word&) = delete;

    [[nodiscard]] bool canceled() const noexcept {
        return canceled_.load(std::memory_order_acquire);
    }

    /// Ends every linked wait with wait_canceled. The first call returns true, later ones do
    /// nothing.
    bool cancel() noexcept;

    /// Links a wait; false, and it is not linked, if the word is cancelled already.
    [[nodiscard]] bool link(wait_node& node) noexcept;
    void unlink(wait_node& node) noexcept;

private:
    spin_lock lock_;
    wait_queue waits_;
    std::atomic<bool> canceled_ = false;
};

}  // namespace runnel::detail
