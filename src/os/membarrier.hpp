// os/membarrier.hpp: a full fence in every running thread of the process, paid for by the caller.
#pragma once

namespace runnel::os {

/// True if all_threads_fence() works here; asked once, which also registers the process for it.
[[nodiscard]] bool has_all_threads_fence() noexcept;

/// When it returns, every thread of the process has passed a full memory fence since it was called.
void all_threads_fence() noexcept;

}  // namespace runnel::os
