#include "src/os/thread.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

namespace runnel::os {

thread_stack this_thread_stack() noexcept {
    pthread_attr_t attributes;
    void* low = nullptr;
    std::size_t size = 0;
    if (::pthread_getattr_np(::pthread_self(), &attributes) == 0) {
        ::pthread_attr_getstack(&attributes, &low, &size);
        ::pthread_attr_destroy(&attributes);
    }
    return {.low = low, .size = size};
}

signal_mask signal_mask::of_this_thread() noexcept {
    sigset_t now;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
    signal_mask mask;
    static_assert(sizeof now <= sizeof mask.bits_);
    std::memcpy(mask.bits_, &now, sizeof now);
    return mask;
}

void signal_mask::apply() const noexcept {
    sigset_t wanted;
    std::memcpy(&wanted, bits_, sizeof wanted);
    ::pthread_sigmask(SIG_SETMASK, &wanted, nullptr);
}

signals_blocked::signals_blocked() noexcept : saved_(signal_mask::of_this_thread()) {
    sigset_t all;
    ::sigfillset(&all);
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        ::sigdelset(&all, own);
    }
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

signals_blocked::~signals_blocked() { saved_.apply(); }

bool is_main_thread() noexcept { return ::gettid() == ::getpid(); }

int this_thread_id() noexcept { return ::gettid(); }

bool wants_processor(int thread_id) noexcept {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread_id);
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return true;
    }
    char text[256];
    const auto length = ::read(fd, text, sizeof text);
    ::close(fd);
    // "id (name) state ...": the name may hold anything, parentheses too.
    const std::string_view line(text, length > 0 ? static_cast<std::size_t>(length) : 0);
    const std::size_t after_name = line.rfind(')');
    return after_name == line.npos || after_name + 2 >= line.size() || line[after_name + 2] == 'R';
}

std::int64_t processor_time(int thread_id) noexcept {
    // The kernel's name for a thread's clock: what pthread_getcpuclockid() makes of a pthread_t.
    constexpr unsigned per_thread_scheduled = 4 | 2;
    const auto clock =
        static_cast<clockid_t>(~static_cast<unsigned>(thread_id) << 3 | per_thread_scheduled);
    timespec used{};
    if (::clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return used.tv_sec * 1'000'000'000LL + used.tv_nsec;
}

void sleep_forever() noexcept {
    for (;;) {
        ::pause();
    }
}

std::size_t thread_count() noexcept {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        constexpr std::string_view key = "Threads:";
        if (line.starts_with(key)) {
            return std::strtoul(line.c_str() + key.size(), nullptr, 10);
        }
    }
    return SIZE_MAX;
}

void name_this_thread(const char* name) noexcept { ::pthread_setname_np(::pthread_self(), name); }

}  // namespace runnel::os
