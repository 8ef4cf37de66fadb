// sched/monitor.cpp: a thread that notices workers which are stuck in one goroutine.
//
// It ticks only while some worker is awake. A goroutine that computes for long, or blocks its thread
// without saying so, holds a worker; what waits in that worker's queue, and what only a free worker can
// see (timers, descriptors, the inject queue), then goes to a sleeper, and if there is none, to a
// worker that is added. Added workers retire when they are not needed any more.
#include <algorithm>
#include <vector>

#include "src/os/clock.hpp"
#include "src/os/futex.hpp"
#include "src/os/thread.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr ticks tick = 10'000'000;

}  // namespace

/// What the monitor saw of a worker at its last tick.
struct scheduler::observation {
    std::uint64_t picks = 0;
    std::uint32_t served = 0;
    std::uint32_t waiting = 0;
    std::int64_t cpu = 0;
    bool ran = false;
};

void scheduler::rouse_monitor() noexcept {
    if (monitor_asleep_.load() != 0) {
        monitor_asleep_.store(0);
        os::futex_wake(&monitor_asleep_);
    }
}

void scheduler::watch() noexcept {
    os::name_this_thread("runnel-monitor");
    std::vector<observation> seen(workers_.size());
    while (!stopping()) {
        if (idle_.now().sleeping >= active_.load()) {
            // Announce first, then look again: whoever wakes up looks at the announcement after.
            monitor_asleep_.store(1);
            if (idle_.now_ordered().sleeping >= active_.load() && !stopping()) {
                os::futex_wait(monitor_asleep_, 1);
            }
            monitor_asleep_.store(0);
            continue;
        }
        os::futex_wait(monitor_nap_, 0, tick);
        monitor_tick(seen);
    }
    if (halting_.load()) {
        os::sleep_forever();
    }
}

void scheduler::monitor_tick(std::vector<observation>& seen) noexcept {
    std::size_t stuck = 0;
    std::size_t burning = 0;
    std::size_t moving = 0;
    bool waiting = inject_.size() != 0;
    const ticks at = os::monotonic_now();
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        observation& before = seen[i];
        const bool runs = w.state.load() == worker_state::running;
        const observation now{
            .picks = w.picks.load(std::memory_order_relaxed),  // [W-1]
            .served = w.queue.served(),
            .waiting = w.queue.waiting(),
            .cpu = runs ? os::thread_cpu_time(w.handle.load()) : 0,
            .ran = runs,
        };
        const bool is_stuck = runs && before.ran && now.picks == before.picks;
        w.stuck.store(is_stuck, std::memory_order_relaxed);
        w.attention.store(true, std::memory_order_relaxed);
        stuck += is_stuck ? 1 : 0;
        burning += is_stuck && now.cpu - before.cpu > tick / 2 ? 1 : 0;
        moving += w.state.load() != worker_state::retired && !is_stuck ? 1 : 0;
        waiting = waiting || (is_stuck && now.waiting != 0) ||
                  (before.waiting != 0 && now.waiting != 0 &&
                   now.served - before.served < before.waiting);
        before = now;
    }
    stuck_.store(stuck);
    const bool unserved = !is_virtual() && (earliest_timer() != never || poller_.armed() != 0);
    if (!waiting && !(unserved && !poller_taken_.load())) {
        if (unserved && earliest_timer() <= at) {
            poller_.interrupt();  // a stuck worker's timer that the sleeper in the poller cannot know
        }
        return;
    }
    if (idle_.now().sleeping != 0) {
        wake_worker(idle_.pick());
    } else if (stuck != 0 && moving < std::max<std::size_t>(
                                         base_workers_ - std::min(burning, base_workers_), 1)) {
        add_worker();
    }
}

/// Brings a retired worker back, or makes a new one.
void scheduler::add_worker() noexcept {
    const std::lock_guard hold(monitor_lock_);
    if (stopping()) {
        return;
    }
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        if (w.state.load() == worker_state::retired) {
            active_.fetch_add(1);
            w.state.store(worker_state::running);
            w.word.store(word_woken);
            os::futex_wake(&w.word);
            return;
        }
    }
    const std::size_t count = worker_count();
    if (count >= base_workers_ + max_extra_workers || count >= workers_.size()) {
        return;
    }
    try {
        launch();
        extra_added_.fetch_add(1);
    } catch (const std::exception&) {
        // No more threads are to be had; the next tick tries again.
    }
}

/// Puts `w`, which has nothing to do, aside while there are more workers than needed.
bool scheduler::retire(worker& w) noexcept {
    if (active_.load() <= base_workers_ || stuck_.load() != 0 || w.queue.waiting() != 0) {
        return false;
    }
    {
        const std::lock_guard hold(monitor_lock_);
        if (active_.load() <= base_workers_ || stopping()) {
            return false;
        }
        if (stop_searching(w)) {
            inject_announce();
        }
        w.word.store(word_asleep);
        w.state.store(worker_state::retired);
        active_.fetch_sub(1);
    }
    w.stacks.flush();
    while (w.word.load() != word_woken) {
        os::futex_wait(w.word, word_asleep);
    }
    return true;
}

}  // namespace runnel::detail
