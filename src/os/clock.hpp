// os/clock.hpp: monotonic time, in nanoseconds.
#pragma once

#include <cstdint>

namespace runnel::os {

/// CLOCK_MONOTONIC, as std::chrono::steady_clock counts it.
[[nodiscard]] std::int64_t monotonic_now() noexcept;

/// Lets timed waits of the calling thread end within microseconds of their time (default: 50 us).
void sharpen_timers() noexcept;

}  // namespace runnel::os
