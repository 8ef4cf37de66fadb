// fiber/entry.hpp: how a fresh stack starts to run.
#pragma once

#include <runnel/detail/switch.hpp>

#include "src/fiber/stack.hpp"

namespace runnel::detail {

/// Makes `f` start in `body` on `s` when it is first switched to; `body` never returns.
void prepare_entry(fiber& f, const stack& s, void (*body)()) noexcept;

}  // namespace runnel::detail
