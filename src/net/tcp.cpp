#include <runnel/net/tcp.hpp>

#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "src/net/socket_address.hpp"
#include "src/net/socket_call.hpp"
#include "src/os/socket.hpp"

namespace runnel::net {

using detail::poll_direction;
using detail::socket_call;
using detail::system_error_code;
using option = os::socket_option;

namespace {

void throw_if(std::error_code ec, std::string_view what) {
    if (ec) {
        throw_error(ec, what);
    }
}

/// Sets options until one fails.
class option_setter {
public:
    explicit option_setter(int fd) : fd_(fd) {}
    option_setter& set(option which, int value) noexcept {
        if (error_ == 0) {
            error_ = os::set_option(fd_, which, value);
        }
        return *this;
    }
    option_setter& set(const keep_alive& how) noexcept {
        set(option::keep_alive, how.enabled ? 1 : 0);
        if (how.enabled) {
            set(option::keep_idle_seconds, static_cast<int>(how.idle.count()));
            set(option::keep_interval_seconds, static_cast<int>(how.interval.count()));
            set(option::keep_count, how.count);
        }
        return *this;
    }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    const int fd_;
    int error_ = 0;
};

/// Sets options of a stream that may be closed meanwhile.
template <class F>
void set_options(detail::socket& s, std::error_code& ec, F f) noexcept {
    detail::poll_desc* const d = s.desc();
    if (d == nullptr || !d->begin_use()) {
        ec = errc::closed;
        return;
    }
    option_setter setter(d->fd());
    f(setter);
    d->end_use();
    ec = setter.error() != 0 ? system_error_code(setter.error()) : std::error_code();
}

constexpr clock::duration first_pause = std::chrono::milliseconds(5);
constexpr clock::duration longest_pause = std::chrono::seconds(1);

/// An error of one connection that has gone before it was accepted, as Linux passes it on.
bool concerns_one_connection(int error) noexcept {
    switch (-error) {
        case ECONNABORTED:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
        case ETIMEDOUT:
            return true;
        default:
            return false;
    }
}

/// Waits for that long unless the listener is closed or `ctx` ends; connections do not end it.
std::error_code wait_out(const socket_call& call, clock::duration pause) {
    const detail::ticks until = detail::deadline_after(pause);
    while (detail::now() < until) {
        const std::error_code ec = call.wait(until);
        if (ec && ec != errc::timed_out) {
            return ec;
        }
    }
    return {};
}

endpoint choose_address(std::string_view address, std::error_code& ec) {
    const host_port parts = split_host_port(address, ec);
    if (ec) {
        return {};
    }
    const std::uint16_t port = lookup_port(parts.port, ec);
    if (ec) {
        return {};
    }
    if (parts.host.empty()) {
        return {ip_address::any_v6(), port};
    }
    const auto found = resolver::system().lookup(context(), parts.host, ec);
    if (ec) {
        return {};
    }
    const auto v4 = std::find_if(found.begin(), found.end(), [](auto& a) { return a.is_v4(); });
    return {v4 != found.end() ? *v4 : found.front(), port};
}

/// A listening socket, or -errno.
int open_listener(const endpoint& at, const listen_options& options, std::error_code& ec) {
    const os::socket_address raw = detail::to_socket_address(at, ec);
    if (ec) {
        return -EINVAL;
    }
    const int fd = os::make_socket(raw.family(), SOCK_STREAM);
    if (fd < 0) {
        return fd;
    }
    option_setter setter(fd);
    setter.set(option::reuse_address, 1);
    if (options.reuse_port) {
        setter.set(option::reuse_port, 1);
    }
    if (raw.family() == AF_INET6) {
        setter.set(option::v6_only, options.v6_only ? 1 : 0);
    }
    setter.set(option::no_delay, 1).set(options.keep_alive);  // connections inherit them
    int error = setter.error();
    error = error != 0 ? error : os::bind_socket(fd, raw);
    error = error != 0 ? error : os::listen_socket(fd, options.backlog);
    if (error != 0) {
        os::close_socket(fd);
        return error;
    }
    return fd;
}

}  // namespace

void tcp_stream::set_no_delay(bool on, std::error_code& ec) noexcept {
    set_options(socket(), ec, [&](option_setter& s) { s.set(option::no_delay, on ? 1 : 0); });
}

void tcp_stream::set_no_delay(bool on) {
    std::error_code ec;
    set_no_delay(on, ec);
    throw_if(ec, "set_no_delay");
}

void tcp_stream::set_keep_alive(const keep_alive& how, std::error_code& ec) noexcept {
    set_options(socket(), ec, [&](option_setter& s) { s.set(how); });
}

void tcp_stream::set_keep_alive(const keep_alive& how) {
    std::error_code ec;
    set_keep_alive(how, ec);
    throw_if(ec, "set_keep_alive");
}

void tcp_stream::set_linger(std::optional<std::chrono::seconds> how, std::error_code& ec) noexcept {
    const int value = how ? static_cast<int>(how->count()) : -1;
    set_options(socket(), ec, [&](option_setter& s) { s.set(option::linger_seconds, value); });
}

bool is_temporary(std::error_code ec) noexcept {
    return ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
           ec == std::errc::no_buffer_space || ec == std::errc::not_enough_memory;
}

clock::duration accept_pause::next() noexcept {
    last_ = last_ == clock::duration() ? first_pause : std::min(last_ * 2, longest_pause);
    return last_;
}

tcp_stream tcp_listener::accept(const context& ctx, std::error_code& ec) {
    socket_call call(socket_.desc(), poll_direction::read, ctx, __builtin_return_address(0));
    ec = call.refusal();
    accept_pause pause;
    while (!ec) {
        os::socket_address peer;
        const auto fd = static_cast<int>(call.run(
            [&](int listening) -> ssize_t {
                const int got = os::accept_socket(listening, peer);
                return concerns_one_connection(got) ? -EINTR : got;
            },
            ec));
        if (!ec) {
            return {detail::socket(fd), detail::to_endpoint(peer)};
        }
        if (!is_temporary(ec) || !on_failure_) {
            break;
        }
        const clock::duration length = pause.next();
        (*on_failure_)(ec, length);
        ec = wait_out(call, length);
    }
    return {};
}

tcp_stream tcp_listener::accept(const context& ctx) {
    std::error_code ec;
    tcp_stream s = accept(ctx, ec);
    throw_if(ec, "accept");
    return s;
}

tcp_listener listen(const endpoint& at, const listen_options& options, std::error_code& ec) {
    ec.clear();
    tcp_listener l;
    if (options.on_accept_failure) {
        l.on_failure_ = std::make_shared<const accept_failure>(options.on_accept_failure);
    }
    if (at.kind() != endpoint::family::ip) {
        ec = std::make_error_code(std::errc::address_family_not_supported);
        return {};
    }
    const int fd = open_listener(at, options, ec);
    if (fd < 0) {
        ec = ec ? ec : system_error_code(fd);
        return {};
    }
    l.socket_ = detail::socket(fd);
    return l;
}

tcp_listener listen(std::string_view address, const listen_options& options, std::error_code& ec) {
    const endpoint at = choose_address(address, ec);
    if (ec) {
        return {};
    }
    tcp_listener l = listen(at, options, ec);
    const bool any = address.starts_with(':');
    if (any && ec == std::errc::address_family_not_supported) {  // a machine without IPv6
        return listen(endpoint(ip_address::any_v4(), at.port()), options, ec);
    }
    return l;
}

tcp_listener listen(std::string_view address, const listen_options& options) {
    std::error_code ec;
    tcp_listener l = listen(address, options, ec);
    throw_if(ec, "listen " + std::string(address));
    return l;
}

}  // namespace runnel::net
