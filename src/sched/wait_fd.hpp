// sched/wait_fd.hpp: a goroutine or thread waits until a descriptor is ready.
#pragma once

#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// Blocks until `fd` can be read (or written) without blocking, level-triggered and armed for this
/// wait alone, as poll(2) would be; nothing stays registered. Returns 0, -ETIMEDOUT after
/// `deadline`, -ECANCELED once `cancel` is cancelled, or -errno for a descriptor that cannot be
/// waited for. Always-ready descriptors (regular files) return 0.
int wait_readable(int fd, ticks deadline = never, cancel_word* cancel = nullptr);
int wait_writable(int fd, ticks deadline = never, cancel_word* cancel = nullptr);

}  // namespace runnel::detail
