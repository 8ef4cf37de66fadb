// os/epoll.hpp: readiness of descriptors, and a way to interrupt the wait for it.
#pragma once

#include <cstdint>
#include <span>

namespace runnel::os {

struct readiness {
    std::uint64_t token;
    bool readable;
    bool writable;
    bool broken;  ///< the peer has ended its half, or there is an error, or urgent data
};

/// An epoll instance with an eventfd that ends its wait. Errors are returned as -errno.
class epoll {
public:
    epoll();
    ~epoll();
    epoll(const epoll&) = delete;
    epoll& operator=(const epoll&) = delete;

    /// Watches `fd` for one event, level-triggered.
    [[nodiscard]] int add_once(int fd, bool read, bool write, std::uint64_t token) noexcept;
    /// Watches `fd` for everything, edge-triggered, until it is removed or closed. What it is ready
    /// for already counts as an edge.
    [[nodiscard]] int add_edges(int fd, std::uint64_t token) noexcept;
    void remove(int fd) noexcept;

    /// Waits for at most `nanoseconds` (0: not at all; negative: without limit) and fills `out`.
    /// Returns how many entries it filled; 0 also when interrupt() or a signal ended the wait.
    [[nodiscard]] std::size_t wait(std::span<readiness> out, std::int64_t nanoseconds) noexcept;

    /// Ends the wait that is under way, or the next one. A wait of 0 nanoseconds does not count: it
    /// would take the interruption from the thread that it is meant for. Any thread.
    void interrupt() noexcept;

private:
    int epoll_fd_;
    int event_fd_;
};

}  // namespace runnel::os
