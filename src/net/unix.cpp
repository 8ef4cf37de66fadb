#include <runnel/net/unix.hpp>

#include <cerrno>
#include <chrono>
#include <utility>

#include "src/net/socket_address.hpp"
#include "src/net/socket_call.hpp"
#include "src/os/socket.hpp"

namespace runnel::net {

using detail::poll_direction;
using detail::socket_call;
using detail::system_error_code;

namespace {

constexpr int backlog = 4096;

/// A new socket for an address; `raw` is what it stands for.
detail::socket open(std::string_view path, os::socket_address& raw, std::error_code& ec) {
    raw = detail::to_socket_address(endpoint::local(std::string(path)), ec);
    if (ec) {
        return {};
    }
    const int fd = os::make_socket(AF_UNIX, SOCK_STREAM);
    if (fd < 0) {
        ec = system_error_code(fd);
        return {};
    }
    return detail::socket(fd);
}

}  // namespace

unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
    if (this != &other) {
        close();
        socket_ = std::move(other.socket_);
        path_ = std::move(other.path_);
    }
    return *this;
}

void unix_listener::close() noexcept {
    if (socket_.is_open() && !path_.empty()) {
        os::unlink_path(path_.c_str());
    }
    socket_.close();
}

unix_stream unix_listener::accept(const context& ctx, std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::read, ctx, __builtin_return_address(0));
    ec = call.refusal();
    if (ec) {
        return {};
    }
    os::socket_address peer;
    const auto fd = static_cast<int>(call.run(
        [&](int listening) -> ssize_t {
            const int got = os::accept_socket(listening, peer);
            return got == -ECONNABORTED ? -EINTR : got;
        },
        ec));
    return ec ? unix_stream() : unix_stream(detail::socket(fd), detail::to_endpoint(peer));
}

unix_stream unix_listener::accept(const context& ctx) {
    std::error_code ec;
    unix_stream s = accept(ctx, ec);
    if (ec) {
        throw_error(ec, "accept");
    }
    return s;
}

unix_listener listen_unix(std::string_view path, std::error_code& ec) {
    unix_listener l;
    os::socket_address raw;
    detail::socket s = open(path, raw, ec);
    if (ec) {
        return l;
    }
    int error = os::bind_socket(s.native_handle(), raw);
    if (error == 0) {
        l.path_ = path.starts_with('@') ? std::string() : std::string(path);
        error = os::listen_socket(s.native_handle(), backlog);
    }
    l.socket_ = std::move(s);
    if (error != 0) {
        ec = system_error_code(error);
        l.close();
    }
    return l;
}

unix_listener listen_unix(std::string_view path) {
    std::error_code ec;
    unix_listener l = listen_unix(path, ec);
    if (ec) {
        throw_error(ec, "listen_unix " + std::string(path));
    }
    return l;
}

unix_stream dial_unix(const context& ctx, std::string_view path, std::error_code& ec) {
    os::socket_address raw;
    detail::socket s = open(path, raw, ec);
    if (ec) {
        return {};
    }
    socket_call call(s.desc(), poll_direction::write, ctx, __builtin_return_address(0));
    ec = call.refusal();
    // A full backlog is EAGAIN, and brings no edge when there is room again: asked for now and
    // then.
    for (clock::duration pause = std::chrono::milliseconds(1); !ec; pause *= 2) {
        const int error = os::connect_socket(call.fd(), raw);
        if (error == 0 || error == -EISCONN) {
            return {std::move(s), endpoint::local(std::string(path))};
        }
        if (error != -EAGAIN) {
            ec = system_error_code(error);
            break;
        }
        const detail::ticks until = detail::deadline_after(
            std::min<clock::duration>(pause, std::chrono::milliseconds(100)));
        while (!ec && detail::now() < until) {
            ec = call.wait(until);
        }
        if (ec == errc::timed_out) {
            ec.clear();
        }
    }
    return {};
}

unix_stream dial_unix(const context& ctx, std::string_view path) {
    std::error_code ec;
    unix_stream s = dial_unix(ctx, path, ec);
    if (ec) {
        throw_error(ec, "dial_unix " + std::string(path));
    }
    return s;
}

std::pair<unix_stream, unix_stream> unix_pair() {
    int first = -1;
    int second = -1;
    if (const int error = os::make_socket_pair(first, second); error != 0) {
        throw_error(system_error_code(error), "unix_pair");
    }
    detail::socket right(second);  // first, so that neither is lost if memory is
    return {unix_stream(detail::socket(first), endpoint::local("")),
            unix_stream(std::move(right), endpoint::local(""))};
}

}  // namespace runnel::net
