// runnel/time.hpp: sleeping.
#pragma once

#include <chrono>

#include <runnel/clock.hpp>
#include <runnel/detail/limits.hpp>

namespace runnel {

namespace detail {
/// Blocks until `deadline`; if it has passed, lets others run.
void sleep_until_tick(ticks deadline) noexcept;
}  // namespace detail

/// Blocks for at least `d`. A zero or negative `d` only lets others run.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> d) {
    detail::sleep_until_tick(detail::after(d).deadline);
}

/// Blocks until `t` has come.
template <class Clock, class Duration>
void sleep_until(std::chrono::time_point<Clock, Duration> t) {
    detail::sleep_until_tick(detail::at(t).deadline);
}

}  // namespace runnel
