// sync/barrier.cpp
//
// Everything happens under lock_; what the last arriver does between arrive() and finish() does
// not: nobody can arrive meanwhile, because the phase expects nobody any more.
//
// Invariants
//   B1  Whoever stands in line waits for the end of phase_.
//   B2  Unlocking lock_ is the last that finish() does to the barrier, before it wakes anybody; and
//       a wait takes lock_ before it returns, so its caller may destroy the barrier.
// Locks: lock_ (leaf).
#include <runnel/sync/barrier.hpp>

#include <mutex>

#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel::detail {

barrier_phases::~barrier_phases() {
    if (!waiters_.empty() && !waiters_may_be_left()) {
        fatal("a barrier was destroyed while somebody waits at it");
    }
}

barrier_phases::arrival barrier_phases::arrive(std::ptrdiff_t n, std::ptrdiff_t drops) {
    const std::lock_guard hold(lock_);
    if (n <= 0) {
        throw std::invalid_argument("runnel: barrier: a count that is not positive");
    }
    if (n > pending_) {
        throw std::invalid_argument("runnel: barrier: more arrivals than the phase expects");
    }
    pending_ -= n;
    expected_ -= drops;
    return {.phase = phase_, .last = pending_ == 0};
}

void barrier_phases::finish() noexcept {
    wait_node* list = nullptr;
    {
        const std::lock_guard hold(lock_);
        ++phase_;
        pending_ = expected_;
        list = end_all(waiters_);
    }
    wake_all(list);
}

bool barrier_phases::wait(std::uint64_t phase, const wait_limits& limits,
                          const void* where) noexcept {
    waiter who;
    who.contested = limits.any();
    wait_node node{.owner = &who};
    {
        const std::lock_guard hold(lock_);
        if (phase_ != phase) {
            return true;
        }
        if (limits.deadline != never && limits.deadline <= now()) {
            return false;
        }
        begin_wait(who, wait_kind::barrier, where);
        waiters_.push_back(node);
    }
    park_limited(who, limits);
    if (who.how() == node.index) {
        return true;
    }
    const std::lock_guard hold(lock_);
    waiters_.remove(node);
    return phase_ != phase;  // it may have ended since
}

op_status barrier_phases::wait(std::uint64_t phase, const context& ctx,
                               const void* where) noexcept {
    return wait(phase, limits_of(ctx), where) ? op_status::ok : status_of(ctx);
}

}  // namespace runnel::detail
