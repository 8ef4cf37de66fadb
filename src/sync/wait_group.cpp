// sync/wait_group.cpp
//
// Invariants
//   G1  The lower half of word_ is the number of nodes in waiters_; it changes under lock_. It is 0
//       whenever the counter is: the step to zero takes all of them out.
//   G2  The step to zero with waiters is made under lock_, which is released before anybody is
//       woken: add() touches nothing of the group afterwards. A waiter that gives up takes lock_
//       before it returns, and one that comes late passes it, so neither returns (and its owner
//       destroys the group) in the middle of that step.
// Memory order: all operations on word_ are sequentially consistent.
#include <runnel/sync/wait_group.hpp>

#include <mutex>
#include <stdexcept>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {
namespace {

constexpr std::uint64_t waiter_mask = 0xffffffff;

constexpr std::int64_t counter(std::uint64_t word) noexcept {
    return static_cast<std::int64_t>(word >> 32);
}

/// The word after adding `n`. Throws for misuse.
std::uint64_t after_adding(std::uint64_t word, std::int32_t n) {
    const std::int64_t before = counter(word);
    const std::int64_t now = before + n;
    if (now < 0) {
        throw std::logic_error("runnel: wait_group: negative counter");
    }
    if (now > INT32_MAX) {
        throw std::logic_error("runnel: wait_group: counter overflow");
    }
    return static_cast<std::uint64_t>(now) << 32 | (word & waiter_mask);
}

}  // namespace

wait_group::~wait_group() {
    if ((word_.load() & waiter_mask) != 0 && !detail::waiters_may_be_left()) {
        detail::fatal("a wait_group was destroyed while somebody waits on it");
    }
}

void wait_group::add(std::int32_t n) {
    std::uint64_t word = word_.load();
    for (;;) {
        const std::uint64_t now = after_adding(word, n);
        if (counter(now) == 0 && (now & waiter_mask) != 0) {
            finish_last(n);
            return;
        }
        if (word_.compare_exchange_weak(word, now)) {
            return;
        }
    }
}

/// The step that may end waits (G2).
void wait_group::finish_last(std::int32_t n) {
    detail::wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        std::uint64_t word = word_.load();
        for (;;) {
            std::uint64_t now = after_adding(word, n);
            const bool last = counter(now) == 0;
            if (last) {
                now = 0;
            }
            if (word_.compare_exchange_weak(word, now)) {
                if (last) {
                    list = detail::end_all(waiters_);
                }
                break;
            }
        }
    }
    detail::wake_all(list);
}

op_status wait_group::wait(const context& ctx) noexcept {
    return wait_limited(detail::limits_of(ctx), __builtin_return_address(0))
               ? op_status::ok
               : detail::status_of(ctx);
}

bool wait_group::wait_limited(const detail::wait_limits& limits, const void* where) noexcept {
    if (counter(word_.load()) == 0) {
        lock_.pass();  // G2
        return true;
    }
    if (limits.any() && limits.deadline <= detail::now()) {
        return false;
    }
    detail::waiter who;
    who.contested = limits.any();
    detail::wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        std::uint64_t word = word_.load();
        do {
            if (counter(word) == 0) {
                return true;
            }
        } while (!word_.compare_exchange_weak(word, word + 1));
        detail::begin_wait(who, detail::wait_kind::wait_group, where);
        waiters_.push_back(node);
    }
    detail::park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    const std::lock_guard hold(lock_);
    if (!node.linked) {
        return true;  // the last is done since
    }
    waiters_.remove(node);
    word_.fetch_sub(1);
    return false;
}

}  // namespace runnel
