#include "src/os/signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace runnel::os {
namespace {

using per_signal = std::array<std::atomic<std::uint32_t>, last_signal + 1>;
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);  // or no handler could use it

constinit per_signal counts{};
constinit per_signal caught{};  // 1: by us
constinit std::atomic<int> event_fd = -1;
std::array<struct sigaction, last_signal + 1> before;

void notify() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd.load(), &one, sizeof one);
}

void note(int signal) {
    const int kept = errno;
    counts[static_cast<std::size_t>(signal)].fetch_add(1);
    notify();
    errno = kept;
}

/// The child has none of our threads, so nobody there would look at what we count.
void give_all_back() {
    for (int signal = 1; signal <= last_signal; ++signal) {
        uncatch_signal(signal);
    }
}

}  // namespace

std::string signal_name(int signal) {
    if (const char* const name = ::sigabbrev_np(signal); name != nullptr) {
        return std::string("SIG") + name;
    }
    if (signal >= SIGRTMIN && signal <= SIGRTMAX) {
        return "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
    }
    return std::to_string(signal);
}

const char* why_not_caught(int signal) noexcept {
    if (signal < 1 || signal > last_signal) {
        return "there is no such signal";
    }
    switch (signal) {
        case SIGKILL:
        case SIGSTOP:
            return "no program can catch it";
        case SIGSEGV:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
        case SIGTRAP:
        case SIGSYS:
            return "it reports a fault of the thread that it is sent to";
        default:
            // The C library keeps those below for itself.
            return signal >= 32 && signal < SIGRTMIN ? "the system uses it for itself" : nullptr;
    }
}

int open_catcher() noexcept {
    if (event_fd.load() >= 0) {
        return 0;
    }
    const int fd = ::eventfd(0, EFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (const int error = ::pthread_atfork(nullptr, nullptr, &give_all_back); error != 0) {
        ::close(fd);
        return -error;
    }
    event_fd.store(fd);
    return 0;
}

int catch_signal(int signal) noexcept {
    const auto i = static_cast<std::size_t>(signal);
    if (::sigaction(signal, nullptr, &before[i]) != 0) {
        return -errno;
    }
    counts[i].store(0);
    caught[i].store(1);
    struct sigaction action{};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigfillset(&action.sa_mask);
    return ::sigaction(signal, &action, nullptr) == 0 ? 0 : -errno;
}

void uncatch_signal(int signal) noexcept {
    const auto i = static_cast<std::size_t>(signal);
    if (caught[i].exchange(0) == 0) {
        return;
    }
    struct sigaction now{};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == note) {
        ::sigaction(signal, &before[i], nullptr);
    }
}

std::uint32_t take_caught(int signal) noexcept {
    return counts[static_cast<std::size_t>(signal)].exchange(0);
}

void await_caught() noexcept {
    std::uint64_t value = 0;
    while (::read(event_fd.load(), &value, sizeof value) < 0 && errno == EINTR) {
    }
}

void wake_catcher() noexcept { notify(); }

void accept_caught() noexcept {
    sigset_t ours;
    sigset_t others;
    ::sigemptyset(&ours);
    ::sigemptyset(&others);
    for (int signal = 1; signal <= last_signal; ++signal) {
        if (why_not_caught(signal) == nullptr) {
            ::sigaddset(caught[static_cast<std::size_t>(signal)].load() != 0 ? &ours : &others,
                        signal);
        }
    }
    ::pthread_sigmask(SIG_BLOCK, &others, nullptr);
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
}

}  // namespace runnel::os
