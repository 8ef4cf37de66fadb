// runnel/patterns/fan_in.hpp: many channels into one, and one into many.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <iterator>
#include <optional>
#include <ranges>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/flow.hpp>
#include <runnel/select.hpp>

namespace runnel {

namespace detail {

/// Receives from whichever input is ready, and sends.
template <class T>
class merger {
public:
    merger(context ctx, std::vector<recv_chan<T>> ins)
        : ctx_(std::move(ctx)), ins_(std::move(ins)) {}

    void operator()(const send_chan<T>& out) {
        std::vector<std::optional<T>> slots(ins_.size());
        selector ready;
        for (std::size_t i = 0; i < ins_.size(); ++i) {
            ready.add_recv(ins_[i], slots[i]);
        }
        ins_.clear();
        const std::size_t unwanted = ready.add_done(chan_unwanted(out.core()));
        for (std::size_t open = slots.size(); open > 0;) {
            const std::optional<std::size_t> i = ready.wait(ctx_);
            if (!i) {
                throw_ended(ctx_);
            }
            if (*i == unwanted) {
                throw canceled_error();
            }
            if (slots[*i]) {
                send_under(ctx_, out, std::move(*slots[*i]));
                slots[*i].reset();
            } else {
                ready.disable(*i);
                --open;
            }
        }
    }

private:
    context ctx_;
    std::vector<recv_chan<T>> ins_;
};

template <class T>
[[nodiscard]] recv_chan<T> merge(const context& ctx, std::vector<recv_chan<T>> ins,
                                 const std::source_location& where) {
    return start_flow<T>(ctx, 0, merger<T>(ctx, std::move(ins)), where);
}

/// Sends each value to all outputs that somebody receives from.
template <class T>
class splitter {
public:
    splitter(context ctx, recv_chan<T> in, std::vector<send_chan<T>> outs)
        : ctx_(std::move(ctx)), in_(std::move(in)), outs_(std::move(outs)) {}

    /// Never throws but for a defect: every output is closed, each with what has ended the flow.
    void run() {
        std::exception_ptr error;
        try {
            while (const std::optional<T> value = next()) {
                send_all(*value);
            }
        } catch (...) {
            error = std::current_exception();
        }
        in_ = {};
        for (const send_chan<T>& out : outs_) {
            close_flow(ctx_, out.core(), error);
        }
    }

private:
    /// nullopt if there are no more, or if nobody wants them.
    std::optional<T> next() {
        while (!outs_.empty()) {
            try {
                return recv_for(ctx_, in_, outs_.front().core());
            } catch (const canceled_error&) {
                if (has_ended(ctx_) || !chan_is_abandoned(outs_.front().core())) {
                    throw;
                }
                outs_.erase(outs_.begin());
            }
        }
        return std::nullopt;
    }

    /// First to those who are ready, then to the others as they become so.
    void send_all(const T& value) {
        std::vector<send_chan<T>> waiting = outs_;
        for (;;) {
            std::erase_if(waiting, [&](const send_chan<T>& out) {
                switch (out.try_send(value)) {
                    case op_status::full:
                        return false;
                    case op_status::canceled:
                        std::erase(outs_, out);
                        return true;
                    default:
                        return true;
                }
            });
            if (waiting.empty()) {
                return;
            }
            send_one(waiting, value);
        }
    }

    /// Waits until one of them takes the value, or nobody receives from one of them any more.
    void send_one(std::vector<send_chan<T>>& waiting, const T& value) {
        selector ready;
        for (const send_chan<T>& out : waiting) {
            ready.add_send(out, value);
        }
        try {
            const std::optional<std::size_t> i = ready.wait(ctx_);
            if (!i) {
                throw_ended(ctx_);
            }
            waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(*i));
        } catch (const canceled_error&) {
            if (has_ended(ctx_)) {
                throw;
            }
        }
    }

    context ctx_;
    recv_chan<T> in_;
    std::vector<send_chan<T>> outs_;
};

template <class T>
[[nodiscard]] std::vector<recv_chan<T>> split(const context& ctx, recv_chan<T> in, std::size_t n,
                                              std::ptrdiff_t capacity,
                                              const std::source_location& where) {
    static_assert(std::copyable<T>, "tee(in, n): values must be copyable");
    check_not_zero("n", n);
    check_capacity(capacity);
    std::vector<send_chan<T>> outs;
    std::vector<recv_chan<T>> ends;
    for (std::size_t i = 0; i < n; ++i) {
        auto [out, end] = make_counted_chan<T>(capacity);
        outs.push_back(std::move(out));
        ends.push_back(std::move(end));
    }
    go([body = splitter<T>(ctx, std::move(in), std::move(outs))]() mutable { body.run(); }, where);
    return ends;
}

template <class R>
concept channel_range = std::ranges::input_range<R> && flow_input<std::ranges::range_value_t<R>> &&
                        !receivable<std::remove_cvref_t<R>>;

template <channel_range R>
auto inputs_of(R&& range) {
    using T = typename std::ranges::range_value_t<R>::value_type;
    std::vector<recv_chan<T>> ins;
    for (auto&& in : range) {
        ins.emplace_back(in);
    }
    return ins;
}

}  // namespace detail

/// Merges channels of one type into one: a value is taken from whichever has one, at random among
/// several; each channel's order is kept. Closed once all inputs are; at once if there are none. An
/// input that was closed with an exception ends the whole: the output is closed with it. A nil
/// channel has nothing and never ends.
template <detail::channel_range R>
[[nodiscard]] auto fan_in(R&& range,
                          const std::source_location& where = std::source_location::current()) {
    return detail::merge(background(), detail::inputs_of(std::forward<R>(range)), where);
}
/// The same until `ctx` ends; the output is then closed with canceled_error or timeout_error.
template <detail::channel_range R>
[[nodiscard]] auto fan_in(const context& ctx, R&& range,
                          const std::source_location& where = std::source_location::current()) {
    return detail::merge(ctx, detail::inputs_of(std::forward<R>(range)), where);
}
template <detail::flow_input First, detail::flow_input... Rest>
    requires(std::same_as<typename First::value_type, typename Rest::value_type> && ...)
[[nodiscard]] auto fan_in(const context& ctx, First first, Rest... rest) {
    std::vector<detail::input_of<First>> ins;
    ins.emplace_back(std::move(first));
    (ins.emplace_back(std::move(rest)), ...);
    return detail::merge(ctx, std::move(ins), std::source_location());
}
template <detail::flow_input First, detail::flow_input... Rest>
    requires(std::same_as<typename First::value_type, typename Rest::value_type> && ...)
[[nodiscard]] auto fan_in(First first, Rest... rest) {
    return fan_in(background(), std::move(first), std::move(rest)...);
}

/// Gives every value of `in`, copied, to each of `n` channels. The slowest receiver sets the pace,
/// give or take `capacity` values; one whose handle is dropped is left out, and when all are, the
/// input is dropped too. All end as `in` does, with its exception if it has one. Throws
/// std::invalid_argument if `n` is 0 or the capacity negative.
template <detail::flow_input In>
[[nodiscard]] auto tee(In in, std::size_t n, std::ptrdiff_t capacity = 0,
                       const std::source_location& where = std::source_location::current()) {
    return detail::split(background(), detail::input_of<In>(std::move(in)), n, capacity, where);
}
/// The same until `ctx` ends; the outputs are then closed with canceled_error or timeout_error.
template <detail::flow_input In>
[[nodiscard]] auto tee(const context& ctx, In in, std::size_t n, std::ptrdiff_t capacity = 0,
                       const std::source_location& where = std::source_location::current()) {
    return detail::split(ctx, detail::input_of<In>(std::move(in)), n, capacity, where);
}

}  // namespace runnel
