// sched/overflow.hpp: a goroutine that overflows its stack is named, not just killed.
//
// The guard below a stack faults; the handler, on an alternate stack, says whose it was. Other
// faults go to the handler that was there before.
#pragma once

#include <cstddef>

namespace runnel::detail {

/// Installs the handler, once per process.
void install_overflow_handler() noexcept;

/// The alternate stack of a worker thread, while it lives.
class alternate_stack {
public:
    alternate_stack() noexcept;
    ~alternate_stack();
    alternate_stack(const alternate_stack&) = delete;
    alternate_stack& operator=(const alternate_stack&) = delete;

private:
    std::byte* const memory_;  // mapped: a stuck worker never frees it, and no leak check asks
};

}  // namespace runnel::detail
