// runnel/patterns/produce.hpp: a goroutine, and the channel to it.
//
//     for (int n : produce<int>([](send_chan<int> out) { ... out.send(n); ... })) { ... }
//
// The channel counts its receive handles. When the last is dropped, the producer's pending and
// later sends throw canceled_error, which ends a producer that does not catch it: whoever stops
// receiving strands nobody. What it throws then reaches nobody, and is dropped.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/flow.hpp>

namespace runnel {

namespace detail {

template <class T, class F>
[[nodiscard]] send_chan<T> start_consumer(const context& ctx, F f, std::ptrdiff_t capacity,
                                          const std::source_location& where) {
    check_capacity(capacity);
    auto ends = make_counted_chan<T>(capacity);
    go(
        [ctx, in = std::move(ends.second), body = std::move(f)]() mutable {
            // `in` is kept until an exception has been handed over.
            try {
                invoke_under(ctx, body, in);
            } catch (...) {
                const std::exception_ptr error = std::current_exception();
                if (!is_echo(ctx, error) && !chan_abandon(in.core(), error)) {
                    throw;
                }
            }
        },
        where);
    return std::move(ends.first);
}

}  // namespace detail

/// Runs f(out) in a goroutine and returns the receiving end of `out`, which buffers `capacity`
/// values. The channel is closed when `f` returns; f need not do it. An exception that leaves `f`
/// closes it with that exception, which the consumer gets after the values that were sent before;
/// if `f` has closed it, the exception ends the process as one that left a go() goroutine.
/// Throws std::invalid_argument for a negative capacity.
template <class T, class F>
    requires std::invocable<std::decay_t<F>&, send_chan<T>>
[[nodiscard]] recv_chan<T> produce(
    F&& f, std::ptrdiff_t capacity = 0,
    const std::source_location& where = std::source_location::current()) {
    return detail::start_flow<T>(
        background(), capacity,
        [body = std::decay_t<F>(std::forward<F>(f))](const send_chan<T>& out) mutable {
            std::invoke(body, out);
        },
        where);
}

/// The same with f(ctx, out). When `ctx` ends, what is buffered is destroyed, and the producer's
/// sends and the consumer's receives throw canceled_error, or timeout_error if it was the deadline:
/// a result that was cut short does not look complete.
template <class T, class F>
    requires detail::invocable_under<std::decay_t<F>, send_chan<T>>
[[nodiscard]] recv_chan<T> produce(
    const context& ctx, F&& f, std::ptrdiff_t capacity = 0,
    const std::source_location& where = std::source_location::current()) {
    return detail::start_flow<T>(
        ctx, capacity,
        [ctx, body = std::decay_t<F>(std::forward<F>(f))](const send_chan<T>& out) mutable {
            // A producer that does not watch the context is told by its sends.
            struct watch {
                cancel_registration end;
                ~watch() { end.stop(); }
            } watching;
            if (detail::can_end(ctx)) {
                watching.end =
                    on_cancel(ctx, [ctx, out] { detail::abandon_ended(ctx, out.core()); });
            }
            if constexpr (std::invocable<std::decay_t<F>&, const context&, send_chan<T>>) {
                std::invoke(body, ctx, out);
            } else {
                std::invoke(body, out);
            }
            if (detail::has_ended(ctx)) {
                detail::throw_ended(ctx);
            }
        },
        where);
}

/// The mirror: runs f(in) in a goroutine and returns the sending end of `in`. When `f` returns, or
/// drops its last handle, pending and later sends end as cancelled. An exception that leaves `f`
/// reaches the producer instead: its sends throw it, and so does its first close(). If the channel
/// has been closed already, there is nobody to tell: the exception ends the process as one that
/// left a go() goroutine. Throws std::invalid_argument for a negative capacity.
template <class T, class F>
    requires std::invocable<std::decay_t<F>&, recv_chan<T>>
[[nodiscard]] send_chan<T> consume(
    F&& f, std::ptrdiff_t capacity = 0,
    const std::source_location& where = std::source_location::current()) {
    return detail::start_consumer<T>(background(), std::decay_t<F>(std::forward<F>(f)), capacity,
                                     where);
}

/// The same with f(ctx, in), which has to watch `ctx`. That `f` reports the end of `ctx` by its
/// exception is not an error.
template <class T, class F>
    requires detail::invocable_under<std::decay_t<F>, recv_chan<T>>
[[nodiscard]] send_chan<T> consume(
    const context& ctx, F&& f, std::ptrdiff_t capacity = 0,
    const std::source_location& where = std::source_location::current()) {
    return detail::start_consumer<T>(ctx, std::decay_t<F>(std::forward<F>(f)), capacity, where);
}

}  // namespace runnel
