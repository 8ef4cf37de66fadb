// sched/switch.hpp: the hot path from one goroutine to the next, inline for the compiled
// operations.
//
// A blocking operation asks once which worker it runs on and passes that along: each question is a
// call (current.hpp), and a round trip over a channel has four operations.
#pragma once

#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {

/// W1 of detail/switch.hpp: true once whoever ran `f` has left its stack.
[[nodiscard]] inline bool off_its_stack(const fiber& f) noexcept {
    return f.sp.load(std::memory_order_acquire) != nullptr;  // [W-1]
}

/// Takes the right to run `g`; returns what to switch to (R2, R4).
inline fiber* scheduler::enter(worker& w, goroutine* g) noexcept {
    if (g->on == nullptr) [[unlikely]] {
        give_stack(w, g);
    } else if (!off_its_stack(*g)) [[unlikely]] {
        w.handoff = g;
        w.current = nullptr;
        return &w.loop;
    }
    w.current = g;
    return g;
}

/// Counts a scheduling point; true if it is time to look around, or to stop.
inline bool scheduler::at_scheduling_point(worker& w) noexcept {
    const std::uint64_t pick = w.picks.load(std::memory_order_relaxed) + 1;  // [W-1] of worker.hpp
    w.picks.store(pick, std::memory_order_relaxed);                          // [W-1]
    if (pick < w.check_at && !w.attention.load(std::memory_order_relaxed)) [[likely]] {
        return false;
    }
    look_around(w);
    return stopping();
}

/// What to switch to when `self` has nothing to do; null: `self` may go on at once.
inline fiber* scheduler::choose(worker& w, goroutine* self) noexcept {
    const bool stop = at_scheduling_point(w);
    goroutine* const g = stop ? nullptr : w.queue.pop();
    if (g == nullptr) {
        w.current = nullptr;
        return &w.loop;
    }
    return g == self ? nullptr : enter(w, g);
}

inline suspension scheduler::depart(worker& w, goroutine* self, fiber* to) noexcept {
    save_exceptions(*self, *w.exceptions);
    if constexpr (instrumented) {
        switch_announced(w, self, to);
        return {self, nullptr};
    }
    return {self, to};
}

inline suspension scheduler::leave(worker& w, goroutine* self) noexcept {
    fiber* const to = choose(w, self);
    if (to == nullptr) [[unlikely]] {
        return {self, nullptr};
    }
    return depart(w, self, to);
}

/// Wakes another worker if this one has more than it should keep.
inline void scheduler::offer_work(worker& w) noexcept {
    if (w.queue.waiting() > keep_local && idle_.worth_waking()) [[unlikely]] {
        wake_worker(idle_.pick());
    }
}

/// Makes `g` runnable; `w` is the calling worker, null on a plain thread.
inline void scheduler::ready_on(worker* w, goroutine* g) noexcept {
    g->set_waiting(wait_kind::none, nullptr);
    if (w == nullptr || &w->home != this) [[unlikely]] {
        inject(g);
        return;
    }
    if (w->waking == waking_kind::due) [[unlikely]] {
        w->queue.push_due(g);
    } else if (w->waking != waking_kind::one || w->current == nullptr) [[unlikely]] {
        w->queue.push_ready(g);
    } else {
        w->queue.push_next(g);
    }
    offer_work(*w);
}

/// As begin_wait(), park() and wake(), for callers that know the worker they run on.
inline void begin_wait_on(worker* w, waiter& who, wait_kind kind, const void* where) noexcept {
    if (w != nullptr) {
        who.self = w->current;
        who.self->set_waiting(kind, where);
    } else {
        who.thread = &current_parker();
    }
}

[[nodiscard]] inline suspension park_on(worker* w, waiter& who) noexcept {
    if (w == nullptr) {
        who.thread->park();
        return {nullptr, nullptr};
    }
    return w->home.leave(*w, who.self);
}

inline void wake_on(worker* w, waiter& who) noexcept {
    if (who.self != nullptr) {
        who.self->home->ready_on(w, who.self);
    } else {
        who.thread->grant();
    }
}

}  // namespace runnel::detail
