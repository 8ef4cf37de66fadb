// runnel/net/wait.hpp: waiting for a descriptor that is not ours.
//
// For libraries that do their own reading and writing (libpq, hiredis, inotify): a wait is armed as
// poll(2) would be, level-triggered and for once, and leaves nothing registered, because such
// libraries close descriptors without telling.
#pragma once

#include <chrono>
#include <system_error>

#include <runnel/clock.hpp>
#include <runnel/context.hpp>

namespace runnel::net {

/// Blocks the goroutine or thread, not the worker, until a read from `fd` would not block: there
/// is something, or the end, or an error. Any number may wait for one descriptor. Closing `fd`
/// while somebody waits does not end the wait; end its context. Errors: those of `ctx`;
/// errc::timed_out at `deadline`; that of epoll_ctl(2) for what cannot be waited for. Regular files
/// are always ready.
void wait_readable(int fd, const context& ctx, std::error_code& ec,
                   clock::time_point deadline = clock::time_point::max());
void wait_readable(int fd, const context& ctx = {});
/// The same until a write would not block.
void wait_writable(int fd, const context& ctx, std::error_code& ec,
                   clock::time_point deadline = clock::time_point::max());
void wait_writable(int fd, const context& ctx = {});

}  // namespace runnel::net
