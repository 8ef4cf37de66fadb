// runnel/sync/shared_mutex.hpp: one writer, or any number of readers.
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

/// Meets std's SharedTimedMutex: std::shared_lock, std::unique_lock and the others work. Whoever
/// waits to write holds back new readers, so a reader that locks again may deadlock. When a writer
/// unlocks, all readers that wait by then go first, then the next writer. Nobody starves. Not
/// owned: another goroutine may unlock it. May be destroyed as soon as the last unlock has
/// returned.
///
/// Order: an unlock happens before every later lock, shared or not; an unlock_shared before the
/// next lock. (Go's sync.RWMutex)
class shared_mutex {
public:
    constexpr shared_mutex() noexcept = default;
    ~shared_mutex();
    shared_mutex(const shared_mutex&) = delete;
    shared_mutex& operator=(const shared_mutex&) = delete;

    /// Blocks until it has the lock for itself.
    void lock() noexcept {
        std::uint64_t expected = 0;
        if (!word_.compare_exchange_strong(expected, writer)) [[unlikely]] {
            static_cast<void>(lock_slow({}, __builtin_return_address(0)));
        }
    }
    /// Blocks until it has the lock for itself, which gives ok, or until `ctx` ends: canceled, or
    /// timeout if it was its deadline. A context that has ended before gets nothing, not even a
    /// free lock.
    op_status lock(const context& ctx) noexcept;
    [[nodiscard]] bool try_lock() noexcept {
        std::uint64_t word = word_.load();
        return (word & ~waiting) == 0 && word_.compare_exchange_strong(word, word | writer);
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
    /// Fatal if nobody holds the lock for itself.
    void unlock() noexcept {
        std::uint64_t expected = writer;
        if (!word_.compare_exchange_strong(expected, 0)) [[unlikely]] {
            unlock_slow();
        }
    }

    /// Blocks until it shares the lock.
    void lock_shared() noexcept {
        if (!try_lock_shared()) [[unlikely]] {
            static_cast<void>(lock_shared_slow({}, __builtin_return_address(0)));
        }
    }
    /// As lock(ctx).
    op_status lock_shared(const context& ctx) noexcept;
    /// False also if somebody waits to write.
    [[nodiscard]] bool try_lock_shared() noexcept {
        std::uint64_t word = word_.load();
        while ((word & (writer | waiting)) == 0) {
            if (word_.compare_exchange_weak(word, word + reader)) {
                return true;
            }
        }
        return false;
    }
    /// Blocks until it shares the lock or the time is over; returns whether it does.
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_shared_for(std::chrono::duration<Rep, Period> d) {
        return try_lock_shared() || lock_shared_slow(detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_shared_until(std::chrono::time_point<Clock, Duration> t) {
        return try_lock_shared() || lock_shared_slow(detail::at(t), __builtin_return_address(0));
    }
    /// Fatal if nobody shares the lock.
    void unlock_shared() noexcept {
        std::uint64_t word = word_.load();
        if (may_leave(word) && word_.compare_exchange_strong(word, word - reader)) [[likely]] {
            return;
        }
        unlock_shared_slow();
    }

private:
    static constexpr std::uint64_t writer = 1;
    static constexpr std::uint64_t waiting = 2;  ///< somebody stands in line
    static constexpr std::uint64_t reader = 4;   ///< from here on: the number of readers

    /// True for a reader that has nothing to pass on.
    static constexpr bool may_leave(std::uint64_t word) noexcept {
        return word >= 2 * reader || word == reader;
    }

    bool lock_slow(const detail::wait_limits& limits, const void* where) noexcept;
    bool lock_shared_slow(const detail::wait_limits& limits, const void* where) noexcept;
    void give_up(detail::wait_node* node) noexcept;
    void unlock_slow() noexcept;
    void unlock_shared_slow() noexcept;
    bool pass_on_share() noexcept;

    // Under lock_.
    bool enter_or_announce(bool may_enter, std::uint64_t keeps_out, std::uint64_t share) noexcept;
    void update_waiting() noexcept;
    detail::wait_node* admit_readers() noexcept;

    std::atomic<std::uint64_t> word_ = 0;
    detail::spin_lock lock_;
    // Protected by lock_.
    detail::wait_queue writers_;
    detail::wait_queue readers_;
};

}  // namespace runnel
