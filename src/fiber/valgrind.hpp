// fiber/valgrind.hpp: tells valgrind which memory is a stack, when it watches.
#pragma once

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

namespace runnel::detail {

inline void tell_valgrind_stack([[maybe_unused]] const void* low,
                                [[maybe_unused]] const void* top) noexcept {
#ifdef VALGRIND_STACK_REGISTER
    // Stacks are recycled for as long as the runtime lives, so nothing is deregistered.
    [[maybe_unused]] const auto id = VALGRIND_STACK_REGISTER(low, top);
#endif
}

}  // namespace runnel::detail
