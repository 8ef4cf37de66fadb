#include "src/http/client_pool.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <iterator>
#include <mutex>

#include <runnel/context.hpp>
#include <runnel/error.hpp>
#include <runnel/net/tcp.hpp>

namespace runnel::http {
namespace {

using detail::client_connection;
using detail::connection_ptr;

/// Whether a socket that nobody waits for has something to say: its end, or what nobody has asked
/// for. Not inlined: errno belongs to a thread, and goroutines move.
[[gnu::noinline]] bool says_something(int fd) noexcept {
    char byte = 0;
    const auto n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

bool is_dead(client_connection& c, clock::duration idle_timeout) {
    if (idle_timeout > clock::duration::zero() && clock::now() - c.idle_since >= idle_timeout) {
        return true;
    }
    const auto* const tcp = c.stream.target<net::tcp_stream>();
    return tcp != nullptr && says_something(tcp->native_handle());
}

net::any_stream dial_tcp(const context& ctx, const url& to, std::error_code& ec) {
    if (to.scheme != "http") {
        ec = errc::unsupported_scheme;
        return {};
    }
    net::tcp_stream s = net::dial(ctx, to.host_and_port(), ec);
    return ec ? net::any_stream() : net::any_stream(std::move(s));
}

}  // namespace

detail::client_connection::~client_connection() {
    stream.close();
    if (pool) {
        pool->forget(key);
    }
}

void client::state::forget(const std::string& key) noexcept {
    {
        const std::lock_guard guard(lock);
        const auto it = hosts.find(key);
        if (--it->second.total == 0) {
            hosts.erase(it);
        }
    }
    changed.notify_all();
}

connection_ptr client::state::take_idle(host& h, std::vector<connection_ptr>& dead) {
    while (!h.idle.empty()) {
        connection_ptr c = std::move(h.idle.back());
        h.idle.pop_back();
        c->pool = shared_from_this();
        if (!is_dead(*c, options.idle_timeout)) {
            return c;
        }
        dead.push_back(std::move(c));
    }
    return nullptr;
}

connection_ptr client::state::acquire(const context& ctx, const url& to, bool fresh,
                                      std::error_code& ec) {
    const std::string key = to.scheme + "://" + to.host_and_port();
    connection_ptr c;
    std::vector<connection_ptr> dead;  // closed behind the lock
    {
        std::unique_lock guard(lock);
        for (;;) {
            host& h = hosts[key];
            if (!fresh) {
                c = take_idle(h, dead);
            }
            if (c) {
                return c;
            }
            if (options.max_per_host == 0 || h.total < options.max_per_host) {
                ++h.total;
                break;
            }
            if (!dead.empty() || !h.idle.empty()) {  // these make room
                std::move(h.idle.begin(), h.idle.end(), std::back_inserter(dead));
                h.idle.clear();
                for (const connection_ptr& d : dead) {
                    d->pool = shared_from_this();
                }
                guard.unlock();
                dead.clear();
                guard.lock();
            } else if (changed.wait(ctx, guard) != op_status::ok) {
                ec = ctx.err();
                return nullptr;
            }
        }
        c = std::make_shared<client_connection>(shared_from_this(), key);
    }
    return connect(ctx, to, std::move(c), ec);
}

connection_ptr client::state::connect(const context& ctx, const url& to, connection_ptr c,
                                      std::error_code& ec) {
    const bool limited = options.connect_timeout > clock::duration::zero();
    const auto limit =
        with_timeout(ctx, limited ? options.connect_timeout : clock::duration::max());
    const connector& dial = options.connect;
    c->stream = dial ? dial(limit.ctx(), to, ec) : dial_tcp(limit.ctx(), to, ec);
    if (ec == runnel::errc::deadline_exceeded && !ctx.err()) {
        ec = runnel::errc::timed_out;
    }
    return ec ? nullptr : std::move(c);
}

void client::state::release(connection_ptr c) {
    if (!c->in.empty()) {
        return;  // it has said more than was asked for
    }
    c->in = {};
    c->used = true;
    c->idle_since = clock::now();
    {
        const std::lock_guard guard(lock);
        host& h = hosts[c->key];
        if (h.idle.size() < options.max_idle_per_host) {
            const std::shared_ptr<state> self = std::exchange(c->pool, nullptr);
            h.idle.push_back(std::move(c));
        }
    }
    changed.notify_one();
}

void client::close_idle() const {
    std::vector<connection_ptr> idle;
    {
        const std::lock_guard guard(state_->lock);
        for (auto& [key, h] : state_->hosts) {
            std::move(h.idle.begin(), h.idle.end(), std::back_inserter(idle));
            h.idle.clear();
        }
    }
    for (const connection_ptr& c : idle) {
        c->pool = state_;
    }
}

std::size_t client::idle_connections() const {
    const std::lock_guard guard(state_->lock);
    std::size_t n = 0;
    for (const auto& [key, h] : state_->hosts) {
        n += h.idle.size();
    }
    return n;
}

std::size_t client::connections() const {
    const std::lock_guard guard(state_->lock);
    std::size_t n = 0;
    for (const auto& [key, h] : state_->hosts) {
        n += h.total;
    }
    return n;
}

}  // namespace runnel::http
