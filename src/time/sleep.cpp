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

}  // namespace runnel::detail
