#include "src/os/poll.hpp"

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "src/os/clock.hpp"

namespace runnel::os {

int poll_once(int fd, bool read, bool write, std::int64_t deadline) noexcept {
    pollfd wanted{.fd = fd,
                  .events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0)),
                  .revents = 0};
    for (;;) {
        timespec limit{};
        if (deadline >= 0) {
            const std::int64_t left = std::max<std::int64_t>(deadline - monotonic_now(), 0);
            limit = {.tv_sec = left / 1'000'000'000, .tv_nsec = left % 1'000'000'000};
        }
        const int ready = ::ppoll(&wanted, 1, deadline < 0 ? nullptr : &limit, nullptr);
        if (ready > 0) {
            return (wanted.revents & POLLNVAL) != 0 ? -EBADF : 0;
        }
        if (ready == 0) {
            return -ETIMEDOUT;
        }
        if (errno != EINTR) {
            return -errno;
        }
    }
}

}  // namespace runnel::os
