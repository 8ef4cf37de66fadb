// runnel/sync/condition_variable.hpp: waiting until something may have changed.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>
#include <runnel/sync/mutex.hpp>

namespace runnel {

class context;

/// std's condition_variable over runnel::mutex, without spurious wake-ups: a waiter stands in line
/// before it unlocks, so no notification is lost, and notify_one() wakes the one that has waited
/// longest. The mutex need not be held to notify.
///
/// Order: a notification happens before the return of the wait that it ends. (Go's sync.Cond)
class condition_variable {
public:
    constexpr condition_variable() noexcept = default;
    ~condition_variable();
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;

    void notify_one() noexcept;
    void notify_all() noexcept;

    /// Unlocks, blocks until notified, and locks again.
    void wait(std::unique_lock<mutex>& lock) {
        static_cast<void>(wait_limited(lock, {}, __builtin_return_address(0)));
    }
    template <class Predicate>
    void wait(std::unique_lock<mutex>& lock, Predicate ready) {
        while (!ready()) {
            wait(lock);
        }
    }

    /// The same until `ctx` ends: ok if notified, else canceled, or timeout if it was its deadline.
    /// A context that has ended before is reported at once. The lock is held in any case, and
    /// waited for without regard to `ctx`.
    op_status wait(const context& ctx, std::unique_lock<mutex>& lock);
    /// Returns ok if `ready` says so at the end, also if `ctx` has ended.
    template <class Predicate>
    op_status wait(const context& ctx, std::unique_lock<mutex>& lock, Predicate ready) {
        while (!ready()) {
            if (const op_status status = wait(ctx, lock); status != op_status::ok) {
                return ready() ? op_status::ok : status;
            }
        }
        return op_status::ok;
    }

    /// The same until the time is over.
    template <class Rep, class Period>
    std::cv_status wait_for(std::unique_lock<mutex>& lock, std::chrono::duration<Rep, Period> d) {
        return status(wait_limited(lock, detail::after(d), __builtin_return_address(0)));
    }
    template <class Clock, class Duration>
    std::cv_status wait_until(std::unique_lock<mutex>& lock,
                              std::chrono::time_point<Clock, Duration> t) {
        return status(wait_limited(lock, detail::at(t), __builtin_return_address(0)));
    }
    /// These return what `ready` says at the end.
    template <class Rep, class Period, class Predicate>
    bool wait_for(std::unique_lock<mutex>& lock, std::chrono::duration<Rep, Period> d,
                  Predicate ready) {
        return wait_while(lock, detail::after(d), ready);
    }
    template <class Clock, class Duration, class Predicate>
    bool wait_until(std::unique_lock<mutex>& lock, std::chrono::time_point<Clock, Duration> t,
                    Predicate ready) {
        return wait_while(lock, detail::at(t), ready);
    }

private:
    static std::cv_status status(bool notified) noexcept {
        return notified ? std::cv_status::no_timeout : std::cv_status::timeout;
    }
    template <class Predicate>
    bool wait_while(std::unique_lock<mutex>& lock, const detail::wait_limits& limits,
                    Predicate& ready) {
        while (!ready()) {
            if (!wait_limited(lock, limits, __builtin_return_address(0))) {
                return ready();
            }
        }
        return true;
    }
    bool wait_limited(std::unique_lock<mutex>& lock, const detail::wait_limits& limits,
                      const void* where);

    detail::spin_lock lock_;
    detail::wait_queue waiters_;  // protected by lock_
};

}  // namespace runnel
