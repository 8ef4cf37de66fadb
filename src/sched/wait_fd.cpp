#include "src/sched/wait_fd.hpp"

#include <algorithm>
#include <cerrno>

#include "src/os/poll.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

int wait_ready(int fd, bool read, bool write, ticks deadline, const void* where) {
    worker* const on = current_worker();
    if (on == nullptr) {
        return os::poll_once(fd, read, write,
                             deadline == never ? -1 : std::max<ticks>(deadline, 0));
    }
    poller& events = on->home.events();
    waiter who;
    who.contested = deadline != never;
    begin_wait(who, wait_kind::poll, where);
    poller::arming armed;
    const int error = events.arm(fd, read, write, who, armed);
    if (error != 0) {
        give_up_wait(who);
        return error == -EPERM ? 0 : error;
    }
    park_until(who, deadline);
    events.disarm(armed);
    return who.how() == wait_timed_out ? -ETIMEDOUT : 0;
}

}  // namespace

int wait_readable(int fd, ticks deadline) {
    return wait_ready(fd, true, false, deadline, __builtin_return_address(0));
}

int wait_writable(int fd, ticks deadline) {
    return wait_ready(fd, false, true, deadline, __builtin_return_address(0));
}

}  // namespace runnel::detail
