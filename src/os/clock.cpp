#include "src/os/clock.hpp"

#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>

namespace runnel::os {
namespace {

std::int64_t read_clock(clockid_t id) noexcept {
    timespec t{};
    if (::clock_gettime(id, &t) != 0) {
        return -1;
    }
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

std::int64_t monotonic_now() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::int64_t thread_cpu_time(unsigned long thread) noexcept {
    clockid_t id{};
    if (::pthread_getcpuclockid(thread, &id) != 0) {
        return -1;
    }
    return read_clock(id);
}

void sharpen_timers() noexcept { ::prctl(PR_SET_TIMERSLACK, 1UL); }

}  // namespace runnel::os
