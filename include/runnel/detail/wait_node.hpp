// runnel/detail/wait_node.hpp: one blocked call, and its links into what can end it.
//
// Purpose   A blocked call ends by its peer, its deadline or its cancellation. One `waiter` stands
//           for the call, one `wait_node` for each queue it stands in; all live in the caller's
//           frame, so waiting allocates nothing.
// Invariants
//   N1  `ended` leaves `open` exactly once; whoever made it so wakes the waiter, exactly once, and
//       holds no lock then.                                                    (peer, timer,
//       cancel)
//   N2  A waiter whose `ended` is no longer `open` parks once all the same: the wake-up is under
//       way and is consumed by parking.
//       (waiter)
//   N3  A node is linked and unlinked under the lock of its queue. The waiter unlinks whatever is
//       still linked before its frame ends, so nobody writes into a frame that has gone.  (waiter)
//   N4  A waiter that only one queue can end is not contested; that queue's lock decides.
// Memory order
//   `ended`: a relaxed store where uncontested (the lock orders it) [N-1]. What the peer wrote into
//   the frame becomes visible through the wake-up (run queue lock, or the parker's word).
//   The head of a queue is read without the lock as a hint: relaxed [N-1], or acquire where another
//   word must be read after it [N-2] (chan_core.hpp, C-1).
#pragma once

#include <atomic>
#include <cstdint>

namespace runnel::detail {

class goroutine;
class thread_parker;

/// What ended a wait, when it was not one of the cases (which are numbered from 1).
enum : std::uint32_t { wait_open = 0, wait_canceled = 0xfffffffe, wait_timed_out = 0xffffffff };

struct waiter {
    std::atomic<std::uint32_t> ended = wait_open;
    bool contested = false;
    goroutine* self = nullptr;        ///< the blocked goroutine; null for a plain thread
    thread_parker* thread = nullptr;  ///< the blocked thread, if it is one

    /// Claims the right to end this wait. The caller then wakes it; see N1.
    [[nodiscard]] bool end(std::uint32_t how) noexcept {
        if (!contested) {
            ended.store(how, std::memory_order_relaxed);  // [N-1]
            return true;
        }
        std::uint32_t expected = wait_open;
        return ended.compare_exchange_strong(expected, how);
    }

    /// Makes the waiter fresh; nothing may be linked to it.
    void reopen() noexcept { ended.store(wait_open, std::memory_order_relaxed); }  // [N-1]

    [[nodiscard]] std::uint32_t how() const noexcept {
        return ended.load(std::memory_order_relaxed);  // [N-1]
    }
};

struct wait_node {
    wait_node* next = nullptr;
    wait_node* prev = nullptr;
    waiter* owner = nullptr;
    void* slot = nullptr;     ///< where the value is, or goes
    std::uint32_t index = 1;  ///< what `ended` becomes when this node's queue ends the wait
    bool linked = false;
    bool ok = false;  ///< a value was handed over (false: the channel was closed)
};

/// First come, first served. Protected by the lock of whatever owns it.
class wait_queue {
public:
    [[nodiscard]] bool empty() const noexcept {
        return head_.load(std::memory_order_relaxed) == nullptr;  // [N-1] a hint without the lock
    }
    /// A hint without the lock that what is read after it is not older [N-2].
    [[nodiscard]] bool seen_waiting() const noexcept {
        return head_.load(std::memory_order_acquire) != nullptr;  // [N-2]
    }
    [[nodiscard]] wait_node* front() const noexcept {
        return head_.load(std::memory_order_relaxed);  // [N-1]
    }

    void push_back(wait_node& node) noexcept {
        node.next = nullptr;
        node.prev = tail_;
        node.linked = true;
        if (tail_ != nullptr) {
            tail_->next = &node;
        } else {
            head_.store(&node, std::memory_order_relaxed);  // [N-1]
        }
        tail_ = &node;
    }

    void push_front(wait_node& node) noexcept {
        wait_node* first = front();
        node.prev = nullptr;
        node.next = first;
        node.linked = true;
        if (first != nullptr) {
            first->prev = &node;
        } else {
            tail_ = &node;
        }
        head_.store(&node, std::memory_order_relaxed);  // [N-1]
    }

    void remove(wait_node& node) noexcept {
        if (!node.linked) {
            return;
        }
        node.linked = false;
        if (node.prev != nullptr) {
            node.prev->next = node.next;
        } else {
            head_.store(node.next, std::memory_order_relaxed);  // [N-1]
        }
        if (node.next != nullptr) {
            node.next->prev = node.prev;
        } else {
            tail_ = node.prev;
        }
    }

    /// Takes the first waiter that can still be ended, ends it, and returns its node; null if none.
    /// Nodes of `not_for` stay: a goroutine never meets itself.
    wait_node* pop(const waiter* not_for = nullptr) noexcept {
        for (wait_node* node = front(); node != nullptr;) {
            wait_node* const after = node->next;
            if (node->owner != not_for) {
                remove(*node);
                if (node->owner->end(node->index)) {
                    return node;
                }
            }
            node = after;
        }
        return nullptr;
    }

private:
    std::atomic<wait_node*> head_ = nullptr;
    wait_node* tail_ = nullptr;
};

}  // namespace runnel::detail
