// sched/switch.cpp: from one goroutine to the next, off the hot path.
#include "src/sched/switch.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "src/os/clock.hpp"

namespace runnel::detail {
namespace {

constexpr ticks look_every = 20'000;        // how often a busy worker looks at the clock, about
constexpr ticks poll_every = 1'000'000;     // and, in between, at descriptors
constexpr ticks round_time = 10'000'000;    // in which all that wait shall have had a turn
constexpr std::uint32_t max_interval = 64;  // picks between two looks

}  // namespace

/// The switch of a build under a sanitizer: announced, and made here, not in the caller.
void scheduler::switch_announced(worker& w, goroutine* self, fiber* to) noexcept {
    sanitizer_stack& there =
        to == &w.loop ? w.loop_sanitizer : static_cast<goroutine*>(to)->sanitizer;
    announce_switch(self->sanitizer, there, false);
    switch_fiber(self, to);
    arrived(self->sanitizer, nullptr);
    if (self->exceptions_saved) {
        restore_exceptions(*self);
    }
}

suspension scheduler::yield(worker& w, goroutine* self) noexcept {
    if (at_scheduling_point(w)) [[unlikely]] {
        w.current = nullptr;
        return depart(w, self, &w.loop);
    }
    goroutine* const g = w.queue.rotate(self);
    if (g == nullptr) {
        return {self, nullptr};
    }
    offer_work(w);
    return depart(w, self, enter(w, g));
}

/// Looks at the clock, timers, descriptors and the inject queue, as often as pays.
void scheduler::look_around(worker& w) noexcept {
    w.attention.store(false, std::memory_order_relaxed);
    w.stuck.store(false, std::memory_order_relaxed);
    const ticks real = os::monotonic_now();
    const ticks passed = real - w.last_check;
    w.last_check = real;
    if (passed < look_every / 2) {
        w.check_interval = std::min(w.check_interval * 2, max_interval);
    } else if (passed > 2 * look_every) {
        const ticks fewer = w.check_interval * look_every / passed;
        w.check_interval = static_cast<std::uint32_t>(std::max<ticks>(fewer, 1));
    }
    w.check_at = w.picks.load(std::memory_order_relaxed) + w.check_interval;  // [W-1]

    if (w.queue.served() != w.slice_served) {
        w.slice_served = w.queue.served();
        w.slice_start = real;
    } else if (real - w.slice_start > round_time / (w.queue.waiting() + 1)) {
        w.queue.end_slice();
    }
    fire_timers(w, is_virtual() ? now() : real);
    if (poller_.armed() != 0) {
        ticks last = last_poll_.load(std::memory_order_relaxed);
        if (real - last > poll_every && last_poll_.compare_exchange_strong(last, real)) {
            poll_now(w);
        }
    }
    // A batch a round, so that what was woken here does not queue behind all that is injected. With
    // nothing but `next` in the queue, because others have stolen the rest, the round is over.
    const bool round_over =
        w.queue.waiting() <= 1 || w.queue.served() - w.round_served >= w.round_turns;
    if (inject_.size() != 0 && round_over) {
        goroutine_list taken;
        do {  // as many as waited here in the last round: a share, not a trickle
            inject_.take(taken, active_.load(std::memory_order_relaxed));
        } while (taken.size() < w.round_turns && inject_.size() != 0);
        w.round_served = w.queue.served();
        w.round_turns = w.queue.push_ready(taken);
        offer_work(w);
    }
}

/// Wakes the goroutines whose descriptors are ready, without waiting.
void scheduler::poll_now(worker& w) noexcept {
    std::array<os::readiness, 64> room;
    wake_ready(w, poller_.wait(room, 0));
}

void wake_both(const poll_woken& ended) noexcept {
    if (ended.read != nullptr) {
        wake(*ended.read);
    }
    if (ended.write != nullptr) {
        wake(*ended.write);
    }
}

void scheduler::wake_ready(worker& w, std::span<const os::readiness> events) noexcept {
    w.waking = waking_kind::in_order;
    for (const os::readiness& event : events) {
        wake_both(poller_.collect(event));
    }
    w.waking = waking_kind::one;
}

void scheduler::fire_timers(worker& w, ticks at) noexcept {
    std::array<timer_node*, 64> room;
    const waking_kind before = std::exchange(w.waking, waking_kind::due);
    for (std::size_t i = 0; i < worker_count(); ++i) {
        timer_heap& heap = worker_at(i).timers;
        while (heap.earliest() <= at) {
            for (timer_node* const node : heap.pop_due(at, room)) {
                node->ops->fire(*node);
            }
        }
    }
    w.waking = before;
}

ticks scheduler::earliest_timer() const noexcept {
    ticks first = never;
    for (std::size_t i = 0; i < worker_count(); ++i) {
        first = std::min(first, worker_at(i).timers.earliest());
    }
    return first;
}

/// From outside. The goroutine may run to its end, and its runtime may be destroyed, as soon as it
/// is in the queue: stop() waits for those who are in here.
void scheduler::inject(goroutine* g) noexcept {
    injecting_.fetch_add(1);
    injections_.fetch_add(1);
    inject_.push(g);
    wake_worker(idle_.announce());
    injecting_.fetch_sub(1);
}

void scheduler::ready(goroutine* g) noexcept { ready_on(current_worker(), g); }

ticks scheduler::now() const noexcept {
    return clock_ != nullptr ? clock_->now.load() : os::monotonic_now();
}

bool scheduler::link_timer(worker& w, timer_node& node) {
    const std::uint64_t tie = is_virtual()
                                  ? w.random.next()
                                  : next_tie_.fetch_add(1, std::memory_order_relaxed);
    const ticks when = node.when;
    w.timers.add(node, tie);
    // A sleeper in the poller may have to get up earlier now. Our own worker sees the timer as soon
    // as it is at a scheduling point; if it is not for long, the monitor tells the sleeper.
    constexpr ticks soon = 20'000'000;
    return !is_virtual() && when < poll_until_.load() && when < w.last_check + soon;
}

void scheduler::link_foreign_timer(timer_node& node) {
    const std::uint64_t tie = next_tie_.fetch_add(1, std::memory_order_relaxed);
    worker& w = worker_at(thread_random().below(static_cast<std::uint32_t>(base_workers_)));
    w.timers.add(node, tie);
}

void scheduler::watch_foreign_timer(ticks when) noexcept {
    static_cast<void>(idle_.now_ordered());
    if (when < poll_until_.load()) {
        poller_.interrupt();
    }
}

}  // namespace runnel::detail
