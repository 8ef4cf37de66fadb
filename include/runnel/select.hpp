// runnel/select.hpp: waits for several channel operations at once; exactly one happens.
//
//     select(on_recv(jobs, [&](std::optional<job> j) { ... }),   // nullopt: closed
//            on_send(out, value, [&] { ... }),
//            on_timeout(500ms, [&] { ... }),
//            on_done(ctx, [&] { ... }),
//            otherwise([&] { ... }));                             // Go's default
//
// One ready case is chosen uniformly at random. If none is ready it blocks, unless there is an
// `otherwise`. The handler of the chosen case runs after the choice, with no lock held; `return` in
// it returns from the handler. To leave the caller instead, pass a slot and switch on the result.
// Case objects bind by reference and live only inside the call to select. No heap allocation.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/select_case.hpp>
#include <runnel/detail/select_core.hpp>
#include <runnel/selector.hpp>  // IWYU pragma: export

namespace runnel {

/// Receives from `ch`. `handler` takes a std::optional<T> (empty: closed and drained) or nothing; a
/// std::optional<T>& in its place is a slot that is assigned. A channel that was closed with an
/// error throws it from select.
template <receivable C, class H = detail::no_handler>
[[nodiscard]] detail::recv_case<typename C::value_type, H> on_recv(const C& ch, H&& handler = {}) {
    return {ch.core(), std::forward<H>(handler)};
}

/// Sends `value` to `ch`. An rvalue of the channel's type is moved from only if this case is
/// chosen; whatever else `value` is, it is copied when the case looks ready or has to wait (or
/// moved, if it cannot be copied). Chosen on a closed channel, select throws channel_closed.
template <sendable C, class V, class H = detail::no_handler>
    requires std::constructible_from<typename C::value_type, V>
[[nodiscard]] detail::send_case<typename C::value_type, V, H> on_send(const C& ch, V&& value,
                                                                      H&& handler = {}) {
    return {ch.core(), std::forward<V>(value), std::forward<H>(handler)};
}

/// Chosen when nothing else was ready for `d`; a zero or negative time does not wait.
template <class Rep, class Period, class H = detail::no_handler>
[[nodiscard]] detail::timeout_case<H> on_timeout(std::chrono::duration<Rep, Period> d,
                                                 H&& handler = {}) {
    return {detail::after(d).deadline, std::forward<H>(handler)};
}

/// Chosen when nothing else was ready until `t`.
template <class Clock, class Duration, class H = detail::no_handler>
[[nodiscard]] detail::timeout_case<H> on_deadline(std::chrono::time_point<Clock, Duration> t,
                                                  H&& handler = {}) {
    return {detail::at(t).deadline, std::forward<H>(handler)};
}

/// Chosen when `ctx` has ended. Costs no channel.
template <class H = detail::no_handler>
[[nodiscard]] detail::done_case<H> on_done(const context& ctx, H&& handler = {}) {
    return {ctx, std::forward<H>(handler)};
}

/// Chosen when no other case can proceed at once.
template <class H = detail::no_handler>
[[nodiscard]] detail::otherwise_case<H> otherwise(H&& handler = {}) {
    return {std::forward<H>(handler)};
}

/// Chooses one case; see the head of this file. Returns what the handlers return, if all have one
/// non-void type; the index of the chosen case, in the order of the arguments, if none returns
/// anything. select() with no case blocks for ever.
template <detail::is_select_case... Cases>
detail::select_result<Cases...> select(Cases&&... cases) {
    constexpr std::size_t count = sizeof...(Cases);
    std::array<detail::select_case, count> bound;
    detail::select_call call;
    call.cases = bound;
    std::size_t timeout_index = count;
    std::size_t otherwise_index = count;
    std::size_t i = 0;
    [[maybe_unused]] const auto bind = [&](auto& c) {
        c.bind(bound[i], call);
        if (bound[i].kind == detail::case_kind::otherwise) {
            otherwise_index = i;
        } else if (bound[i].kind == detail::case_kind::timeout &&
                   c.deadline() == call.limits.deadline) {
            timeout_index = i;
        }
        ++i;
    };
    (bind(cases), ...);
    try {
        if (call.limits.any() && call.blocking) {
            detail::select_limited(call);
        } else {
            detail::suspend(detail::select_begin(call));
            detail::select_finish(call);
        }
    } catch (...) {  // making one value to send failed; others may have been moved out before
        static_cast<void>(detail::settle_all(bound.data(), count, cases...));
        throw;
    }
    if (call.chosen == detail::select_call::nothing) {
        call.chosen = otherwise_index;
    } else if (call.chosen == detail::select_call::out_of_time) {
        call.chosen = timeout_index;
    }
    if (auto failure = detail::settle_all(bound.data(), call.chosen, cases...)) {
        std::rethrow_exception(std::move(failure));
    }
    return detail::run_chosen<detail::select_result<Cases...>>(call.chosen, bound.data(), cases...);
}

}  // namespace runnel
