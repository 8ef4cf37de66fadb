// runnel/net/stream.hpp: what a connection is, whatever carries it.
//
// A stream carries bytes in both directions, in order. One goroutine may read while another writes;
// two that read (or write) at once are their caller's fault. set_*_deadline(), shutdown_write() and
// close() may be called from any goroutine or thread at any time.
//
// Errors of every stream: errc::canceled or errc::deadline_exceeded when the context has ended;
// errc::timed_out once the deadline has passed; errc::closed when this end has been closed, also
// while a call waits; std::errc::broken_pipe for a write after shutdown_write() or to a peer that
// has gone; std::errc::connection_reset. A context that has ended, and a deadline that has passed,
// win over bytes that are there: every call fails until the deadline is set anew. (Go's net.Conn)
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/net/address.hpp>

namespace runnel::net {

/// read_some: blocks until it has at least one byte; 0 without an error: the peer has ended its
/// half (or `in` is empty). write: writes all of it, else returns what had gone out before the
/// error. A deadline of clock::time_point::max() is none; a change applies to a wait that is under
/// way. shutdown_write: the peer reads to the end of what was written, then 0 bytes. close:
/// idempotent; calls that wait end with errc::closed.
template <class S>
concept stream = std::movable<S> && requires(S& s, const context& ctx, std::span<std::byte> in,
                                             std::span<const std::byte> out, std::error_code& ec,
                                             clock::time_point t) {
    { s.read_some(ctx, in, ec) } -> std::same_as<std::size_t>;
    { s.write(ctx, out, ec) } -> std::same_as<std::size_t>;
    s.set_read_deadline(t);
    s.set_write_deadline(t);
    s.shutdown_write(ec);
    s.close();
};

/// Throws what `ec` stands for, with `what` in its message: timeout_error for a time limit,
/// canceled_error, else std::system_error.
[[noreturn]] void throw_error(std::error_code ec, std::string_view what);

/// The forms without a context and those that throw, made from the two that a stream implements.
/// `class my_stream : public stream_forms<my_stream>`, with using-declarations for read_some and
/// write. The throwing forms throw what throw_error() throws.
template <class Self>
class stream_forms {
public:
    std::size_t read_some(const context& ctx, std::span<std::byte> in) {
        std::error_code ec;
        const std::size_t count = self().read_some(ctx, in, ec);
        check(ec, "read");
        return count;
    }
    std::size_t read_some(std::span<std::byte> in, std::error_code& ec) {
        return self().read_some(context(), in, ec);
    }
    std::size_t read_some(std::span<std::byte> in) { return self().read_some(context(), in); }

    std::size_t write(const context& ctx, std::span<const std::byte> out) {
        std::error_code ec;
        const std::size_t count = self().write(ctx, out, ec);
        check(ec, "write");
        return count;
    }
    std::size_t write(std::span<const std::byte> out, std::error_code& ec) {
        return self().write(context(), out, ec);
    }
    std::size_t write(std::span<const std::byte> out) { return self().write(context(), out); }

    void shutdown_write() {
        std::error_code ec;
        self().shutdown_write(ec);
        check(ec, "shutdown_write");
    }
    /// Both deadlines.
    void set_deadline(clock::time_point t) {
        self().set_read_deadline(t);
        self().set_write_deadline(t);
    }

private:
    friend Self;
    stream_forms() = default;

    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }
    static void check(std::error_code ec, std::string_view what) {
        if (ec) {
            throw_error(ec, what);
        }
    }
};

}  // namespace runnel::net

namespace runnel::detail {

struct net_stream {
    net_stream() = default;
    net_stream(const net_stream&) = delete;
    net_stream& operator=(const net_stream&) = delete;
    virtual ~net_stream() = default;

    virtual std::size_t read_some(const context& ctx, std::span<std::byte> in,
                                  std::error_code& ec) = 0;
    virtual std::size_t write(const context& ctx, std::span<const std::byte> out,
                              std::error_code& ec) = 0;
    virtual void set_read_deadline(clock::time_point t) = 0;
    virtual void set_write_deadline(clock::time_point t) = 0;
    virtual void shutdown_write(std::error_code& ec) = 0;
    virtual void close() = 0;
    [[nodiscard]] virtual net::endpoint local_address() const = 0;
    [[nodiscard]] virtual net::endpoint remote_address() const = 0;
};

template <class S>
struct net_stream_box final : net_stream {
    explicit net_stream_box(S s) : held(std::move(s)) {}

    std::size_t read_some(const context& ctx, std::span<std::byte> in,
                          std::error_code& ec) override {
        return held.read_some(ctx, in, ec);
    }
    std::size_t write(const context& ctx, std::span<const std::byte> out,
                      std::error_code& ec) override {
        return held.write(ctx, out, ec);
    }
    void set_read_deadline(clock::time_point t) override { held.set_read_deadline(t); }
    void set_write_deadline(clock::time_point t) override { held.set_write_deadline(t); }
    void shutdown_write(std::error_code& ec) override { held.shutdown_write(ec); }
    void close() override { held.close(); }
    [[nodiscard]] net::endpoint local_address() const override {
        if constexpr (requires { held.local_address(); }) {
            return held.local_address();
        }
        return {};
    }
    [[nodiscard]] net::endpoint remote_address() const override {
        if constexpr (requires { held.remote_address(); }) {
            return held.remote_address();
        }
        return {};
    }

    S held;
};

}  // namespace runnel::detail

namespace runnel::net {

/// Any stream, whatever its type. Movable; one that is empty (default-constructed, or moved from)
/// behaves as closed.
class any_stream : public stream_forms<any_stream> {
public:
    any_stream() noexcept = default;
    template <class S>
        requires(!std::same_as<S, any_stream> && stream<S>)
    explicit any_stream(S s) : held_(std::make_unique<detail::net_stream_box<S>>(std::move(s))) {}

    using stream_forms::read_some;
    using stream_forms::shutdown_write;
    using stream_forms::write;
    std::size_t read_some(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    void set_read_deadline(clock::time_point t);
    void set_write_deadline(clock::time_point t);
    void shutdown_write(std::error_code& ec);
    void close();
    /// The endpoint of family none if the stream within does not know it.
    [[nodiscard]] endpoint local_address() const;
    [[nodiscard]] endpoint remote_address() const;

    /// The stream within, if it is an S; else null.
    template <stream S>
    [[nodiscard]] S* target() noexcept {
        auto* const box = dynamic_cast<detail::net_stream_box<S>*>(held_.get());
        return box != nullptr ? &box->held : nullptr;
    }
    [[nodiscard]] explicit operator bool() const noexcept { return held_ != nullptr; }

private:
    std::unique_ptr<detail::net_stream> held_;
};

/// Reads until `in` is full; returns how many bytes it has read. Fewer without any error of the
/// stream's: errc::unexpected_eof, or no error and 0 bytes if the stream ended before the first
/// one. (Go's io.ReadFull)
template <stream S>
std::size_t read_full(S& s, const context& ctx, std::span<std::byte> in, std::error_code& ec) {
    std::size_t done = 0;
    ec.clear();
    while (done < in.size()) {
        const std::size_t count = s.read_some(ctx, in.subspan(done), ec);
        if (ec) {
            return done;
        }
        if (count == 0) {
            if (done != 0) {
                ec = errc::unexpected_eof;
            }
            return done;
        }
        done += count;
    }
    return done;
}

/// What connections come to. accept: blocks until there is one; after close(), also while it waits,
/// the error is errc::closed. close: idempotent, from any goroutine. (Go's net.Listener)
template <class L>
concept listener = std::movable<L> && requires(L& l, const context& ctx, std::error_code& ec) {
    { l.accept(ctx, ec) } -> stream;
    l.close();
    { l.local_address() } -> std::convertible_to<endpoint>;
};

}  // namespace runnel::net

namespace runnel::detail {

struct net_listener {
    net_listener() = default;
    net_listener(const net_listener&) = delete;
    net_listener& operator=(const net_listener&) = delete;
    virtual ~net_listener() = default;

    virtual net::any_stream accept(const context& ctx, std::error_code& ec) = 0;
    virtual void close() = 0;
    [[nodiscard]] virtual net::endpoint local_address() = 0;
};

template <class L>
struct net_listener_box final : net_listener {
    explicit net_listener_box(L l) : held(std::move(l)) {}

    net::any_stream accept(const context& ctx, std::error_code& ec) override {
        auto s = held.accept(ctx, ec);
        if (ec) {
            return {};
        }
        if constexpr (std::same_as<decltype(s), net::any_stream>) {
            return s;
        } else {
            return net::any_stream(std::move(s));
        }
    }
    void close() override { held.close(); }
    [[nodiscard]] net::endpoint local_address() override { return held.local_address(); }

    L held;
};

}  // namespace runnel::detail

namespace runnel::net {

/// Any listener, whatever its type. One that is empty behaves as closed.
class any_listener {
public:
    any_listener() noexcept = default;
    template <class L>
        requires(!std::same_as<L, any_listener> && listener<L>)
    explicit any_listener(L l)
        : held_(std::make_unique<detail::net_listener_box<L>>(std::move(l))) {}

    /// The stream is empty if there was an error.
    [[nodiscard]] any_stream accept(const context& ctx, std::error_code& ec);
    [[nodiscard]] any_stream accept(const context& ctx = {});
    void close();
    [[nodiscard]] endpoint local_address() const;
    [[nodiscard]] explicit operator bool() const noexcept { return held_ != nullptr; }

private:
    std::unique_ptr<detail::net_listener> held_;
};

}  // namespace runnel::net
