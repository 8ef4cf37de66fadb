// runnel/net/udp.hpp: datagrams.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

#include <runnel/context.hpp>
#include <runnel/detail/socket.hpp>
#include <runnel/net/address.hpp>

namespace runnel::net {

/// What recv_from() has received.
struct datagram {
    std::size_t size = 0;
    endpoint from;
    bool truncated = false;  ///< it was longer than the room for it, and the rest is lost
};

/// A UDP socket. Move-only; its destructor closes it. Any number of goroutines may send and
/// receive. Errors as those of streams (stream.hpp); a peer that refuses shows as
/// std::errc::connection_refused if the socket is connected. (Go's net.UDPConn)
class udp_socket {
public:
    /// One that is closed.
    udp_socket() noexcept = default;

    /// Blocks until a datagram comes, which may be empty.
    datagram recv_from(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    datagram recv_from(const context& ctx, std::span<std::byte> in);
    datagram recv_from(std::span<std::byte> in) { return recv_from(context(), in); }
    /// Sends one datagram; all of it or nothing.
    void send_to(const context& ctx, std::span<const std::byte> out, const endpoint& to,
                 std::error_code& ec);
    void send_to(const context& ctx, std::span<const std::byte> out, const endpoint& to);
    void send_to(std::span<const std::byte> out, const endpoint& to) {
        send_to(context(), out, to);
    }
    /// The same to the peer of a socket that is connected.
    void send(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    void send(const context& ctx, std::span<const std::byte> out);
    void send(std::span<const std::byte> out) { send(context(), out); }

    void set_read_deadline(clock::time_point t) noexcept { socket_.set_read_deadline(t); }
    void set_write_deadline(clock::time_point t) noexcept { socket_.set_write_deadline(t); }
    void close() noexcept { socket_.close(); }
    [[nodiscard]] endpoint local_address() const { return socket_.local_address(); }
    /// None unless it is connected.
    [[nodiscard]] endpoint remote_address() const { return socket_.remote_address(); }
    [[nodiscard]] int native_handle() const noexcept { return socket_.native_handle(); }

private:
    friend udp_socket open_udp(const endpoint& local, const endpoint& peer, std::error_code& ec);
    explicit udp_socket(detail::socket s) noexcept : socket_(std::move(s)) {}

    detail::socket socket_;
};

/// A socket bound to `local` (none: chosen by the system) and, if `peer` is given, connected with
/// it: then it only receives what comes from there.
[[nodiscard]] udp_socket open_udp(const endpoint& local, const endpoint& peer, std::error_code& ec);
/// Bound to "127.0.0.1:0".
[[nodiscard]] udp_socket bind_udp(std::string_view local);
/// Connected with "127.0.0.1:53".
[[nodiscard]] udp_socket connect_udp(std::string_view peer);

}  // namespace runnel::net
