// runnel/sync/latch.hpp: a counter that goes down to zero once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <stdexcept>

#include <runnel/detail/event.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

/// std's latch: it opens when the counter is zero, for good. What std leaves undefined throws. May
/// be destroyed as soon as the last wait() has returned.
///
/// Order: every count_down() happens before the return of every wait.
class latch {
public:
    /// Throws std::invalid_argument if `expected` is negative.
    constexpr explicit latch(std::ptrdiff_t expected) : count_(expected), open_(expected == 0) {
        if (expected < 0) {
            throw std::invalid_argument("runnel: latch: a negative count");
        }
    }
    ~latch();
    latch(const latch&) = delete;
    latch& operator=(const latch&) = delete;

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept {
        return std::numeric_limits<std::ptrdiff_t>::max();
    }

    /// Takes `n` from the counter. Throws std::invalid_argument, and changes nothing, if `n` is
    /// negative or larger than the counter.
    void count_down(std::ptrdiff_t n = 1);
    [[nodiscard]] bool try_wait() const noexcept { return open_.is_set(); }

    /// Blocks until the counter is zero.
    void wait() const noexcept { static_cast<void>(wait_limited({}, __builtin_return_address(0))); }
    /// The same, which gives ok, or until `ctx` ends: canceled, or timeout if it was its deadline.
    /// An open latch gives ok whatever the context.
    op_status wait(const context& ctx) const noexcept;
    /// The same until the time is over; returns whether the counter is zero.
    template <class Rep, class Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> d) const {
        return wait_limited(detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<Clock, Duration> t) const {
        return wait_limited(detail::at(t), __builtin_return_address(0));
    }

    /// count_down(n), then wait(). What was counted stays so if `ctx` ends the wait.
    void arrive_and_wait(std::ptrdiff_t n = 1) {
        count_down(n);
        static_cast<void>(wait_limited({}, __builtin_return_address(0)));
    }
    op_status arrive_and_wait(const context& ctx, std::ptrdiff_t n = 1);

private:
    bool wait_limited(const detail::wait_limits& limits, const void* where) const noexcept {
        return open_.wait(limits, detail::wait_kind::latch, where);
    }
    op_status wait(const context& ctx, const void* where) const noexcept;

    std::atomic<std::ptrdiff_t> count_;
    mutable detail::one_time_event open_;  ///< set by whoever takes the last of count_
};

}  // namespace runnel
