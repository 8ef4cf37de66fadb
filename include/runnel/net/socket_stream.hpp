// runnel/net/socket_stream.hpp: what TCP connections and unix sockets have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include <runnel/detail/socket.hpp>
#include <runnel/net/stream.hpp>

namespace runnel::net {

/// A connected stream socket. Move-only; its destructor closes it. Each call tries the system call
/// first and waits, without holding the worker back, only if that would block. No call raises
/// SIGPIPE.
class socket_stream : public stream_forms<socket_stream> {
public:
    /// One that is closed.
    socket_stream() noexcept = default;

    using stream_forms::read_some;
    using stream_forms::shutdown_write;
    using stream_forms::write;
    std::size_t read_some(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    /// Writes all parts, as if they were one; so many as go at once with one system call.
    std::size_t writev(const context& ctx, std::span<const std::span<const std::byte>> parts,
                       std::error_code& ec);
    /// Writes `count` bytes of the file descriptor `file` from `offset` on, without copying them
    /// through the process. Returns how many were written: fewer without an error if the file ends
    /// before.
    std::size_t send_file(const context& ctx, int file, std::uint64_t offset, std::size_t count,
                          std::error_code& ec);
    /// Blocks until a read would not: bytes are there, or the end, or an error. What a server that
    /// holds no buffer for an idle connection waits with.
    void wait_readable(const context& ctx, std::error_code& ec);

    void set_read_deadline(clock::time_point t) noexcept { socket_.set_read_deadline(t); }
    void set_write_deadline(clock::time_point t) noexcept { socket_.set_write_deadline(t); }
    void shutdown_write(std::error_code& ec) noexcept;
    void close() noexcept { socket_.close(); }
    [[nodiscard]] bool is_open() const noexcept { return socket_.is_open(); }

    /// Nothing is known once it is closed.
    [[nodiscard]] endpoint local_address() const { return socket_.local_address(); }
    [[nodiscard]] endpoint remote_address() const { return remote_; }
    /// For calls that are not offered here, which must not change O_NONBLOCK; -1 if it is closed.
    [[nodiscard]] int native_handle() const noexcept { return socket_.native_handle(); }

protected:
    socket_stream(detail::socket s, endpoint remote, bool short_read_drains) noexcept
        : socket_(std::move(s)),
          remote_(std::move(remote)),
          short_read_drains_(short_read_drains) {}

    [[nodiscard]] detail::socket& socket() noexcept { return socket_; }

private:
    detail::socket socket_;
    endpoint remote_;
    bool short_read_drains_ = false;
};

}  // namespace runnel::net
