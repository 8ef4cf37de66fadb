// runnel/chan.hpp: typed channels between goroutines.
//
// A chan<T> is a handle: copies name the same channel, which is freed with its last handle. All
// members may be called from any goroutine or thread at the same time, and are const: a handle that
// a lambda has captured by value works in it. A handle that an operation uses must live until it
// returns.
//
// Order: values of one sender arrive in the order sent; waiters are served first come, first
// served. A send happens before its receive returns; with capacity C, the k-th receive happens
// before the (k+C)-th send returns; close happens before a receive that reports it. (Go's memory
// model.)
//
// Whatever is not sent stays its owner's: every form that takes a T&& leaves it untouched unless it
// returns op_status::ok. (A T that can only be moved, by a move that may throw, is moved out and
// back.)
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <optional>
#include <type_traits>
#include <utility>

#include <runnel/detail/chan_core.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/detail/limits.hpp>

namespace runnel {

/// Go's struct{}: a value that says no more than that it came.
struct unit {
    friend constexpr bool operator==(unit, unit) noexcept { return true; }
};

template <class T>
class send_chan;
template <class T>
class recv_chan;

namespace detail {

/// The loops over a channel: each step receives.
template <class T>
class recv_iterator {
public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_concept = std::input_iterator_tag;

    recv_iterator() = default;
    explicit recv_iterator(chan_core* c) : core_(c) { ++*this; }

    [[nodiscard]] T& operator*() const { return *value_; }
    recv_iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const recv_iterator& i, std::default_sentinel_t) noexcept {
        return !i.value_.has_value();
    }

private:
    chan_core* core_ = nullptr;
    mutable std::optional<T> value_;
};

/// What all handles share.
template <class T, class Ref = chan_ref>
class chan_handle {
    static_assert(
        std::is_object_v<T> && std::movable<T>,
        "runnel: a channel's element type must be an object type that models std::movable");

public:
    using value_type = T;

    /// How many values are buffered, and how many can be; 0 for the nil channel.
    [[nodiscard]] std::size_t len() const noexcept { return chan_len(core()); }
    [[nodiscard]] std::size_t cap() const noexcept { return chan_cap(core()); }
    /// False for the nil channel.
    explicit operator bool() const noexcept { return core() != nullptr; }
    /// What the channel was closed with; null if it is open or was closed without an error.
    [[nodiscard]] std::exception_ptr close_error() const noexcept {
        return chan_close_error(core());
    }

    [[nodiscard]] chan_core* core() const noexcept { return ref_.get(); }

protected:
    chan_handle() = default;
    explicit chan_handle(Ref ref) noexcept : ref_(std::move(ref)) {}

private:
    Ref ref_;
};

template <class C>
concept is_handle = std::derived_from<C, chan_handle<typename C::value_type, chan_ref>> ||
                    std::derived_from<C, chan_handle<typename C::value_type, recv_ref>>;

/// The sending half of a handle.
template <class Derived, class T>
class send_side {
    send_side() = default;
    friend Derived;

public:
    /// Sends `value`. Blocks while nobody receives and the buffer is full; for ever on the nil
    /// channel. Throws channel_closed if the channel is closed, also when that happens while the
    /// send waits.
    void send(T value) const {
        outgoing<T> out(value);
        chan_call call;
        suspend(chan_send(channel(), out.address(), call));
        if (!call.node.ok) {
            throw_not_sent(channel());
        }
    }
    void send() const
        requires std::same_as<T, unit>
    {
        send(unit{});
    }

    /// Sends without blocking: ok, full or closed.
    op_status try_send(T&& value) const {
        return send_by(value, [this](void* from) { return chan_try_send(channel(), from); });
    }
    op_status try_send(const T& value) const
        requires std::copyable<T>
    {
        return try_send(T(value));
    }
    op_status try_send() const
        requires std::same_as<T, unit>
    {
        return try_send(unit{});
    }

    /// Sends within a time: ok, closed or timeout. A time of zero or less does not block.
    template <class Rep, class Period>
    op_status send_for(std::chrono::duration<Rep, Period> d, T&& value) const {
        return send_within(after(d), value);
    }
    template <class Rep, class Period>
    op_status send_for(std::chrono::duration<Rep, Period> d, const T& value) const
        requires std::copyable<T>
    {
        T copy(value);
        return send_within(after(d), copy);
    }
    template <class Rep, class Period>
    op_status send_for(std::chrono::duration<Rep, Period> d) const
        requires std::same_as<T, unit>
    {
        return send_for(d, unit{});
    }
    template <class Clock, class Duration>
    op_status send_until(std::chrono::time_point<Clock, Duration> t, T&& value) const {
        return send_within(at(t), value);
    }
    template <class Clock, class Duration>
    op_status send_until(std::chrono::time_point<Clock, Duration> t, const T& value) const
        requires std::copyable<T>
    {
        T copy(value);
        return send_within(at(t), copy);
    }

    /// Sends unless `ctx` ends first: ok, closed, canceled, or timeout if it was the context's
    /// deadline. A context that has ended already sends nothing.
    op_status send(const context& ctx, T&& value) const { return send_for_context(ctx, value); }
    op_status send(const context& ctx, const T& value) const
        requires std::copyable<T>
    {
        T copy(value);
        return send_for_context(ctx, copy);
    }
    op_status send(const context& ctx) const
        requires std::same_as<T, unit>
    {
        return send(ctx, unit{});
    }

    /// No more values will come. Wakes every waiter: senders throw channel_closed; receivers first
    /// get what is buffered. Throws channel_closed if it is closed already, std::logic_error on
    /// nil.
    void close() const { chan_close(channel(), nullptr); }
    /// The same, and receivers that have drained the channel get this exception from recv(), from
    /// the loop and from select: how a producer's failure reaches its consumer.
    void close(std::exception_ptr error) const { chan_close(channel(), std::move(error)); }

private:
    [[nodiscard]] chan_core* channel() const noexcept {
        return static_cast<const Derived*>(this)->core();
    }

    template <class Op>
    static op_status send_by(T& value, Op op) {
        outgoing<T> out(value);
        const op_status status = op(out.address());
        if (status != op_status::ok) {
            out.not_sent();
        }
        return status;
    }
    op_status send_for_context(const context& ctx, T& value) const {
        const op_status status = send_within(limits_of(ctx), value);
        return status == op_status::canceled ? status_of(ctx) : status;
    }
    op_status send_within(const wait_limits& limits, T& value) const {
        return send_by(value,
                       [&](void* from) { return chan_send_limited(channel(), from, limits); });
    }
};

/// The receiving half of a handle.
template <class Derived, class T>
class recv_side {
    recv_side() = default;
    friend Derived;

public:
    /// Receives the next value, or nullopt once the channel is closed and drained. Blocks while
    /// there is none; for ever on the nil channel. Throws what the channel was closed with, if
    /// anything.
    std::optional<T> recv() const {
        incoming<T> in;
        chan_call call;
        suspend(chan_recv(channel(), in.address(), call));
        if (!call.node.ok) {
            rethrow_close_error(channel());
            return std::nullopt;
        }
        return in.take_optional();
    }

    /// Receives into `value` without blocking: ok, empty or closed.
    op_status try_recv(T& value) const { return recv_by(value, try_op()); }
    op_status try_recv(std::optional<T>& value) const { return recv_by(value, try_op()); }

    /// Receives within a time: ok, closed or timeout. A time of zero or less does not block.
    template <class Rep, class Period>
    op_status recv_for(std::chrono::duration<Rep, Period> d, T& value) const {
        return recv_by(value, limited_op(after(d)));
    }
    template <class Rep, class Period>
    op_status recv_for(std::chrono::duration<Rep, Period> d, std::optional<T>& value) const {
        return recv_by(value, limited_op(after(d)));
    }
    template <class Clock, class Duration>
    op_status recv_until(std::chrono::time_point<Clock, Duration> t, T& value) const {
        return recv_by(value, limited_op(at(t)));
    }
    template <class Clock, class Duration>
    op_status recv_until(std::chrono::time_point<Clock, Duration> t,
                         std::optional<T>& value) const {
        return recv_by(value, limited_op(at(t)));
    }

    /// Receives unless `ctx` ends first: ok, closed, canceled, or timeout if it was the context's
    /// deadline. A context that has ended already receives nothing.
    op_status recv(const context& ctx, T& value) const { return recv_for_context(ctx, value); }
    op_status recv(const context& ctx, std::optional<T>& value) const {
        return recv_for_context(ctx, value);
    }

    /// for (auto&& value : ch) receives until the channel is closed and drained.
    [[nodiscard]] recv_iterator<T> begin() const { return recv_iterator<T>(channel()); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
    [[nodiscard]] chan_core* channel() const noexcept {
        return static_cast<const Derived*>(this)->core();
    }
    [[nodiscard]] auto try_op() const {
        return [this](void* to) { return chan_try_recv(channel(), to); };
    }
    [[nodiscard]] auto limited_op(const wait_limits& limits) const {
        return [this, limits](void* to) { return chan_recv_limited(channel(), to, limits); };
    }

    template <class Out>
    op_status recv_for_context(const context& ctx, Out& value) const {
        const op_status status = recv_by(value, limited_op(limits_of(ctx)));
        return status == op_status::canceled ? status_of(ctx) : status;
    }
    template <class Out, class Op>
    static op_status recv_by(Out& value, Op op) {
        incoming<T> in;
        const op_status status = op(in.address());
        if (status == op_status::ok) {
            value = in.take();
        }
        return status;
    }
};

}  // namespace detail

/// A channel, or the nil channel when default-constructed.
template <class T>
class chan : public detail::chan_handle<T>,
             public detail::send_side<chan<T>, T>,
             public detail::recv_side<chan<T>, T> {
public:
    chan() = default;
    explicit chan(detail::chan_ref ref) noexcept : detail::chan_handle<T>(std::move(ref)) {}
};

/// The handle of somebody who may only send (and close).
template <class T>
class send_chan : public detail::chan_handle<T>, public detail::send_side<send_chan<T>, T> {
public:
    send_chan() = default;
    send_chan(const chan<T>& ch) noexcept  // as Go converts
        : detail::chan_handle<T>(detail::chan_ref::share(ch.core())) {}
    explicit send_chan(detail::chan_ref ref) noexcept : detail::chan_handle<T>(std::move(ref)) {}
};

/// The handle of somebody who may only receive.
template <class T>
class recv_chan : public detail::chan_handle<T, detail::recv_ref>,
                  public detail::recv_side<recv_chan<T>, T> {
public:
    recv_chan() = default;
    recv_chan(const chan<T>& ch) noexcept  // as Go converts
        : detail::chan_handle<T, detail::recv_ref>(detail::recv_ref::share(ch.core())) {}
    explicit recv_chan(detail::recv_ref ref) noexcept
        : detail::chan_handle<T, detail::recv_ref>(std::move(ref)) {}
};

/// Handles of one channel are equal, whatever their direction; all nil handles are equal.
template <detail::is_handle A, detail::is_handle B>
    requires std::same_as<typename A::value_type, typename B::value_type>
[[nodiscard]] bool operator==(const A& a, const B& b) noexcept {
    return a.core() == b.core();
}

/// Makes a channel that buffers `capacity` values. Throws std::length_error if that is negative or
/// impossible.
template <class T>
[[nodiscard]] chan<T> make_chan(std::ptrdiff_t capacity = 0) {
    // Asked here, not of chan<T>: a struct may hold a channel of itself.
    static_assert(std::is_object_v<T> && std::movable<T>,
                  "runnel: a channel's element type must be an object type that models "
                  "std::movable");
    return chan<T>(
        detail::chan_ref(detail::make_chan_core(capacity, detail::ops_of<detail::stored_t<T>>)));
}

namespace detail {

/// The two ends of a channel that counts its receive handles: when the last of them is dropped,
/// what is buffered is destroyed, and pending and later sends end as cancelled: send() and a chosen
/// on_send throw canceled_error, status forms return op_status::canceled. The producer's close() is
/// no error then. Throws std::length_error as make_chan does.
template <class T>
[[nodiscard]] std::pair<send_chan<T>, recv_chan<T>> make_counted_chan(std::ptrdiff_t capacity) {
    chan_core* const c = make_counted_chan_core(capacity, ops_of<stored_t<T>>);
    return {send_chan<T>(chan_ref(c)), recv_chan<T>(recv_ref(c))};
}

}  // namespace detail

/// What can be received from, or sent to: chan<T> and the one-way handle alike.
template <class C>
concept receivable = requires(const C& ch) {
    typename C::value_type;
    { ch.recv() } -> std::same_as<std::optional<typename C::value_type>>;
};
template <class C>
concept sendable =
    requires(const C& ch, typename C::value_type value) { ch.send(std::move(value)); };

template <class T>
detail::recv_iterator<T>& detail::recv_iterator<T>::operator++() {
    incoming<T> in;
    chan_call call;
    suspend(chan_recv(core_, in.address(), call));
    if (call.node.ok) {
        value_.emplace(in.take());
    } else {
        value_.reset();
        rethrow_close_error(core_);
    }
    return *this;
}

}  // namespace runnel

template <class T>
struct std::hash<runnel::chan<T>> {
    std::size_t operator()(const runnel::chan<T>& ch) const noexcept {
        return std::hash<void*>()(ch.core());
    }
};
template <class T>
struct std::hash<runnel::send_chan<T>> {
    std::size_t operator()(const runnel::send_chan<T>& ch) const noexcept {
        return std::hash<void*>()(ch.core());
    }
};
template <class T>
struct std::hash<runnel::recv_chan<T>> {
    std::size_t operator()(const runnel::recv_chan<T>& ch) const noexcept {
        return std::hash<void*>()(ch.core());
    }
};
