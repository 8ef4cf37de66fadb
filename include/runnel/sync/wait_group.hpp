// runnel/sync/wait_group.hpp: waiting for a number of things to be done.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <source_location>
#include <type_traits>
#include <utility>

#include <runnel/detail/closure.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

/// A counter that can be waited for to reach zero. An add() from zero must happen before the wait()
/// that shall see it; while the counter is positive, add() may be called at any time. Reusable. May
/// be destroyed as soon as the last wait has returned.
///
/// Order: a done() happens before the return of the wait that it ends. (Go's sync.WaitGroup)
class wait_group {
public:
    constexpr wait_group() noexcept = default;
    ~wait_group();
    wait_group(const wait_group&) = delete;
    wait_group& operator=(const wait_group&) = delete;

    /// Adds `n`, which may be negative. Throws std::logic_error, and changes nothing, if the
    /// counter would go below zero, or beyond the largest std::int32_t.
    void add(std::int32_t n);
    void done() { add(-1); }

    /// Blocks until the counter is zero.
    void wait() noexcept { static_cast<void>(wait_limited({}, __builtin_return_address(0))); }
    /// The same, which gives ok, or until `ctx` ends: canceled, or timeout if it was its deadline.
    /// A counter that is zero gives ok whatever the context.
    op_status wait(const context& ctx) noexcept;
    /// The same until the time is over; returns whether the counter was zero.
    template <class Rep, class Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> d) {
        return wait_limited(detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<Clock, Duration> t) {
        return wait_limited(detail::at(t), __builtin_return_address(0));
    }

    /// Runs `f` in a goroutine that counts: add(1) now, done() when `f` has returned and is
    /// destroyed. An exception that leaves `f` ends the process as with go().
    template <class F>
        requires std::invocable<std::decay_t<F>>
    void go(F&& f, const std::source_location& where = std::source_location::current()) {
        add(1);
        try {
            detail::start_closure(
                {.file = where.file_name(), .line = where.line()},
                [this](std::decay_t<F>&& given) {
                    {
                        std::decay_t<F> body = std::move(given);
                        std::invoke(std::move(body));
                    }
                    done();
                },
                std::forward<F>(f));
        } catch (...) {
            done();
            throw;
        }
    }

private:
    bool wait_limited(const detail::wait_limits& limits, const void* where) noexcept;
    void finish_last(std::int32_t n);

    std::atomic<std::uint64_t> word_ = 0;  ///< the counter above, the number of waiters below
    detail::spin_lock lock_;
    detail::wait_queue waiters_;  // protected by lock_
};

}  // namespace runnel
