// runnel/time.hpp: sleeping, timers, tickers.
//
// Times are those of runnel::clock: monotonic, and virtual inside a test bubble. Nothing happens
// before its time; durations that do not fit count as the longest there is. A timer belongs to the
// runtime of the goroutine that starts or resets it (the process-wide one for a plain thread), and
// stops with it.
//
// A timer's channel behaves as if unbuffered (Go 1.23): its len() and cap() are 0, and once stop()
// or reset() has returned, no tick from before can be received. The value received is the time at
// which the tick was due. Stopping does not close the channel.
//
// Handles may be used from any goroutine or thread at the same time; what changes which timer a
// handle names (assigning, moving) may not.
//
// Order: starting or resetting a timer happens before its tick is received or its function runs.
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/clock.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/timer.hpp>

namespace runnel {

namespace detail {
/// Blocks until `deadline`; if it has passed, lets others run.
void sleep_until_tick(ticks deadline) noexcept;
/// The same until `ctx` ends.
op_status sleep_for_context(const context& ctx, ticks deadline) noexcept;
}  // namespace detail

/// Blocks for at least `d`. A zero or negative `d` only lets others run.
template <class Rep, class Period>
void sleep_for(std::chrono::duration<Rep, Period> d) {
    detail::sleep_until_tick(detail::after(d).deadline);
}

/// Blocks until `t` has come.
template <class Clock, class Duration>
void sleep_until(std::chrono::time_point<Clock, Duration> t) {
    detail::sleep_until_tick(detail::at(t).deadline);
}

/// The same unless `ctx` ends first: ok if the whole time has passed; canceled, or timeout if it
/// was the context's deadline.
template <class Rep, class Period>
op_status sleep_for(const context& ctx, std::chrono::duration<Rep, Period> d) {
    return detail::sleep_for_context(ctx, detail::after(d).deadline);
}
template <class Clock, class Duration>
op_status sleep_until(const context& ctx, std::chrono::time_point<Clock, Duration> t) {
    return detail::sleep_for_context(ctx, detail::at(t).deadline);
}

/// A channel that gets one value, after `d`. When its last handle goes, so does the timer: in a
/// select, `on_recv(after(d), ...)` leaves nothing behind if another case is chosen (and
/// on_timeout(d) costs less).
template <class Rep, class Period>
[[nodiscard]] recv_chan<clock::time_point> after(std::chrono::duration<Rep, Period> d) {
    return recv_chan<clock::time_point>(
        detail::recv_ref(detail::make_timer(detail::to_nanoseconds(d))));
}

/// A channel that gets a value every `d`, until its last handle goes; see ticker. As in Go, the nil
/// channel if `d` is not positive.
template <class Rep, class Period>
[[nodiscard]] recv_chan<clock::time_point> tick(std::chrono::duration<Rep, Period> d) {
    const std::chrono::nanoseconds period = detail::to_nanoseconds(d);
    if (period.count() <= 0) {
        return {};
    }
    return recv_chan<clock::time_point>(detail::recv_ref(detail::make_ticker(period)));
}

/// One event in the future: sends the time on its channel, or calls a function (after_func). It
/// fires while it, or a copy of c(), lives.
class timer {
public:
    /// No timer: stop() and reset() throw std::logic_error, c() is the nil channel.
    timer() = default;
    /// Fires after `d`; at once if that is zero or less.
    template <class Rep, class Period>
    explicit timer(std::chrono::duration<Rep, Period> d)
        : core_(detail::make_timer(detail::to_nanoseconds(d))) {}
    explicit timer(detail::chan_ref core) noexcept : core_(std::move(core)) {}

    timer(timer&&) = default;
    timer& operator=(timer&&) = default;
    timer(const timer&) = delete;
    timer& operator=(const timer&) = delete;
    ~timer() = default;

    /// The channel; nil for a timer of after_func.
    [[nodiscard]] recv_chan<clock::time_point> c() const noexcept {
        return recv_chan<clock::time_point>(
            detail::recv_ref::share(detail::timer_channel(core_.get())));
    }

    /// Stops it. True if that kept it from firing: its tick has not been received and never will
    /// be; its function has not been started. Does not wait for a function that has.
    bool stop() const { return detail::timer_stop(core_.get()); }

    /// Makes it fire after `d` from now, in place of what it was to do before. True if it was
    /// active. The function of an after_func that had been started may run at the same time as the
    /// new one.
    template <class Rep, class Period>
    bool reset(std::chrono::duration<Rep, Period> d) const {
        return detail::timer_reset(core_.get(), detail::to_nanoseconds(d));
    }

private:
    detail::chan_ref core_;
};

/// Sends the time on its channel again and again. Ticks that nobody receives are dropped: at most
/// one waits. It ticks while it, or a copy of c(), lives.
class ticker {
public:
    /// No ticker: stop() and reset() throw std::logic_error, c() is the nil channel.
    ticker() = default;
    /// Throws std::invalid_argument unless `period` is positive.
    template <class Rep, class Period>
    explicit ticker(std::chrono::duration<Rep, Period> period)
        : core_(detail::make_ticker(detail::to_nanoseconds(period))) {}

    ticker(ticker&&) = default;
    ticker& operator=(ticker&&) = default;
    ticker(const ticker&) = delete;
    ticker& operator=(const ticker&) = delete;
    ~ticker() = default;

    [[nodiscard]] recv_chan<clock::time_point> c() const noexcept {
        return recv_chan<clock::time_point>(detail::recv_ref::share(core_.get()));
    }

    /// No more ticks. True if it was ticking.
    bool stop() const { return detail::timer_stop(core_.get()); }

    /// The next tick comes a `period` from now, also if it was stopped. True if it was ticking.
    /// Throws std::invalid_argument unless `period` is positive.
    template <class Rep, class Period>
    bool reset(std::chrono::duration<Rep, Period> period) const {
        return detail::ticker_reset(core_.get(), detail::to_nanoseconds(period));
    }

private:
    detail::chan_ref core_;
};

/// Calls `f`, which is decay-copied, after `d` in a goroutine of its own. Dropping the handle does
/// not stop it. An exception that leaves `f` ends the process as with go(). `f` is destroyed when
/// it cannot be called any more: the handle has gone, and it is neither pending nor running.
template <class Rep, class Period, class F>
    requires std::invocable<std::decay_t<F>&>
timer after_func(std::chrono::duration<Rep, Period> d, F&& f,
                 const std::source_location& where = std::source_location::current()) {
    using function = std::decay_t<F>;
    const detail::function_timer_slot slot = detail::prepare_function_timer(
        detail::function_of<function>, where.file_name(), where.line());
    try {
        ::new (slot.storage) function(std::forward<F>(f));
    } catch (...) {
        detail::abandon_function_timer(slot);
        throw;
    }
    timer handle{detail::chan_ref(slot.timer)};
    detail::start_function_timer(slot.timer, detail::to_nanoseconds(d));
    return handle;
}

}  // namespace runnel
