#include "src/sched/wait_fd.hpp"

#include <algorithm>
#include <cerrno>

#include "src/os/poll.hpp"
#include "src/sched/current.hpp"
#include "src/sched/registry.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

int wait_ready(int fd, bool read, bool write, const wait_limits& limits, const void* where) {
    if (fd < 0) {
        return -EBADF;  // poll(2) would wait for ever
    }
    if (current_worker() == nullptr && limits.cancel == nullptr) {
        return os::poll_once(fd, read, write,
                             limits.deadline == never ? -1 : std::max<ticks>(limits.deadline, 0));
    }
    poller& events = current_scheduler().events();
    waiter who;
    who.contested = limits.any();
    begin_wait(who, wait_kind::poll, where);
    poller::arming armed;
    const int error = events.arm(fd, read, write, who, armed);
    if (error != 0) {
        give_up_wait(who);
        return error == -EPERM ? 0 : error;
    }
    park_limited(who, limits);
    events.disarm(armed);
    switch (who.how()) {
        case wait_timed_out:
            return -ETIMEDOUT;
        case wait_canceled:
            return -ECANCELED;
        default:
            return 0;
    }
}

}  // namespace

int wait_readable(int fd, ticks deadline, cancel_word* cancel) {
    return wait_ready(fd, true, false, {.deadline = deadline, .cancel = cancel},
                      __builtin_return_address(0));
}

int wait_writable(int fd, ticks deadline, cancel_word* cancel) {
    return wait_ready(fd, false, true, {.deadline = deadline, .cancel = cancel},
                      __builtin_return_address(0));
}

}  // namespace runnel::detail
