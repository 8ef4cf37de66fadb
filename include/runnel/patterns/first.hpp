// runnel/patterns/first.hpp: asks several for the same thing and takes the first answer.
//
//     std::string answer = first(ctx, [](context c) { return ask("a", c); },
//                                     [](context c) { return ask("b", c); });
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/error.hpp>

namespace runnel {

/// What several attempts at one thing failed with.
class attempt_errors {
public:
    explicit attempt_errors(std::vector<std::exception_ptr> errors)
        : errors_(std::make_shared<const std::vector<std::exception_ptr>>(std::move(errors))) {}

    /// In the order of the arguments (for retry() in the order of time); null for an attempt that
    /// had not ended, or not begun.
    [[nodiscard]] const std::vector<std::exception_ptr>& errors() const noexcept {
        return *errors_;
    }

private:
    std::shared_ptr<const std::vector<std::exception_ptr>> errors_;  // copied without throwing
};

/// All attempts have failed; what() tells how.
class all_failed : public std::runtime_error, public attempt_errors {
public:
    explicit all_failed(std::vector<std::exception_ptr> errors);
};

/// The deadline of the call's context passed before an attempt succeeded; some may have failed.
class attempts_timed_out : public timeout_error, public attempt_errors {
public:
    explicit attempts_timed_out(std::vector<std::exception_ptr> errors)
        : timeout_error(errc::deadline_exceeded), attempt_errors(std::move(errors)) {}
};

/// The call's context was cancelled before an attempt succeeded; some may have failed.
class attempts_canceled : public canceled_error, public attempt_errors {
public:
    explicit attempts_canceled(std::vector<std::exception_ptr> errors)
        : attempt_errors(std::move(errors)) {}
};

namespace detail {

/// What a call and its attempts share, but for the results. An attempt writes its own place in
/// `errors`, then sends its number; there is room for all, so nobody is ever stranded there.
struct race_base {
    explicit race_base(std::size_t n)
        : ended(make_chan<std::size_t>(static_cast<std::ptrdiff_t>(n))), errors(n) {}
    race_base(const race_base&) = delete;
    race_base& operator=(const race_base&) = delete;

    const chan<std::size_t> ended;
    std::vector<std::exception_ptr> errors;
    std::atomic<bool> won = false;  ///< sequentially consistent; the first success sets it
};

/// Starts attempts as they are due (`delay` apart while there is no answer, all at once if that is
/// zero) and returns the number of the first to succeed. Throws as first() does.
[[nodiscard]] std::size_t run_race(const context& ctx, race_base& race,
                                   std::chrono::nanoseconds delay,
                                   const std::function<void(std::size_t)>& start);

/// Throws attempts_timed_out or attempts_canceled for a `ctx` that has ended.
[[noreturn]] void throw_interrupted(const context& ctx, std::vector<std::exception_ptr> errors);

/// What stands for a result: nothing is a value, too.
template <class T>
using result_slot = std::optional<std::conditional_t<std::is_void_v<T>, char, T>>;

template <class T>
class race_attempt {
public:
    race_attempt() = default;
    race_attempt(const race_attempt&) = delete;
    race_attempt& operator=(const race_attempt&) = delete;
    virtual ~race_attempt() = default;
    virtual void run(const context& ctx, result_slot<T>& to) = 0;
};

template <class T, class F>
class race_attempt_of final : public race_attempt<T> {
public:
    explicit race_attempt_of(F f) : f_(std::move(f)) {}
    void run(const context& ctx, result_slot<T>& to) override {
        if constexpr (std::is_void_v<T>) {
            std::invoke(std::move(f_), ctx);
            to.emplace();
        } else {
            to.emplace(std::invoke(std::move(f_), ctx));
        }
    }

private:
    F f_;
};

template <class T>
using race_attempts = std::vector<std::unique_ptr<race_attempt<T>>>;

template <class T>
struct race : race_base {
    explicit race(std::size_t n) : race_base(n), results(n) {}

    /// The body of an attempt's goroutine.
    void run(std::size_t i, std::unique_ptr<race_attempt<T>> a, const context& ctx) noexcept {
        try {
            a->run(ctx, results[i]);
        } catch (...) {
            errors[i] = std::current_exception();
        }
        a.reset();
        if (!errors[i] && won.exchange(true)) {
            results[i].reset();  // nobody will take it
            return;
        }
        ended.send(i);
    }

    std::vector<result_slot<T>> results;
};

template <class T>
T run_attempts(const context& ctx, std::chrono::nanoseconds delay, race_attempts<T> all,
               const void* where) {
    const auto shared = std::make_shared<race<T>>(all.size());
    auto [child, cancel] = with_cancel(ctx);  // ends the others on every way out
    const std::size_t winner = run_race(ctx, *shared, delay, [&, &inner = child](std::size_t i) {
        start_closure(
            {.pc = where},
            [shared, i, inner](std::unique_ptr<race_attempt<T>>&& a) {
                shared->run(i, std::move(a), inner);
            },
            std::move(all[i]));
    });
    if constexpr (!std::is_void_v<T>) {
        return std::move(*shared->results[winner]);
    }
}

template <class F>
using attempt_result = std::decay_t<std::invoke_result_t<std::decay_t<F>, context>>;

template <class... F>
    requires(std::invocable<std::decay_t<F>, context> && ...)
[[nodiscard]] auto collect_attempts(F&&... f) {
    using T = std::common_type_t<attempt_result<F>...>;
    race_attempts<T> all;
    all.reserve(sizeof...(F));
    (all.push_back(std::make_unique<race_attempt_of<T, std::decay_t<F>>>(std::forward<F>(f))), ...);
    return all;
}

/// A range of callables of one type. Those of an rvalue are moved from, unless it is a view: they
/// are somebody else's then.
template <class R>
concept attempt_range =
    std::ranges::input_range<R> && std::invocable<std::ranges::range_value_t<R>, context>;

template <attempt_range R>
[[nodiscard]] auto collect_attempts(R&& range) {
    using F = std::ranges::range_value_t<R>;
    using T = attempt_result<F>;
    race_attempts<T> all;
    for (auto&& f : range) {
        if constexpr (std::is_lvalue_reference_v<R> || std::ranges::view<R>) {
            all.push_back(std::make_unique<race_attempt_of<T, F>>(std::forward<decltype(f)>(f)));
        } else {
            all.push_back(std::make_unique<race_attempt_of<T, F>>(std::move(f)));
        }
    }
    return all;
}

template <class... F>
concept attempt_arguments = (std::invocable<std::decay_t<F>, context> && ...) ||
                            (sizeof...(F) == 1 && (attempt_range<F> && ...));

[[noreturn]] void throw_no_attempts();

}  // namespace detail

/// Runs every attempt, `f(context) -> T`, in a goroutine of its own, and returns the first result;
/// takes the attempts, decay-copied, or one range of them. The context of the others is cancelled
/// then; attempts that ignore that are not waited for, and end by themselves. Blocks until there is
/// a result, or all have failed: throws all_failed.
///
/// When `ctx` ends first it throws a timeout_error (attempts_timed_out) if it was its deadline,
/// else a canceled_error (attempts_canceled). Throws std::invalid_argument if there is no attempt.
template <class... F>
    requires(sizeof...(F) > 0 && detail::attempt_arguments<F...>)
auto first(const context& ctx, F&&... f) {
    return detail::run_attempts(ctx, std::chrono::nanoseconds(0),
                                detail::collect_attempts(std::forward<F>(f)...),
                                __builtin_return_address(0));
}
[[noreturn]] inline void first(const context& ctx) {
    static_cast<void>(ctx);
    detail::throw_no_attempts();
}

/// The same, but an attempt after the first starts only when there has been no result for `delay`
/// since the one before it started, or when all that were started have failed.
template <class Rep, class Period, class... F>
    requires(sizeof...(F) > 0 && detail::attempt_arguments<F...>)
auto hedge(const context& ctx, std::chrono::duration<Rep, Period> delay, F&&... f) {
    return detail::run_attempts(ctx, detail::to_nanoseconds(delay),
                                detail::collect_attempts(std::forward<F>(f)...),
                                __builtin_return_address(0));
}
template <class Rep, class Period>
[[noreturn]] void hedge(const context& ctx, std::chrono::duration<Rep, Period> delay) {
    static_cast<void>(ctx);
    static_cast<void>(delay);
    detail::throw_no_attempts();
}

}  // namespace runnel
