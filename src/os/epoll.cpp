#include "src/os/epoll.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace runnel::os {
namespace {

constexpr std::uint64_t interrupt_token = ~std::uint64_t{0};

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

void epoll::remove(int fd) noexcept { ::epoll_ctl(epoll_fd_, EPOLL_CTL_DEL, fd, nullptr); }

std::size_t epoll::wait(std::span<readiness> out, std::int64_t nanoseconds) noexcept {
    if (nanoseconds > 0) {
        // ppoll on the epoll descriptor: nanoseconds on every kernel, unlike epoll_wait.
        pollfd self{.fd = epoll_fd_, .events = POLLIN, .revents = 0};
        const timespec limit{.tv_sec = nanoseconds / 1'000'000'000,
                             .tv_nsec = nanoseconds % 1'000'000'000};
        if (::ppoll(&self, 1, &limit, nullptr) <= 0) {
            return 0;
        }
    }
    std::array<epoll_event, 64> events;
    const int limit = static_cast<int>(std::min(out.size(), events.size()));
    const int count = ::epoll_wait(epoll_fd_, events.data(), limit, nanoseconds < 0 ? -1 : 0);
    std::size_t filled = 0;
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 == interrupt_token) {
            std::uint64_t value = 0;
            [[maybe_unused]] const auto drained = ::read(event_fd_, &value, sizeof value);
            continue;
        }
        constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
        out[filled++] = {.token = event.data.u64,
                         .readable = (event.events & (EPOLLIN | EPOLLRDHUP | broken)) != 0,
                         .writable = (event.events & (EPOLLOUT | broken)) != 0};
    }
    return filled;
}

void epoll::interrupt() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_fd_, &one, sizeof one);
}

}  // namespace runnel::os
