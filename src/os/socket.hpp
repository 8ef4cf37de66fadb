// os/socket.hpp: system calls on sockets.
//
// Results are what the call returns, or -errno: errno is read at once, because a goroutine's next
// line may run in another thread. Sockets are made nonblocking and close-on-exec. No call raises
// SIGPIPE, and none changes the program's disposition.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace runnel::os {

/// An address as the kernel takes it.
class socket_address {
public:
    socket_address() noexcept = default;
    [[nodiscard]] static socket_address v4(std::span<const std::uint8_t, 4> bytes,
                                           std::uint16_t port) noexcept;
    [[nodiscard]] static socket_address v6(std::span<const std::uint8_t, 16> bytes,
                                           std::uint32_t zone, std::uint16_t port) noexcept;
    /// "@name" is an abstract one. -ENAMETOOLONG if it does not fit.
    [[nodiscard]] static int local(std::string_view path, socket_address& out) noexcept;

    [[nodiscard]] int family() const noexcept;  ///< AF_UNSPEC if there is none
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept;
    [[nodiscard]] std::uint32_t zone() const noexcept;
    [[nodiscard]] std::uint16_t port() const noexcept;
    [[nodiscard]] std::string path() const;

    [[nodiscard]] const sockaddr* data() const noexcept;
    [[nodiscard]] sockaddr* data() noexcept;
    [[nodiscard]] socklen_t size() const noexcept { return size_; }
    /// For the kernel to fill in.
    [[nodiscard]] socklen_t& room() noexcept {
        size_ = static_cast<socklen_t>(raw_.size());
        return size_;
    }

private:
    alignas(8) std::array<std::byte, 112> raw_{};
    socklen_t size_ = 0;
};

[[nodiscard]] int make_socket(int family, int type) noexcept;
[[nodiscard]] int make_socket_pair(int& first, int& second) noexcept;
[[nodiscard]] int bind_socket(int fd, const socket_address& to) noexcept;
[[nodiscard]] int listen_socket(int fd, int backlog) noexcept;
/// 0, -EINPROGRESS, or another error.
[[nodiscard]] int connect_socket(int fd, const socket_address& to) noexcept;
/// The new descriptor.
[[nodiscard]] int accept_socket(int fd, socket_address& peer) noexcept;
int shutdown_socket(int fd, bool read, bool write) noexcept;
void close_socket(int fd) noexcept;

[[nodiscard]] ssize_t receive(int fd, std::span<std::byte> in) noexcept;
/// Looks at what is there without taking it.
[[nodiscard]] ssize_t peek(int fd, std::span<std::byte> in) noexcept;
[[nodiscard]] ssize_t send(int fd, std::span<const std::byte> out) noexcept;
[[nodiscard]] ssize_t send_parts(int fd, std::span<const iovec> parts) noexcept;
[[nodiscard]] ssize_t receive_from(int fd, std::span<std::byte> in, socket_address& from,
                                   bool& truncated) noexcept;
[[nodiscard]] ssize_t send_to(int fd, std::span<const std::byte> out,
                              const socket_address& to) noexcept;
/// From the file `from`, at `offset`, which moves on.
[[nodiscard]] ssize_t send_file(int fd, int from, off_t& offset, std::size_t count) noexcept;

/// The pending error of the socket, taken: 0, or -errno.
[[nodiscard]] int socket_error(int fd) noexcept;
[[nodiscard]] int local_name(int fd, socket_address& out) noexcept;
[[nodiscard]] int peer_name(int fd, socket_address& out) noexcept;

enum class socket_option : std::uint8_t {
    reuse_address,
    reuse_port,
    v6_only,
    no_delay,
    keep_alive,
    keep_idle_seconds,
    keep_interval_seconds,
    keep_count,
    linger_seconds,  ///< negative: none
    send_buffer,
    receive_buffer,
    broadcast,
};
[[nodiscard]] int set_option(int fd, socket_option option, int value) noexcept;

/// The port of a service by its name; -1 if there is none.
[[nodiscard]] int service_port(const std::string& name, const char* protocol);
int unlink_path(const char* path) noexcept;

}  // namespace runnel::os
