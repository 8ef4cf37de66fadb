// base/fatal.hpp: errors that nobody can handle: a message on standard error, and the end.
#pragma once

#include <string_view>

namespace runnel::detail {

/// Writes `text` to standard error as one line after "runnel: ". Async-signal-safe.
void print_error(std::string_view text) noexcept;

/// Reports misuse that has already broken an invariant, and calls std::terminate.
[[noreturn]] void fatal(std::string_view text) noexcept;

}  // namespace runnel::detail
