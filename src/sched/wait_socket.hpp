// sched/wait_socket.hpp: a goroutine or thread waits until a socket of ours is ready.
//
// Threads   Any. A waiter registers the socket with the poller of its own runtime, a plain thread
//           with that of the process-wide one, unless somebody waits through another (D4).
#pragma once

#include <runnel/detail/park.hpp>

#include "src/event/poll_desc.hpp"

namespace runnel::detail {

struct socket_wait {
    poll_direction direction = poll_direction::read;
    cancel_word* cancel = nullptr;
    ticks until = never;  ///< a limit beside the deadline of the side
    /// The last read took all there was, so that the caller has not seen EAGAIN.
    bool drained = false;
    const void* where = nullptr;  ///< for reports

    /// Waits on `d`, which the caller uses (begin_use). 0: try the call again. -ETIMEDOUT: the
    /// side's deadline or `until` has passed. -ECANCELED: `cancel` is. -EBADF: closed. Else
    /// -errno: the descriptor cannot be waited for.
    [[nodiscard]] int on(poll_desc& d) const noexcept;

private:
    [[nodiscard]] int line_up(poll_desc& d, poller& events, waiter& who,
                              wait_limits& limits) const noexcept;
};

/// Close, change of a deadline: as those of poll_desc, and wakes those whose wait has ended.
bool close_socket(poll_desc& d) noexcept;
void set_socket_deadline(poll_desc& d, poll_direction direction, ticks deadline) noexcept;

}  // namespace runnel::detail
