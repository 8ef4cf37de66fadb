#include "src/os/socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace runnel::os {
namespace {

ssize_t result(ssize_t value) noexcept { return value >= 0 ? value : -errno; }
int result(int value) noexcept { return value >= 0 ? value : -errno; }

template <class Address>
Address& as(sockaddr* data) noexcept {
    return *reinterpret_cast<Address*>(data);
}

template <class Address>
const Address& as(const sockaddr* data) noexcept {
    return *reinterpret_cast<const Address*>(data);
}

constexpr std::size_t path_at = offsetof(sockaddr_un, sun_path);

/// SIGPIPE does not reach the calling thread while it lives, and one that came is taken back.
class no_sigpipe {
public:
    no_sigpipe() noexcept {
        sigemptyset(&pipe_);
        sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGPIPE) == 1;
        pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~no_sigpipe() {
        if (!was_pending_) {  // it may have come although the call has sent something
            const timespec at_once{.tv_sec = 0, .tv_nsec = 0};
            while (sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
            }
        }
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    no_sigpipe(const no_sigpipe&) = delete;
    no_sigpipe& operator=(const no_sigpipe&) = delete;

private:
    sigset_t pipe_;
    sigset_t before_;
    bool was_pending_ = false;
};

struct level_and_name {
    int level;
    int name;
};

level_and_name names_of(socket_option option) noexcept {
    switch (option) {
        case socket_option::reuse_address:
            return {SOL_SOCKET, SO_REUSEADDR};
        case socket_option::reuse_port:
            return {SOL_SOCKET, SO_REUSEPORT};
        case socket_option::v6_only:
            return {IPPROTO_IPV6, IPV6_V6ONLY};
        case socket_option::no_delay:
            return {IPPROTO_TCP, TCP_NODELAY};
        case socket_option::keep_alive:
            return {SOL_SOCKET, SO_KEEPALIVE};
        case socket_option::keep_idle_seconds:
            return {IPPROTO_TCP, TCP_KEEPIDLE};
        case socket_option::keep_interval_seconds:
            return {IPPROTO_TCP, TCP_KEEPINTVL};
        case socket_option::keep_count:
            return {IPPROTO_TCP, TCP_KEEPCNT};
        case socket_option::linger_seconds:
            return {SOL_SOCKET, SO_LINGER};
        case socket_option::send_buffer:
            return {SOL_SOCKET, SO_SNDBUF};
        case socket_option::receive_buffer:
            return {SOL_SOCKET, SO_RCVBUF};
        case socket_option::broadcast:
            return {SOL_SOCKET, SO_BROADCAST};
    }
    return {-1, -1};
}

}  // namespace

const sockaddr* socket_address::data() const noexcept {
    return reinterpret_cast<const sockaddr*>(raw_.data());
}

sockaddr* socket_address::data() noexcept { return reinterpret_cast<sockaddr*>(raw_.data()); }

socket_address socket_address::v4(std::span<const std::uint8_t, 4> bytes,
                                  std::uint16_t port) noexcept {
    socket_address a;
    auto& raw = as<sockaddr_in>(a.data());
    raw.sin_family = AF_INET;
    raw.sin_port = htons(port);
    std::memcpy(&raw.sin_addr, bytes.data(), bytes.size());
    a.size_ = sizeof raw;
    return a;
}

socket_address socket_address::v6(std::span<const std::uint8_t, 16> bytes, std::uint32_t zone,
                                  std::uint16_t port) noexcept {
    socket_address a;
    auto& raw = as<sockaddr_in6>(a.data());
    raw.sin6_family = AF_INET6;
    raw.sin6_port = htons(port);
    raw.sin6_scope_id = zone;
    std::memcpy(&raw.sin6_addr, bytes.data(), bytes.size());
    a.size_ = sizeof raw;
    return a;
}

int socket_address::local(std::string_view path, socket_address& out) noexcept {
    constexpr std::size_t room = sizeof(sockaddr_un) - path_at;
    const bool abstract = path.starts_with('@');
    if (path.size() + (abstract ? 0 : 1) > room) {
        return -ENAMETOOLONG;
    }
    out = {};
    auto& raw = as<sockaddr_un>(out.data());
    raw.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), std::begin(raw.sun_path));
    if (abstract) {
        raw.sun_path[0] = '\0';
    }
    out.size_ = static_cast<socklen_t>(path_at + path.size() + (abstract ? 0 : 1));
    return 0;
}

int socket_address::family() const noexcept {
    return size_ < sizeof(sa_family_t) ? AF_UNSPEC : data()->sa_family;
}

std::span<const std::uint8_t> socket_address::bytes() const noexcept {
    if (family() == AF_INET) {
        const void* const at = &as<sockaddr_in>(data()).sin_addr;
        return {static_cast<const std::uint8_t*>(at), 4};
    }
    if (family() == AF_INET6) {
        const void* const at = &as<sockaddr_in6>(data()).sin6_addr;
        return {static_cast<const std::uint8_t*>(at), 16};
    }
    return {};
}

std::uint32_t socket_address::zone() const noexcept {
    return family() == AF_INET6 ? as<sockaddr_in6>(data()).sin6_scope_id : 0;
}

std::uint16_t socket_address::port() const noexcept {
    if (family() == AF_INET) {
        return ntohs(as<sockaddr_in>(data()).sin_port);
    }
    return family() == AF_INET6 ? ntohs(as<sockaddr_in6>(data()).sin6_port) : 0;
}

std::string socket_address::path() const {
    if (family() != AF_UNIX || size_ <= path_at) {
        return {};
    }
    const auto& raw = as<sockaddr_un>(data());
    std::string path(std::begin(raw.sun_path), size_ - path_at);
    if (path.front() == '\0') {
        path.front() = '@';
        return path;
    }
    return path.substr(0, path.find('\0'));
}

int make_socket(int family, int type) noexcept {
    return result(::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int make_socket_pair(int& first, int& second) noexcept {
    std::array<int, 2> pair{};
    const int error =
        result(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()));
    first = pair[0];
    second = pair[1];
    return error;
}

int bind_socket(int fd, const socket_address& to) noexcept {
    return result(::bind(fd, to.data(), to.size()));
}

int listen_socket(int fd, int backlog) noexcept { return result(::listen(fd, backlog)); }

int connect_socket(int fd, const socket_address& to) noexcept {
    // Interrupted by a signal it goes on all the same (POSIX), as if it were in progress.
    const int error = result(::connect(fd, to.data(), to.size()));
    return error == -EINTR ? -EINPROGRESS : error;
}

int accept_socket(int fd, socket_address& peer) noexcept {
    return result(::accept4(fd, peer.data(), &peer.room(), SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int shutdown_socket(int fd, bool read, bool write) noexcept {
    return result(::shutdown(fd, read ? (write ? SHUT_RDWR : SHUT_RD) : SHUT_WR));
}

void close_socket(int fd) noexcept { ::close(fd); }

ssize_t receive(int fd, std::span<std::byte> in) noexcept {
    return result(::recv(fd, in.data(), in.size(), 0));
}

ssize_t peek(int fd, std::span<std::byte> in) noexcept {
    return result(::recv(fd, in.data(), in.size(), MSG_PEEK));
}

ssize_t send(int fd, std::span<const std::byte> out) noexcept {
    return result(::send(fd, out.data(), out.size(), MSG_NOSIGNAL));
}

ssize_t send_parts(int fd, std::span<const iovec> parts) noexcept {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts.data());  // not written to by sendmsg
    message.msg_iovlen = parts.size();
    return result(::sendmsg(fd, &message, MSG_NOSIGNAL));
}

ssize_t receive_from(int fd, std::span<std::byte> in, socket_address& from,
                     bool& truncated) noexcept {
    iovec part{.iov_base = in.data(), .iov_len = in.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_name = from.data();
    message.msg_namelen = from.room();
    const ssize_t count = result(::recvmsg(fd, &message, 0));
    from.room() = message.msg_namelen;
    truncated = (message.msg_flags & MSG_TRUNC) != 0;
    return count;
}

ssize_t send_to(int fd, std::span<const std::byte> out, const socket_address& to) noexcept {
    const bool connected = to.family() == AF_UNSPEC;
    return result(::sendto(fd, out.data(), out.size(), MSG_NOSIGNAL,
                           connected ? nullptr : to.data(), connected ? 0 : to.size()));
}

ssize_t send_file(int fd, int from, off_t& offset, std::size_t count) noexcept {
    const no_sigpipe quiet;  // sendfile has no flag for it
    return result(::sendfile(fd, from, &offset, count));
}

int socket_error(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    const int failed = result(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    return failed != 0 ? failed : -error;
}

int local_name(int fd, socket_address& out) noexcept {
    return result(::getsockname(fd, out.data(), &out.room()));
}

int peer_name(int fd, socket_address& out) noexcept {
    return result(::getpeername(fd, out.data(), &out.room()));
}

int set_option(int fd, socket_option option, int value) noexcept {
    const auto [level, name] = names_of(option);
    if (option == socket_option::linger_seconds) {
        const linger l{.l_onoff = value >= 0 ? 1 : 0, .l_linger = std::max(value, 0)};
        return result(::setsockopt(fd, level, name, &l, sizeof l));
    }
    return result(::setsockopt(fd, level, name, &value, sizeof value));
}

int service_port(const std::string& name, const char* protocol) {
    std::array<char, 1024> room{};
    servent entry{};
    servent* found = nullptr;
    ::getservbyname_r(name.c_str(), protocol, &entry, room.data(), room.size(), &found);
    return found != nullptr ? ntohs(static_cast<std::uint16_t>(found->s_port)) : -1;
}

int unlink_path(const char* path) noexcept { return result(::unlink(path)); }

}  // namespace runnel::os
