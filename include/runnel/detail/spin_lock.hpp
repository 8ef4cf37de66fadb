// runnel/detail/spin_lock.hpp: the lock under channels, queues and waiters.
//
// Held for tens of nanoseconds and never across a switch. An owner that the kernel has descheduled
// is waited for with growing sleeps, so that a spinner never burns its whole time slice.
//
// Memory order
//   lock: exchange(acquire) pairs with unlock: store(release) [L-1]; the relaxed load only waits.
//   pass: load(acquire) pairs with unlock likewise [L-2]. Whoever has read, with acquire, what the
//   holder wrote under the lock does not read a value older than the holder's `true`.
#pragma once

#include <atomic>

namespace runnel::detail {

/// One try_lock away from lockable: meets std's Lockable. A thread, not a goroutine, owns it.
class spin_lock {
public:
    void lock() noexcept {
        if (locked_.exchange(true, std::memory_order_acquire)) {  // [L-1]
            lock_slow();
        }
    }

    [[nodiscard]] bool try_lock() noexcept {
        return !locked_.load(std::memory_order_relaxed) &&          // [L-1]
               !locked_.exchange(true, std::memory_order_acquire);  // [L-1]
    }

    void unlock() noexcept { locked_.store(false, std::memory_order_release); }  // [L-1]

    /// Returns when the holder whose writes the caller has seen has unlocked.
    void pass() noexcept {
        if (locked_.load(std::memory_order_acquire)) {  // [L-2]
            lock();
            unlock();
        }
    }

private:
    void lock_slow() noexcept;

    std::atomic<bool> locked_ = false;
};

}  // namespace runnel::detail
