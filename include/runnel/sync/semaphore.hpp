// runnel/sync/semaphore.hpp: a number of units that are taken and given back.
#pragma once

#include <chrono>
#include <cstddef>
#include <stdexcept>

#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

/// A weighted semaphore: `n` units, of which a call takes as many as it asks for. First come, first
/// served: while somebody waits nobody passes it, so a large request waits no longer than for those
/// before it, and small ones after it wait too. Units belong to nobody: another goroutine may
/// release them. May be destroyed as soon as the last release() has returned.
///
/// A request for more than there will ever be lines up nowhere: it waits for its limit alone, and
/// throws std::invalid_argument if it has none. A negative number throws std::invalid_argument.
///
/// Order: a release() happens before the return of every acquire that gets one of its units. (Go's
/// x/sync/semaphore)
class semaphore {
public:
    /// All units are free. Throws std::invalid_argument if `n` is negative.
    constexpr explicit semaphore(std::ptrdiff_t n) : total_(n), free_(n) {
        if (n < 0) {
            throw std::invalid_argument("runnel: semaphore: a negative number of units");
        }
    }
    ~semaphore();
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    /// Blocks until it has `n` units.
    void acquire(std::ptrdiff_t n = 1);
    /// Blocks until it has `n` units, which gives ok, or until `ctx` ends: canceled, or timeout if
    /// it was its deadline. A context that has ended before gets nothing, not even free units.
    op_status acquire(const context& ctx, std::ptrdiff_t n = 1);
    /// Takes `n` units if they are free and nobody waits.
    [[nodiscard]] bool try_acquire(std::ptrdiff_t n = 1);
    /// Blocks until it has `n` units or the time is over; returns whether it has them.
    template <class Rep, class Period>
    [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> d, std::ptrdiff_t n = 1) {
        return acquire_limited(n, detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_acquire_until(std::chrono::time_point<Clock, Duration> t,
                                         std::ptrdiff_t n = 1) {
        return acquire_limited(n, detail::at(t), __builtin_return_address(0));
    }
    /// Gives `n` units back. Throws std::logic_error, and changes nothing, if fewer are taken.
    void release(std::ptrdiff_t n = 1);

private:
    bool acquire_limited(std::ptrdiff_t n, const detail::wait_limits& limits, const void* where);
    // Under lock_.
    [[nodiscard]] bool take(std::ptrdiff_t n) noexcept;
    [[nodiscard]] detail::wait_node* serve() noexcept;

    const std::ptrdiff_t total_;
    detail::spin_lock lock_;
    // Protected by lock_.
    std::ptrdiff_t free_;
    detail::wait_queue waiters_;
};

}  // namespace runnel
