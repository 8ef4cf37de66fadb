// sched/park.hpp: the parts of parking that only compiled code needs.
#pragma once

#include <runnel/detail/park.hpp>

namespace runnel::detail {

/// Uniform in [0, bound), from the calling goroutine's runtime.
[[nodiscard]] std::uint32_t random_below(std::uint32_t bound) noexcept;

[[nodiscard]] bool on_goroutine() noexcept;

}  // namespace runnel::detail
