// sched/monitor.cpp: a thread that notices workers which are stuck in one goroutine.
//
// It ticks only while some worker is awake. A goroutine that computes for long, or blocks its
// thread without saying so, holds a worker. (Computing is counted in processor time: a worker that
// the system has not let run is not stuck.) What waits in that worker's queue then goes to the
// inject queue, where the others look; what only a free worker can see (timers, descriptors) is a
// sleeper's business. If there are too few workers left that move, one is added; added workers
// retire when they are not needed any more.
#include <algorithm>
#include <vector>

#include "src/os/clock.hpp"
#include "src/os/futex.hpp"
#include "src/os/thread.hpp"
#include "src/sched/report.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr ticks tick = 10'000'000;
constexpr ticks much_of_a_tick = tick / 4 * 3;
constexpr ticks look_again = 1'000'000'000;  // for threads that have ended, while all are asleep

}  // namespace

void scheduler::rouse_monitor() noexcept {
    if (monitor_asleep_.load() != 0) {
        monitor_asleep_.store(0);
        os::futex_wake(&monitor_asleep_);
    }
}

void scheduler::watch(std::vector<observation> seen) noexcept {
    os::name_this_thread("runnel-monitor");
    while (!stopping()) {
        if (idle_.now().sleeping >= active_.load()) {
            // Announce first, then look again: whoever wakes up looks at the announcement after.
            monitor_asleep_.store(1);
            if (idle_.now_ordered().sleeping >= active_.load() && !stopping()) {
                watch_from_bed();
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

/// Sleeps until a worker gets up. If only somebody outside can cause that, threads that end are
/// watched for: the last one to end turns the wait into a deadlock. While all are asleep, nothing
/// else that this depends on changes.
void scheduler::watch_from_bed() noexcept {
    const bool watched = !is_virtual() && needs_help_from_outside(*this);
    os::futex_wait(monitor_asleep_, 1, watched ? look_again : -1);
    if (watched && monitor_asleep_.load() != 0 && !stopping()) {
        static_cast<void>(quiescent());
    }
}

/// Looks at one worker: whether it is stuck, and whether something has waited in its queue for a
/// tick.
scheduler::sighting scheduler::observe(worker& w, observation& before) noexcept {
    observation now{
        .picks = w.picks.load(std::memory_order_relaxed),  // [W-1]
        .served = w.queue.served(),
        .waiting = w.queue.waiting(),
        .ran = w.state.load() == worker_state::running,
    };
    // On a crowded machine a worker may not have run at all. Taking its queue away then costs the
    // order that keeps a tree of goroutines small, and more workers would make it more crowded.
    const int thread = w.thread_id.load();
    const ticks used = os::processor_time(thread);
    const bool still = now.ran && before.ran && now.picks == before.picks;
    now.used = still ? before.used : used;
    const bool blocked = still && !os::wants_processor(thread);
    const bool computing = still && !blocked && used - now.used >= much_of_a_tick;
    const bool stuck = blocked || computing;
    const bool waited =
        before.waiting != 0 && now.waiting != 0 && now.served - before.served < before.waiting;
    before = now;
    w.stuck.store(stuck, std::memory_order_relaxed);
    w.attention.store(true, std::memory_order_relaxed);
    return {.stuck = stuck, .computing = computing, .waited = waited};
}

void scheduler::monitor_tick(std::vector<observation>& seen) noexcept {
    std::size_t stuck = 0;
    std::size_t computing = 0;
    std::size_t moving = 0;
    bool waited = false;
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        const sighting s = observe(w, seen[i]);
        stuck += s.stuck ? 1 : 0;
        computing += s.computing ? 1 : 0;
        moving += !s.stuck && w.state.load() != worker_state::retired ? 1 : 0;
        waited = waited || s.waited;
        if (s.stuck && w.queue.waiting() != 0) {
            hand_over_queue(w);
        }
    }
    stuck_.store(stuck);
    help(waited, stuck != 0 && moving < std::max<std::size_t>(
                                            base_workers_ - std::min(computing, base_workers_), 1));
}

/// What waits for a stuck worker waits for all from now on.
void scheduler::hand_over_queue(worker& w) noexcept {
    goroutine_list taken;
    in_transit_.store(true);  // for a moment in no queue, but not asleep
    w.queue.surrender(taken);
    inject_.push(taken);
    in_transit_.store(false);
    if (idle_.now_ordered().sleeping >= active_.load()) {
        wake_worker(idle_.pick());  // whoever fell asleep last may have looked in that moment
    }
}

/// Brings a worker in if there is something to do for one.
void scheduler::help(bool waited, bool too_few) noexcept {
    const ticks first = is_virtual() ? never : earliest_timer();
    const bool unwatched = (first != never || poller_.armed() != 0) && !poller_taken_.load();
    if (first <= os::monotonic_now() && poller_taken_.load()) {
        poller_
            .interrupt();  // a timer of a stuck worker, that the sleeper in the poller cannot know
    }
    if (!waited && !unwatched && inject_.size() == 0) {
        return;
    }
    if (idle_.now().sleeping != 0) {
        wake_worker(idle_.pick());
    } else if (too_few) {
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
    watch_my_timers(w);
    if (idle_.now_ordered().sleeping >= active_.load()) {
        // The last one awake does not fall asleep but goes: let a sleeper find that all is quiet.
        wake_worker(idle_.pick());
    }
    w.stacks.flush();
    while (w.word.load() != word_woken) {
        os::futex_wait(w.word, word_asleep);
    }
    return true;
}

}  // namespace runnel::detail
