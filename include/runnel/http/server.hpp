// runnel/http/server.hpp: serves HTTP/1.1 on any listener.
//
//     http::server server(mux);
//     go([&] { server.serve(net::any_listener(net::listen("127.0.0.1:8080"))); });
//     ...
//     server.shutdown(10s);
//
// Each connection has a goroutine, which calls the handler for one request after the other. A
// connection that waits for its next request holds no buffer and no parser.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

#include <runnel/clock.hpp>
#include <runnel/detail/context.hpp>
#include <runnel/http/error.hpp>
#include <runnel/http/handler.hpp>
#include <runnel/net/stream.hpp>

namespace runnel::http {

/// Limits, and what a client gets that does not keep to one. A time of zero or less means none.
struct server_options {
    std::size_t max_header_bytes = 64 * 1024;  ///< 431, connection closed
    std::size_t max_header_fields = 128;       ///< 431, connection closed
    std::size_t max_request_line = 8 * 1024;   ///< 414, connection closed
    /// 413; a handler's read: errc::body_too_large. 0: no limit.
    std::uint64_t max_body_bytes = 32 * 1024 * 1024;
    std::size_t max_connections = 20'000;  ///< 503 for those beyond, connection closed

    /// From the first byte of a request to the end of its head, and from the accept to the first
    /// byte: 408, connection closed (silently, if there was no byte).
    clock::duration header_timeout = std::chrono::seconds(10);
    /// Between two parts of a body: a handler's read fails with errc::timed_out, which becomes 408
    /// if it leaves the handler.
    clock::duration read_timeout = std::chrono::seconds(60);
    /// For each write that the client does not read: it fails with errc::timed_out, connection
    /// closed.
    clock::duration write_timeout = std::chrono::seconds(60);
    /// Between two requests: connection closed. May be an eighth longer.
    clock::duration idle_timeout = std::chrono::seconds(120);

    /// Gets lines about exceptions that leave handlers, and about accepts that fail. By default
    /// they go to stderr. Called from any goroutine.
    std::function<void(std::string_view)> log = {};
};

/// Movable: a handle of what the connections share.
class server {
public:
    /// Throws std::invalid_argument for an empty handler.
    explicit server(handler h, server_options options = {});
    server(server&&) noexcept = default;
    server& operator=(server&&) = delete;
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    /// close(), and waits for the handlers that are running.
    ~server();

    /// Accepts connections until shutdown() or close(): then returns errc::server_closed at once,
    /// while the handlers may still run. Returns another error if the listener fails for good; when
    /// the process is out of descriptors it waits, says so in the log, and goes on. May be called
    /// for many listeners at the same time.
    std::error_code serve(net::any_listener listener);
    template <net::listener L>
    std::error_code serve(L listener) {
        return serve(net::any_listener(std::move(listener)));
    }
    /// Serves one connection that somebody else has accepted; returns when it has ended.
    void serve_connection(net::any_stream stream);

    /// Stops accepting, closes the connections that are idle, and waits until the others have
    /// answered what they were asked. If `ctx` ends before that, returns its error and leaves those
    /// alone. (Go's Server.Shutdown)
    std::error_code shutdown(const context& ctx);
    /// The same for at most `limit`; what is not done then is cut, and the error is
    /// errc::timed_out. This makes a server a shutdowner.
    std::error_code shutdown(clock::duration limit);
    /// Closes listeners and connections at once; contexts of requests are cancelled.
    void close();

    [[nodiscard]] std::size_t connections() const;
    /// Writes a line to where server_options::log says.
    void log(std::string_view line) const;

    struct state;

private:
    std::shared_ptr<state> state_;
};

}  // namespace runnel::http
