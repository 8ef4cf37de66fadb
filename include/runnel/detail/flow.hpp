// runnel/detail/flow.hpp: what every stage of a pipeline is made of.
//
// A flow is a goroutine that owns the sending end of a counted channel. It ends when its body
// returns (the channel is closed), throws (closed with that exception) or finds that nobody
// receives any more (its sends throw). Its body, and with it the receive handles of its inputs, is
// destroyed before its output is closed: so the end of a flow strands nobody on either side.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/goroutine.hpp>
#include <runnel/select.hpp>

namespace runnel::detail {

/// Throw std::invalid_argument that names the argument.
void check_capacity(std::ptrdiff_t capacity);
void check_not_zero(const char* name, std::size_t n);
void check_positive(const char* name, clock::duration d);

/// Closes a flow's channel, with `error` if that is not null. If the body has closed it before,
/// an error has no way to its receivers: it is rethrown, unless it only repeats that `ctx` has
/// ended. Where nobody receives any more it is dropped, whoever closes.
void close_flow(const context& ctx, chan_core* c, const std::exception_ptr& error);
/// Throws canceled_error if nobody receives any more: for those who do not come to send.
void check_wanted(chan_core* c);

/// Abandons a channel because `ctx` has ended.
void abandon_ended(const context& ctx, chan_core* c) noexcept;

/// What a pattern takes as its input, as a receive handle.
template <class In>
using input_of = recv_chan<typename In::value_type>;
template <class In>
concept flow_input = receivable<In> && std::constructible_from<input_of<In>, In>;

/// True if `ctx` can ever end: if not, the plain operations do.
[[nodiscard]] inline bool can_end(const context& ctx) noexcept {
    return limits_of(ctx).cancel != nullptr;
}

/// A select case that is chosen once nobody receives from `out`, a counted channel, any more.
[[nodiscard]] inline done_case<no_handler> on_unwanted(chan_core* out) {
    return {chan_unwanted(out), {}};
}

/// Receives for a flow whose output is `out`; nullopt once `in` is closed and drained. Throws what
/// it was closed with; canceled_error or timeout_error once `ctx` has ended; canceled_error once
/// nobody receives from `out` any more.
template <class T>
std::optional<T> recv_for(const context& ctx, const recv_chan<T>& in, chan_core* out) {
    if (can_end(ctx)) {
        if (has_ended(ctx)) {
            throw_ended(ctx);
        }
        std::optional<T> value;
        switch (select(on_recv(in, value), on_done(ctx), on_unwanted(out))) {
            case 0:
                return value;
            case 1:
                throw_ended(ctx);
            default:
                throw canceled_error();
        }
    }
    incoming<T> slot;
    switch (chan_recv_limited(in.core(), slot.address(), {.cancel = chan_unwanted(out)})) {
        case op_status::ok:
            return slot.take_optional();
        case op_status::closed:
            rethrow_close_error(in.core());
            return std::nullopt;
        default:
            throw canceled_error();
    }
}

/// Sends. Throws canceled_error or timeout_error once `ctx` has ended, and what a plain send does.
template <class T>
void send_under(const context& ctx, const send_chan<T>& out, std::type_identity_t<T>&& value) {
    if (!can_end(ctx)) {
        out.send(std::forward<T>(value));
        return;
    }
    if (out.send(ctx, std::forward<T>(value)) != op_status::ok) {
        if (has_ended(ctx)) {
            throw_ended(ctx);
        }
        throw_not_sent(out.core());
    }
}

/// Calls f(args...), or f(ctx, args...) if that is what it takes.
template <class F, class... Args>
decltype(auto) invoke_under(const context& ctx, F& f, Args&&... args) {
    if constexpr (std::invocable<F&, Args...>) {
        return std::invoke(f, std::forward<Args>(args)...);
    } else {
        return std::invoke(f, ctx, std::forward<Args>(args)...);
    }
}
template <class F, class... Args>
concept invocable_under =
    std::invocable<F&, Args...> || std::invocable<F&, const context&, Args...>;
template <class F, class... Args>
using result_under = std::remove_cvref_t<decltype(invoke_under(
    std::declval<const context&>(), std::declval<F&>(), std::declval<Args>()...))>;

/// Runs body(out) in a goroutine, which `ctx` may end; returns the channel's receiving end.
template <class T, class Body>
[[nodiscard]] recv_chan<T> start_flow(const context& ctx, std::ptrdiff_t capacity, Body body,
                                      const std::source_location& where) {
    check_capacity(capacity);
    auto ends = make_counted_chan<T>(capacity);
    go(
        [ctx, out = std::move(ends.first), given = std::move(body)]() mutable {
            std::exception_ptr error;
            try {
                Body own = std::move(given);
                own(out);
            } catch (...) {
                error = std::current_exception();
            }
            close_flow(ctx, out.core(), error);
        },
        where);
    return std::move(ends.second);
}

/// One stage of `in | stage | ...`: makes the stage's output from its input.
template <class Make>
class [[nodiscard]] pipe_adaptor {
public:
    explicit pipe_adaptor(Make make) : make_(std::move(make)) {}
    template <class T>
    auto apply(recv_chan<T> in) && {
        return std::move(make_)(std::move(in));
    }

private:
    Make make_;
};

template <flow_input In, class Make>
[[nodiscard]] auto operator|(In in, pipe_adaptor<Make> next) {
    return std::move(next).apply(input_of<In>(std::move(in)));
}

}  // namespace runnel::detail

namespace runnel {
using detail::operator|;  // found through the channel handles
}  // namespace runnel
