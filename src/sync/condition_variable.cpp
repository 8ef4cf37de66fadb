#include <runnel/sync/condition_variable.hpp>

#include <system_error>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {
namespace {

void require_owned(const std::unique_lock<mutex>& lock) {
    if (!lock.owns_lock()) {
        throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                                "runnel: condition_variable: wait without the lock");
    }
}

}  // namespace

condition_variable::~condition_variable() {
    if (!waiters_.empty() && !detail::waiters_may_be_left()) {
        detail::fatal("a condition_variable was destroyed while somebody waits on it");
    }
}

void condition_variable::notify_one() noexcept {
    detail::wait_node* first = nullptr;
    {
        const std::lock_guard hold(lock_);
        first = waiters_.pop();
    }
    if (first != nullptr) {
        detail::wake(*first->owner);
    }
}

void condition_variable::notify_all() noexcept {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        list = detail::end_all(waiters_);
    }
    detail::wake_all(list);
}

op_status condition_variable::wait(const context& ctx, std::unique_lock<mutex>& lock) {
    require_owned(lock);
    if (detail::has_ended(ctx)) {
        return detail::status_of(ctx);
    }
    return wait_limited(lock, detail::limits_of(ctx), __builtin_return_address(0))
               ? op_status::ok
               : detail::status_of(ctx);
}

bool condition_variable::wait_limited(std::unique_lock<mutex>& lock,
                                      const detail::wait_limits& limits, const void* where) {
    require_owned(lock);
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        detail::begin_wait(who, detail::wait_kind::condition, where);
        waiters_.push_back(node);
    }
    lock.unlock();
    detail::park_limited(who, limits);
    const bool notified = who.how() == node.index;
    if (!notified) {
        const std::lock_guard hold(lock_);
        waiters_.remove(node);
    }
    lock.lock();
    return notified;
}

}  // namespace runnel
