// time/timer_core.hpp: timers and tickers: a channel that the heap sends to, in one object.
//
// Purpose   A timer is a channel core with a ring of one place inside, and a heap entry; one that
//           calls a function has the function behind it, in the same allocation. Its handles are
//           the channel's. The heap's entry of a channel timer counts for nothing, so a timer that
//           nobody can see any more is gone at once; that of a function timer counts as a handle,
//           so it runs although all others have been dropped.
// Invariants (of a timer whose lock is free)
//   M1  `queued_` means: in a heap, or claimed by somebody who has still to call fire() or
//       abandon(). Claims that were stopped or reset meanwhile are counted in `stale_`: so many
//       calls do nothing. Which of them it is does not matter, since whatever is claimed is due.
//                                                                            (link, unlink, land)
//   M2  An active timer that fires once is queued. An active ticker is queued, too, unless a tick
//       waits in the ring or has just been taken from there: until then nobody wants the next one.
//       It goes on, in step, when the tick is received. So a ticker that everybody has forgotten
//       costs nothing and does not count as something that will happen.      (tick, received)
//   M3  After stop() or start() nothing from before is in the ring, or will be.    (make_inactive)
//   M4  Only the heap sends, so nobody ever waits to send; the channel is never closed.
//   M5  A claim holds a reference until fire() or abandon() has ended. For a channel timer it is
//       refused when the last handle has gone; dispose() then waits for the heap's lock
//       (timer_heap.hpp, T2).                                                (claim, dispose)
// Locks     The channel's lock protects all that can change; it comes before the heap's. Nobody is
//           woken or interrupted under it, no runtime started, and no user code run.
// Threads   Any, but fire() is called by a worker, maybe with the lock of a bubble held. It neither
//           calls nor destroys a function, therefore: a goroutine does.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <runnel/clock.hpp>
#include <runnel/detail/timer.hpp>

#include "src/chan/chan_core.hpp"
#include "src/event/timer_heap.hpp"
#include "src/sched/timers.hpp"

namespace runnel::detail {

/// The ring of a timer's channel. A base class, because the channel is told of it.
struct tick_place {
    alignas(clock::time_point) std::array<std::byte, sizeof(clock::time_point)> bytes;
};

class timer_core : private tick_place, public chan_core, public timer_node {
public:
    enum class sort : std::uint8_t { once, ticker, function };

    explicit timer_core(sort s) noexcept : timer_core(s, nullptr, nullptr, 0) {}
    timer_core(const timer_core&) = delete;
    timer_core& operator=(const timer_core&) = delete;
    ~timer_core() = default;

    /// A timer with room for its function.
    static timer_core* make_for(const timer_function& f, const char* file, std::uint32_t line);
    void free_without_function() noexcept;
    [[nodiscard]] void* function_storage() noexcept;

    [[nodiscard]] bool sends() const noexcept { return sort_ != sort::function; }

    /// Both return whether it was active. start() makes it due `d` from now; for a ticker `d` is
    /// the period, too.
    bool stop() noexcept;
    bool start(std::chrono::nanoseconds d);

private:
    timer_core(sort s, const timer_function* f, const char* file, std::uint32_t line) noexcept;

    static timer_core& from(timer_node& node) noexcept { return static_cast<timer_core&>(node); }
    static timer_core& from(chan_core* c) noexcept { return static_cast<timer_core&>(*c); }

    // timer_ops and chan_hooks.
    static bool claim(timer_node& node) noexcept;
    static void fire(timer_node& node) noexcept;
    static void abandon(timer_node& node) noexcept;
    static void dispose(chan_core* c) noexcept;
    static void received(chan_core* c) noexcept;
    static const timer_ops heap_ops;
    static const chan_hooks hooks_of_timers;

    // Under the lock.
    bool make_inactive() noexcept;
    void link(timer_armer& armer, ticks at);
    void unlink() noexcept;
    [[nodiscard]] bool land() noexcept;
    [[nodiscard]] waiter* send(ticks at) noexcept;
    [[nodiscard]] waiter* tick(timer_armer& armer) noexcept;
    void catch_up(ticks at) noexcept;

    void send_due() noexcept;
    void call_due() noexcept;
    void start_goroutine(chan_ref self, bool call);

    // Constant after construction.
    const sort sort_;
    const std::uint32_t line_;
    const char* const file_;
    const timer_function* const function_;

    // Protected by lock.
    bool active_ = false;
    bool queued_ = false;
    std::uint32_t stale_ = 0;
    ticks period_ = 0;
};

}  // namespace runnel::detail
