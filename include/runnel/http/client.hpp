// runnel/http/client.hpp: asks HTTP/1.1 servers.
//
//     http::response r = http::get(ctx, "http://example.org/weather");
//     if (r.ok()) { use(r.text()); }
//
// The context governs all of a request, the reading of the response's body too: when it ends, the
// connection is closed at once, which the server sees, and whoever waits gets errc::canceled or
// errc::deadline_exceeded. (Go's http.Client)
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <runnel/clock.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/http/error.hpp>
#include <runnel/http/message.hpp>
#include <runnel/net/stream.hpp>

namespace runnel::http {

/// Makes the connection for a URL.
using connector =
    std::function<net::any_stream(const context& ctx, const url& to, std::error_code& ec)>;

/// A time of zero or less means none.
struct client_options {
    /// Null: TCP, for http only; other schemes give errc::unsupported_scheme.
    connector connect = {};
    /// Of the whole call, with its redirects, to the end of the last body.
    clock::duration timeout{};
    clock::duration connect_timeout = std::chrono::seconds(30);
    /// From the end of the request to the end of the response's head: errc::timed_out.
    clock::duration response_timeout{};
    /// After which an unused connection is no longer used.
    clock::duration idle_timeout = std::chrono::seconds(90);
    std::size_t max_idle_per_host = 16;
    /// Connections at one time, those in use included; who wants one more waits. 0: no limit.
    std::size_t max_per_host = 0;
    int max_redirects = 10;  ///< more: errc::too_many_redirects
    std::size_t max_header_bytes = 256 * 1024;
    std::size_t max_header_fields = 1000;
    std::string user_agent = "runnel";  ///< empty: the field is not sent
};

/// A handle: copies share their connections. All members may be called from any goroutine.
class client {
public:
    explicit client(client_options options = {});

    /// Sends `req` and blocks until the head of the response has come, after redirects: 301, 302
    /// and 303 go on with GET (HEAD stays), 307 and 308 repeat the request if its body can be made
    /// again, and are returned as they are if not. Authorization and Cookie do not go along to
    /// another host. A connection that was used before and turns out to be dead is replaced once,
    /// if no byte of a response has come and the method is idempotent. A status that tells of an
    /// error is a response like any other. The throwing form throws canceled_error, timeout_error
    /// or std::system_error, which names method and URL.
    [[nodiscard]] response send(const context& ctx, request req, std::error_code& ec) const;
    [[nodiscard]] response send(const context& ctx, request req) const;

    /// Errors: also errc::invalid_url.
    [[nodiscard]] response get(const context& ctx, std::string_view to, std::error_code& ec) const;
    [[nodiscard]] response get(const context& ctx, std::string_view to) const;
    [[nodiscard]] response post(const context& ctx, std::string_view to, std::string_view type,
                                std::string text) const;

    void close_idle() const;
    [[nodiscard]] std::size_t idle_connections() const;
    /// Idle or in use.
    [[nodiscard]] std::size_t connections() const;

    struct state;

private:
    std::shared_ptr<state> state_;
};

/// With a client that all callers share.
[[nodiscard]] response get(const context& ctx, std::string_view to);
[[nodiscard]] response get(const context& ctx, std::string_view to, std::error_code& ec);

}  // namespace runnel::http
