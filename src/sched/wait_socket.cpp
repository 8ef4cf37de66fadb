#include "src/sched/wait_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "src/event/poller.hpp"
#include "src/sched/current.hpp"
#include "src/sched/registry.hpp"
#include "src/sched/scheduler.hpp"
#include "src/sched/switch.hpp"

namespace runnel::detail {
namespace {

constexpr int lined_up = 1;

}  // namespace

int socket_wait::line_up(poll_desc& d, poller& events, waiter& who,
                         wait_limits& limits) const noexcept {
    const std::lock_guard hold(d.lock_);
    if (d.closed()) {
        return -EBADF;
    }
    if (const int error = events.adopt(d); error != 0) {
        return error;
    }
    poll_side& side = d.side(direction);
    if (side.ready || (drained && d.broken_)) {
        side.ready = false;
        return 0;
    }
    limits = {.deadline = std::min(side.deadline.load(), until), .cancel = cancel};
    who.contested = limits.any();
    begin_wait_on(
        current_worker(), who,
        direction == poll_direction::read ? wait_kind::socket_read : wait_kind::socket_write,
        where);
    side.who = &who;
    return lined_up;
}

int socket_wait::on(poll_desc& d) const noexcept {
    poller& events = current_scheduler().events();
    waiter who;
    wait_limits limits;
    if (const int done = line_up(d, events, who, limits); done != lined_up) {
        return done;
    }
    events.begin_wait();
    park_limited(who, limits);
    events.end_wait();
    switch (who.how()) {
        case side_ready:
        case side_look_again:
            return 0;
        case side_closed:
            return -EBADF;
        default:
            break;
    }
    {
        const std::lock_guard hold(d.lock_);
        poll_side& side = d.side(direction);
        if (side.who == &who) {
            side.who = nullptr;
        }
    }
    return who.how() == wait_timed_out ? -ETIMEDOUT : -ECANCELED;
}

bool close_socket(poll_desc& d) noexcept {
    poll_woken ended;
    if (!d.close(ended)) {
        return false;
    }
    wake_both(ended);
    d.end_use();
    return true;
}

void set_socket_deadline(poll_desc& d, poll_direction direction, ticks deadline) noexcept {
    if (waiter* const who = d.set_deadline(direction, deadline); who != nullptr) {
        wake(*who);
    }
}

}  // namespace runnel::detail
