#include "src/os/signal_frame.hpp"

#include <ucontext.h>

namespace runnel::os {

const void* sp_without_room(const siginfo_t& info, const void* context) noexcept {
    if (info.si_code != SI_KERNEL) {
        return nullptr;
    }
    const mcontext_t& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
    constexpr greg_t general_protection = 13;  // a wild pointer, which is reported likewise
    return machine.gregs[REG_TRAPNO] == general_protection
               ? nullptr
               : reinterpret_cast<const void*>(machine.gregs[REG_RSP]);
#elif defined(__aarch64__)
    return reinterpret_cast<const void*>(machine.sp);
#endif
}

}  // namespace runnel::os
