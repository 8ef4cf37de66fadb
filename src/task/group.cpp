// task/group.cpp
//
// Invariants
//   T1  active_ is the number of places taken. Somebody stands in starters_ only while active_ is
//       at the limit; a place that becomes free there changes hands, so active_ stays. (give_place)
//   T2  The step to zero ends the waits under lock_, and give_place() touches nothing of the group
//       after it. A wait takes lock_ before it returns, so it cannot return, and its owner destroy
//       the group, in the middle of that step.
// Locks: lock_ (leaf); nobody is woken under it.
#include <runnel/task/group.hpp>

#include <mutex>
#include <stdexcept>
#include <string>

#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {

group::~group() {
    cancel_();
    static_cast<void>(wait_all({}, nullptr));
    failure_.check_taken("whose group nobody waited for");
    if (!starters_.empty() && !detail::waiters_may_be_left()) {
        detail::fatal("a group was destroyed while somebody waits to start a task in it");
    }
}

void group::set_limit(std::ptrdiff_t n) {
    detail::wait_node* admitted = nullptr;
    {
        const std::lock_guard hold(lock_);
        if (active_ != 0) {
            throw std::logic_error("runnel: group: set_limit while " + std::to_string(active_) +
                                   " tasks are active");
        }
        limit_ = n < 0 ? no_limit : static_cast<std::size_t>(n);
        while (active_ < limit_) {  // those that a limit of zero has kept waiting
            detail::wait_node* const next = starters_.pop();
            if (next == nullptr) {
                break;
            }
            ++active_;
            next->next = admitted;
            admitted = next;
        }
    }
    detail::wake_all(admitted);
}

bool group::take_place(const detail::wait_limits& limits, const void* where) noexcept {
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        if (active_ < limit_) {
            ++active_;
            return true;
        }
        detail::begin_wait(who, detail::wait_kind::wait_group, where);
        starters_.push_back(node);
    }
    detail::park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    const std::lock_guard hold(lock_);
    starters_.remove(node);
    return false;
}

bool group::try_take_place() noexcept {
    const std::lock_guard hold(lock_);
    if (active_ >= limit_) {
        return false;
    }
    ++active_;
    return true;
}

void group::give_place() noexcept {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        list = starters_.pop();
        if (list != nullptr) {
            list->next = nullptr;
        } else if (--active_ == 0) {
            list = detail::end_all(waiters_);
        }
    }
    detail::wake_all(list);
}

void group::failed() noexcept {
    if (failure_.keep(context_)) {
        cancel_(std::current_exception());
    }
}

bool group::wait_all(const detail::wait_limits& limits, const void* where) noexcept {
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        if (active_ == 0) {
            return true;
        }
        detail::begin_wait(who, detail::wait_kind::wait_group, where);
        waiters_.push_back(node);
    }
    detail::park_limited(who, limits);
    const std::lock_guard hold(lock_);  // T2
    const bool all = !node.linked;      // the step to zero unlinks it, maybe after the limit
    waiters_.remove(node);
    return all;
}

void group::settle() {
    cancel_();
    failure_.rethrow();
}

}  // namespace runnel
