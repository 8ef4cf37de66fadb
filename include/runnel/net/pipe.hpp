// runnel/net/pipe.hpp: connections within the process, for tests above all.
//
// They need no descriptor, and follow the caller's clock: in a test bubble a goroutine that waits
// on a pipe is durably blocked, so deadlines come without waiting.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>
#include <utility>

#include <runnel/net/stream.hpp>

namespace runnel::detail {
class pipe_core;
struct pipe_listener_core;
}  // namespace runnel::detail

namespace runnel::net {

/// One end of a pipe. Move-only; its destructor closes it.
class pipe_stream : public stream_forms<pipe_stream> {
public:
    /// An end that is closed.
    pipe_stream() noexcept = default;
    pipe_stream(pipe_stream&& other) noexcept = default;
    pipe_stream& operator=(pipe_stream&& other) noexcept;
    ~pipe_stream();

    using stream_forms::read_some;
    using stream_forms::shutdown_write;
    using stream_forms::write;
    std::size_t read_some(const context& ctx, std::span<std::byte> in, std::error_code& ec);
    std::size_t write(const context& ctx, std::span<const std::byte> out, std::error_code& ec);
    void set_read_deadline(clock::time_point t) noexcept;
    void set_write_deadline(clock::time_point t) noexcept;
    void shutdown_write(std::error_code& ec) noexcept;
    /// What this end has written can still be read by the other, then 0 bytes; its writes fail with
    /// std::errc::broken_pipe.
    void close() noexcept;
    [[nodiscard]] static endpoint local_address() { return endpoint::memory(); }
    [[nodiscard]] static endpoint remote_address() { return endpoint::memory(); }

private:
    friend std::pair<pipe_stream, pipe_stream> pipe(std::size_t capacity);
    pipe_stream(std::shared_ptr<detail::pipe_core> core, std::size_t side) noexcept
        : core_(std::move(core)), side_(side) {}

    std::shared_ptr<detail::pipe_core> core_;
    std::size_t side_ = 0;
};

inline constexpr std::size_t default_pipe_capacity = 16384;

/// Two ends that are connected with each other. Each direction holds `capacity` bytes, allocated
/// with the first write; with 0, a write returns when the other end has read all of it (Go's
/// net.Pipe).
[[nodiscard]] std::pair<pipe_stream, pipe_stream> pipe(
    std::size_t capacity = default_pipe_capacity);

/// A listener within the process: what dial() gives on one side, accept() gives on the other. A
/// handle: copies name the same listener, and all members may be called from any goroutine.
class pipe_listener {
public:
    /// Up to `backlog` connections wait for accept(); with 0, dial() waits for it.
    explicit pipe_listener(std::size_t backlog = 128, std::size_t capacity = default_pipe_capacity);

    /// Errors: errc::closed; those of `ctx`.
    [[nodiscard]] pipe_stream accept(const context& ctx, std::error_code& ec) const;
    [[nodiscard]] pipe_stream accept(const context& ctx = {}) const;
    /// Errors: std::errc::connection_refused once the listener is closed; those of `ctx`.
    [[nodiscard]] pipe_stream dial(const context& ctx, std::error_code& ec) const;
    [[nodiscard]] pipe_stream dial(const context& ctx = {}) const;
    /// Connections that nobody has accepted are closed.
    void close() const noexcept;
    [[nodiscard]] static endpoint local_address() { return endpoint::memory(); }

private:
    std::shared_ptr<detail::pipe_listener_core> core_;
};

}  // namespace runnel::net
