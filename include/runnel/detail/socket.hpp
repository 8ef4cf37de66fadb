// runnel/detail/socket.hpp: what sockets of every kind hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/net/address.hpp>

namespace runnel::detail {

class poll_desc;

/// An open socket, or none. Move-only; the last thing it does is to close it. close() and the
/// deadlines may be called while other goroutines use it; moving and destroying may not.
class socket {
public:
    socket() noexcept = default;
    /// Takes over `fd`, which is nonblocking; on an exception it is closed.
    explicit socket(int fd);
    socket(socket&& other) noexcept : desc_(std::exchange(other.desc_, nullptr)) {}
    socket& operator=(socket&& other) noexcept;
    ~socket() { reset(); }

    [[nodiscard]] bool is_open() const noexcept;
    void close() noexcept;
    void set_read_deadline(clock::time_point t) noexcept;
    void set_write_deadline(clock::time_point t) noexcept;
    void set_option(int option, int value, std::error_code& ec) noexcept;
    [[nodiscard]] net::endpoint local_address() const;
    [[nodiscard]] net::endpoint remote_address() const;
    /// The number, for calls that are not offered here; it stays open while the socket does. -1 if
    /// it is closed.
    [[nodiscard]] int native_handle() const noexcept;
    [[nodiscard]] poll_desc* desc() const noexcept { return desc_; }

private:
    void reset() noexcept;

    poll_desc* desc_ = nullptr;
};

}  // namespace runnel::detail
