// runnel/http/message.hpp: a request and a response, as both sides see them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <runnel/detail/context.hpp>
#include <runnel/http/body.hpp>
#include <runnel/http/headers.hpp>
#include <runnel/http/url.hpp>

namespace runnel::http {

namespace detail {
/// Whoever makes the context of a server's request when it is first asked for.
class context_source {
public:
    [[nodiscard]] virtual const runnel::context& request_context() = 0;

protected:
    ~context_source() = default;
};
}  // namespace detail

/// A request: for a handler what has come, for a client what is to be sent.
struct request {
    request() = default;
    /// For a client. Throws std::system_error (errc::invalid_url) for what is not a URL.
    request(std::string_view method_, std::string_view url_)
        : method(method_), url(http::url::parse(url_)) {}
    request(std::string_view method_, std::string_view url_, std::string body_)
        : request(method_, url_) {
        set_body(std::move(body_));
    }

    std::string method = "GET";
    /// A server's has only path and query, unless the request line had more.
    http::url url;
    http::headers headers;
    http::body body;

    /// Server: what the field Host says, or the authority in the request line. Client: sent as Host
    /// in place of the URL's; empty for that.
    std::string host;
    /// Server: what the request line said, as it came.
    std::string target;
    /// Server: the minor version of HTTP/1.
    int minor_version = 1;
    /// Server: who asks, as text.
    std::string remote_address;
    /// Server: the mux's pattern that has matched.
    std::string pattern;
    /// Client: sent after a chunked body.
    http::headers trailers;

    /// Sends `text` as the body; it can be sent again, as some redirects want.
    void set_body(std::string text);
    /// Client: makes the body once more, for a redirect or a second try. set_body() sets it.
    std::function<http::body()> body_again;

    /// Server: ends when the client goes away, when the handler returns, or when the server is
    /// closed. Else as it was set; the background in the beginning.
    [[nodiscard]] const runnel::context& context() {
        return source_ != nullptr ? source_->request_context() : context_;
    }
    void set_context(runnel::context ctx) {
        context_ = std::move(ctx);
        source_ = nullptr;
    }

    /// What stood in the place of {name} in the mux's pattern, decoded; empty if it has none.
    [[nodiscard]] std::string_view path_value(std::string_view name) const noexcept;
    void set_path_value(std::string_view name, std::string_view value);
    void clear_path_values() noexcept { path_values_.clear(); }

    /// Server, for the library itself.
    void set_context_source(detail::context_source* source) noexcept { source_ = source; }

private:
    runnel::context context_;
    detail::context_source* source_ = nullptr;
    std::vector<std::pair<std::string, std::string>> path_values_;
};

/// What a client gets. The connection is used again once the body has been read to its end; if the
/// response is dropped, or its body closed, before that, the connection is closed.
struct response {
    int status = 0;
    std::string reason;  ///< the text beside the status, as it came
    int minor_version = 1;
    http::headers headers;
    http::body body;
    http::url url;              ///< that was asked last, after the redirects
    bool decompressed = false;  ///< the client has undone the body's gzip

    [[nodiscard]] bool ok() const noexcept { return status >= 200 && status < 300; }
    /// The rest of the body. Throws std::system_error, also if the body breaks off.
    [[nodiscard]] std::string text(std::size_t limit = http::body::no_limit) {
        return body.read_all(limit);
    }
};

}  // namespace runnel::http
