// runnel/patterns/stage.hpp: pipelines, with one goroutine or many a stage.
//
//     auto squares = produce<int>(numbers) | filter(odd) | transform(square);
//     auto pages = stage(ctx, urls, fetch, {.workers = 8, .ordered = true});
//
// A stage receives values, calls a function for each, and sends the results. Its output is closed
// once its input is closed and all results have been sent. One goroutine a stage keeps the order,
// because channels are first in, first out; several do not, unless they are told to.
//
// Early ends, none of which leaves a goroutine blocked or a value behind:
//   - The function throws, or the input was closed with an exception: the results before it are
//     sent, then the output is closed with the exception. The stages before are told by the drop of
//     their receive handles.
//   - The context ends: the output is closed with canceled_error, or timeout_error if it was the
//     deadline, so that what was cut short does not look complete.
//   - Nobody receives the output any more: the stage ends, whether it sends, waits for a value, or
//     drops what it gets; then the stage before it, and so on upstream.
// A channel of make_chan does not count its receivers: whoever sends to the first stage through one
// may be left waiting, as in Go.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/cancel_word.hpp>
#include <runnel/detail/flow.hpp>
#include <runnel/detail/spin_lock.hpp>

namespace runnel {

struct stage_options {
    /// How many goroutines call the function, at the same time if that is more than one.
    std::size_t workers = 1;
    /// Results come in the order of their values, whatever the workers. A worker that has a result
    /// waits until it is its turn: so at most `workers` values are under way, however slow one is.
    bool ordered = false;
    /// Of the output.
    std::ptrdiff_t capacity = 0;
};

namespace detail {

/// What a stage's function makes of a value: U, dropped or not.
template <class R>
struct step_value {
    using type = R;
};
template <class U>
struct step_value<std::optional<U>> {
    using type = U;
};

/// One goroutine. `step` makes a std::optional<U> of a T.
template <class T, class U, class Step>
class line {
public:
    line(context ctx, recv_chan<T> in, Step step)
        : ctx_(std::move(ctx)), in_(std::move(in)), step_(std::move(step)) {}

    void operator()(const send_chan<U>& out) {
        while (std::optional<T> value = recv_for(ctx_, in_, out.core())) {
            if (std::optional<U> result = step_(ctx_, std::move(*value))) {
                send_under(ctx_, out, std::move(*result));
            } else {
                check_wanted(out.core());
            }
        }
    }

private:
    context ctx_;
    recv_chan<T> in_;
    Step step_;
};

/// What several workers share. The last to leave closes the output. The first failure, the end of
/// the context or of the receivers ends the others' waits for values, and the context that the
/// function is given; results that exist by then are still sent.
///
/// Locks: lock_ (leaf). Memory order: sequentially consistent.
template <class T, class U, class Step>
class crew {
public:
    crew(const context& ctx, recv_chan<T> in, send_chan<U> out, Step step, std::size_t workers)
        : crew(ctx, with_cancel(ctx), std::move(in), std::move(out), std::move(step), workers) {}

    /// A worker that takes whatever comes.
    void work() noexcept {
        run([this] {
            while (std::optional<T> value = recv_for(ctx_, in_, out_.core())) {
                send((*step_)(stop_, std::move(*value)));
            }
        });
    }

protected:
    crew(const context& ctx, cancel_scope scope, recv_chan<T> in, send_chan<U> out, Step step,
         std::size_t workers)
        : ctx_(ctx),
          stop_(scope.ctx()),
          cancel_(std::move(scope).template get<1>()),
          in_(std::move(in)),
          out_(std::move(out)),
          step_(std::move(step)),
          left_(workers) {}

    void send(std::optional<U> result) {
        if (result) {
            send_under(ctx_, out_, std::move(*result));
        } else {
            check_wanted(out_.core());
        }
    }

    template <class Body>
    void run(Body body) {
        try {
            body();
        } catch (...) {
            {
                const std::lock_guard hold(lock_);
                if (!error_) {
                    error_ = std::current_exception();
                }
            }
            cancel_();
            chan_unwanted(out_.core())->cancel();
        }
        if (--left_ == 0) {
            in_ = {};
            step_.reset();  // whoever sees the end may let go of what it refers to
            close_flow(ctx_, out_.core(), error_);
        }
    }

    // Constant while workers run.
    const context ctx_;
    const context stop_;
    cancel_func cancel_;
    recv_chan<T> in_;
    send_chan<U> out_;

    std::optional<Step> step_;  ///< destroyed by the last worker
    std::atomic<std::size_t> left_;
    spin_lock lock_;
    std::exception_ptr error_;  ///< protected by lock_; the last worker reads it without
};

/// Workers that keep the order.
///
/// Values are numbered as they are received: whoever holds `intake_`'s one token, the next number,
/// receives, and passes the token on. Results are sent in turn: number k waits for the token of
/// turns_[k mod workers], sends, and passes it on to k+1.
///   O1  The numbers under way are consecutive, and each worker has one at most: so there are no
///       more than `workers`, and no two of them wait at one place.
///   O2  There is one token of each kind and room for it everywhere: passing it on never blocks.
///   O3  A failure is one in turn: results before it have been sent, none after it is.
template <class T, class U, class Step>
class ordered_crew : public crew<T, U, Step> {
    using base = crew<T, U, Step>;

public:
    ordered_crew(const context& ctx, recv_chan<T> in, send_chan<U> out, Step step,
                 std::size_t workers)
        : base(ctx, std::move(in), std::move(out), std::move(step), workers) {
        for (std::size_t i = 0; i < workers; ++i) {
            turns_.push_back(make_chan<unit>(1));
        }
        tokens_.send(0);
        turns_.front().send();
    }

    void work() noexcept {
        this->run([this] {
            while (const std::optional<std::size_t> number =
                       recv_for(this->ctx_, intake_, this->out_.core())) {
                if (!serve(*number)) {
                    break;
                }
            }
        });
    }

private:
    /// False once there is nothing more to do for anybody.
    bool serve(std::size_t number) {
        if (failing_) {
            tokens_.close();
            return false;
        }
        std::optional<T> value;
        std::exception_ptr error;
        try {
            value = recv_for(this->ctx_, this->in_, this->out_.core());
        } catch (...) {
            error = std::current_exception();
        }
        if (value) {
            tokens_.send(number + 1);
        } else {
            tokens_.close();
            if (!error) {
                return false;
            }
        }
        std::optional<U> result;
        if (value) {
            try {
                result = (*this->step_)(this->stop_, std::move(*value));
            } catch (...) {
                error = std::current_exception();
                failing_ = true;
            }
        }
        recv_for(this->ctx_, recv_chan<unit>(turns_[number % turns_.size()]), this->out_.core());
        if (error) {
            std::rethrow_exception(error);
        }
        this->send(std::move(result));
        turns_[(number + 1) % turns_.size()].send();
        return true;
    }

    chan<std::size_t> tokens_ = make_chan<std::size_t>(1);
    recv_chan<std::size_t> intake_ = tokens_;
    std::vector<chan<unit>> turns_;
    std::atomic<bool> failing_ = false;
};

template <class Crew, class U, class T, class Step>
recv_chan<U> start_crew(const context& ctx, recv_chan<T> in, Step step,
                        const stage_options& options, const std::source_location& where) {
    auto ends = make_counted_chan<U>(options.capacity);
    const auto shared = std::make_shared<Crew>(ctx, std::move(in), std::move(ends.first),
                                               std::move(step), options.workers);
    for (std::size_t i = 0; i < options.workers; ++i) {
        go([shared] { shared->work(); }, where);
    }
    return std::move(ends.second);
}

template <class U, class T, class Step>
[[nodiscard]] recv_chan<U> start_stage(const context& ctx, recv_chan<T> in, Step step,
                                       const stage_options& options,
                                       const std::source_location& where) {
    check_not_zero("workers", options.workers);
    check_capacity(options.capacity);
    if (options.workers == 1) {
        return start_flow<U>(ctx, options.capacity,
                             line<T, U, Step>(ctx, std::move(in), std::move(step)), where);
    }
    if (options.ordered) {
        return start_crew<ordered_crew<T, U, Step>, U>(ctx, std::move(in), std::move(step), options,
                                                       where);
    }
    return start_crew<crew<T, U, Step>, U>(ctx, std::move(in), std::move(step), options, where);
}

/// A stage whose results may be dropped.
template <class T, class F>
[[nodiscard]] auto stage_of(const context& ctx, recv_chan<T> in, F f, const stage_options& options,
                            const std::source_location& where) {
    static_assert(invocable_under<F, T>,
                  "stage(in, f): f takes a value of in, or a context and it");
    using R = result_under<F, T>;
    static_assert(!std::is_void_v<R>,
                  "stage(in, f): f returns U or std::optional<U>; where values only go in, loop "
                  "over the channel, or use consume() or parallel_for_each()");
    using U = typename step_value<R>::type;
    return start_stage<U>(
        ctx, std::move(in),
        [f = std::move(f)](const context& under, T&& value) mutable -> std::optional<U> {
            return invoke_under(under, f, std::move(value));
        },
        options, where);
}

/// One whose results are all sent.
template <class T, class F>
[[nodiscard]] auto transform_of(const context& ctx, recv_chan<T> in, F f,
                                const stage_options& options, const std::source_location& where) {
    static_assert(invocable_under<F, T>,
                  "transform(f): f takes a value of the channel, or a context and it");
    using U = result_under<F, T>;
    static_assert(!std::is_void_v<U>, "transform(f): f returns a value");
    return start_stage<U>(
        ctx, std::move(in),
        [f = std::move(f)](const context& under, T&& value) mutable {
            return std::optional<U>(std::in_place, invoke_under(under, f, std::move(value)));
        },
        options, where);
}

template <class T, class P>
[[nodiscard]] auto filter_of(const context& ctx, recv_chan<T> in, P p, const stage_options& options,
                             const std::source_location& where) {
    static_assert(invocable_under<P, const T&>,
                  "filter(p): p takes a value of the channel, or a context and it");
    return start_stage<T>(
        ctx, std::move(in),
        [p = std::move(p)](const context& under, T&& value) mutable {
            return invoke_under(under, p, std::as_const(value))
                       ? std::optional<T>(std::in_place, std::move(value))
                       : std::nullopt;
        },
        options, where);
}

}  // namespace detail

/// Calls f(value) for each value of `in` and sends what it returns, or drops an empty
/// std::optional. Returns the output; see the head of this file. With several workers `f` is called
/// by all of them at once. Throws std::invalid_argument for no workers or a negative capacity.
template <detail::flow_input In, class F>
[[nodiscard]] auto stage(In in, F&& f, const stage_options& options = {},
                         const std::source_location& where = std::source_location::current()) {
    return detail::stage_of(background(), detail::input_of<In>(std::move(in)),
                            std::decay_t<F>(std::forward<F>(f)), options, where);
}
/// The same until `ctx` ends, with f(value) or f(ctx, value).
template <detail::flow_input In, class F>
[[nodiscard]] auto stage(const context& ctx, In in, F&& f, const stage_options& options = {},
                         const std::source_location& where = std::source_location::current()) {
    return detail::stage_of(ctx, detail::input_of<In>(std::move(in)),
                            std::decay_t<F>(std::forward<F>(f)), options, where);
}

/// `in | transform(f)`: a stage that sends whatever `f` returns, and never drops.
template <class F>
[[nodiscard]] auto transform(const context& ctx, F&& f, const stage_options& options = {},
                             const std::source_location& where = std::source_location::current()) {
    return detail::pipe_adaptor(
        [ctx, f = std::decay_t<F>(std::forward<F>(f)), options, where](auto in) mutable {
            return detail::transform_of(ctx, std::move(in), std::move(f), options, where);
        });
}
template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, context>)
[[nodiscard]] auto transform(F&& f, const stage_options& options = {},
                             const std::source_location& where = std::source_location::current()) {
    return transform(background(), std::forward<F>(f), options, where);
}

/// `in | filter(p)`: a stage that sends the values for which `p` is true.
template <class P>
[[nodiscard]] auto filter(const context& ctx, P&& p, const stage_options& options = {},
                          const std::source_location& where = std::source_location::current()) {
    return detail::pipe_adaptor(
        [ctx, p = std::decay_t<P>(std::forward<P>(p)), options, where](auto in) mutable {
            return detail::filter_of(ctx, std::move(in), std::move(p), options, where);
        });
}
template <class P>
    requires(!std::same_as<std::remove_cvref_t<P>, context>)
[[nodiscard]] auto filter(P&& p, const stage_options& options = {},
                          const std::source_location& where = std::source_location::current()) {
    return filter(background(), std::forward<P>(p), options, where);
}

}  // namespace runnel
