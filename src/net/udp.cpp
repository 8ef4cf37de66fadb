#include <runnel/net/udp.hpp>

#include <string>

#include <runnel/net/stream.hpp>

#include "src/net/socket_address.hpp"
#include "src/net/socket_call.hpp"
#include "src/os/socket.hpp"

namespace runnel::net {

using detail::poll_direction;
using detail::socket_call;
using detail::system_error_code;

namespace {

void check(std::error_code ec, std::string_view what) {
    if (ec) {
        throw_error(ec, what);
    }
}

void send_datagram(socket_call& call, std::span<const std::byte> out, const os::socket_address& to,
                   std::error_code& ec) {
    ec = call.refusal();
    if (!ec) {
        call.run([&](int fd) { return os::send_to(fd, out, to); }, ec);
    }
}

}  // namespace

datagram udp_socket::recv_from(const context& ctx, std::span<std::byte> in, std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::read, ctx, __builtin_return_address(0));
    datagram d;
    ec = call.refusal();
    if (ec) {
        return d;
    }
    os::socket_address from;
    d.size = static_cast<std::size_t>(
        call.run([&](int fd) { return os::receive_from(fd, in, from, d.truncated); }, ec));
    if (!ec) {
        d.from = detail::to_endpoint(from);
    }
    return d;
}

datagram udp_socket::recv_from(const context& ctx, std::span<std::byte> in) {
    std::error_code ec;
    datagram d = recv_from(ctx, in, ec);
    check(ec, "recv_from");
    return d;
}

void udp_socket::send_to(const context& ctx, std::span<const std::byte> out, const endpoint& to,
                         std::error_code& ec) {
    const os::socket_address raw = detail::to_socket_address(to, ec);
    if (ec || to.kind() != endpoint::family::ip) {
        ec = std::make_error_code(std::errc::destination_address_required);
        return;
    }
    socket_call call(socket_.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    send_datagram(call, out, raw, ec);
}

void udp_socket::send_to(const context& ctx, std::span<const std::byte> out, const endpoint& to) {
    std::error_code ec;
    send_to(ctx, out, to, ec);
    check(ec, "send_to");
}

void udp_socket::send(const context& ctx, std::span<const std::byte> out, std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    send_datagram(call, out, {}, ec);
}

void udp_socket::send(const context& ctx, std::span<const std::byte> out) {
    std::error_code ec;
    send(ctx, out, ec);
    check(ec, "send");
}

udp_socket open_udp(const endpoint& local, const endpoint& peer, std::error_code& ec) {
    const bool bound = local.kind() != endpoint::family::none;
    const endpoint& shape = bound ? local : peer;
    if (shape.kind() != endpoint::family::ip) {
        ec = std::make_error_code(std::errc::address_family_not_supported);
        return {};
    }
    const int fd = os::make_socket(shape.address().is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM);
    if (fd < 0) {
        ec = system_error_code(fd);
        return {};
    }
    udp_socket s{detail::socket(fd)};
    int error = 0;
    if (bound) {
        const os::socket_address raw = detail::to_socket_address(local, ec);
        error = ec ? 0 : os::bind_socket(fd, raw);
    }
    if (error == 0 && peer.kind() != endpoint::family::none) {
        const os::socket_address raw = detail::to_socket_address(peer, ec);
        error = ec ? 0 : os::connect_socket(fd, raw);
    }
    if (error != 0) {
        ec = system_error_code(error);
        return {};
    }
    return s;
}

udp_socket bind_udp(std::string_view local) {
    std::error_code ec;
    udp_socket s = open_udp(endpoint::parse(local), {}, ec);
    check(ec, "bind_udp " + std::string(local));
    return s;
}

udp_socket connect_udp(std::string_view peer) {
    std::error_code ec;
    udp_socket s = open_udp({}, endpoint::parse(peer), ec);
    check(ec, "connect_udp " + std::string(peer));
    return s;
}

}  // namespace runnel::net
