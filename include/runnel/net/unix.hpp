// runnel/net/unix.hpp: stream sockets within the machine.
#pragma once

#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/detail/socket.hpp>
#include <runnel/net/socket_stream.hpp>
#include <runnel/net/tcp.hpp>

namespace runnel::net {

/// A connection over a unix socket.
class unix_stream : public socket_stream {
public:
    /// One that is closed.
    unix_stream() noexcept = default;

private:
    friend class unix_listener;
    friend unix_stream dial_unix(const context& ctx, std::string_view path, std::error_code& ec);
    friend std::pair<unix_stream, unix_stream> unix_pair();
    // A read may stop short of what is there, at a change of credentials.
    unix_stream(detail::socket s, endpoint remote) noexcept
        : socket_stream(std::move(s), std::move(remote), false) {}
};

/// A unix socket that connections come to. Move-only; its destructor closes it, which removes the
/// file. (Go's net.UnixListener)
class unix_listener {
public:
    /// One that is closed.
    unix_listener() noexcept = default;
    unix_listener(unix_listener&&) noexcept = default;
    unix_listener& operator=(unix_listener&& other) noexcept;
    ~unix_listener() { close(); }

    /// As tcp_listener::accept.
    [[nodiscard]] unix_stream accept(const context& ctx, std::error_code& ec);
    [[nodiscard]] unix_stream accept(const context& ctx = {});
    void set_deadline(clock::time_point t) noexcept { socket_.set_read_deadline(t); }
    void close() noexcept;
    [[nodiscard]] endpoint local_address() const { return socket_.local_address(); }

private:
    friend unix_listener listen_unix(std::string_view path, std::error_code& ec);

    detail::socket socket_;
    std::string path_;  ///< of the file to remove; constant while it is open
};

/// Listens at a path, which must not exist; "@name" is an abstract name, without a file.
[[nodiscard]] unix_listener listen_unix(std::string_view path, std::error_code& ec);
[[nodiscard]] unix_listener listen_unix(std::string_view path);

/// Connects to a listener. Blocks while its backlog is full. (The error is that of connect(2).)
[[nodiscard]] unix_stream dial_unix(const context& ctx, std::string_view path, std::error_code& ec);
[[nodiscard]] unix_stream dial_unix(const context& ctx, std::string_view path);

/// Two streams that are connected with each other (socketpair).
[[nodiscard]] std::pair<unix_stream, unix_stream> unix_pair();

}  // namespace runnel::net
