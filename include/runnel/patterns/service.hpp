// runnel/patterns/service.hpp: one long-running goroutine, with a way to end it and to see it end.
//
//     service poller([&](context stop) {
//         while (sleep_for(stop, 5s) == op_status::ok) {
//             poll();
//         }
//     });
//     ...
//     if (poller.stop_and_wait(10s) == op_status::timeout) { ... }
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <source_location>
#include <system_error>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/error.hpp>
#include <runnel/join_handle.hpp>

namespace runnel {

/// A goroutine that runs until it is told to stop. The request is a context, which every blocking
/// call takes, so a service that is busy or blocked hears it too; the reply is the goroutine's end,
/// which any number of callers may wait for. Movable; the destructor stops and waits.
///
/// An exception that nobody has been given by stop_and_wait() when the service is destroyed ends
/// the process as one that left a go() goroutine does, unless the stack is unwinding. That `f`
/// reports the end of its own context is not such an exception.
///
/// Order: the end of the goroutine happens before the return of the wait that it ends.
class [[nodiscard]] service {
public:
    /// Starts a goroutine that runs `f(stop)`, decay-copied; `stop` is cancelled by stop().
    template <class F>
        requires std::invocable<std::decay_t<F>, context>
    explicit service(F&& f, const std::source_location& where = std::source_location::current())
        : service(background(), std::forward<F>(f), where) {}
    /// The same, and the end of `parent` stops it too.
    template <class F>
        requires std::invocable<std::decay_t<F>, context>
    service(const context& parent, F&& f,
            const std::source_location& where = std::source_location::current())
        : service(with_cancel(parent)) {
        goroutine_ = detail::spawn_closure(
            {.file = where.file_name(), .line = where.line()},
            [stop = context_, kept = failure_](std::decay_t<F>&& given) {
                try {
                    std::decay_t<F> body = std::move(given);  // destroyed before the exit
                    std::invoke(std::move(body), stop);
                } catch (...) {
                    kept->keep(stop);
                }
            },
            std::forward<F>(f));
    }

    service(service&&) noexcept = default;
    /// Stops what was there, and waits for it.
    service& operator=(service&& other) noexcept;
    ~service() { finish(); }

    /// Asks for the end. Does not block; may be called many times.
    void stop() const noexcept { cancel_(); }

    /// Asks for the end and blocks until it has come, which gives ok, or until the time is over:
    /// timeout. It may be waited for again then. Rethrows the exception that left `f`, to everybody
    /// who waits. Throws std::logic_error if the service has been moved from.
    template <class Rep, class Period>
    op_status stop_and_wait(std::chrono::duration<Rep, Period> d) {
        stop();
        return outcome(goroutine_.wait_for(d) ? op_status::ok : op_status::timeout);
    }
    /// The same until `ctx` ends: canceled, or timeout if it was its deadline.
    op_status stop_and_wait(const context& ctx) {
        stop();
        return outcome(goroutine_.wait(ctx));
    }

    /// A channel that closes when the goroutine has exited, asked or not.
    [[nodiscard]] recv_chan<unit> done() { return goroutine_.done(); }

    /// stop_and_wait() as a component of a shutdown (shutdown.hpp).
    std::error_code shutdown(clock::duration d) {
        return stop_and_wait(d) == op_status::ok ? std::error_code() : errc::timed_out;
    }

private:
    explicit service(cancel_scope scope)
        : context_(std::move(scope).get<0>()),
          cancel_(std::move(scope).get<1>()),
          failure_(std::make_shared<detail::first_failure>()) {}

    op_status outcome(op_status waited);
    void finish() noexcept;

    context context_;
    cancel_func cancel_;
    std::shared_ptr<detail::first_failure> failure_;
    join_handle<void> goroutine_;
};

}  // namespace runnel
