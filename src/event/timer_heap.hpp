// event/timer_heap.hpp: what becomes due, in order of time.
//
// Purpose   Each worker has a heap; any worker may take due timers from any heap, so that a stuck
//           worker's timers still fire. The heap returns lists and never schedules.
// Invariants
//   T1  A node is in at most one heap. Its claim() runs under that heap's lock and decides, once,
//       between firing and whatever else may end it.                                (pop_due)
//   T2  After remove() has returned, the heap never touches the node again: either it was taken out
//       here, or its claim() was lost, or it is in a list of due nodes whose owner still waits.
//   T3  `earliest` is never later than the first node's time, but for the moment in which a lock
//       holder updates it.                                                   (add, remove, pop_due)
// Locks     lock_ (leaf). claim() runs under it and may do no more than end a waiter.
// Memory order
//   earliest: relaxed stores under the lock, relaxed loads as a hint [T-1]; whoever acts on it
//   takes the lock. That a sleeping worker sees a new deadline is the sleep protocol's care
//   (sched/idle).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>

namespace runnel::detail {

class timer_heap;
struct timer_node;

/// What a kind of timer does when it is due.
struct timer_ops {
    bool (*claim)(timer_node&) noexcept;  ///< under the heap's lock; false: something else ended it
    void (*fire)(timer_node&) noexcept;   ///< with no lock held, after a claim that succeeded
};

struct timer_node {
    ticks when = never;
    const timer_ops* ops = nullptr;
    timer_heap* heap = nullptr;  ///< the last heap it was in
    timer_node* next = nullptr;  ///< in a list of due nodes
    std::size_t position = out;

    static constexpr std::size_t out = SIZE_MAX;
};

class timer_heap {
public:
    timer_heap() = default;
    timer_heap(const timer_heap&) = delete;
    timer_heap& operator=(const timer_heap&) = delete;

    /// Adds `node`, due at node.when; nodes due at the same time fire in the order of `tie`.
    void add(timer_node& node, std::uint64_t tie);

    /// Takes `node` out if it is in; see T2. Returns whether it was.
    bool remove(timer_node& node) noexcept;

    /// Takes and claims what is due; returns the claimed nodes as a list, first due first.
    [[nodiscard]] timer_node* pop_due(ticks now) noexcept;

    /// When the first node is due; `never` if there is none.
    [[nodiscard]] ticks earliest() const noexcept {
        return earliest_.load(std::memory_order_relaxed);  // [T-1]
    }

    [[nodiscard]] std::size_t size() noexcept;

private:
    struct entry {
        ticks when;
        std::uint64_t tie;
        timer_node* node;

        [[nodiscard]] bool before(const entry& other) const noexcept {
            return when != other.when ? when < other.when : tie < other.tie;
        }
    };

    void place(std::size_t at, const entry& e) noexcept;
    void sift_up(std::size_t at, const entry& e) noexcept;
    void sift_down(std::size_t at, const entry& e) noexcept;
    void take_out(std::size_t at) noexcept;
    void update_earliest() noexcept;

    spin_lock lock_;
    std::vector<entry> entries_;  // a heap of four children a node
    std::atomic<ticks> earliest_ = never;
};

/// A deadline of a blocked call.
struct wait_timer : timer_node {
    waiter* owner = nullptr;

    explicit wait_timer(waiter& w) noexcept;
};

}  // namespace runnel::detail
