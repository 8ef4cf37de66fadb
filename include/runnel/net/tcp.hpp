// runnel/net/tcp.hpp: TCP connections and those who wait for them.
//
//     auto listener = net::listen("127.0.0.1:0");
//     for (;;) {
//         go([s = listener.accept()]() mutable { serve(s); });
//     }
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>

#include <runnel/detail/socket.hpp>
#include <runnel/net/resolver.hpp>
#include <runnel/net/socket_stream.hpp>
#include <runnel/net/stream.hpp>

namespace runnel::net {

/// When the system asks a silent peer whether it is still there, and when it gives up.
struct keep_alive {
    bool enabled = true;
    std::chrono::seconds idle{15};
    std::chrono::seconds interval{15};
    int count = 9;
};

/// A TCP connection. Small writes go out at once (TCP_NODELAY) unless set_no_delay(false).
class tcp_stream : public socket_stream {
public:
    /// One that is closed.
    tcp_stream() noexcept = default;

    void set_no_delay(bool on, std::error_code& ec) noexcept;
    void set_no_delay(bool on);
    void set_keep_alive(const keep_alive& how, std::error_code& ec) noexcept;
    void set_keep_alive(const keep_alive& how);
    /// What close() does with bytes that are not sent yet: none: sends them in the background (the
    /// default); zero: drops them and resets the connection.
    void set_linger(std::optional<std::chrono::seconds> how, std::error_code& ec) noexcept;

private:
    friend class tcp_listener;
    friend class tcp_dialer;
    tcp_stream(detail::socket s, endpoint remote) noexcept
        : socket_stream(std::move(s), std::move(remote), true) {}
};

/// What a listener does that the process has no descriptor, or the system no memory, for.
/// `ec` says why, and for how long it waits before it tries again.
using accept_failure = std::function<void(std::error_code ec, clock::duration pause)>;

struct listen_options {
    int backlog = 4096;  ///< connections that wait for accept(); the system may allow fewer
    bool reuse_port = false;
    /// "[::]:80" and ":80" take IPv4 connections too.
    bool v6_only = false;
    net::keep_alive keep_alive{};
    /// Called each time when accept() finds no descriptor or memory for a connection; accept() then
    /// waits (5 ms, doubled up to 1 s) and tries again. Without it accept() returns such an error,
    /// and its caller should wait (see accept_pause).
    accept_failure on_accept_failure{};
};

/// True for an error of accept() that a later call may not have: no descriptors or memory.
[[nodiscard]] bool is_temporary(std::error_code ec) noexcept;

/// How long to wait after each of several such errors in a row: 5 ms, doubled up to 1 s.
class accept_pause {
public:
    [[nodiscard]] clock::duration next() noexcept;
    void reset() noexcept { last_ = {}; }

private:
    clock::duration last_{};
};

/// A socket that TCP connections come to. Move-only; its destructor closes it. Any number of
/// goroutines may accept at once. (Go's net.TCPListener)
class tcp_listener {
public:
    /// One that is closed.
    tcp_listener() noexcept = default;

    /// Blocks until a connection comes. A connection that was reset before it could be accepted is
    /// passed over. Errors: errc::closed; those of `ctx`; see listen_options::on_accept_failure.
    [[nodiscard]] tcp_stream accept(const context& ctx, std::error_code& ec);
    [[nodiscard]] tcp_stream accept(std::error_code& ec) { return accept(context(), ec); }
    [[nodiscard]] tcp_stream accept(const context& ctx = {});
    /// accept() fails with errc::timed_out from then on.
    void set_deadline(clock::time_point t) noexcept { socket_.set_read_deadline(t); }
    /// Connections that nobody has accepted are reset.
    void close() noexcept { socket_.close(); }
    /// With the port that the system has chosen, if it was asked to.
    [[nodiscard]] endpoint local_address() const { return socket_.local_address(); }
    [[nodiscard]] int native_handle() const noexcept { return socket_.native_handle(); }

private:
    friend tcp_listener listen(std::string_view address, const listen_options& options,
                               std::error_code& ec);
    friend tcp_listener listen(const endpoint& at, const listen_options& options,
                               std::error_code& ec);

    detail::socket socket_;
    std::shared_ptr<const accept_failure> on_failure_;
};

/// Listens at "127.0.0.1:8080", "[::1]:0", ":8080" (every address, IPv6 and IPv4), "localhost:0"; a
/// port of 0 lets the system choose. A name is looked up, and its first address taken.
[[nodiscard]] tcp_listener listen(std::string_view address, const listen_options& options,
                                  std::error_code& ec);
[[nodiscard]] tcp_listener listen(const endpoint& at, const listen_options& options,
                                  std::error_code& ec);
[[nodiscard]] tcp_listener listen(std::string_view address, const listen_options& options = {});

struct dial_options {
    /// For the whole of it: the lookup and every attempt; the limits of `ctx` count too.
    clock::duration timeout = clock::duration::max();
    /// With several addresses: how long after one attempt the next begins (RFC 8305).
    clock::duration attempt_delay = std::chrono::milliseconds(250);
    net::keep_alive keep_alive{};
    /// Looks names up; null: the system's.
    const net::resolver* resolver = nullptr;
    /// Where connections come from; none: the system chooses.
    endpoint local{};
};

/// Connects to "example.com:443", "[::1]:80", "localhost:http". All addresses of a name are tried,
/// IPv6 and IPv4 in turn, each attempt a little after the one before it or as soon as that has
/// failed; the first connection wins and the other attempts end before dial returns (Happy
/// Eyeballs, RFC 8305). Errors: those of the name and of the lookup; if every attempt fails, the
/// first one's; errc::canceled or errc::deadline_exceeded; errc::timed_out after
/// dial_options::timeout.
[[nodiscard]] tcp_stream dial(const context& ctx, std::string_view address,
                              const dial_options& options, std::error_code& ec);
[[nodiscard]] tcp_stream dial(const context& ctx, std::string_view address, std::error_code& ec);
/// Throws with the address in the message.
[[nodiscard]] tcp_stream dial(const context& ctx, std::string_view address,
                              const dial_options& options = {});
[[nodiscard]] tcp_stream dial(std::string_view address);

}  // namespace runnel::net
