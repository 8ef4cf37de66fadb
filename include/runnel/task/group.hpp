// runnel/task/group.hpp: goroutines that belong together: one context, one end, one error.
//
//     group g(ctx);
//     for (const url& u : urls) {
//         g.go([&u, ctx = g.context()] { fetch(ctx, u); });
//     }
//     g.wait();  // rethrows the first failure
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <source_location>
#include <type_traits>
#include <utility>

#include <runnel/context.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

namespace runnel {

/// Tasks that are started together and awaited together, with a context that the first exception
/// cancels; that exception is then its cause. No task outlives the group: the destructor cancels
/// the context and waits. May be destroyed as soon as the last wait has returned.
///
/// An exception that nobody has been given by wait() when the group is destroyed ends the process
/// as one that left a go() goroutine does, unless the stack is unwinding. That a task reports the
/// end of the group's own context is not such an exception.
///
/// Order: a task's end happens before the return of the wait that it ends. (Go's errgroup.Group)
class group {
public:
    group() : group(background()) {}
    /// The group's context is a child of `parent`.
    explicit group(const runnel::context& parent) : group(with_cancel(parent)) {}
    /// Cancels the context and waits for all tasks.
    ~group();
    group(const group&) = delete;
    group& operator=(const group&) = delete;

    /// Runs `f`, which is decay-copied, in a goroutine. Blocks while as many tasks as the limit
    /// allows are active; those that wait are served first come, first served.
    template <class F>
        requires std::invocable<std::decay_t<F>>
    void go(F&& f, const std::source_location& where = std::source_location::current()) {
        take_place({}, __builtin_return_address(0));
        start(std::forward<F>(f), where);
    }
    /// The same unless `ctx` ends first, and then nothing is started: ok, canceled, or timeout if
    /// it was its deadline. This is the caller's context, not the group's.
    template <class F>
        requires std::invocable<std::decay_t<F>>
    op_status go(const runnel::context& ctx, F&& f,
                 const std::source_location& where = std::source_location::current()) {
        if (detail::has_ended(ctx) ||
            !take_place(detail::limits_of(ctx), __builtin_return_address(0))) {
            return detail::status_of(ctx);
        }
        start(std::forward<F>(f), where);
        return op_status::ok;
    }
    /// Runs `f` if the limit allows one more task at once; returns whether it does.
    template <class F>
        requires std::invocable<std::decay_t<F>>
    [[nodiscard]] bool try_go(F&& f,
                              const std::source_location& where = std::source_location::current()) {
        if (!try_take_place()) {
            return false;
        }
        start(std::forward<F>(f), where);
        return true;
    }

    /// From now on at most `n` tasks are active at a time; a negative `n` is no limit, zero allows
    /// none. Throws std::logic_error while tasks are active.
    void set_limit(std::ptrdiff_t n);

    /// Cancelled when a task fails, when a wait has returned, and when the group is destroyed.
    [[nodiscard]] runnel::context context() const noexcept { return context_; }

    /// Blocks until no task is active, cancels the context, and rethrows the first exception.
    void wait() {
        static_cast<void>(wait_all({}, __builtin_return_address(0)));
        settle();
    }
    /// The same unless `ctx` ends first, and then the tasks go on, for another wait: ok, canceled,
    /// or timeout if it was its deadline.
    op_status wait(const runnel::context& ctx) {
        if (!wait_all(detail::limits_of(ctx), __builtin_return_address(0))) {
            return detail::status_of(ctx);
        }
        settle();
        return op_status::ok;
    }

private:
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    explicit group(cancel_scope scope) noexcept
        : context_(std::move(scope).get<0>()), cancel_(std::move(scope).get<1>()) {}

    template <class F>
    void start(F&& f, const std::source_location& where) {
        try {
            detail::start_closure(
                {.file = where.file_name(), .line = where.line()},
                [this](std::decay_t<F>&& given) {
                    try {
                        std::decay_t<F> body = std::move(given);  // destroyed before it counts
                        std::invoke(std::move(body));
                    } catch (...) {
                        failed();
                    }
                    give_place();
                },
                std::forward<F>(f));
        } catch (...) {
            give_place();
            throw;
        }
    }

    bool take_place(const detail::wait_limits& limits, const void* where) noexcept;
    bool try_take_place() noexcept;
    /// Touches nothing of the group once the last wait may return.
    void give_place() noexcept;
    /// In a catch block.
    void failed() noexcept;
    bool wait_all(const detail::wait_limits& limits, const void* where) noexcept;
    void settle();

    // Constant after construction.
    runnel::context context_;
    cancel_func cancel_;

    detail::first_failure failure_;
    detail::spin_lock lock_;
    // Protected by lock_.
    std::size_t active_ = 0;
    std::size_t limit_ = no_limit;
    detail::wait_queue starters_;  ///< who waits for a place
    detail::wait_queue waiters_;   ///< who waits for the end
};

}  // namespace runnel
