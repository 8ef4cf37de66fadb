// os/pause.hpp: tells the processor that the thread is waiting in a loop.
#pragma once

namespace runnel::detail {

inline void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace runnel::detail
