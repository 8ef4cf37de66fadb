// runnel/detail/limits.hpp: from std::chrono to the limits of a wait.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>

#include <runnel/clock.hpp>
#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// Saturates instead of overflowing, rounds up.
template <class Rep, class Period>
[[nodiscard]] std::chrono::nanoseconds to_nanoseconds(std::chrono::duration<Rep, Period> d) {
    using std::chrono::nanoseconds;
    using seconds = std::chrono::duration<long double>;
    constexpr long double limit = 9.2e9L;
    if (std::chrono::duration_cast<seconds>(d).count() >= limit) {
        return nanoseconds::max();
    }
    if (std::chrono::duration_cast<seconds>(d).count() <= -limit) {
        return nanoseconds::min();
    }
    return std::chrono::ceil<nanoseconds>(d);
}

/// `t` + `d`, saturating; neither is negative.
[[nodiscard]] inline clock::time_point later(clock::time_point t, clock::duration d) {
    return d > clock::time_point::max() - t ? clock::time_point::max() : t + d;
}

template <class Rep, class Period>
[[nodiscard]] wait_limits after(std::chrono::duration<Rep, Period> d) {
    return {.deadline = deadline_after(to_nanoseconds(d))};
}

/// Times of runnel::clock are taken as they are; those of other clocks (std::chrono::steady_clock
/// counts as ours outside a bubble) are turned into what is left until then.
template <class Clock, class Duration>
[[nodiscard]] wait_limits at(std::chrono::time_point<Clock, Duration> t) {
    if constexpr (std::same_as<Clock, clock>) {
        return {.deadline = to_nanoseconds(t.time_since_epoch()).count()};
    } else {
        const auto at_present = Clock::now();
        return t <= at_present ? wait_limits{.deadline = 0} : after(t - at_present);
    }
}

}  // namespace runnel::detail
