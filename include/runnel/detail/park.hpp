// runnel/detail/park.hpp: how a blocked call gives up its processor, and how it gets it back.
#pragma once

#include <chrono>
#include <cstdint>

#include <runnel/detail/switch.hpp>
#include <runnel/detail/wait_node.hpp>

namespace runnel::detail {

/// Why somebody waits, for reports. The order matches the names in report.cpp.
enum class wait_kind : std::uint8_t {
    none,
    chan_send,
    chan_recv,
    chan_send_nil,
    chan_recv_nil,
    select,
    select_forever,
    sleep,
    mutex,
    condition,
    wait_group,
    shared_mutex,
    shared_mutex_shared,
    semaphore,
    once,
    latch,
    barrier,
    join,
    settle,
    poll,
    blocking,
    pipe_read,
    pipe_write,
    socket_read,
    socket_write,
};

/// Nanoseconds since the epoch of the runtime's clock; `never` is no deadline.
using ticks = std::int64_t;
inline constexpr ticks never = INT64_MAX;

class cancel_word;

/// What, beside its peer, may end a wait.
struct wait_limits {
    ticks deadline = never;
    cancel_word* cancel = nullptr;

    [[nodiscard]] bool any() const noexcept { return deadline != never || cancel != nullptr; }
};

/// Makes `w` stand for the calling goroutine or thread, and notes what it will wait for. Call
/// before linking it anywhere: whoever wakes it notes the opposite, and must come second.
void begin_wait(waiter& w, wait_kind kind, const void* where) noexcept;

/// Takes back begin_wait() for a waiter that was never ended and will not park.
void give_up_wait(waiter& w) noexcept;

/// Gives up the processor until `w` is woken: for a goroutine by the switch that the returned
/// suspension describes, for a thread before it returns. Call it exactly once, after linking.
[[nodiscard]] suspension park(waiter& w) noexcept;

/// The same, and the switch is done when it returns.
void park_here(waiter& w) noexcept;

/// The same, and the wait also ends at `deadline`: `w.how()` is then wait_timed_out. `w.contested`
/// must be set unless the deadline is the only thing that can end the wait.
void park_until(waiter& w, ticks deadline) noexcept;

/// The same with all limits.
void park_limited(waiter& w, const wait_limits& limits) noexcept;

/// Makes a waiter runnable whose end() the caller has won. Hold no lock; do not touch it
/// afterwards.
void wake(waiter& w) noexcept;

/// The clock of the calling goroutine's runtime; real time on a plain thread.
[[nodiscard]] ticks now() noexcept;

/// Lets other goroutines run; the switch, if any, is the caller's to make.
[[nodiscard]] suspension begin_yield() noexcept;

/// now() + `d`, saturating; a negative or zero duration gives a time that has passed.
[[nodiscard]] ticks deadline_after(std::chrono::nanoseconds d) noexcept;

}  // namespace runnel::detail
