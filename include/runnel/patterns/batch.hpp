// runnel/patterns/batch.hpp: stages that deal with time: values in groups, and at a pace.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <source_location>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/flow.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/select.hpp>

namespace runnel {

/// At most `count` values in any span of `per`.
struct rate {
    std::size_t count = 1;
    clock::duration per = std::chrono::seconds(1);
};

namespace detail {

template <class T>
class batcher {
public:
    batcher(context ctx, recv_chan<T> in, std::size_t n, clock::duration d)
        : ctx_(std::move(ctx)), in_(std::move(in)), size_(n), longest_(d) {}

    void operator()(const send_chan<std::vector<T>>& out) {
        while (std::optional<T> first = recv_for(ctx_, in_, out.core())) {
            std::vector<T> values;
            values.push_back(std::move(*first));
            first.reset();
            std::exception_ptr error;
            const bool more = fill(values, error, out.core());
            send_under(ctx_, out, std::move(values));
            if (error) {
                std::rethrow_exception(error);
            }
            if (!more) {
                return;
            }
        }
    }

private:
    /// Until the batch is full or its time is over. False if the input is: `error` is what it was
    /// closed with.
    bool fill(std::vector<T>& values, std::exception_ptr& error, chan_core* out) {
        const clock::time_point end = later(clock::now(), longest_);
        while (values.size() < size_) {
            std::optional<T> next;
            std::size_t chosen = 0;
            try {
                chosen =
                    select(on_recv(in_, next), on_deadline(end), on_done(ctx_), on_unwanted(out));
            } catch (...) {
                error = std::current_exception();
                return false;
            }
            if (chosen == 1) {
                return true;
            }
            if (chosen == 2) {
                throw_ended(ctx_);
            }
            if (chosen == 3) {
                throw canceled_error();
            }
            if (!next) {
                return false;
            }
            values.push_back(std::move(*next));
        }
        return true;
    }

    context ctx_;
    recv_chan<T> in_;
    std::size_t size_;
    clock::duration longest_;
};

template <class T>
class pacer {
public:
    pacer(context ctx, recv_chan<T> in, rate r)
        : ctx_(std::move(ctx)), in_(std::move(in)), per_(r.per), sent_(r.count) {}

    void operator()(const send_chan<T>& out) {
        while (std::optional<T> value = recv_for(ctx_, in_, out.core())) {
            std::optional<clock::time_point>& oldest = sent_[next_];
            if (oldest) {
                pause_until(later(*oldest, per_), out.core());
            }
            send_under(ctx_, out, std::move(*value));
            oldest = clock::now();
            next_ = next_ + 1 == sent_.size() ? 0 : next_ + 1;
        }
    }

private:
    void pause_until(clock::time_point t, chan_core* out) {
        switch (select(on_deadline(t), on_done(ctx_), on_unwanted(out))) {
            case 0:
                return;
            case 1:
                throw_ended(ctx_);
            default:
                throw canceled_error();
        }
    }

    context ctx_;
    recv_chan<T> in_;
    clock::duration per_;
    std::vector<std::optional<clock::time_point>> sent_;  ///< when the last few were taken
    std::size_t next_ = 0;                                ///< the oldest of them
};

template <class T>
[[nodiscard]] recv_chan<std::vector<T>> start_batch(const context& ctx, recv_chan<T> in,
                                                    std::size_t n, clock::duration d,
                                                    const std::source_location& where) {
    check_not_zero("n", n);
    check_positive("d", d);
    return start_flow<std::vector<T>>(ctx, 0, batcher<T>(ctx, std::move(in), n, d), where);
}

template <class T>
[[nodiscard]] recv_chan<T> start_throttle(const context& ctx, recv_chan<T> in, rate r,
                                          const std::source_location& where) {
    check_not_zero("count", r.count);
    check_positive("interval", r.per);
    return start_flow<T>(ctx, 0, pacer<T>(ctx, std::move(in), r), where);
}

}  // namespace detail

/// Collects values into vectors of `n`; one that is not full is sent when `d` has passed since its
/// first value came, and when the input ends, before its exception if it has one. Never sends an
/// empty one. Throws std::invalid_argument if `n` is 0 or `d` not positive.
template <detail::flow_input In, class Rep, class Period>
[[nodiscard]] auto batch(In in, std::size_t n, std::chrono::duration<Rep, Period> d,
                         const std::source_location& where = std::source_location::current()) {
    return detail::start_batch(background(), detail::input_of<In>(std::move(in)), n,
                               detail::to_nanoseconds(d), where);
}
/// The same until `ctx` ends: the output is then closed with canceled_error or timeout_error, and
/// what has been collected is dropped.
template <detail::flow_input In, class Rep, class Period>
[[nodiscard]] auto batch(const context& ctx, In in, std::size_t n,
                         std::chrono::duration<Rep, Period> d,
                         const std::source_location& where = std::source_location::current()) {
    return detail::start_batch(ctx, detail::input_of<In>(std::move(in)), n,
                               detail::to_nanoseconds(d), where);
}
/// `in | batch(n, d)`.
template <class Rep, class Period>
[[nodiscard]] auto batch(const context& ctx, std::size_t n, std::chrono::duration<Rep, Period> d,
                         const std::source_location& where = std::source_location::current()) {
    return detail::pipe_adaptor([ctx, n, longest = detail::to_nanoseconds(d), where](auto in) {
        return detail::start_batch(ctx, std::move(in), n, longest, where);
    });
}
template <class Rep, class Period>
[[nodiscard]] auto batch(std::size_t n, std::chrono::duration<Rep, Period> d,
                         const std::source_location& where = std::source_location::current()) {
    return batch(background(), n, d, where);
}

/// Lets values through at a pace: `r.count` of them may pass at once, and in any span of `r.per`
/// there are no more, counted from when each was taken. What comes faster waits in the stages
/// before; nothing is dropped. Throws std::invalid_argument if the count is 0 or the time not
/// positive.
template <detail::flow_input In>
[[nodiscard]] auto throttle(In in, rate r,
                            const std::source_location& where = std::source_location::current()) {
    return detail::start_throttle(background(), detail::input_of<In>(std::move(in)), r, where);
}
/// The same until `ctx` ends; the output is then closed with canceled_error or timeout_error.
template <detail::flow_input In>
[[nodiscard]] auto throttle(const context& ctx, In in, rate r,
                            const std::source_location& where = std::source_location::current()) {
    return detail::start_throttle(ctx, detail::input_of<In>(std::move(in)), r, where);
}
/// One value in each `interval` at most.
template <detail::flow_input In, class Rep, class Period>
[[nodiscard]] auto throttle(In in, std::chrono::duration<Rep, Period> interval,
                            const std::source_location& where = std::source_location::current()) {
    return throttle(std::move(in), rate{1, detail::to_nanoseconds(interval)}, where);
}
template <detail::flow_input In, class Rep, class Period>
[[nodiscard]] auto throttle(const context& ctx, In in, std::chrono::duration<Rep, Period> interval,
                            const std::source_location& where = std::source_location::current()) {
    return throttle(ctx, std::move(in), rate{1, detail::to_nanoseconds(interval)}, where);
}
/// `in | throttle(rate)`, `in | throttle(interval)`.
[[nodiscard]] inline auto throttle(
    const context& ctx, rate r,
    const std::source_location& where = std::source_location::current()) {
    return detail::pipe_adaptor(
        [ctx, r, where](auto in) { return detail::start_throttle(ctx, std::move(in), r, where); });
}
[[nodiscard]] inline auto throttle(
    rate r, const std::source_location& where = std::source_location::current()) {
    return throttle(background(), r, where);
}
template <class Rep, class Period>
[[nodiscard]] auto throttle(const context& ctx, std::chrono::duration<Rep, Period> interval,
                            const std::source_location& where = std::source_location::current()) {
    return throttle(ctx, rate{1, detail::to_nanoseconds(interval)}, where);
}
template <class Rep, class Period>
[[nodiscard]] auto throttle(std::chrono::duration<Rep, Period> interval,
                            const std::source_location& where = std::source_location::current()) {
    return throttle(background(), rate{1, detail::to_nanoseconds(interval)}, where);
}

}  // namespace runnel
