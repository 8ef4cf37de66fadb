// runnel/time.hpp: sleeping.
#pragma once

#include <chrono>

#include <runnel/clock.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>

namespace runnel {

namespace detail {
/// Blocks until `deadline`; if it has passed, lets others run.
void sleep_until_tick(ticks deadline) noexcept;
/// The same until `ctx` ends.
op_status sleep_for_context(const context& ctx, ticks deadline) noexcept;
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

/// The same unless `ctx` ends first: ok if the whole time has passed; canceled, or timeout if it
/// was the context's deadline.
template <class Rep, class Period>
op_status sleep_for(const context& ctx, std::chrono::duration<Rep, Period> d) {
    return detail::sleep_for_context(ctx, detail::after(d).deadline);
}
template <class Clock, class Duration>
op_status sleep_until(const context& ctx, std::chrono::time_point<Clock, Duration> t) {
    return detail::sleep_for_context(ctx, detail::at(t).deadline);
}

}  // namespace runnel
