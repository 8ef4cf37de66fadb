// runnel/join_handle.hpp: goroutines with an exit status.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/go_options.hpp>

namespace runnel {

template <class R>
class join_handle;

namespace detail {

/// What a spawned goroutine and its handle share. Counted: one for each of the two.
///
/// `error` and the result are written before exited.set() and read after it. Memory order: the
/// count is sequentially consistent; whoever drops the last one sees all the other has done.
class join_state_base {
public:
    join_state_base() = default;
    join_state_base(const join_state_base&) = delete;
    join_state_base& operator=(const join_state_base&) = delete;
    virtual ~join_state_base() = default;

    /// The goroutine has ended. Wakes and closes; drops the goroutine's share.
    void exit() noexcept;
    /// The channel that closes at the exit, made when it is first asked for.
    [[nodiscard]] recv_chan<unit> done();
    /// The handle is gone. An exception that nobody has taken counts as uncaught then.
    void drop_handle() noexcept;

    one_time_event exited;
    std::exception_ptr error;
    std::string who;  ///< of whose goroutine `error` is, for the report
    std::atomic<bool> error_taken = false;

private:
    void drop() noexcept;
    /// The process ends as if the exception had left a go() goroutine.
    void check_error_taken() const noexcept;

    std::atomic<int> shares_ = 2;
    spin_lock done_lock_;
    // Protected by done_lock_.
    chan<unit> done_;
    bool ending_ = false;
};

template <class R>
class join_state final : public join_state_base {
public:
    /// exit() has to follow.
    template <class F>
    void run(F&& f) noexcept {
        try {
            if constexpr (std::is_void_v<R>) {
                std::forward<F>(f)();
            } else if constexpr (std::is_reference_v<R>) {
                auto&& value = std::forward<F>(f)();
                result = std::addressof(value);
            } else {
                result.emplace(std::forward<F>(f)());
            }
        } catch (...) {
            error = std::current_exception();
        }
    }

    struct nothing {};
    // A reference is kept as a pointer.
    std::optional<std::conditional_t<
        std::is_void_v<R>, nothing,
        std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>>>
        result;
};

template <class R>
struct join_access {
    [[nodiscard]] static join_handle<R> handle(join_state<R>* state) noexcept {
        return join_handle<R>(state);
    }
};

/// What a spawned goroutine runs. Destroyed before the exit, as with std::thread: whoever joins may
/// let go of what it refers to.
template <class R, class F, class... Args>
class spawned {
public:
    template <class... Given>
    explicit spawned(join_state<R>* state, Given&&... given) noexcept(
        std::is_nothrow_constructible_v<std::tuple<F, Args...>, Given...>)
        : state_(state), parts_(std::forward<Given>(given)...) {}

    static void invoke(void* storage) noexcept {
        auto* const self = static_cast<spawned*>(storage);
        join_state<R>* const state = self->state_;
        state->run([self]() -> R {
            return std::apply(
                [](F&& f, Args&&... args) -> R {
                    return std::invoke(std::move(f), std::move(args)...);
                },
                std::move(self->parts_));
        });
        std::destroy_at(self);
        state->exit();
    }

private:
    join_state<R>* state_;
    std::tuple<F, Args...> parts_;
};

template <class F, class... Args>
auto spawn_closure(const start_info& info, F&& f, Args&&... args) {
    using R = std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>;
    auto state = std::make_unique<join_state<R>>();
    start_stored<spawned<R, std::decay_t<F>, std::decay_t<Args>...>>(
        info, state.get(), std::forward<F>(f), std::forward<Args>(args)...);
    return join_access<R>::handle(state.release());
}

}  // namespace detail

/// The exit of a goroutine, with its result or its exception. Movable; the destructor detaches. An
/// exception that nobody has joined for when the handle goes ends the process as one that left a
/// go() goroutine does (and likewise when the goroutine throws later), unless the stack is
/// unwinding.
template <class R>
class [[nodiscard]] join_handle {
public:
    join_handle() = default;
    join_handle(join_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    join_handle& operator=(join_handle&& other) noexcept {
        if (this != &other) {
            detach();
            state_ = std::exchange(other.state_, nullptr);
        }
        return *this;
    }
    ~join_handle() { detach(); }

    /// Blocks until the goroutine has exited; returns its result or rethrows its exception. The
    /// handle is not joinable afterwards. Throws std::logic_error if it was not before.
    R join() {
        detail::join_state<R>& s = state();
        s.exited.wait({}, detail::wait_kind::join, __builtin_return_address(0));
        const join_handle own(std::move(*this));  // gives up the share on every way out
        s.error_taken = true;
        if (s.error) {
            std::rethrow_exception(s.error);
        }
        if constexpr (std::is_reference_v<R>) {
            return static_cast<R>(**s.result);
        } else if constexpr (!std::is_void_v<R>) {
            return std::move(*s.result);
        }
    }

    /// A channel that closes when the goroutine has exited, so that the exit can stand in a select.
    [[nodiscard]] recv_chan<unit> done() { return state().done(); }

    /// Blocks until the exit or the limit; returns whether it has exited. The handle stays
    /// joinable.
    template <class Rep, class Period>
    bool wait_for(std::chrono::duration<Rep, Period> d) {
        return wait(detail::after(d));
    }
    template <class Clock, class Duration>
    bool wait_until(std::chrono::time_point<Clock, Duration> t) {
        return wait(detail::at(t));
    }

    /// Blocks until the exit, which gives ok, or until `ctx` ends: canceled, or timeout if it was
    /// its deadline.
    op_status wait(const context& ctx) {
        return wait(detail::limits_of(ctx)) ? op_status::ok : detail::status_of(ctx);
    }

    [[nodiscard]] bool joinable() const noexcept { return state_ != nullptr; }

    /// Lets the goroutine go its own way.
    void detach() noexcept {
        if (state_ != nullptr) {
            std::exchange(state_, nullptr)->drop_handle();
        }
    }

private:
    friend struct detail::join_access<R>;
    explicit join_handle(detail::join_state<R>* state) noexcept : state_(state) {}

    [[nodiscard]] detail::join_state<R>& state() const {
        if (state_ == nullptr) {
            throw std::logic_error("runnel: join_handle: no goroutine (joined, detached or empty)");
        }
        return *state_;
    }
    bool wait(const detail::wait_limits& limits) {
        return state().exited.wait(limits, detail::wait_kind::join, __builtin_return_address(0));
    }

    detail::join_state<R>* state_ = nullptr;
};

/// Starts a goroutine that runs f(args...), decay-copied as by std::thread, with an exit status.
template <class F>
    requires std::invocable<std::decay_t<F>>
auto spawn(F&& f, const std::source_location& where = std::source_location::current()) {
    return detail::spawn_closure({.file = where.file_name(), .line = where.line()},
                                 std::forward<F>(f));
}
template <class F, class... Args>
    requires(sizeof...(Args) > 0 && std::invocable<std::decay_t<F>, std::decay_t<Args>...>)
auto spawn(F&& f, Args&&... args) {
    return detail::spawn_closure({}, std::forward<F>(f), std::forward<Args>(args)...);
}
/// The same with a name and a stack size of its own; see go().
template <class F>
    requires std::invocable<std::decay_t<F>>
auto spawn(const go_options& options, F&& f,
           const std::source_location& where = std::source_location::current()) {
    return detail::spawn_closure(
        {.file = where.file_name(), .line = where.line(), .options = &options}, std::forward<F>(f));
}
template <class F, class... Args>
    requires(sizeof...(Args) > 0 && std::invocable<std::decay_t<F>, std::decay_t<Args>...>)
auto spawn(const go_options& options, F&& f, Args&&... args) {
    return detail::spawn_closure({.options = &options}, std::forward<F>(f),
                                 std::forward<Args>(args)...);
}

}  // namespace runnel
