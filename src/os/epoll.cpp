#include "src/os/epoll.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>

namespace runnel::os {
namespace {

constexpr std::uint64_t interrupt_token = ~std::uint64_t{0};

/// Linux has epoll_pwait2 from 5.11 on, which takes nanoseconds; before it, ppoll on the epoll
/// descriptor does, at the price of a second call.
std::atomic<bool> has_pwait2 = true;

int wait_for_events(int epoll_fd, std::span<epoll_event> out, std::int64_t nanoseconds) noexcept {
    const int room = static_cast<int>(out.size());
    if (nanoseconds <= 0) {
        return ::epoll_wait(epoll_fd, out.data(), room, nanoseconds < 0 ? -1 : 0);
    }
    const timespec limit{.tv_sec = nanoseconds / 1'000'000'000,
                         .tv_nsec = nanoseconds % 1'000'000'000};
    if (has_pwait2.load()) {
        const int count = ::epoll_pwait2(epoll_fd, out.data(), room, &limit, nullptr);
        if (count >= 0 || errno != ENOSYS) {
            return count;
        }
        has_pwait2.store(false);
    }
    pollfd self{.fd = epoll_fd, .events = POLLIN, .revents = 0};
    return ::ppoll(&self, 1, &limit, nullptr) <= 0 ? 0
                                                   : ::epoll_wait(epoll_fd, out.data(), room, 0);
}

}  // namespace

epoll::epoll() : epoll_fd_(::epoll_create1(EPOLL_CLOEXEC)), event_fd_(-1) {
    if (epoll_fd_ < 0) {
        throw std::system_error(errno, std::generic_category(), "runnel: epoll_create1");
    }
    event_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = interrupt_token}};
    if (event_fd_ < 0 || ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, event_fd_, &event) != 0) {
        const int error = errno;
        ::close(epoll_fd_);
        if (event_fd_ >= 0) {
            ::close(event_fd_);
        }
        throw std::system_error(error, std::generic_category(), "runnel: eventfd");
    }
}

epoll::~epoll() {
    ::close(event_fd_);
    ::close(epoll_fd_);
}

int epoll::add_once(int fd, bool read, bool write, std::uint64_t token) noexcept {
    const std::uint32_t events = (read ? EPOLLIN | EPOLLRDHUP : 0U) | (write ? EPOLLOUT : 0U);
    epoll_event event{.events = events | EPOLLONESHOT, .data = {.u64 = token}};
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int epoll::add_edges(int fd, std::uint64_t token) noexcept {
    constexpr std::uint32_t all = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI;
    epoll_event event{.events = all | EPOLLET, .data = {.u64 = token}};
    return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void epoll::remove(int fd) noexcept { ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

std::size_t epoll::wait(std::span<readiness> out, std::int64_t nanoseconds) noexcept {
    std::array<epoll_event, 64> events;
    const int count = wait_for_events(
        epoll_fd_, std::span(events).first(std::min(out.size(), events.size())), nanoseconds);
    std::size_t filled = 0;
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == interrupt_token) {
            if (nanoseconds != 0) {  // one that only looks leaves it for the one that sleeps
                std::uint64_t value = 0;
                [[maybe_unused]] const auto drained = ::read(event_fd_, &value, sizeof value);
            }
            continue;
        }
        constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
        out[filled++] = {.token = event.data.u64,
                         .readable = (event.events & (EPOLLIN | EPOLLRDHUP | broken)) != 0,
                         .writable = (event.events & (EPOLLOUT | broken)) != 0,
                         .broken = (event.events & (EPOLLRDHUP | EPOLLPRI | broken)) != 0};
    }
    return filled;
}

void epoll::interrupt() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);
}

}  // namespace runnel::os
