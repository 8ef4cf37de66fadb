// runnel/detail/failure.hpp: the first exception of several goroutines, kept for whoever asks.
//
// Invariant: error_ is set once, but that a failure takes the place of an echo. Locks: lock_
// (leaf); exceptions are copied under it, which runs no code of theirs. Memory order: what is not
// under the lock is sequentially consistent.
#pragma once

#include <exception>
#include <string>

#include <runnel/detail/context.hpp>
#include <runnel/detail/spin_lock.hpp>

namespace runnel::detail {

class first_failure {
public:
    first_failure() = default;
    first_failure(const first_failure&) = delete;
    first_failure& operator=(const first_failure&) = delete;

    /// In a catch block: keeps the exception being handled, if it is the first, or the first that
    /// is no echo; returns whether it does. `ctx` is what the work was told to watch (is_echo()).
    bool keep(const context& ctx) noexcept;

    /// Throws the exception, if there is one, to somebody who has asked for it.
    void rethrow();

    /// The owner goes. An exception that was never rethrown ends the process as one that left a
    /// go() goroutine does, unless the stack is unwinding or it is no more than an echo. `owner` is
    /// a clause for the report, such as "whose group nobody waited for".
    void check_taken(const char* owner) noexcept;

private:
    spin_lock lock_;
    // Protected by lock_.
    std::exception_ptr error_;
    std::string who_;  ///< whose exception it is
    bool echo_ = false;
    bool taken_ = false;
};

/// True if `error` only repeats that `ctx` has ended: the answer to a cancellation, not a failure.
[[nodiscard]] bool is_echo(const context& ctx, const std::exception_ptr& error) noexcept;

/// Throws what a call that `ctx` has ended reports: timeout_error if it was its deadline, else
/// canceled_error.
[[noreturn]] void throw_ended(const context& ctx);

/// what() of `error`, or that it is no std::exception.
[[nodiscard]] std::string text_of(const std::exception_ptr& error);

}  // namespace runnel::detail
