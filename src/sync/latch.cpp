#include <runnel/sync/latch.hpp>

#include <runnel/detail/context.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/registry.hpp"

namespace runnel {

latch::~latch() {
    if (open_.is_waited_for() && !detail::waiters_may_be_left()) {
        detail::fatal("a latch was destroyed while somebody waits for it");
    }
}

void latch::count_down(std::ptrdiff_t n) {
    if (n < 0) {
        throw std::invalid_argument("runnel: latch: a negative count");
    }
    std::ptrdiff_t left = count_.load();
    do {
        if (n > left) {
            throw std::invalid_argument("runnel: latch: counted down below zero");
        }
    } while (!count_.compare_exchange_weak(left, left - n));
    // Nobody may destroy it before: whoever waits does so for the event.
    if (n > 0 && left == n) {
        open_.set();
    }
}

op_status latch::wait(const context& ctx) const noexcept {
    return wait(ctx, __builtin_return_address(0));
}

op_status latch::wait(const context& ctx, const void* where) const noexcept {
    return wait_limited(detail::limits_of(ctx), where) ? op_status::ok : detail::status_of(ctx);
}

op_status latch::arrive_and_wait(const context& ctx, std::ptrdiff_t n) {
    count_down(n);
    return wait(ctx, __builtin_return_address(0));
}

}  // namespace runnel
