// runnel/sync/mutex.hpp: mutual exclusion between goroutines and threads.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

/// Meets std's Lockable and TimedLockable: std::lock_guard, std::unique_lock and std::scoped_lock
/// work. Blocks the goroutine, or the thread, not the worker. Not recursive; not owned: another
/// goroutine may unlock it. Waiters cannot starve: one that has lost the race for the lock a few
/// times is handed it. May be destroyed as soon as the last unlock() has returned.
///
/// Order: an unlock happens before the lock that follows it. (Go's sync.Mutex)
class mutex {
public:
    constexpr mutex() noexcept = default;
    ~mutex();
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Blocks until it has the lock.
    void lock() noexcept {
        std::uint32_t expected = 0;
        if (!word_.compare_exchange_strong(expected, locked)) [[unlikely]] {
            static_cast<void>(lock_slow({}, __builtin_return_address(0)));
        }
    }
    /// Blocks until it has the lock, which gives ok, or until `ctx` ends: canceled, or timeout if
    /// it was its deadline. A context that has ended before gets nothing, not even a free mutex.
    op_status lock(const context& ctx) noexcept;
    [[nodiscard]] bool try_lock() noexcept {
        std::uint32_t word = word_.load();
        return (word & locked) == 0 && word_.compare_exchange_strong(word, word | locked);
    }
    /// Blocks until it has the lock or the time is over; returns whether it has it.
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> d) {
        return try_lock() || lock_slow(detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, Duration> t) {
        return try_lock() || lock_slow(detail::at(t), __builtin_return_address(0));
    }
    /// Unlocking a mutex that is not locked is fatal.
    void unlock() noexcept {
        std::uint32_t expected = locked;
        if (!word_.compare_exchange_strong(expected, 0)) [[unlikely]] {
            unlock_slow();
        }
    }

private:
    static constexpr std::uint32_t locked = 1;
    static constexpr std::uint32_t waiting = 2;  ///< somebody stands in waiters_

    bool lock_slow(const detail::wait_limits& limits, const void* where) noexcept;
    void unlock_slow() noexcept;

    std::atomic<std::uint32_t> word_ = 0;
    detail::spin_lock lock_;
    detail::wait_queue waiters_;  // protected by lock_
};

}  // namespace runnel
