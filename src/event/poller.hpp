// event/poller.hpp: goroutines that wait for a descriptor.
//
// Purpose   Two ways. A foreign descriptor is armed for one event, as poll(2) would, and nothing
//           stays registered: foreign libraries close descriptors behind our back (arm, disarm). A
//           descriptor of our own is registered once, edge-triggered (poll_desc.hpp). The poller
//           returns the waiters that have become ready and never schedules.
// Invariants
//   P1  A registration names a slot and a generation; an event whose generation has passed is
//       dropped, so the reuse of a descriptor number or of a slot never wakes the wrong goroutine.
//       (collect)
//   P3  latest_ says whose registration a descriptor number carries: a wait that ends late leaves
//       the registration of a later user of the number alone.                        (add, disarm)
//   P2  A slot's waiter is ended under lock_, and disarm() takes lock_ before the waiter's frame
//       ends.
// Locks     lock_ (leaf); held for table look-ups and for epoll_ctl, never across a system call
//           that waits. Not taken for a descriptor of our own, whose desc has a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

#include "src/event/poll_desc.hpp"
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

    /// The waiters that an event is for, whose end the caller has won, and whom it must wake.
    [[nodiscard]] poll_woken collect(const os::readiness& event) noexcept;

    /// Makes this the poller of `d`, whose lock the caller holds, unless somebody waits through
    /// another one. Returns 0 or -errno.
    [[nodiscard]] int adopt(poll_desc& d) noexcept;
    /// `d`, whose lock the caller holds, is registered here no more.
    void release(poll_desc& d) noexcept;
    /// The same for the desc of that index, if it is registered here, because the poller goes:
    /// nobody polls any more. Its waits must find another poller.
    [[nodiscard]] poll_woken let_go(std::uint32_t index) noexcept;

    /// Ends the poll that waits, or the next one that does.
    void interrupt() noexcept { epoll_.interrupt(); }

    /// How many waits are armed, or rely on a desc.
    [[nodiscard]] std::size_t armed() const noexcept { return armed_.load(); }
    void begin_wait() noexcept { armed_.fetch_add(1); }
    void end_wait() noexcept { armed_.fetch_sub(1); }

private:
    struct slot {
        std::uint32_t generation = 0;
        waiter* owner = nullptr;
    };

    std::uint64_t claim_slot(waiter& w);
    void release_slot(std::uint64_t token) noexcept;
    int add(int fd, bool read, bool write, std::uint64_t token);

    [[nodiscard]] waiter* collect_armed(const os::readiness& event) noexcept;

    static constexpr std::uint64_t no_token = UINT64_MAX;
    static constexpr std::uint64_t desc_bit = std::uint64_t{1} << 63;
    static constexpr std::uint32_t generations = 0x7fffffff;  ///< of slots and descs alike

    os::epoll epoll_;
    std::atomic<std::size_t> armed_ = 0;
    spin_lock lock_;
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_;
    std::unordered_map<int, std::uint64_t> latest_;  ///< token of the last arming of a descriptor
};

}  // namespace runnel::detail
