// sched/sleep.cpp: what a worker does that has found nothing. The argument is in idle.hpp.
//
// One sleeper at most waits in the poller, until the next timer; the others wait on their word.
// While others still run, the one in the poller naps: it takes what waited in a queue through a
// whole nap, because time waited, unlike queue length, tells work that is worth moving from work
// that is not.
#include "src/os/clock.hpp"
#include "src/os/futex.hpp"
#include "src/sched/current.hpp"
#include "src/sched/report.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr ticks first_nap = 50'000;
constexpr ticks longest_nap = 1'000'000;

}  // namespace

/// True if there is work that the caller, about to sleep, must not leave lying (idle.hpp, I2).
bool scheduler::something_visible(const worker& w) const noexcept {
    if (inject_.size() != 0 || stopping() || w.queue.waiting() != 0) {
        return true;
    }
    for (std::size_t i = 0; i < worker_count(); ++i) {
        const worker& other = worker_at(i);
        const bool stuck = other.stuck.load(std::memory_order_relaxed);
        if (other.queue.waiting() > (stuck ? 0 : keep_local)) {
            return true;
        }
    }
    return !is_virtual() && earliest_timer() <= w.last_check;
}

bool scheduler::all_asleep() const noexcept {
    if (in_transit_.load() || idle_.now().sleeping < active_.load() || inject_.size() != 0) {
        return false;
    }
    for (std::size_t i = 0; i < worker_count(); ++i) {
        if (worker_at(i).queue.waiting() != 0) {
            return false;
        }
    }
    return true;
}

/// Sleeps until there may be work. Returns a goroutine if it found one on its own; the worker
/// counts as searching afterwards.
goroutine* scheduler::sleep(worker& w) noexcept {
    static_cast<void>(tidy_stacks(w, os::monotonic_now()));
    w.word.store(word_awake);
    const std::uint32_t sleeping = idle_.enter(w, std::exchange(w.searching, false));
    w.state.store(worker_state::sleeping);
    goroutine* taken = nullptr;
    if (draining_.load()) {
        drain_epoch_.fetch_add(1);
        os::futex_wake(&drain_epoch_);
    }
    const bool stay = !something_visible(w) && !(sleeping >= active_.load() && quiescent());
    if (stay) {
        if (!poller_taken_.exchange(true)) {
            taken = wait_in_poller(w);
            poll_until_.store(not_polling);
            poller_taken_.store(false);
        } else {
            wait_for_wake(w);
        }
    }
    get_up(w);
    return taken;
}

/// Out of the list of sleepers, if still in it. Nothing may be taken from anywhere while still in
/// it: everybody asleep and every queue empty must mean that nothing is runnable.
void scheduler::get_up(worker& w) noexcept {
    if (w.searching) {
        return;
    }
    if (!idle_.leave(w)) {
        await_token(w);
    }
    rouse_monitor();
    w.searching = true;
    w.state.store(worker_state::searching);
}

/// Gives memory of stacks back that nobody has used for a while; returns whether there is more.
bool scheduler::tidy_stacks(worker& w, ticks at) noexcept {
    if (w.stacks.untrimmed() && at - w.trimmed_at >= stack_depot::keep_for) {
        w.trimmed_at = at;
        w.stacks.trim();
    }
    return depot_.scavenge(at);
}

/// Somebody has taken this worker out of the list and is about to set its word.
void scheduler::await_token(worker& w) noexcept {
    std::uint32_t seen = w.word.load();
    while (seen != word_woken) {
        if (seen == word_asleep || w.word.compare_exchange_strong(seen, word_asleep)) {
            const bool untrimmed = w.stacks.untrimmed();
            os::futex_wait(w.word, word_asleep, untrimmed ? stack_depot::keep_for : -1);
            seen = w.word.load();
            if (untrimmed && seen == word_asleep) {
                static_cast<void>(tidy_stacks(w, os::monotonic_now()));
            }
        }
    }
}

void scheduler::wait_for_wake(worker& w) noexcept {
    watch_my_timers(w);
    await_token(w);
}

/// The timers of `w`, which goes to sleep, are the poller's care now: nobody in it may sleep beyond
/// them (the argument is in timers.hpp).
void scheduler::watch_my_timers(worker& w) noexcept {
    static_cast<void>(idle_.now_ordered());
    if (!is_virtual() && w.timers.earliest() < poll_until_.load()) {
        poller_.interrupt();
    }
}

void scheduler::wake_worker(worker* w) noexcept {
    if (w == nullptr) {
        return;
    }
    const std::uint32_t was = w->word.exchange(word_woken);
    if (was == word_asleep) {
        os::futex_wake(&w->word);
    } else if (was == word_polling) {
        poller_.interrupt();
    }
}

/// How long to sleep in the poller, from now: until the first timer, or a nap if that is shorter.
/// Announces the limit first, so that a timer added meanwhile is either seen here or interrupts; so
/// the limit may only come nearer afterwards, also if the first timer has gone (timers.hpp).
ticks scheduler::poll_limit(ticks nap) noexcept {
    if (is_virtual()) {
        poll_until_.store(not_polling);
        return nap == never ? -1 : nap;
    }
    const ticks at = os::monotonic_now();
    const ticks until_nap = nap == never ? never : at + nap;
    const ticks announced = std::min(until_nap, earliest_timer());
    poll_until_.store(announced);
    static_cast<void>(idle_.now_ordered());
    const ticks until = std::min(announced, earliest_timer());
    poll_until_.store(until);
    return until == never ? -1 : std::max<ticks>(until - at, 0);
}

/// What a queue looked like when a nap began.
struct scheduler::nap_sample {
    std::uint64_t picks;
    std::uint32_t served;
    std::uint32_t waiting;

    static nap_sample of(const worker& v) noexcept {
        return {.picks = v.picks.load(std::memory_order_relaxed),  // [W-1]
                .served = v.queue.served(),
                .waiting = v.queue.waiting()};
    }
    /// Something that waited then still waits.
    [[nodiscard]] bool waited_through(const nap_sample& later) const noexcept {
        if (waiting == 0 || later.waiting == 0) {
            return false;
        }
        return later.picks == picks || later.served - served < waiting - 1;
    }
};

goroutine* scheduler::wait_in_poller(worker& w) noexcept {
    ticks nap = first_nap;
    bool untidy = false;
    std::array<os::readiness, 64> room;
    std::array<nap_sample, watched_workers> before;
    for (;;) {
        const bool others_run = idle_.now().sleeping < active_.load();
        const std::size_t watched = others_run ? std::min(worker_count(), watched_workers) : 0;
        for (std::size_t i = 0; i < watched; ++i) {
            before[i] = nap_sample::of(worker_at(i));
        }
        std::uint32_t expected = word_awake;
        if (!w.word.compare_exchange_strong(expected, word_polling)) {
            return nullptr;
        }
        const bool will_tidy = w.stacks.untrimmed() || depot_.stocked();
        const ticks alone = will_tidy ? stack_depot::keep_for : never;
        const ticks limit = untidy ? 0 : others_run ? nap : alone;
        const auto happened = poller_.wait(room, poll_limit(limit));
        expected = word_polling;
        const bool woken = !w.word.compare_exchange_strong(expected, word_awake);
        if (!happened.empty()) {
            get_up(w);
            wake_ready(w, happened);
            return nullptr;
        }
        if (woken || stopping() || (!is_virtual() && earliest_timer() <= os::monotonic_now())) {
            return nullptr;
        }
        for (std::size_t i = 0; i < watched; ++i) {
            worker& v = worker_at(i);
            const nap_sample after = nap_sample::of(v);
            if (&v == &w || !before[i].waited_through(after)) {
                continue;
            }
            get_up(w);
            return steal_from(v, w, after.picks == before[i].picks);
        }
        untidy = tidy_stacks(w, os::monotonic_now());
        nap = std::min(nap * 2, longest_nap);
    }
}

/// Counts injections and scheduling points.
std::uint64_t scheduler::movements() const noexcept {
    std::uint64_t sum = injections_.load();
    for (std::size_t i = 0; i < worker_count(); ++i) {
        sum += worker_at(i).picks.load();
    }
    return sum;
}

/// Every worker sleeps. True if something could be made runnable nevertheless.
bool scheduler::quiescent() noexcept {
    if (is_virtual()) {
        return clock_->quiescent();
    }
    if (needs_help_from_outside(*this) && stands_still_alone(mains.load())) {
        report_deadlock(*this);
    }
    return false;
}

bool scheduler::stands_still_alone(std::size_t waiting) const noexcept {
    // Between two looks a thread may wake somebody and end, or a worker get up, run and sleep
    // again: then all looks are true, but something has moved.
    const std::uint64_t before = movements();
    return all_asleep() && nobody_outside(*this, waiting) && movements() == before && all_asleep();
}

}  // namespace runnel::detail
