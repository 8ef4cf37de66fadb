#include <runnel/time.hpp>

namespace runnel::detail {

void sleep_until_tick(ticks deadline) noexcept {
    if (deadline <= now()) {
        return;
    }
    waiter who;
    begin_wait(who, wait_kind::sleep, __builtin_return_address(0));
    park_until(who, deadline);
}

}  // namespace runnel::detail
