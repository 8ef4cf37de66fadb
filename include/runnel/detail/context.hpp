// runnel/detail/context.hpp: the context handle, as every call that blocks can take it. Include
// <runnel/context.hpp>, which also derives contexts.
#pragma once

#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include <runnel/clock.hpp>
#include <runnel/detail/context_node.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>

namespace runnel {

template <class T>
class recv_chan;
struct unit;

/// When to stop, and values that go along: passed down to everything that is done on behalf of one
/// request. A handle: copies name the same context, and all members may be called from any
/// goroutine or thread. A default-constructed one is the background, which is never cancelled.
///
/// Order: what came before a cancel() happens before a receive from done(), before a call that
/// returns because of it, and before an err() that reports it. (Go's context.Context)
class context {
public:
    context() noexcept = default;
    explicit context(detail::context_ref node) noexcept : node_(std::move(node)) {}

    /// A channel that closes when the context is cancelled; the nil channel if it never can be.
    /// Made when it is first asked for. In a select, on_done(ctx) is cheaper.
    [[nodiscard]] recv_chan<unit> done() const;

    /// No error until the context is cancelled; then errc::canceled or errc::deadline_exceeded, for
    /// good. When it reports one, done() is closed.
    [[nodiscard]] std::error_code err() const noexcept;

    /// Why it was cancelled: null before; the exception given to cancel(cause); else a
    /// canceled_error or timeout_error that holds what err() says. The first cause on the way from
    /// the root counts. When it is not null, done() is closed.
    [[nodiscard]] std::exception_ptr cause() const;

    /// When the context will be cancelled at the latest.
    [[nodiscard]] std::optional<clock::time_point> deadline() const noexcept;

    /// The value of the innermost with_value<Key>(); null if there is none. Takes time in
    /// proportion to the depth of the context. It lives as long as this handle.
    template <class Key>
    [[nodiscard]] const typename Key::type* value() const noexcept {
        return static_cast<const typename Key::type*>(find(&detail::key_identity<Key>));
    }

    /// Handles of one context are equal.
    friend bool operator==(const context& a, const context& b) noexcept {
        return a.node_.get() == b.node_.get();
    }

    [[nodiscard]] const detail::context_ref& node() const noexcept { return node_; }

private:
    [[nodiscard]] const void* find(const void* key) const noexcept;

    detail::context_ref node_;
};

/// The context that is never cancelled, has no deadline and no values: the root of all others.
[[nodiscard]] inline context background() noexcept { return {}; }

namespace detail {

/// The limits of a wait that `ctx` may end; its deadline ends it as a cancellation does.
[[nodiscard]] wait_limits limits_of(const context& ctx) noexcept;

/// How a call that `ctx` has ended reports it: canceled, or timeout if it was its deadline.
[[nodiscard]] op_status status_of(const context& ctx) noexcept;

/// True once `ctx` is cancelled. Cheaper than err().
[[nodiscard]] bool has_ended(const context& ctx) noexcept;

/// `ctx` is cancelled: makes sure that its done() is closed, too. Whoever has cancelled it may not
/// have come to that yet.
void see_end(const context& ctx) noexcept;

}  // namespace detail
}  // namespace runnel
