#include <runnel/http/client.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>

#include <runnel/context.hpp>
#include <runnel/error.hpp>

#include "src/http/body_reader.hpp"
#include "src/http/client_pool.hpp"
#include "src/http/grammar.hpp"
#include "src/http/head.hpp"
#include "src/http/response_head.hpp"

namespace runnel::http {
namespace {

using detail::connection_ptr;

/// What governs one call, to the end of its body.
struct call {
    std::optional<cancel_scope> limit;  ///< keeps the client's timeout
    context ctx;
    cancel_registration on_end;  ///< closes the connection that nobody waits on
    ~call() { on_end.stop(); }
};

/// The body of a response. Gives its connection back at its end.
class response_body final : public body_source {
public:
    response_body(std::shared_ptr<call> governs, connection_ptr c, bool keep)
        : call_(std::move(governs)), connection_(std::move(c)), keep_(keep) {}

    detail::body_reader reader;

    /// The body has been read: perhaps there was none.
    void finish() {
        call_->on_end.stop();
        if (keep_ && connection_ && !call_->ctx.err()) {
            const std::shared_ptr<client::state> pool = connection_->pool;
            pool->release(std::move(connection_));
        }
        connection_.reset();
    }

    std::size_t read_some(std::span<std::byte> out, std::error_code& ec) override {
        std::size_t n = 0;
        if (!connection_) {
            ec.clear();
            return 0;
        }
        n = reader.read_some(connection_->stream, connection_->in, call_->ctx, out, ec);
        if (ec) {
            if (const std::error_code ended = call_->ctx.err()) {
                ec = ended;
            }
            keep_ = false;
        }
        if (ec || reader.at_end()) {
            finish();
        }
        return n;
    }
    void close() noexcept override {
        call_->on_end.stop();
        connection_.reset();
    }
    [[nodiscard]] const headers* received_trailers() const noexcept override {
        return &reader.trailers();
    }

private:
    std::shared_ptr<call> call_;
    connection_ptr connection_;
    bool keep_;
};

bool is_idempotent(std::string_view method) noexcept {
    constexpr std::array<std::string_view, 6> safe = {"GET", "HEAD",  "OPTIONS",
                                                      "PUT", "TRACE", "DELETE"};
    return std::ranges::find(safe, method) != safe.end();
}

std::string request_head(const request& req, const client_options& options, bool chunked) {
    std::string head = req.method + ' ' + req.url.target() + " HTTP/1.1\r\n";
    detail::put_field(head, "Host", req.host.empty() ? req.url.authority() : req.host);
    if (!options.user_agent.empty() && !req.headers.contains("User-Agent")) {
        detail::put_field(head, "User-Agent", options.user_agent);
    }
    for (const headers::field f : req.headers) {
        const bool ours = equal_no_case(f.name, "Host") ||
                          equal_no_case(f.name, "Content-Length") ||
                          equal_no_case(f.name, "Transfer-Encoding");
        if (!ours) {
            detail::put_field(head, f.name, f.value);
        }
    }
    if (chunked) {
        head += "Transfer-Encoding: chunked\r\n";
    } else if (!req.body.empty() || req.method == "POST" || req.method == "PUT" ||
               req.method == "PATCH") {
        detail::put_field(head, "Content-Length", std::to_string(*req.body.length()));
    }
    return head += "\r\n";
}

/// Writes head and body; a short body goes out together with its head.
void write_request(const context& ctx, net::any_stream& to, request& req,
                   const client_options& options, std::error_code& ec) {
    const bool chunked = !req.body.length();
    std::string out = request_head(req, options, chunked);
    std::array<std::byte, 8192> part;
    std::uint64_t sent = 0;
    while (!ec) {
        const std::size_t n = req.body.empty() ? 0 : req.body.read_some(part, ec);
        if (ec || n == 0) {
            break;
        }
        sent += n;
        if (!chunked && sent > *req.body.length()) {
            ec = errc::body_length_mismatch;
            return;
        }
        if (chunked) {
            detail::put_hex(out, n);
            out += "\r\n";
        }
        out.append(reinterpret_cast<const char*>(part.data()), n);
        out += chunked ? "\r\n" : "";
        if (chunked || sent < *req.body.length()) {
            to.write(ctx, std::as_bytes(std::span(out)), ec);
            out.clear();
        }
    }
    if (!ec && !chunked && sent != *req.body.length()) {
        ec = errc::body_length_mismatch;
    }
    if (chunked) {
        out += "0\r\n";
        for (const headers::field f : req.trailers) {
            detail::put_field(out, f.name, f.value);
        }
        out += "\r\n";
    }
    if (!ec && !out.empty()) {
        to.write(ctx, std::as_bytes(std::span(out)), ec);
    }
}

/// Reads heads until one is final. `any`: whether a byte has come.
void read_response_head(const context& ctx, detail::client_connection& c,
                        const client_options& options, response& out, detail::framing& how,
                        bool& any, std::error_code& ec) {
    const detail::head_limits limits{.bytes = options.max_header_bytes,
                                     .line_bytes = options.max_header_bytes,
                                     .fields = options.max_header_fields};
    std::size_t from = 0;
    for (;;) {
        const std::string_view bytes = c.in.bytes();
        detail::refusal no;
        const std::size_t size = detail::find_head_end(bytes.substr(0, limits.bytes), from, no);
        if (size > 0) {
            no = detail::parse_response_head(bytes.substr(0, size), limits, out, how);
            c.in.consume(size);
            from = 0;
        }
        if (no || (size == 0 && bytes.size() >= limits.bytes)) {
            ec = no ? errc::malformed : errc::header_too_large;
            return;
        }
        if (size > 0 && (out.status >= 200 || out.status == 101)) {
            return;
        }
        if (size > 0) {
            continue;  // 1xx: the answer is still to come
        }
        if (c.in.fill(c.stream, ctx, ec) == 0) {
            if (!ec) {
                ec = runnel::errc::unexpected_eof;
            }
            return;
        }
        any = true;
    }
}

void start_response_body(response_body& b, std::string_view method, int status,
                         const detail::framing& how) {
    using kind = detail::body_reader::kind;
    constexpr std::uint64_t any_size = ~std::uint64_t{0};
    kind k = kind::until_end;
    if (method == "HEAD" || !detail::has_body(status)) {
        k = kind::none;
    } else if (how.chunked) {
        k = kind::chunked;
    } else if (how.length) {
        k = kind::length;
    }
    b.reader.start(k, how.length.value_or(0), any_size, 128);
}

/// One request on one connection. `any`: whether a byte of the response has come.
response exchange_on(const std::shared_ptr<call>& governs, const connection_ptr& c, request& req,
                     const client_options& options, bool& any, std::error_code& ec) {
    response out;
    detail::framing how;
    write_request(governs->ctx, c->stream, req, options, ec);
    // A server may have answered, and closed, before it has read all: then its answer counts.
    std::error_code read_error;
    const bool limited = options.response_timeout > clock::duration::zero();
    c->stream.set_read_deadline(limited ? clock::now() + options.response_timeout
                                        : clock::time_point::max());
    read_response_head(governs->ctx, *c, options, out, how, any, read_error);
    if (read_error) {
        ec = ec ? ec : read_error;
        return {};
    }
    const bool keep =
        !ec && how.keep_alive &&
        (how.length || how.chunked || req.method == "HEAD" || !detail::has_body(out.status));
    ec.clear();
    if (limited) {
        c->stream.set_read_deadline(clock::time_point::max());
    }
    if (!(governs->ctx == context())) {
        governs->on_end = on_cancel(governs->ctx, [weak = std::weak_ptr(c)] {
            if (const connection_ptr open = weak.lock()) {
                open->stream.close();
            }
        });
    }
    auto source = std::make_shared<response_body>(governs, c, keep);
    start_response_body(*source, req.method, out.status, how);
    out.url = req.url;
    if (source->reader.at_end()) {
        source->finish();
        return out;
    }
    out.body = http::body(std::move(source), how.chunked ? std::nullopt : how.length);
    return out;
}

response round_trip(client::state& client, const std::shared_ptr<call>& governs, request& req,
                    std::error_code& ec) {
    const bool again = is_idempotent(req.method) && (req.body.empty() || req.body_again);
    for (bool fresh = false;; fresh = true) {
        ec.clear();
        connection_ptr c = client.acquire(governs->ctx, req.url, fresh, ec);
        if (ec) {
            return {};
        }
        bool any = false;
        response out = exchange_on(governs, c, req, client.options, any, ec);
        const std::error_code ended = governs->ctx.err();
        if (!ec || ended || any || !c->used || fresh || !again || ec == runnel::errc::timed_out) {
            ec = ec && ended ? ended : ec;
            return out;
        }
        if (req.body_again) {
            req.body = req.body_again();
        }
    }
}

/// Makes of `req` the request that a redirect asks for; false if it cannot be followed.
bool follow(request& req, const response& answer, std::error_code& ec) {
    const bool repeats = answer.status == 307 || answer.status == 308;
    const bool changes = answer.status == 301 || answer.status == 302 || answer.status == 303;
    const auto location = answer.headers.find("Location");
    if ((!repeats && !changes) || !location) {
        return false;
    }
    if (repeats && !req.body.empty() && !req.body_again) {
        return false;
    }
    const url reference = url::parse(*location, ec);
    if (ec) {
        ec = errc::bad_redirect;
        return false;
    }
    url next = req.url.resolve(reference);
    if (next.host != req.url.host || next.port != req.url.port || next.scheme != req.url.scheme) {
        for (const char* const name :
             {"Authorization", "Cookie", "Cookie2", "Proxy-Authorization", "Www-Authenticate"}) {
            req.headers.erase(name);
        }
        req.host.clear();
    }
    if (changes) {
        if (req.method != "HEAD") {
            req.method = "GET";
        }
        req.body = {};
        req.body_again = nullptr;
        for (const char* const name :
             {"Content-Type", "Content-Encoding", "Content-Language", "Content-Location"}) {
            req.headers.erase(name);
        }
    } else if (req.body_again) {
        req.body = req.body_again();
    }
    if (next.fragment.empty()) {
        next.fragment = req.url.fragment;
    }
    req.url = std::move(next);
    return true;
}

}  // namespace

client::client(client_options options) : state_(std::make_shared<state>(std::move(options))) {}

response client::send(const context& ctx, request req, std::error_code& ec) const {
    ec.clear();
    if (req.url.host.empty() || !detail::is_token(req.method)) {
        ec = errc::invalid_url;
        return {};
    }
    auto governs = std::make_shared<call>();
    if (state_->options.timeout > clock::duration::zero()) {
        governs->limit.emplace(with_timeout(ctx, state_->options.timeout));
        governs->ctx = governs->limit->ctx();
    } else {
        governs->ctx = ctx;
    }
    for (int redirects = 0;; ++redirects) {
        response answer = round_trip(*state_, governs, req, ec);
        if (ec || !follow(req, answer, ec)) {
            return ec ? response() : std::move(answer);
        }
        if (redirects == state_->options.max_redirects) {
            ec = errc::too_many_redirects;
            return {};
        }
        std::error_code ignored;  // a short body is read for the sake of the connection
        static_cast<void>(answer.body.read_all(ignored, 2048));
        answer.body.close();
    }
}

response client::send(const context& ctx, request req) const {
    std::error_code ec;
    const std::string what = req.method + ' ' + req.url.to_string();
    response answer = send(ctx, std::move(req), ec);
    if (ec) {
        net::throw_error(ec, what);
    }
    return answer;
}

response client::get(const context& ctx, std::string_view to, std::error_code& ec) const {
    request req;
    req.url = url::parse(to, ec);
    return ec ? response() : send(ctx, std::move(req), ec);
}

response client::get(const context& ctx, std::string_view to) const {
    return send(ctx, request("GET", to));
}

response client::post(const context& ctx, std::string_view to, std::string_view type,
                      std::string text) const {
    request req("POST", to, std::move(text));
    req.headers.set("Content-Type", type);
    return send(ctx, std::move(req));
}

namespace {
const client& shared_client() {
    static const client* const instance = new client;  // goroutines may outlive static objects
    return *instance;
}
}  // namespace

response get(const context& ctx, std::string_view to) { return shared_client().get(ctx, to); }
response get(const context& ctx, std::string_view to, std::error_code& ec) {
    return shared_client().get(ctx, to, ec);
}

}  // namespace runnel::http
