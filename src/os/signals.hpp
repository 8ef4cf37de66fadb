// os/signals.hpp: signals of the process, caught and counted instead of handled.
//
// Purpose   While a signal is caught, each one that arrives is counted and wakes the catcher, a
//           thread that waits in await_caught(). The handler adds to a counter and writes to an
//           eventfd; both may be done in a handler, and errno is kept.
// Invariants
//   G1  What was there before catch_signal() comes back with uncatch_signal(), unless the program
//       has installed something else meanwhile; also in a child process after fork().
//   G2  The eventfd is opened once and never closed: a handler may still run on another thread when
//       uncatch_signal() has returned.
// Threads   catch_signal(), uncatch_signal(): the caller sees to it that there is one at a time.
// Memory order: sequentially consistent.
#pragma once

#include <cstdint>
#include <string>

namespace runnel::os {

inline constexpr int last_signal = 64;

/// "SIGINT", "SIGRTMIN+3"; a number that is no signal as it is.
[[nodiscard]] std::string signal_name(int signal);

/// Null if `signal` can be caught, else what it is that cannot.
[[nodiscard]] const char* why_not_caught(int signal) noexcept;

/// Both return 0 or -errno.
[[nodiscard]] int open_catcher() noexcept;
[[nodiscard]] int catch_signal(int signal) noexcept;
void uncatch_signal(int signal) noexcept;

/// How many have come since it was asked last.
[[nodiscard]] std::uint32_t take_caught(int signal) noexcept;

/// Blocks until one has come, or until wake_catcher().
void await_caught() noexcept;
void wake_catcher() noexcept;

/// The calling thread takes what is caught, and no other signals: in case that all others block it.
void accept_caught() noexcept;

}  // namespace runnel::os
