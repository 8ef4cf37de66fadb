// runnel/sync/once.hpp: doing something once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>

namespace runnel {

class once_flag;

namespace detail {
class once_turn;
}

/// Calls `f(args...)` unless a call with this flag has returned before. Of several callers one
/// calls and the others block until it is done. An exception that leaves `f` reaches its caller
/// alone; the flag is not done then, and the next caller tries, first one that waits. A call from
/// within `f` with the same flag blocks for ever.
///
/// Order: the call of `f` that returns happens before the return of every call_once() with this
/// flag. (std::call_once)
template <class F, class... Args>
void call_once(once_flag& flag, F&& f, Args&&... args);

/// The same, which gives ok, or until `ctx` ends while another calls: canceled, or timeout if it
/// was its deadline. A context that has ended before calls nothing, but gives ok if the flag is
/// done. It is the affair of `f`, once called, to look at the context.
template <class F, class... Args>
op_status call_once(const context& ctx, once_flag& flag, F&& f, Args&&... args);

/// Whether something has been done. Constant-initialised, so it may be static.
class once_flag {
public:
    constexpr once_flag() noexcept = default;
    ~once_flag();
    once_flag(const once_flag&) = delete;
    once_flag& operator=(const once_flag&) = delete;

private:
    friend class detail::once_turn;
    enum class state : std::uint8_t { fresh, running, done };
    enum class outcome : std::uint8_t { done, turn, ended };

    [[nodiscard]] bool is_done() const noexcept { return state_.load() == state::done; }
    /// `turn`: the caller shall call, and then finish() or pass_on().
    outcome begin(const detail::wait_limits& limits, const void* where) noexcept;
    outcome begin(const context& ctx, const void* where) noexcept;
    void finish() noexcept;
    void pass_on() noexcept;

    std::atomic<state> state_ = state::fresh;  ///< changes under lock_
    detail::spin_lock lock_;
    detail::wait_queue waiters_;  // protected by lock_
};

namespace detail {

/// The turn of one caller, which it passes on unless it has finished.
class once_turn {
public:
    explicit once_turn(once_flag& flag) noexcept : flag_(flag) {}
    once_turn(const once_turn&) = delete;
    once_turn& operator=(const once_turn&) = delete;
    ~once_turn() {
        if (finished_) {
            flag_.finish();
        } else {
            flag_.pass_on();
        }
    }
    void finished() noexcept { finished_ = true; }

    /// Returns whether the flag is done; `limits` are a context's, or none.
    template <class Limits, class F, class... Args>
    static bool call(const Limits& limits, const void* where, once_flag& flag, F&& f,
                     Args&&... args) {
        if (flag.is_done()) [[likely]] {
            return true;
        }
        switch (flag.begin(limits, where)) {
            case once_flag::outcome::done:
                return true;
            case once_flag::outcome::ended:
                return false;
            case once_flag::outcome::turn:
                break;
        }
        once_turn turn(flag);
        static_cast<void>(std::invoke(std::forward<F>(f), std::forward<Args>(args)...));
        turn.finished();
        return true;
    }

private:
    once_flag& flag_;
    bool finished_ = false;
};

}  // namespace detail

template <class F, class... Args>
void call_once(once_flag& flag, F&& f, Args&&... args) {
    static_cast<void>(detail::once_turn::call(detail::wait_limits{}, __builtin_return_address(0),
                                              flag, std::forward<F>(f),
                                              std::forward<Args>(args)...));
}

template <class F, class... Args>
op_status call_once(const context& ctx, once_flag& flag, F&& f, Args&&... args) {
    return detail::once_turn::call(ctx, __builtin_return_address(0), flag, std::forward<F>(f),
                                   std::forward<Args>(args)...)
               ? op_status::ok
               : detail::status_of(ctx);
}

}  // namespace runnel
