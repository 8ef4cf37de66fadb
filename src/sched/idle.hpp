// sched/idle.hpp: when a worker sleeps, and who wakes it.
//
// Purpose   No work waits while every worker sleeps; no burst of work wakes every worker.
// State     One word, {searching, sleeping}; all other active workers run goroutines. The sleepers
//           stand in a list; each sleeps on its own word (worker::word), in the kernel or in the
//           poller.
// Invariants
//   I1  Work from outside (inject queue, a timer nearer than the poller's limit) is visible before
//       announce() is called.                                                        (submitter)
//   I2  A worker moves to sleeping in one step, then looks at everything once more, and sleeps only
//       if it finds nothing.                                                    (retiring worker)
//   I3  The last searcher to find work wakes another before it runs it, if more is visible, so a
//       burst ramps up one worker at a time.                                          (searcher)
//   I4  Work in a worker's own queue needs no announcement to be safe: its owner is awake and runs
//       it, and if the owner is stuck the monitor notices. Waking others for it is an optimisation.
//   I5  A worker leaves the list either by itself or by the one who wakes it, never both; whoever
//       takes it out moves it from sleeping to searching in the word.                   (lock_)
// Memory order
//   submit: push; word.fetch_add(0) [I-1]      retire: word.fetch_add(sleeping) [I-2]; look
//   Both are sequentially consistent read-modify-writes of one word, so they have one order. If
//   submit's is first, the look sees the push; if retire's is first, submit sees the sleeper and
//   wakes it. Acquire and release on two words would not do: each side stores, then loads the
//   other's. worth_waking() reads the word relaxed [I-4]: a hint, by I4.
//   worker::word: every transition is an exchange or compare-exchange, sequentially consistent.
// Locks     lock_ (leaf). Never ready a goroutine under it.
// Threads   announce(), wake_one(): any thread. The rest: only the worker itself.
// Tests     idle_test.cpp; the model in test/model/idle.pml fails if either order is weakened.
#pragma once

#include <atomic>
#include <cstdint>

#include <runnel/detail/spin_lock.hpp>

#include "src/base/list.hpp"
#include "src/sched/worker.hpp"

namespace runnel::detail {

class idle_workers {
public:
    struct counts {
        std::uint32_t searching;
        std::uint32_t sleeping;
    };

    [[nodiscard]] counts now() const noexcept { return unpack(word_.load()); }

    /// The same, ordered after all that the caller has stored before: a read-modify-write [I-1].
    [[nodiscard]] counts now_ordered() noexcept { return unpack(word_.fetch_add(0)); }

    /// True if work that is queued locally could be given to a sleeper and nobody looks for any.
    /// A hint: relaxed, see I4.
    [[nodiscard]] bool worth_waking() const noexcept {
        const counts c = unpack(word_.load(std::memory_order_relaxed));  // [I-4]
        return c.sleeping != 0 && c.searching == 0;
    }

    /// Work from outside is visible: makes sure that somebody looks for it. Returns the worker that
    /// was chosen, taken out of the list and counted as searching, for wake(); null if nobody need
    /// be woken.
    [[nodiscard]] worker* announce() noexcept {
        const counts c = now_ordered();
        return c.sleeping != 0 && c.searching == 0 ? pick() : nullptr;
    }

    /// Takes a sleeper out of the list, most recent first; null if there is none.
    [[nodiscard]] worker* pick() noexcept;

    /// Counts `w` as searching if few enough do already (half of those awake).
    [[nodiscard]] bool begin_search(std::uint32_t active) noexcept;
    /// Ends a search; true if it was the last one.
    bool end_search() noexcept;

    /// Moves `w` (searching or not) to sleeping [I-2]. Returns how many sleep now.
    std::uint32_t enter(worker& w, bool was_searching) noexcept;
    /// `w` goes back to searching by itself. False if somebody has taken it out: a wake-up is
    /// coming.
    bool leave(worker& w) noexcept;

private:
    static constexpr std::uint64_t one_searching = 1;
    static constexpr std::uint64_t one_sleeping = std::uint64_t{1} << 32;

    static counts unpack(std::uint64_t word) noexcept {
        return {.searching = static_cast<std::uint32_t>(word),
                .sleeping = static_cast<std::uint32_t>(word >> 32)};
    }

    std::atomic<std::uint64_t> word_ = 0;
    spin_lock lock_;
    intrusive_list<worker> sleepers_;
};

}  // namespace runnel::detail
