#include "src/os/clock.hpp"

#include <sys/prctl.h>
#include <time.h>

namespace runnel::os {

std::int64_t monotonic_now() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void sharpen_timers() noexcept { ::prctl(PR_SET_TIMERSLACK, 1UL); }

}  // namespace runnel::os
