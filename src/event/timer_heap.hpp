// event/timer_heap.hpp: what becomes due, in order of time.
//
// Purpose   Each worker has a heap; any worker may take due timers from any heap, so that a stuck
//           worker's timers still fire. The heap returns what is due and never schedules.
// Invariants
//   T1  A node is in at most one heap; its owner sees to it that add() and remove() of one node
//       never run at the same time. Its claim() runs under that heap's lock and decides, once,
//       between firing and whatever else may end it.                                (pop_due)
//   T2  After remove() has returned, the heap never touches the node again: either it was taken out
//       here, or its claim() was lost, or the claim was won, and then whoever popped it calls
//       fire() or abandon(). A claimed node is out: it may be added again before its fire() runs.
//   T3  `earliest` is never later than the first node's time, but for the moment in which a lock
//       holder updates it.                                                   (add, remove, pop_due)
//   T4  Heaps are lent from a pool that never frees one, so that a node may be removed long after
//       the worker whose heap it was in has gone. A heap goes back empty.    (lent_timer_heap)
//   T5  Moving an entry writes to the heap's own arrays alone, not to the nodes: those lie on as
//       many stacks, and each would be a miss in the cache and in the TLB.             (place)
// Lifetime  A node that can die while it is in a heap counts its references: claim() takes one,
//           unless none is left (then it returns false, and the dying owner's remove(), which every
//           such owner calls, waits for the lock); fire() or abandon() gives it back.
// Locks     lock_ (leaf). claim() runs under it and may do no more than end a waiter or take a
//           reference.
// Memory order
//   earliest: relaxed stores under the lock, relaxed loads as a hint [T-1]; whoever acts on it
//   takes the lock. That a sleeping worker sees a new deadline is the sleep protocol's care
//   (sched/idle).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
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
    /// In place of fire(), when the heap's worker goes before the node is due. Null: the node's
    /// owner cannot outlive the worker.
    void (*abandon)(timer_node&) noexcept = nullptr;
};

struct timer_node {
    ticks when = never;
    const timer_ops* ops = nullptr;
    timer_heap* heap = nullptr;  ///< the last heap it was in
    std::size_t place = out;     ///< of the heap's places

    static constexpr std::size_t out = SIZE_MAX;
};

class alignas(64) timer_heap {
public:
    timer_heap() = default;
    timer_heap(const timer_heap&) = delete;
    timer_heap& operator=(const timer_heap&) = delete;

    /// Adds `node`, due at node.when; nodes due at the same time fire in the order of `tie`. Throws
    /// std::bad_alloc.
    void add(timer_node& node, std::uint64_t tie);

    /// Takes `node` out if it is in; see T2. Returns whether it was.
    bool remove(timer_node& node) noexcept;

    /// Takes and claims what is due, first due first, as much as `room` holds; returns the claimed
    /// nodes. What filled the room may not be all.
    [[nodiscard]] std::span<timer_node*> pop_due(ticks now, std::span<timer_node*> room) noexcept;

    /// When the first node is due; `never` if there is none.
    [[nodiscard]] ticks earliest() const noexcept {
        return earliest_.load(std::memory_order_relaxed);  // [T-1]
    }

    [[nodiscard]] std::size_t size() noexcept;

private:
    struct entry {
        ticks when;
        std::uint64_t tie;
        std::size_t place;

        [[nodiscard]] bool before(const entry& other) const noexcept {
            return when != other.when ? when < other.when : tie < other.tie;
        }
    };

    /// What a node that is in the heap has for as long as it is; free ones form a list.
    struct place {
        timer_node* node;
        std::size_t at;  ///< where its entry is; of a free one, the next free one
    };

    std::size_t take_place(timer_node& node);
    void put(std::size_t at, const entry& e) noexcept;
    void sift_up(std::size_t at, const entry& e) noexcept;
    void sift_down(std::size_t at, const entry& e) noexcept;
    timer_node* take_out(std::size_t at) noexcept;
    void update_earliest() noexcept;

    spin_lock lock_;
    std::vector<entry> entries_;  // a heap of four children a node
    std::vector<place> places_;
    std::size_t free_ = timer_node::out;
    std::atomic<ticks> earliest_ = never;
};

/// A heap for a worker's time (T4).
class lent_timer_heap {
public:
    /// Throws std::bad_alloc.
    lent_timer_heap();
    /// Abandons what is still in it; nobody may add meanwhile.
    ~lent_timer_heap();
    lent_timer_heap(const lent_timer_heap&) = delete;
    lent_timer_heap& operator=(const lent_timer_heap&) = delete;

    [[nodiscard]] timer_heap& operator*() const noexcept { return *heap_; }
    [[nodiscard]] timer_heap* operator->() const noexcept { return heap_; }

private:
    timer_heap* const heap_;
};

/// A deadline of a blocked call.
struct wait_timer : timer_node {
    waiter* owner = nullptr;

    explicit wait_timer(waiter& w) noexcept;
};

}  // namespace runnel::detail
