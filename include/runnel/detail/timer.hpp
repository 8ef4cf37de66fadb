// runnel/detail/timer.hpp: the compiled timers that the handles in time.hpp are an edge of.
//
// A timer is a channel core: its handles are counted as those of any channel.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <runnel/detail/chan_core.hpp>

namespace runnel::detail {

/// A timer that sends once, after `d`; a ticker that sends every `period`, which must be positive.
[[nodiscard]] chan_core* make_timer(std::chrono::nanoseconds d);
[[nodiscard]] chan_core* make_ticker(std::chrono::nanoseconds period);

/// The channel of a timer; null for one that calls a function.
[[nodiscard]] chan_core* timer_channel(chan_core* t) noexcept;

/// Both return whether it was active. `t` null throws std::logic_error.
bool timer_stop(chan_core* t);
bool timer_reset(chan_core* t, std::chrono::nanoseconds d);
/// The same for a ticker. A period that is not positive throws std::invalid_argument.
bool ticker_reset(chan_core* t, std::chrono::nanoseconds period);

/// The function of an after_func.
struct timer_function {
    std::size_t size;
    std::size_t align;
    void (*call)(void* function);  ///< in a goroutine of its own; may run several times at once
    void (*destroy)(void* function) noexcept;
};

/// A timer with room for its function, which is not there yet.
struct function_timer_slot {
    chan_core* timer;
    void* storage;
};
[[nodiscard]] function_timer_slot prepare_function_timer(const timer_function& f, const char* file,
                                                         std::uint32_t line);
/// Frees a timer whose function was never made.
void abandon_function_timer(function_timer_slot slot) noexcept;
/// The function is there: calls it after `d`. If this throws, the timer has not been started, and
/// its handle destroys it.
void start_function_timer(chan_core* t, std::chrono::nanoseconds d);

template <class F>
inline constexpr timer_function function_of{
    .size = sizeof(F),
    .align = alignof(F),
    .call = [](void* f) { (*static_cast<F*>(f))(); },
    .destroy = [](void* f) noexcept { static_cast<F*>(f)->~F(); },
};

}  // namespace runnel::detail
