// runnel/http/handler.hpp: what answers a request.
//
//     http::handler hello = [](http::request& req, http::response_writer& w) {
//         w.headers().set("Content-Type", "text/plain");
//         w.write("hello, " + std::string(req.path_value("name")));
//     };
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/http/headers.hpp>
#include <runnel/http/message.hpp>
#include <runnel/http/status.hpp>

namespace runnel::http {

/// Where a handler writes its answer. Only the handler's goroutine may use it, or another one while
/// the handler waits for that; not after the handler has returned.
class response_writer {
public:
    response_writer() = default;
    response_writer(const response_writer&) = delete;
    response_writer& operator=(const response_writer&) = delete;
    virtual ~response_writer() = default;

    /// What write_head() will send. Without a Content-Length the server adds one if the whole body
    /// fits its buffer, else the body is chunked. Changes after write_head() are not seen.
    [[nodiscard]] virtual http::headers& headers() = 0;
    /// Sent after a chunked body. Fields may be added until the handler returns; there must be one
    /// before the head is sent, or flush() have been called, for the body to be chunked.
    [[nodiscard]] virtual http::headers& trailers() = 0;

    /// Fixes status and headers. From 100 to 199: sends them at once, as an answer that comes
    /// before the answer. Otherwise the first call counts. Throws std::invalid_argument unless
    /// `status` is from 100 to 999.
    virtual void write_head(int status) = 0;
    /// A part of the body; write_head(200) if there was none. Blocks while the client does not
    /// read. Returns how much of it was taken. A response to HEAD takes all and sends nothing;
    /// other responses without a body: errc::body_not_allowed; more than Content-Length says:
    /// errc::body_length_mismatch.
    virtual std::size_t write(std::span<const std::byte> part, std::error_code& ec) = 0;
    /// Sends what is buffered, for events that the client should see now (server-sent events).
    virtual void flush(std::error_code& ec) = 0;

    /// What write_head() has fixed; 0 before.
    [[nodiscard]] virtual int status() const noexcept = 0;
    /// Bytes of the body so far.
    [[nodiscard]] virtual std::uint64_t body_size() const noexcept = 0;

    std::size_t write(std::string_view part, std::error_code& ec) {
        return write(std::as_bytes(std::span(part)), ec);
    }
    /// These throw std::system_error, timeout_error or canceled_error. An error that came from the
    /// connection may leave the handler: nobody is there any more to hear about it.
    void write(std::string_view part);
    void write(std::span<const std::byte> part);
    void flush();
};

/// Answers one request. Called in the connection's goroutine. An exception that leaves it is logged
/// and becomes a response with status 500, or ends the connection if part of one has been sent.
using handler = std::function<void(request&, response_writer&)>;

/// What is put around handlers.
using middleware = std::function<handler(handler)>;

/// chain(h, a, b, c): c is nearest to `h`, a sees the request first.
[[nodiscard]] inline handler chain(handler h) { return h; }
template <class M, class... Inner>
[[nodiscard]] handler chain(handler h, const M& outer, const Inner&... inner) {
    return outer(chain(std::move(h), inner...));
}

/// Thrown by a handler to give up: the connection is closed, and nothing is logged.
/// (Go's http.ErrAbortHandler)
class abort_handler : public std::exception {
public:
    [[nodiscard]] const char* what() const noexcept override { return "http: handler aborted"; }
};

/// Answers with `code` and a line of plain text. (Go's http.Error)
void error(response_writer& w, int code, std::string_view text);
/// 404.
void not_found(request& req, response_writer& w);
/// Sends the client elsewhere; `to` may be relative to the request's path. Throws
/// std::invalid_argument unless `code` is from 300 to 399.
void redirect(request& req, response_writer& w, std::string_view to, int code);

/// The Content-Type that the first bytes of a body suggest (the WHATWG's rules, as Go's
/// DetectContentType); "application/octet-stream" when they say nothing.
[[nodiscard]] std::string_view detect_content_type(std::string_view start) noexcept;

}  // namespace runnel::http
