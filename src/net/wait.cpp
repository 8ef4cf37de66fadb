#include <runnel/net/wait.hpp>

#include <cerrno>

#include <runnel/net/stream.hpp>

#include "src/sched/wait_fd.hpp"

namespace runnel::net {
namespace {

template <class Wait>
void wait_for(Wait wait, int fd, const context& ctx, std::error_code& ec,
              clock::time_point deadline) {
    if (detail::has_ended(ctx)) {
        ec = ctx.err();
        return;
    }
    switch (const int how =
                wait(fd, deadline.time_since_epoch().count(), detail::limits_of(ctx).cancel);
            how) {
        case 0:
            ec.clear();
            break;
        case -ECANCELED:
            ec = ctx.err();
            break;
        case -ETIMEDOUT:
            ec = errc::timed_out;
            break;
        default:
            ec = {-how, std::generic_category()};
    }
}

}  // namespace

void wait_readable(int fd, const context& ctx, std::error_code& ec, clock::time_point deadline) {
    wait_for(detail::wait_readable, fd, ctx, ec, deadline);
}

void wait_readable(int fd, const context& ctx) {
    std::error_code ec;
    wait_readable(fd, ctx, ec);
    if (ec) {
        throw_error(ec, "wait_readable");
    }
}

void wait_writable(int fd, const context& ctx, std::error_code& ec, clock::time_point deadline) {
    wait_for(detail::wait_writable, fd, ctx, ec, deadline);
}

void wait_writable(int fd, const context& ctx) {
    std::error_code ec;
    wait_writable(fd, ctx, ec);
    if (ec) {
        throw_error(ec, "wait_writable");
    }
}

}  // namespace runnel::net
