#include "src/os/membarrier.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace runnel::os {
namespace {

long membarrier(int command) noexcept { return ::syscall(SYS_membarrier, command, 0, 0); }

bool register_process() noexcept {
    const long commands = membarrier(MEMBARRIER_CMD_QUERY);
    return commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 &&
           membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

}  // namespace

bool has_all_threads_fence() noexcept {
    static const bool registered = register_process();
    return registered;
}

void all_threads_fence() noexcept { membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED); }

}  // namespace runnel::os
