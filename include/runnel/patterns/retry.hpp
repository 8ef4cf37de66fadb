// runnel/patterns/retry.hpp: tries again after a failure, later each time.
//
//     auto reply = retry(ctx, {.attempts = 5, .backoff = 100ms}, [](context c) { return ask(c); });
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/patterns/first.hpp>

namespace runnel {

/// How often, and how long to wait in between: `backoff` after the first failure, `factor` times as
/// long after each further one, never longer than `max`. Each wait is cut by a random part of it,
/// at most `jitter` (0 to 1), so that those who failed together do not come back together.
struct retry_policy {
    std::size_t attempts = 3;
    clock::duration backoff = std::chrono::milliseconds(100);
    double factor = 2;
    clock::duration max = std::chrono::seconds(30);
    double jitter = 0.2;
};

namespace detail {

/// Between the attempts.
class retry_loop {
public:
    /// Throws std::invalid_argument for a policy that makes no sense.
    retry_loop(const context& ctx, const retry_policy& policy);

    /// Throws if the context has ended.
    void before_attempt();
    /// Waits before the next attempt; throws if there is none.
    void after_failure(std::exception_ptr error);

private:
    [[nodiscard]] clock::duration next_wait();

    const context& ctx_;
    const retry_policy policy_;
    double wait_ = 0;  ///< before the next attempt, in nanoseconds, without jitter
    std::vector<std::exception_ptr> errors_;
};

template <class F>
decltype(auto) attempt_once(F& f, const context& ctx) {
    if constexpr (std::invocable<F&, context>) {
        return std::invoke(f, ctx);
    } else {
        return std::invoke(f);
    }
}

template <class P>
[[nodiscard]] bool worth_trying_again(P& worth, const std::exception_ptr& error) {
    if constexpr (std::predicate<P&, const std::exception_ptr&>) {
        return std::invoke(worth, error);
    } else {
        try {
            std::rethrow_exception(error);
        } catch (const std::exception& e) {
            return std::invoke(worth, e);
        } catch (...) {
            return false;
        }
    }
}

}  // namespace detail

/// Calls `f(ctx)`, or `f()`, in the calling goroutine until it returns, and returns its result.
/// Blocks between the attempts. When the last one has failed it throws all_failed, whose errors()
/// are all exceptions in the order of time. `worth` says which failures are worth trying again, as
/// a function of the std::exception_ptr, or of the std::exception (what else is thrown is not); one
/// that is not is rethrown as it is.
///
/// When `ctx` ends it throws a timeout_error (attempts_timed_out) if it was its deadline, else a
/// canceled_error (attempts_canceled), with the errors so far. Throws std::invalid_argument for a
/// policy without attempts, or out of range. The random numbers are the runtime's: its seed repeats
/// them.
template <class F, class P>
    requires((std::invocable<F&, context> || std::invocable<F&>) &&
             (std::predicate<P&, const std::exception_ptr&> ||
              std::predicate<P&, const std::exception&>))
auto retry(const context& ctx, const retry_policy& policy, F&& f, P&& worth) {
    for (detail::retry_loop loop(ctx, policy);;) {
        loop.before_attempt();
        std::exception_ptr error;
        try {
            return detail::attempt_once(f, ctx);
        } catch (...) {
            error = std::current_exception();
        }
        if (!detail::has_ended(ctx) && !detail::worth_trying_again(worth, error)) {
            std::rethrow_exception(std::move(error));
        }
        loop.after_failure(std::move(error));
    }
}
template <class F>
    requires(std::invocable<F&, context> || std::invocable<F&>)
auto retry(const context& ctx, const retry_policy& policy, F&& f) {
    return retry(ctx, policy, std::forward<F>(f),
                 [](const std::exception_ptr& error) { return error != nullptr; });
}

}  // namespace runnel
