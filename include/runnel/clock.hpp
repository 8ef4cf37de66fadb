// runnel/clock.hpp: the clock of goroutines.
#pragma once

#include <chrono>

#include <runnel/detail/park.hpp>

namespace runnel {

/// A steady clock (std's TrivialClock): real monotonic time, or the virtual time of the test bubble
/// that the caller runs in.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept { return time_point(duration(detail::now())); }
};

}  // namespace runnel
