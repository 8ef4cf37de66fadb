// sync/mutex.cpp
//
// Invariants
//   M1  The bit `waiting` is set whenever waiters_ is not empty and lock_ is free.   (under lock_)
//   M2  `locked` is cleared last: whoever unlocks touches nothing of the mutex afterwards, because
//       the next owner may destroy it. The waiter to wake lives in its own frame.
//       (unlock_slow)
//   M3  A waiter taken out of line either owns the mutex (handed over) or competes for it; while it
//       competes it is awake, so those behind it are woken by its unlock, or by that of whoever
//       beat it.
//   M4  A waiter that has lost `patience` races is handed the mutex: nobody starves.
// Memory order: all operations on word_ are sequentially consistent.
#include <runnel/sync/mutex.hpp>

#include <mutex>

#include <runnel/detail/context.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {
namespace {

enum : std::uint32_t { may_compete = 1, is_owner = 2 };
constexpr int patience = 4;

}  // namespace

mutex::~mutex() {
    if (word_.load() != 0 && !detail::waiters_may_be_left()) {
        detail::fatal("a mutex was destroyed while it is locked or waited for");
    }
}

op_status mutex::lock(const context& ctx) noexcept {
    if (detail::has_ended(ctx)) {
        return detail::status_of(ctx);
    }
    if (try_lock() || lock_slow(detail::limits_of(ctx), __builtin_return_address(0))) {
        return op_status::ok;
    }
    return detail::status_of(ctx);
}

bool mutex::lock_slow(const detail::wait_limits& limits, const void* where) noexcept {
    for (int lost = 0;;) {
        if (try_lock()) {
            return true;
        }
        if (limits.any() && limits.deadline <= detail::now()) {
            return false;
        }
        detail::waiter who;
        who.contested = limits.any();
        detail::wait_node node{.owner = &who, .index = lost < patience ? may_compete : is_owner};
        {
            const std::lock_guard hold(lock_);
            if ((word_.fetch_or(waiting) & locked) == 0) {
                if (waiters_.empty()) {
                    word_.fetch_and(~waiting);
                }
                continue;
            }
            detail::begin_wait(who, detail::wait_kind::mutex, where);
            if (lost == 0) {
                waiters_.push_back(node);
            } else {
                waiters_.push_front(node);
            }
        }
        detail::park_limited(who, limits);
        if (who.how() == is_owner) {
            return true;
        }
        if (who.how() != may_compete) {
            const std::lock_guard hold(lock_);
            waiters_.remove(node);
            if (waiters_.empty()) {
                word_.fetch_and(~waiting);
            }
            return false;
        }
        ++lost;
    }
}

void mutex::unlock_slow() noexcept {
    for (;;) {
        std::uint32_t word = locked;
        if (word_.compare_exchange_strong(word, 0)) {
            return;
        }
        if ((word & locked) == 0) {
            detail::fatal("unlock of a mutex that is not locked");
        }
        detail::wait_node* first = nullptr;
        {
            const std::lock_guard hold(lock_);
            first = waiters_.pop();
            if (waiters_.empty()) {
                word_.fetch_and(~waiting);
            }
        }
        if (first == nullptr) {
            continue;  // they have all given up
        }
        detail::waiter& next = *first->owner;
        if (next.how() == may_compete) {
            word_.fetch_and(~locked);  // M2
        }
        detail::wake(next);
        return;
    }
}

}  // namespace runnel
