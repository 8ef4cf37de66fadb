// runnel/context.hpp: cancellation, deadlines and values, for a whole tree of calls at once.
//
//     auto [ctx, cancel] = with_timeout(parent, 2s);   // cancels on every way out of the scope
//     op_status s = jobs.recv(ctx, next);              // ends early once ctx does
//
// A context is derived from a parent and is cancelled with it, never the other way round. Every
// call of this library that can block has a form that takes one. Cancelling a parent cancels all
// its descendants before cancel() returns; a context leaves its parent when it is cancelled or
// dropped. (Go's package context)
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <source_location>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/limits.hpp>

namespace runnel {

class cancel_scope;

namespace detail {

/// A child of `parent` that is cancelled at `deadline`, if not before.
[[nodiscard]] cancel_scope make_cancelable(const context& parent, ticks deadline);
/// A child of `parent` that is also cancelled when a stop is requested.
[[nodiscard]] cancel_scope make_stoppable(const context& parent, std::stop_token token);
/// `node` is null, or a context that can be cancelled.
void cancel_context(context_node* node, std::exception_ptr cause) noexcept;

/// Made before the node that carries it, so that a constructor that throws leaves nothing behind.
template <class Key>
struct node_value {
    const typename Key::type value;
};

template <class Key>
class value_node final : private node_value<Key>, public context_node {
public:
    template <class V>
    value_node(context_ref parent, V&& v)
        : node_value<Key>{static_cast<typename Key::type>(std::forward<V>(v))},
          context_node(std::move(parent)) {}
    [[nodiscard]] const void* find(const void* key) const noexcept override {
        return key == &key_identity<Key> ? std::addressof(this->value) : nullptr;
    }

private:
    ~value_node() override = default;
};

/// Something to do when a context is cancelled; see on_cancel(). Shared by the context, while it
/// waits there, by its handle, and by the goroutine that does it.
class cancel_callback {
public:
    explicit cancel_callback(const std::source_location& place) noexcept : where(place) {}
    cancel_callback(const cancel_callback&) = delete;
    cancel_callback& operator=(const cancel_callback&) = delete;
    virtual ~cancel_callback() = default;
    /// Called once at most, in a goroutine of its own.
    virtual void run() = 0;

    const std::source_location where;

    // In the list of the context; protected by its lock.
    std::shared_ptr<cancel_callback> self;  ///< set while it is in the list
    cancel_callback* next = nullptr;
    cancel_callback* prev = nullptr;
};

template <class F>
class cancel_callback_of final : public cancel_callback {
public:
    template <class G>
    cancel_callback_of(G&& f, const std::source_location& place)
        : cancel_callback(place), f_(std::forward<G>(f)) {}
    void run() override {
        F f(std::move(f_));  // what it holds goes with the goroutine, not with the handle
        std::invoke(std::move(f));
    }

private:
    F f_;
};

/// Puts `callback` in line, or starts it at once. It lives as long as the context can be cancelled,
/// whoever still holds that.
void add_callback(const context& ctx, const std::shared_ptr<cancel_callback>& callback);
bool remove_callback(const context& ctx, cancel_callback& callback) noexcept;

}  // namespace detail

/// A trigger that cancels one context. Copyable, and unlike cancel_func does nothing when dropped.
class cancel_trigger {
public:
    /// Cancels the context and all its descendants before it returns. The first call counts, later
    /// ones do nothing. Callable from any thread; does not wait for the work that is done on the
    /// context's behalf.
    void operator()() const noexcept { detail::cancel_context(node_.get(), nullptr); }
    /// The same, and context::cause() becomes `cause`; a null one counts as none.
    void operator()(std::exception_ptr cause) const noexcept {
        detail::cancel_context(node_.get(), std::move(cause));
    }

private:
    friend class cancel_func;
    explicit cancel_trigger(detail::context_ref node) noexcept : node_(std::move(node)) {}
    detail::context_ref node_;
};

/// Cancels its context when called, and when destroyed: the deferred cancel that nobody can forget.
/// Movable; an empty one does nothing.
class [[nodiscard]] cancel_func {
public:
    cancel_func() noexcept = default;
    explicit cancel_func(detail::context_ref node) noexcept : node_(std::move(node)) {}
    cancel_func(cancel_func&&) noexcept = default;
    cancel_func& operator=(cancel_func&& other) noexcept {
        if (this != &other) {
            (*this)();
            node_ = std::move(other.node_);
        }
        return *this;
    }
    ~cancel_func() { (*this)(); }

    /// As cancel_trigger's.
    void operator()() const noexcept { detail::cancel_context(node_.get(), nullptr); }
    void operator()(std::exception_ptr cause) const noexcept {
        detail::cancel_context(node_.get(), std::move(cause));
    }

    /// A copyable trigger for the same context.
    [[nodiscard]] cancel_trigger share() const noexcept { return cancel_trigger(node_); }
    /// From now on destruction does not cancel: the context lives until its parent or its deadline
    /// ends it, or a trigger made before.
    void release() && noexcept { node_ = detail::context_ref(); }

private:
    detail::context_ref node_;
};

/// A context with what cancels it, to be taken apart: `auto [ctx, cancel] = with_cancel(parent);`
class [[nodiscard]] cancel_scope {
public:
    cancel_scope(context ctx, cancel_func cancel) noexcept
        : ctx_(std::move(ctx)), cancel_(std::move(cancel)) {}

    /// On lvalues only: a temporary would cancel the context at the end of the statement.
    [[nodiscard]] const context& ctx() const& noexcept { return ctx_; }
    void ctx() const&& = delete;
    /// Cancels.
    void cancel(std::exception_ptr cause = nullptr) const& noexcept { cancel_(std::move(cause)); }
    void cancel(std::exception_ptr cause = nullptr) const&& = delete;

    template <std::size_t I>
    [[nodiscard]] auto&& get() && noexcept {
        if constexpr (I == 0) {
            return std::move(ctx_);
        } else {
            return std::move(cancel_);
        }
    }
    template <std::size_t I>
    [[nodiscard]] auto&& get() const&& noexcept {
        if constexpr (I == 0) {
            return std::move(ctx_);
        } else {
            return std::move(cancel_);
        }
    }
    template <std::size_t I>
    [[nodiscard]] auto& get() & noexcept {
        if constexpr (I == 0) {
            return ctx_;
        } else {
            return cancel_;
        }
    }
    template <std::size_t I>
    [[nodiscard]] auto& get() const& noexcept {
        if constexpr (I == 0) {
            return ctx_;
        } else {
            return cancel_;
        }
    }

private:
    context ctx_;
    cancel_func cancel_;
};

/// A child of `parent` that can be cancelled.
[[nodiscard]] inline cancel_scope with_cancel(const context& parent) {
    return detail::make_cancelable(parent, detail::never);
}

/// The same, and it is cancelled when `d` is over, at once if that is zero or negative. Its err()
/// is then errc::deadline_exceeded. A parent's earlier deadline stays in force.
template <class Rep, class Period>
[[nodiscard]] cancel_scope with_timeout(const context& parent,
                                        std::chrono::duration<Rep, Period> d) {
    return detail::make_cancelable(parent, detail::after(d).deadline);
}

/// The same when `t` has come.
template <class Clock, class Duration>
[[nodiscard]] cancel_scope with_deadline(const context& parent,
                                         std::chrono::time_point<Clock, Duration> t) {
    return detail::make_cancelable(parent, detail::at(t).deadline);
}

/// A child of `parent` with a value. `Key` is a type of the caller's own, with a member `type`:
///     struct user_name { using type = std::string; };
///     auto named = with_value<user_name>(ctx, "ann");   // *named.value<user_name>() == "ann"
template <class Key, class V = typename Key::type>
    requires std::constructible_from<typename Key::type, V>
[[nodiscard]] context with_value(const context& parent, V&& value) {
    return context(
        detail::context_ref(new detail::value_node<Key>(parent.node(), std::forward<V>(value))));
}

/// A context with the values of `parent`, but without its cancellation and its deadline.
[[nodiscard]] context without_cancel(const context& parent);

/// A child of `parent` that is also cancelled when a stop is requested of `token`, before
/// request_stop() returns. When the context is dropped, nothing of it is left in the token.
[[nodiscard]] inline cancel_scope with_stop_token(const context& parent, std::stop_token token) {
    return detail::make_stoppable(parent, std::move(token));
}

/// For calls that take the standard's token: a stop is requested when `ctx` is cancelled. One token
/// for each context, made when it is first asked for; of a context that has ended, one that is
/// stopped already; of one that never ends, the empty token. Stop callbacks run in a goroutine of
/// their own, one after the other, soon after cancel(); a callback that blocks there must not be
/// destroyed while it runs. When the context is dropped, the token says that no stop can come.
[[nodiscard]] std::stop_token stop_token(const context& ctx);

/// A function that waits for a context's end. Movable; dropping it lets the function run.
class cancel_registration {
public:
    cancel_registration() noexcept = default;
    cancel_registration(context ctx, std::shared_ptr<detail::cancel_callback> callback) noexcept
        : ctx_(std::move(ctx)), callback_(std::move(callback)) {}

    /// Takes the function back. True if this call has kept it from running; false if it has been
    /// started or taken back before. Does not wait for it.
    bool stop() noexcept;

private:
    context ctx_;
    std::shared_ptr<detail::cancel_callback> callback_;
};

/// Runs `f` in a goroutine of its own when `ctx` is cancelled, at once if it is already. Many
/// registrations of one context are independent. (Go's context.AfterFunc)
template <class F>
    requires std::invocable<std::decay_t<F>>
cancel_registration on_cancel(const context& ctx, F&& f,
                              const std::source_location& where = std::source_location::current()) {
    auto callback =
        std::make_shared<detail::cancel_callback_of<std::decay_t<F>>>(std::forward<F>(f), where);
    detail::add_callback(ctx, callback);
    return {ctx, std::move(callback)};
}

}  // namespace runnel

template <>
struct std::tuple_size<runnel::cancel_scope> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, runnel::cancel_scope> : std::type_identity<runnel::context> {};
template <>
struct std::tuple_element<1, runnel::cancel_scope> : std::type_identity<runnel::cancel_func> {};
