// sched/run_queue.hpp: the goroutines that one worker will run, and how others take from it.
//
// Purpose   Four places, by why a goroutine is runnable. `next`: woken by the one that runs now;
//           it inherits the processor, so that a pair that talks stays on one core. `due`: its time
//           has come; it does not queue behind all that is ready, but has three turns for one of
//           those. `ready`: first come, first served. `fresh`: started and never run; newest first,
//           because a tree of goroutines that is walked depth first stays small
//           (docs/design/0001-run-queues.md).
//           Its turn is bounded by time, not by count: a pair whose turns are short gets as much of
//           the processor as one whose turns are long.
// Invariants
//   Q1  A goroutine stands in at most one queue, and only while it is runnable.     (whoever
//       pushes)
//   Q2  Nothing starves: when end_slice() has been called, the others have a turn before `next`;
//       every `oldest_every` of their turns the oldest fresh goroutine has one; `due` and `ready`
//       take turns.                                                              (worker, choose)
// Locks     lock_ (leaf); held for a few list operations. Only the worker itself pushes and pops;
//           others steal.
// Memory order
//   size_, served_: relaxed, written under the lock, read as hints; whoever acts takes the
//   lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include <runnel/detail/spin_lock.hpp>

#include "src/base/list.hpp"
#include "src/fiber/goroutine.hpp"
#include "src/sched/biased_lock.hpp"

namespace runnel::detail {

using goroutine_list = intrusive_list<goroutine>;

class run_queue {
public:
    /// Woken by the goroutine that runs now.
    void push_next(goroutine* g) noexcept {
        const owner_guard hold(lock_);
        if (next_ != nullptr) {
            ready_.push_back(next_);
        }
        next_ = g;
        set_size(waiting() + 1);
    }

    void push_ready(goroutine* g) noexcept {
        const owner_guard hold(lock_);
        ready_.push_back(g);
        set_size(waiting() + 1);
    }

    /// Returns after how many turns (served()) all that is ready now has had one, if nobody steals.
    std::uint32_t push_ready(goroutine_list& list) noexcept {
        const owner_guard hold(lock_);
        set_size(waiting() + static_cast<std::uint32_t>(list.size()));
        ready_.splice_back(list);
        return static_cast<std::uint32_t>(ready_.size());
    }

    /// Woken by a timer.
    void push_due(goroutine* g) noexcept {
        const owner_guard hold(lock_);
        due_.push_back(g);
        set_size(waiting() + 1);
    }

    /// What steal() has given; what has never run stays fresh.
    void push_stolen(goroutine_list& list) noexcept {
        const owner_guard hold(lock_);
        set_size(waiting() + static_cast<std::uint32_t>(list.size()));
        while (goroutine* const g = list.pop_front()) {
            if (g->on == nullptr) {
                fresh_.push_front(g);
            } else {
                ready_.push_back(g);
            }
        }
    }

    void push_fresh(goroutine* g) noexcept {
        const owner_guard hold(lock_);
        fresh_.push_front(g);
        set_size(waiting() + 1);
    }

    /// The owner's next goroutine; null if there is none.
    [[nodiscard]] goroutine* pop() noexcept {
        if (waiting() == 0) {
            return nullptr;  // only the owner pushes, so an empty queue stays empty
        }
        const owner_guard hold(lock_);
        goroutine* const g = choose();
        set_size(waiting() - (g != nullptr ? 1U : 0U));
        return g;
    }

    /// Queues `self`, which runs now, behind the others and takes the first of those; null, and
    /// `self` is not queued, if there are no others.
    [[nodiscard]] goroutine* rotate(goroutine* self) noexcept {
        if (waiting() == 0) {
            return nullptr;
        }
        const owner_guard hold(lock_);
        goroutine* const g = choose();
        if (g != nullptr) {
            ready_.push_back(self);
        }
        return g;
    }

    /// The goroutines that pass the processor along by `next` have had it long enough. The owner's.
    void end_slice() noexcept { slice_over_ = true; }

    /// Takes about half of what waits, oldest first, for another worker. `next` goes only
    /// `with_next`: it is hot here and will usually run within a microsecond.
    void steal(goroutine_list& out, bool with_next) noexcept;

    /// Takes all that waits, for whoever will have it.
    void surrender(goroutine_list& out) noexcept;

    /// How many wait; a hint to all but the owner.
    [[nodiscard]] std::uint32_t waiting() const noexcept {
        return size_.load(std::memory_order_relaxed);
    }
    /// How many have been taken from elsewhere than `next` since the start.
    [[nodiscard]] std::uint32_t served() const noexcept {
        return served_.load(std::memory_order_relaxed);
    }

private:
    static constexpr std::uint32_t oldest_every = 32;
    static constexpr std::uint32_t seen_in_cache = 64;
    static constexpr std::uint32_t ready_every = 4;  // of the turns, while `due` has some

    goroutine* choose() noexcept {
        if (next_ != nullptr &&
            (!slice_over_ || (ready_.empty() && fresh_.empty() && due_.empty()))) {
            goroutine* const g = next_;
            next_ = nullptr;
            return g;
        }
        slice_over_ = false;
        const std::uint32_t turn = served_.load(std::memory_order_relaxed) + 1;
        served_.store(turn, std::memory_order_relaxed);
        if (turn % oldest_every == 0 && !fresh_.empty()) {
            return fresh_.pop_back();
        }
        goroutine_list& from = choose_list(turn);
        goroutine* const g = from.pop_front();
        if (waiting() > seen_in_cache) [[unlikely]] {
            prefetch_next(from);
        }
        return g;
    }

    goroutine_list& choose_list(std::uint32_t turn) noexcept {
        if (!due_.empty() && (ready_.empty() || turn % ready_every != 0)) [[unlikely]] {
            return due_;
        }
        return ready_.empty() ? fresh_ : ready_;
    }

    /// Long queues do not fit into the cache: asks in time for what the next turns will need.
    static void prefetch_next(const goroutine_list& from) noexcept {
        const goroutine* const first = from.front();
        if (first != nullptr) {
            first->prefetch_frames();
            __builtin_prefetch(first->next);
        }
    }

    void set_size(std::uint32_t n) noexcept { size_.store(n, std::memory_order_relaxed); }

    biased_lock lock_;
    goroutine* next_ = nullptr;
    goroutine_list due_;
    goroutine_list ready_;
    goroutine_list fresh_;
    bool slice_over_ = false;
    std::atomic<std::uint32_t> size_ = 0;
    std::atomic<std::uint32_t> served_ = 0;
};

/// Where goroutines are queued by those who are not a worker of their runtime. Any thread.
/// Memory order: size_ is written under the lock and read by sleepers after their announcement;
/// both are sequentially consistent, as the sleep protocol asks (idle.hpp, I1).
class inject_queue {
public:
    void push(goroutine* g) noexcept {
        const std::lock_guard hold(lock_);
        list_.push_back(g);
        size_.store(list_.size());
    }

    void push(goroutine_list& list) noexcept {
        const std::lock_guard hold(lock_);
        list_.splice_back(list);
        size_.store(list_.size());
    }

    /// Takes a fair share (of `workers`) of what waits, oldest first.
    void take(goroutine_list& out, std::size_t workers) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_.load(); }

private:
    spin_lock lock_;
    goroutine_list list_;
    std::atomic<std::size_t> size_ = 0;
};

}  // namespace runnel::detail
