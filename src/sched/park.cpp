// sched/park.cpp: blocking, for goroutines and for plain threads alike.
#include <runnel/detail/park.hpp>

#include <new>
#include <thread>

#include "src/base/fatal.hpp"
#include "src/os/clock.hpp"
#include "src/sched/park.hpp"
#include "src/sched/switch.hpp"
#include "src/sched/timers.hpp"

namespace runnel::detail {

namespace {

bool armed(wait_timer& timer) noexcept {
    try {
        arm_timer(timer);
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

}  // namespace

void begin_wait(waiter& w, wait_kind kind, const void* where) noexcept {
    begin_wait_on(current_worker(), w, kind, where);
}

void give_up_wait(waiter& w) noexcept {
    if (w.self != nullptr) {
        w.self->set_waiting(wait_kind::none, nullptr);
    }
}

suspension park(waiter& w) noexcept {
    return park_on(w.self != nullptr ? current_worker() : nullptr, w);
}

void park_here(waiter& w) noexcept { suspend(park(w)); }

void park_until(waiter& w, ticks deadline) noexcept {
    if (deadline == never) {
        park_here(w);
        return;
    }
    if (w.self == nullptr) {
        if (!w.thread->park_until(deadline) && !w.end(wait_timed_out)) {
            w.thread->park();  // somebody else has just ended it: the grant is on its way
        }
        return;
    }
    wait_timer timer(w);
    timer.when = deadline;
    if (!armed(timer)) {  // the wait must not begin, and its caller cannot be told
        fatal("out of memory: no timer can be armed for a wait with a deadline");
    }
    park_here(w);
    static_cast<void>(disarm_timer(timer));
}

void wake(waiter& w) noexcept { wake_on(current_worker(), w); }

ticks now() noexcept {
    worker* const on = current_worker();
    return on != nullptr ? on->home.now() : os::monotonic_now();
}

ticks deadline_after(std::chrono::nanoseconds d) noexcept {
    const ticks at = now();
    return d.count() > never - at ? never : at + d.count();
}

std::uint32_t random_below(std::uint32_t bound) noexcept {
    worker* const on = current_worker();
    return on != nullptr ? on->random.below(bound) : thread_random().below(bound);
}

bool on_goroutine() noexcept {
    const worker* const on = current_worker();
    return on != nullptr && on->current != nullptr;
}

suspension begin_yield() noexcept {
    worker* const on = current_worker();
    if (on == nullptr) {
        std::this_thread::yield();
        return {nullptr, nullptr};
    }
    return on->home.yield(*on, on->current);
}

}  // namespace runnel::detail
