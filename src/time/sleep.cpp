#include <runnel/time.hpp>

namespace runnel::detail {

void sleep_until_tick(ticks deadline) noexcept {
    if (deadline <= now()) {
        suspend(begin_yield());  // a loop of such sleeps must not keep its worker for itself
        return;
    }
    waiter who;
    begin_wait(who, wait_kind::sleep, __builtin_return_address(0));
    park_until(who, deadline);
}

op_status sleep_for_context(const context& ctx, ticks deadline) noexcept {
    if (has_ended(ctx)) {
        return status_of(ctx);
    }
    if (deadline <= now()) {
        suspend(begin_yield());
        return op_status::ok;
    }
    wait_limits limits = limits_of(ctx);
    limits.deadline = deadline;
    waiter who;
    who.contested = true;
    begin_wait(who, wait_kind::sleep, __builtin_return_address(0));
    park_limited(who, limits);
    return who.how() == wait_canceled ? status_of(ctx) : op_status::ok;
}

}  // namespace runnel::detail
