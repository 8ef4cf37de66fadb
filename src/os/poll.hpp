// os/poll.hpp: one descriptor, waited for by a plain thread.
#pragma once

#include <cstdint>

namespace runnel::os {

/// Blocks the thread until `fd` is ready or the monotonic clock reaches `deadline` (negative: no
/// limit). Returns 0, -ETIMEDOUT or -errno.
int poll_once(int fd, bool read, bool write, std::int64_t deadline) noexcept;

}  // namespace runnel::os
