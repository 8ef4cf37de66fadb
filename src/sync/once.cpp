// sync/once.cpp
//
// Invariants
//   O1  One caller at most has the turn: state_ is `running` then. Nobody lines up otherwise.
//   O2  Who gives the turn up hands it to the first in line; state_ stays `running`. A node whose
//       `ok` is set was handed the turn, else the flag is done.                        (pass_on)
// Memory order: state_ is sequentially consistent. A node's `ok` is written under lock_ before the
// wake-up and read after it.
// Locks: lock_ (leaf).
#include <runnel/sync/once.hpp>

#include <mutex>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {

once_flag::~once_flag() {
    if (state_.load() == state::running && !detail::waiters_may_be_left()) {
        detail::fatal("a once_flag was destroyed during a call_once");
    }
}

once_flag::outcome once_flag::begin(const context& ctx, const void* where) noexcept {
    return detail::has_ended(ctx) ? outcome::ended : begin(detail::limits_of(ctx), where);
}

once_flag::outcome once_flag::begin(const detail::wait_limits& limits, const void* where) noexcept {
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        switch (state_.load()) {
            case state::done:
                return outcome::done;
            case state::fresh:
                state_ = state::running;
                return outcome::turn;
            case state::running:
                break;
        }
        detail::begin_wait(who, detail::wait_kind::once, where);
        waiters_.push_back(node);
    }
    detail::park_limited(who, limits);
    if (who.how() == node.index) {
        return node.ok ? outcome::turn : outcome::done;
    }
    const std::lock_guard hold(lock_);
    waiters_.remove(node);
    return outcome::ended;
}

void once_flag::finish() noexcept {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        state_ = state::done;
        list = detail::end_all(waiters_);
    }
    detail::wake_all(list);
}

void once_flag::pass_on() noexcept {
    detail::wait_node* next = nullptr;
    {
        const std::lock_guard hold(lock_);
        next = waiters_.pop();
        if (next != nullptr) {
            next->ok = true;
        } else {
            state_ = state::fresh;
        }
    }
    if (next != nullptr) {
        detail::wake(*next->owner);
    }
}

}  // namespace runnel
