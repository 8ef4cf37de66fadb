// net/socket_call.hpp: one call on a socket: try, wait, try again.
//
// The system call comes first, and a wait only after EAGAIN; or, where the last read has taken all
// there was, the wait comes first and saves a call that would fail (poll_desc.hpp, D5).
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <system_error>

#include <runnel/context.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>

#include "src/event/poll_desc.hpp"
#include "src/sched/wait_socket.hpp"

namespace runnel::detail {

/// The error of a system call that returned -errno.
[[nodiscard]] inline std::error_code system_error_code(ssize_t result) noexcept {
    return {static_cast<int>(-result), std::generic_category()};
}

class socket_call {
public:
    /// `d` may be null: a socket that is closed.
    socket_call(poll_desc* d, poll_direction direction, const context& ctx,
                const void* where) noexcept;
    ~socket_call();
    socket_call(const socket_call&) = delete;
    socket_call& operator=(const socket_call&) = delete;

    /// Why it may not begin; no error: it may.
    [[nodiscard]] std::error_code refusal() const noexcept;
    [[nodiscard]] int fd() const noexcept { return desc_->fd(); }

    /// Calls `attempt` until it returns anything but -EAGAIN, waiting in between, and returns that;
    /// 0 with `ec` set if it came to an error.
    template <class Attempt>
    ssize_t run(Attempt attempt, std::error_code& ec) {
        ec.clear();
        for (bool waited = false;; waited = true) {
            if (waited || !expects_nothing()) {
                const ssize_t count = attempt(desc_->fd());
                if (count >= 0) {
                    note_success(waited);
                    return count;
                }
                if (count != -EAGAIN && count != -EINTR) {
                    ec = system_error_code(count);
                    return 0;
                }
                if (count == -EINTR) {
                    continue;
                }
                note_drained(false);
            }
            ec = wait(never);
            if (ec) {
                return 0;
            }
        }
    }

    /// Blocks until the side is ready, or until that time.
    [[nodiscard]] std::error_code wait(ticks until) const noexcept;
    /// The last read took all there was.
    void note_drained(bool yes) noexcept;
    [[nodiscard]] bool expects_nothing() const noexcept;

private:
    void note_success(bool waited) noexcept;

    poll_desc* const desc_;  ///< null if it could not begin
    const poll_direction direction_;
    const context& ctx_;
    const void* const where_;
};

}  // namespace runnel::detail
