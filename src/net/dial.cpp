// net/dial.cpp: connecting, to all addresses of a name (RFC 8305).
//
// Each attempt runs in a goroutine of its own, under a context that ends with the first success;
// dial() returns when all have ended. A single address is tried by the caller itself.
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <runnel/chan.hpp>
#include <runnel/context.hpp>
#include <runnel/goroutine.hpp>
#include <runnel/net/tcp.hpp>
#include <runnel/select.hpp>

#include "src/net/socket_address.hpp"
#include "src/net/socket_call.hpp"
#include "src/os/socket.hpp"

namespace runnel::net {

using detail::poll_direction;
using detail::socket_call;
using detail::system_error_code;
using option = os::socket_option;

/// One attempt; it makes streams.
class tcp_dialer {
public:
    explicit tcp_dialer(const dial_options& options) : options_(options) {}

    tcp_stream connect(const context& ctx, const endpoint& to, std::error_code& ec) const {
        // A port that the system hands out for both ends may make a connection with itself, if
        // nobody listens there.
        constexpr int tries = 3;
        for (int i = 0; i < tries; ++i) {
            detail::socket s = open(to, ec);
            if (!ec) {
                finish(s, ctx, to, ec);
            }
            if (!ec && s.local_address() == to) {
                ec = std::make_error_code(std::errc::connection_refused);
                continue;
            }
            return ec ? tcp_stream() : tcp_stream(std::move(s), to);
        }
        return {};
    }

private:
    detail::socket open(const endpoint& to, std::error_code& ec) const {
        ec.clear();
        const int family = to.address().is_v4() ? AF_INET : AF_INET6;
        const int fd = os::make_socket(family, SOCK_STREAM);
        if (fd < 0) {
            ec = system_error_code(fd);
            return {};
        }
        detail::socket s(fd);
        int error = os::set_option(fd, option::no_delay, 1);
        if (error == 0) {
            error = set_keep_alive(fd);
        }
        if (error == 0 && options_.local.kind() != endpoint::family::none) {
            const os::socket_address from = detail::to_socket_address(options_.local, ec);
            error = ec ? 0 : os::bind_socket(fd, from);
        }
        if (error != 0) {
            ec = system_error_code(error);
        }
        return s;
    }

    [[nodiscard]] int set_keep_alive(int fd) const noexcept {
        const keep_alive& how = options_.keep_alive;
        if (!how.enabled) {
            return 0;
        }
        int error = os::set_option(fd, option::keep_alive, 1);
        const auto set = [&](option which, int value) {
            error = error != 0 ? error : os::set_option(fd, which, value);
        };
        set(option::keep_idle_seconds, static_cast<int>(how.idle.count()));
        set(option::keep_interval_seconds, static_cast<int>(how.interval.count()));
        set(option::keep_count, how.count);
        return error;
    }

    static void finish(detail::socket& s, const context& ctx, const endpoint& to,
                       std::error_code& ec) {
        const os::socket_address raw = detail::to_socket_address(to, ec);
        socket_call call(s.desc(), poll_direction::write, ctx, __builtin_return_address(0));
        ec = call.refusal();
        if (ec) {
            return;
        }
        const int begun = os::connect_socket(call.fd(), raw);
        if (begun != -EINPROGRESS) {
            ec = begun != 0 ? system_error_code(begun) : std::error_code();
            return;
        }
        for (;;) {
            ec = call.wait(detail::never);
            if (ec) {
                return;
            }
            if (const int error = os::socket_error(call.fd()); error != 0) {
                ec = system_error_code(error);
                return;
            }
            os::socket_address peer;
            if (os::peer_name(call.fd(), peer) == 0) {
                return;
            }  // else it was woken too early
        }
    }

    const dial_options& options_;
};

namespace {

/// The families in turn, beginning with that of the first address (RFC 8305, 4).
std::vector<endpoint> in_turn(const std::vector<ip_address>& found, std::uint16_t port) {
    std::vector<endpoint> first, second, all;
    for (const ip_address& a : found) {
        (a.is_v4() == found.front().is_v4() ? first : second).emplace_back(a, port);
    }
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        if (i < first.size()) {
            all.push_back(first[i]);
        }
        if (i < second.size()) {
            all.push_back(second[i]);
        }
    }
    return all;
}

struct outcome {
    tcp_stream connection;
    std::error_code error;
};

/// The attempts of one dial().
class race {
public:
    race(const context& ctx, const std::vector<endpoint>& to, const dial_options& options)
        : to_(to),
          options_(options),
          attempts_(with_cancel(ctx)),
          outcomes_(make_chan<outcome>(static_cast<std::ptrdiff_t>(to.size()))) {}

    tcp_stream run(std::error_code& ec) {
        tcp_stream winner;
        begin_next();
        while (under_way_ != 0) {
            std::optional<outcome> next = await();
            if (!next) {
                begin_next();
                continue;
            }
            --under_way_;
            if (!next->error && !winner.is_open()) {
                winner = std::move(next->connection);
                attempts_.cancel();
                begun_ = to_.size();
            } else if (!winner.is_open() && begun_ < to_.size()) {
                note(next->error);
                begin_next();
            } else {
                note(next->error);
            }
        }
        ec = winner.is_open() ? std::error_code() : first_error_;
        return winner;
    }

private:
    void note(std::error_code error) {
        if (!first_error_) {
            first_error_ = error;
        }
    }

    void begin_next() {
        ++under_way_;
        go([out = outcomes_, to = to_[begun_++], ctx = attempts_.ctx(), &options = options_] {
            outcome o;
            o.connection = tcp_dialer(options).connect(ctx, to, o.error);
            out.send(std::move(o));
        });
    }

    /// The next outcome; none if it is time for the next attempt.
    std::optional<outcome> await() {
        std::optional<outcome> next;
        if (begun_ < to_.size()) {
            select(on_recv(outcomes_, next), on_timeout(options_.attempt_delay));
        } else {
            next = outcomes_.recv();
        }
        return next;
    }

    const std::vector<endpoint>& to_;
    const dial_options& options_;
    cancel_scope attempts_;
    chan<outcome> outcomes_;
    std::error_code first_error_;
    std::size_t begun_ = 0;
    std::size_t under_way_ = 0;
};

std::vector<endpoint> lookup_all(const context& ctx, std::string_view address,
                                 const dial_options& options, std::error_code& ec) {
    const host_port parts = split_host_port(address, ec);
    if (ec) {
        return {};
    }
    const std::uint16_t port = lookup_port(parts.port, ec);
    if (ec) {
        return {};
    }
    const resolver& by = options.resolver != nullptr ? *options.resolver : resolver::system();
    // Without a host it is this machine, as in Go.
    const auto found = by.lookup(ctx, parts.host.empty() ? "localhost" : parts.host, ec);
    return ec ? std::vector<endpoint>() : in_turn(found, port);
}

tcp_stream dial_within(const context& ctx, std::string_view address, const dial_options& options,
                       std::error_code& ec) {
    if (detail::has_ended(ctx)) {
        ec = ctx.err();
        return {};
    }
    const std::vector<endpoint> to = lookup_all(ctx, address, options, ec);
    if (ec) {
        return {};
    }
    tcp_stream s = to.size() == 1 ? tcp_dialer(options).connect(ctx, to.front(), ec)
                                  : race(ctx, to, options).run(ec);
    if (ec && detail::has_ended(ctx)) {
        ec = ctx.err();
    }
    return s;
}

}  // namespace

tcp_stream dial(const context& ctx, std::string_view address, const dial_options& options,
                std::error_code& ec) {
    if (options.timeout == clock::duration::max()) {
        return dial_within(ctx, address, options, ec);
    }
    const auto limited = with_timeout(ctx, options.timeout);
    tcp_stream s = dial_within(limited.ctx(), address, options, ec);
    if (ec == errc::deadline_exceeded && !ctx.err()) {
        ec = errc::timed_out;
    }
    return s;
}

tcp_stream dial(const context& ctx, std::string_view address, std::error_code& ec) {
    return dial(ctx, address, {}, ec);
}

tcp_stream dial(const context& ctx, std::string_view address, const dial_options& options) {
    std::error_code ec;
    tcp_stream s = dial(ctx, address, options, ec);
    if (ec) {
        throw_error(ec, "dial " + std::string(address));
    }
    return s;
}

tcp_stream dial(std::string_view address) { return dial(context(), address); }

}  // namespace runnel::net
