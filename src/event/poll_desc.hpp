// event/poll_desc.hpp: a descriptor of our own, registered once for as long as it is open.
//
// Purpose   A socket's readiness comes as edges, for both directions. An edge that nobody waits for
//           is kept in `ready`; the next wait takes it and tries the system call again.
// Invariants
//   D1  The descriptor's number is closed when the last call on it has ended, never under one:
//       calls are counted in use_ (begin_use), and close() lets no new one begin. So a number that
//       the system has given to somebody else is never read from.           (begin_use, end_use)
//   D2  An event names its desc and the generation of its registration; others are dropped. Descs
//       are never freed, only used again, so a late event may look.                     (collect)
//   D3  A side's waiter is ended under lock_ by an edge, a changed deadline or the close; whoever
//       does that takes it out. A waiter that ended otherwise takes itself out before its frame
//       ends.                                                        (take_waiter, wait_socket.cpp)
//   D4  A registration belongs to the poller of whoever waited last; while somebody waits it stays
//       where it is. A poller that goes ends the waits that rely on it with `look_again`.  (adopt)
//   D5  `broken`, once seen, stays: from then on a short read does not mean that nothing is left to
//       be read, because the end of the stream brings no further edge.
// Locks     lock_ (leaf but for the system call that registers).
// Memory order: use_, owners_ and deadlines are sequentially consistent; `drained` and `at_once`
//           are hints that only the reader (the writer) of a side touches, relaxed [P-1]; all else
//           is protected by lock_.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

namespace runnel::detail {

class poller;

enum class poll_direction : std::uint8_t { read, write };

/// What ends a wait for a side, beside wait_canceled and wait_timed_out.
enum : std::uint32_t { side_ready = 1, side_look_again = 2, side_closed = 3 };

struct poll_side {
    waiter* who = nullptr;  ///< protected by lock_
    bool ready = false;     ///< protected by lock_: an edge came that no wait has taken
    std::atomic<ticks> deadline = never;
    std::atomic<bool> drained = false;      ///< the last read took all there was
    std::atomic<std::uint8_t> at_once = 0;  ///< calls in a row that did not have to wait
};

/// The waiters of both sides, ended by the caller who must wake them.
struct poll_woken {
    waiter* read = nullptr;
    waiter* write = nullptr;
};

class poll_desc {
public:
    poll_desc() = default;
    poll_desc(const poll_desc&) = delete;
    poll_desc& operator=(const poll_desc&) = delete;

    /// A desc for `fd`, which it owns from now on. One owner more is the handle that holds it.
    /// Throws std::bad_alloc; the caller still owns `fd` then.
    [[nodiscard]] static poll_desc& open(int fd);
    /// The desc whose index that is; it exists.
    [[nodiscard]] static poll_desc& at(std::uint32_t index) noexcept;
    /// How many indices there are.
    [[nodiscard]] static std::uint32_t count() noexcept;

    /// Begins a call on the descriptor; false if it is closed.
    [[nodiscard]] bool begin_use() noexcept;
    void end_use() noexcept;
    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Lets no new call begin and ends those that wait. The first call returns true.
    [[nodiscard]] bool close(poll_woken& out) noexcept;
    [[nodiscard]] bool closed() const noexcept { return (use_.load() & closing) != 0; }
    /// The handle is gone; close() has been called.
    void drop() noexcept;

    /// Ends the wait that goes by the old deadline.
    [[nodiscard]] waiter* set_deadline(poll_direction d, ticks deadline) noexcept;
    [[nodiscard]] ticks deadline(poll_direction d) const noexcept {
        return sides_[static_cast<std::size_t>(d)].deadline.load();
    }

private:
    friend class poller;
    friend struct socket_wait;
    friend class socket_call;
    friend struct poll_desc_door;  ///< the tests'

    static constexpr std::uint32_t closing = 1;
    static constexpr std::uint32_t one_use = 2;
    /// The highest bit of a token tells a desc's from a one-shot wait's.
    static constexpr std::uint32_t generations = 0x7fffffff;

    [[nodiscard]] poll_side& side(poll_direction d) noexcept {
        return sides_[static_cast<std::size_t>(d)];
    }
    [[nodiscard]] static waiter* take_waiter(poll_side& s, std::uint32_t how) noexcept;
    void close_descriptor() noexcept;
    void drop_owner() noexcept;

    std::atomic<std::uint32_t> use_ = 0;     ///< calls under way and the open state; `closing`
    std::atomic<std::uint32_t> owners_ = 0;  ///< the handle, and the open descriptor
    spin_lock lock_;
    bool broken_ = false;           ///< protected by lock_
    int fd_ = -1;                   ///< constant while open
    std::uint32_t index_ = 0;       ///< constant
    std::uint32_t generation_ = 0;  ///< protected by lock_
    poller* home_ = nullptr;        ///< protected by lock_: where it is registered
    std::array<poll_side, 2> sides_;
    poll_desc* next_free_ = nullptr;  ///< protected by the table's lock
};

}  // namespace runnel::detail
