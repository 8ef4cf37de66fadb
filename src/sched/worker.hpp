// sched/worker.hpp: one thread that runs goroutines.
//
// Members are grouped by who may touch them. `picks` counts scheduling points: a worker whose count
// stands still while it runs is stuck in one goroutine (monitor).
//
// Memory order
//   picks, started, finished: written by the owner with relaxed stores, read as hints or in sums
//   that a sleeping worker has published through the idle word [W-1].
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "src/base/random.hpp"
#include "src/event/timer_heap.hpp"
#include "src/fiber/exceptions.hpp"
#include "src/fiber/goroutine.hpp"
#include "src/sched/run_queue.hpp"

namespace runnel::detail {

class scheduler;

enum class worker_state : std::uint8_t { running, searching, sleeping, retired, halted };

/// What a worker is doing when it makes something ready.
enum class waking_kind : std::uint8_t {
    one,       ///< the current goroutine wakes: whoever it wakes inherits the processor
    in_order,  ///< many are woken: they keep their order
    due,       ///< time has come for many: likewise, and they do not wait behind all others
};

/// What the word that a sleeping worker waits on says.
enum : std::uint32_t { word_awake, word_woken, word_asleep, word_polling };

struct alignas(64) worker {
    worker(scheduler& s, std::size_t number, std::uint64_t seed);
    ~worker() = default;
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // Constant after construction.
    scheduler& home;
    const std::size_t index;

    // The owner's.
    goroutine* current = nullptr;  ///< what runs now; null in the worker's own loop
    goroutine* handoff = nullptr;  ///< taken, but still leaving its stack: the loop waits for it
    exception_globals* exceptions = nullptr;
    std::uint64_t check_at = 1;  ///< the pick at which timers and the poller are looked at
    std::uint32_t check_interval = 1;
    ticks last_check = 0;
    std::uint32_t slice_served = 0;  ///< queue.served() when this slice was first seen
    ticks slice_start = 0;
    waking_kind waking = waking_kind::one;
    std::uint32_t round_served = 0;  ///< queue.served() when something injected was taken last,
    std::uint32_t round_turns = 0;   ///< and after how many turns there may be more
    bool searching = false;          ///< counted as searching in the idle word
    fiber loop;                      ///< the worker's own stack
    fiber discarded;                 ///< where a finished goroutine's state is saved, for nobody
    sanitizer_stack loop_sanitizer;
    stack* retired_stack =
        nullptr;  ///< of the goroutine that finished last, to be freed by the loop
    sanitizer_stack retired_sanitizer;
    random_source random;         ///< of what goroutines choose: a seed replays it
    random_source search_random;  ///< of where to look for work: a matter of timing
    stack_cache stacks;
    ticks trimmed_at = 0;
    goroutine_cache records;
    std::uint64_t next_id = 0;
    std::uint64_t end_id = 0;

    // Written by the owner, read by others.
    std::atomic<std::uint64_t> picks = 0;
    std::atomic<std::uint64_t> started = 0;
    std::atomic<std::uint64_t> finished = 0;
    std::atomic<worker_state> state = worker_state::running;
    std::atomic<bool> attention = false;  ///< set by others: look around at the next pick
    std::atomic<bool> stuck = false;  ///< set by the monitor: in one goroutine since its last tick

    // Synchronised themselves.
    run_queue queue;
    lent_timer_heap lent_heap;
    timer_heap& timers = *lent_heap;
    std::atomic<std::uint32_t> word = word_awake;  ///< see idle.hpp

    // Protected by the idle lock.
    worker* next = nullptr;
    worker* prev = nullptr;
    bool listed = false;

    ticks used_before_halt = 0;  ///< processor time; whoever ends the process notes it

    std::thread thread;
    std::atomic<int> thread_id = 0;

    void count(std::atomic<std::uint64_t>& counter) noexcept {
        counter.store(counter.load(std::memory_order_relaxed) + 1,  // [W-1]
                      std::memory_order_relaxed);
    }
};

}  // namespace runnel::detail
