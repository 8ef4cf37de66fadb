// event/poller.hpp: goroutines that wait for a descriptor.
//
// Purpose   A wait arms the descriptor for one event, as poll(2) would, and leaves nothing
//           registered: foreign libraries close descriptors behind our back. The poller returns the
//           waiters that have become ready and never schedules.
// Invariants
//   P1  A registration names a slot and a generation; an event whose generation has passed is
//       dropped, so the reuse of a descriptor number or of a slot never wakes the wrong goroutine.
//       (collect)
//   P3  latest_ says whose registration a descriptor number carries: a wait that ends late leaves
//       the registration of a later user of the number alone.                        (add, disarm)
//   P2  A slot's waiter is ended under lock_, and disarm() takes lock_ before the waiter's frame
//       ends.
// Locks     lock_ (leaf); held for table look-ups and for epoll_ctl, never across a system call
//           that waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

#include "src/os/epoll.hpp"

namespace runnel::detail {

class poller {
public:
    /// One armed wait.
    struct arming {
        std::uint64_t token = 0;
        int fd = -1;
        bool duplicate = false;  ///< `fd` is a dup: the descriptor is already being waited for
    };

    /// Arms `fd` for `w`, which becomes ended with index 1 when it is ready. Returns 0 or -errno;
    /// -EPERM for descriptors that are always ready (regular files).
    [[nodiscard]] int arm(int fd, bool read, bool write, waiter& w, arming& out);
    /// Ends the registration; afterwards the poller does not touch the waiter.
    void disarm(const arming& armed) noexcept;

    /// Waits (see os::epoll::wait) and returns what has happened, for collect().
    [[nodiscard]] std::span<const os::readiness> wait(std::span<os::readiness> room,
                                                      std::int64_t nanoseconds) noexcept {
        return room.first(epoll_.wait(room, nanoseconds));
    }

    /// The waiter that an event is for, if the caller has won its end and must wake it; else null.
    [[nodiscard]] waiter* collect(const os::readiness& event) noexcept;

    /// Ends the poll that waits, or the next one.
    void interrupt() noexcept { epoll_.interrupt(); }

    /// How many waits are armed.
    [[nodiscard]] std::size_t armed() const noexcept { return armed_.load(); }

private:
    struct slot {
        std::uint32_t generation = 0;
        waiter* owner = nullptr;
    };

    std::uint64_t claim_slot(waiter& w);
    void release_slot(std::uint64_t token) noexcept;
    int add(int fd, bool read, bool write, std::uint64_t token);

    static constexpr std::uint64_t no_token = UINT64_MAX;

    os::epoll epoll_;
    std::atomic<std::size_t> armed_ = 0;
    spin_lock lock_;
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<int, std::uint64_t> latest_;  ///< token of the last arming of a descriptor
};

}  // namespace runnel::detail
