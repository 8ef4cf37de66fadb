// os/signal_frame.hpp: what a handler of SIGSEGV can tell about the stack it interrupted.
#pragma once

#include <signal.h>

namespace runnel::os {

/// The stack pointer at which the system had no room to push the frame of another signal's handler,
/// if that is what the SIGSEGV described by `info` and `context` is about; else null.
[[nodiscard]] const void* sp_without_room(const siginfo_t& info, const void* context) noexcept;

}  // namespace runnel::os
