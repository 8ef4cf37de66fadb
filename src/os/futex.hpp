// os/futex.hpp: a thread sleeps on a word until another changes it.
#pragma once

#include <atomic>
#include <cstdint>

namespace runnel::os {

/// Sleeps while `word` holds `expected`, for at most `nanoseconds` (negative: without limit).
/// Returns on a wake-up, at the limit, on a signal, or at once when the word differs.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::int64_t nanoseconds = -1) noexcept;

/// Wakes up to `count` sleepers. The word's memory need not exist any more: the address is a name.
void futex_wake(const std::atomic<std::uint32_t>* word, int count = 1) noexcept;

}  // namespace runnel::os
