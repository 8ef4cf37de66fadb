// sync/semaphore.cpp
//
// Everything happens under lock_, which is as cheap as a fast path would be: one exchange, one
// store.
//
// Invariants
//   P1  While lock_ is free, whoever is first in line and has not given up asks for more than
//       free_.                                                    (serve, after every change)
//   P2  Unlocking lock_ is the last that release() does to the semaphore: who is woken, or comes
//       by, may destroy it. The nodes of those who are woken live in their own frames.
//   P3  Nobody stands in line for more than total_.                            (acquire_limited)
// Locks: lock_ (leaf).
#include <runnel/sync/semaphore.hpp>

#include <mutex>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {
namespace {

void require_amount(std::ptrdiff_t n) {
    if (n < 0) {
        throw std::invalid_argument("runnel: semaphore: a negative number of units");
    }
}

std::ptrdiff_t amount(const detail::wait_node& node) noexcept {
    return *static_cast<const std::ptrdiff_t*>(node.slot);
}

/// For a request that can never be met.
void wait_for_the_limits(const detail::wait_limits& limits, const void* where) {
    if (!limits.any()) {
        throw std::invalid_argument(
            "runnel: semaphore: acquire of more units than there are, without a limit");
    }
    detail::waiter who;
    who.contested = true;
    detail::begin_wait(who, detail::wait_kind::semaphore, where);
    detail::park_limited(who, limits);
}

}  // namespace

semaphore::~semaphore() {
    if (!waiters_.empty() && !detail::waiters_may_be_left()) {
        detail::fatal("a semaphore was destroyed while somebody waits for it");
    }
}

void semaphore::acquire(std::ptrdiff_t n) {
    static_cast<void>(acquire_limited(n, {}, __builtin_return_address(0)));
}

op_status semaphore::acquire(const context& ctx, std::ptrdiff_t n) {
    require_amount(n);
    if (detail::has_ended(ctx)) {
        return detail::status_of(ctx);
    }
    return acquire_limited(n, detail::limits_of(ctx), __builtin_return_address(0))
               ? op_status::ok
               : detail::status_of(ctx);
}

bool semaphore::try_acquire(std::ptrdiff_t n) {
    require_amount(n);
    const std::lock_guard hold(lock_);
    return take(n);
}

bool semaphore::take(std::ptrdiff_t n) noexcept {
    if (n > free_ || !waiters_.empty()) {
        return false;
    }
    free_ -= n;
    return true;
}

/// Gives free units to those in line, as far as they go, and returns whom to wake.
detail::wait_node* semaphore::serve() noexcept {
    detail::wait_node* list = nullptr;
    detail::wait_node** end = &list;
    for (;;) {
        detail::wait_node* const first = waiters_.front();
        if (first == nullptr || amount(*first) > free_) {
            return list;
        }
        waiters_.remove(*first);
        if (first->owner->end(first->index)) {
            free_ -= amount(*first);
            first->next = nullptr;
            *end = first;
            end = &first->next;
        }
    }
}

bool semaphore::acquire_limited(std::ptrdiff_t n, const detail::wait_limits& limits,
                                const void* where) {
    require_amount(n);
    if (n > total_) {
        wait_for_the_limits(limits, where);
        return false;
    }
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who, .slot = &n};
    {
        const std::lock_guard hold(lock_);
        if (take(n)) {
            return true;
        }
        if (limits.deadline != detail::never && limits.deadline <= detail::now()) {
            return false;
        }
        detail::begin_wait(who, detail::wait_kind::semaphore, where);
        waiters_.push_back(node);
    }
    detail::park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        waiters_.remove(node);
        list = serve();  // those behind may ask for less
    }
    detail::wake_all(list);
    return false;
}

void semaphore::release(std::ptrdiff_t n) {
    require_amount(n);
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        if (n > total_ - free_) {
            throw std::logic_error("runnel: semaphore: release of more units than are taken");
        }
        free_ += n;
        list = serve();
    }
    detail::wake_all(list);
}

}  // namespace runnel
