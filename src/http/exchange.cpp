#include "src/http/exchange.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <limits>
#include <utility>

#include <runnel/error.hpp>
#include <runnel/http/error.hpp>

#include "src/http/connection.hpp"

namespace runnel::http::detail {

void exchange::attach(connection& c, std::span<const std::byte> first) {
    connection_ = &c;
    in_.append(first);
    request_.remote_address = c.remote();
}

void exchange::detach() noexcept {
    connection_ = nullptr;
    in_.clear();
    in_.trim();
    if (out_.capacity() > 4 * buffer_size) {
        out_ = {};
    }
    if (head_.capacity() > 16 * buffer_size) {
        head_ = {};
    }
}

/// Whatever the last request has left, but for memory that will be used again.
void exchange::reset() {
    request_.body = {};
    request_.clear_path_values();
    request_.pattern.clear();
    headers_.clear();
    trailers_.clear();
    head_.clear();
    out_.clear();
    facts_ = {};
    ending_ = ending::undecided;
    status_ = 0;
    head_sent_ = false;
    body_size_ = 0;
    body_error_.clear();
    broken_.clear();
    continue_wanted_ = false;
    keep_alive_ = false;
    client_gone_ = false;
    watching_ = false;
}

bool exchange::serve_one() {
    reset();
    if (!read_head()) {
        return false;
    }
    start_body();
    if (status_ == 0) {
        call_handler();
    }
    stop_watch();
    finish_response();
    scope_.reset();  // the request's context ends with it
    request_.set_context({});
    const bool go_on = !broken_ && !client_gone_ && keep_alive_ && drain();
    if (!go_on && !broken_ && !client_gone_ && !(body_.at_end() && in_.empty())) {
        connection_->linger();
    }
    request_.body = {};
    return go_on;
}

bool exchange::read_head() {
    const server::state& shared = connection_->shared();
    const head_limits& limits = shared.head;
    const clock::time_point begin = clock::now();
    std::size_t from = 0;
    refusal no;
    for (;;) {
        const std::string_view bytes = in_.bytes();
        const std::size_t size = find_head_end(bytes.substr(0, limits.bytes), from, no);
        if (size > 0) {
            no = parse_request_head(bytes.substr(0, size), limits, request_, framing_);
            in_.consume(size);
            break;
        }
        const bool one_line = bytes.find('\n') == std::string_view::npos;
        if (!no && one_line && bytes.size() > limits.line_bytes) {
            no = {status::uri_too_long, "request line too long"};
        } else if (!no && bytes.size() >= limits.bytes) {
            no = {status::header_fields_too_large, "header too large"};
        }
        if (no) {
            break;
        }
        if (shared.options.header_timeout > clock::duration::zero()) {
            connection_->forget_read_deadline();
            connection_->stream().set_read_deadline(begin + shared.options.header_timeout);
        }
        std::error_code ec;
        if (in_.fill(connection_->stream(), {}, ec) == 0) {
            if (ec == runnel::errc::timed_out) {
                no = {status::request_timeout, "the head took too long"};
                break;
            }
            return false;  // it has gone in the middle of a head: nobody waits for an answer
        }
    }
    if (no) {
        refuse(no);
        return false;
    }
    return true;
}

/// An answer to what is no request; the connection cannot go on, as nobody knows where the next
/// request would begin.
void exchange::refuse(const refusal& no) {
    request_.method = "GET";
    is_head_request_ = false;
    keep_alive_ = false;
    framing_ = {};
    body_.start(body_reader::kind::none, 0, 0, 0);
    headers_.clear();
    headers_.set("Content-Type", "text/plain; charset=utf-8");
    write_head(no.status);
    std::error_code ignored;
    write(std::to_string(no.status) + ' ' + std::string(status_text(no.status)) + ": " + no.why +
              '\n',
          ignored);
    finish_response();
    if (!broken_) {
        connection_->linger();
    }
}

void exchange::start_body() {
    const server_options& options = connection_->shared().options;
    is_head_request_ = request_.method == "HEAD";
    keep_alive_ = framing_.keep_alive;
    request_.set_context_source(this);
    const std::uint64_t limit = options.max_body_bytes == 0
                                    ? std::numeric_limits<std::uint64_t>::max()
                                    : options.max_body_bytes;
    const std::uint64_t length = framing_.length.value_or(0);
    using kind = body_reader::kind;
    body_.start(framing_.chunked ? kind::chunked : kind::length, length, limit,
                options.max_header_fields);
    if (body_.at_end()) {
        return;
    }
    continue_wanted_ = framing_.expect_continue;
    if (length > limit) {
        keep_alive_ = false;
        error(*this, status::content_too_large, "413 Content Too Large");
        return;
    }
    // Not owned: it lives as long as the handler runs, and no body is to be used longer.
    request_.body = http::body(std::shared_ptr<body_source>(std::shared_ptr<void>(), this),
                               framing_.chunked ? std::nullopt : std::optional(length));
}

std::size_t exchange::read_some(std::span<std::byte> out, std::error_code& ec) {
    if (continue_wanted_) {
        continue_wanted_ = false;
        send_continue();
    }
    const clock::duration limit = connection_->shared().options.read_timeout;
    connection_->read_within(limit);
    const std::size_t n = body_.read_some(connection_->stream(), in_, {}, out, ec);
    if (ec) {
        body_error_ = ec;
        keep_alive_ = false;
        client_gone_ =
            ec != errc::malformed && ec != errc::body_too_large && ec != runnel::errc::timed_out;
        if (scope_ && client_gone_) {
            scope_->cancel();
        }
    } else if (body_.at_end() && scope_) {
        start_watch();
    }
    return n;
}

const runnel::context& exchange::request_context() {
    if (!scope_) {
        scope_.emplace(with_cancel(connection_->shared().base.ctx()));
        if (body_.at_end()) {
            start_watch();
        }
        if (client_gone_ || broken_) {
            scope_->cancel();
        }
    }
    return scope_->ctx();
}

void exchange::start_watch() {
    if (!watching_) {
        watching_ = true;
        connection_->forget_read_deadline();
        connection_->stream().set_read_deadline(clock::time_point::max());
        watch_end_.go([this] { watch(); });
    }
}

void exchange::watch() {
    while (in_.size() < pipelined_limit) {
        std::error_code ec;
        const std::size_t n = in_.fill(connection_->stream(), {}, ec);
        if (n == 0) {
            if (ec != runnel::errc::timed_out) {  // that is stop_watch()
                client_gone_ = true;
                scope_->cancel();
            }
            return;
        }
    }
}

void exchange::stop_watch() {
    if (watching_) {
        connection_->forget_read_deadline();
        connection_->stream().set_read_deadline(clock::time_point::min());
        watch_end_.wait();
    }
}

void exchange::call_handler() {
    try {
        connection_->shared().answer(request_, *this);
    } catch (const abort_handler&) {
        keep_alive_ = false;
        broken_ = runnel::errc::closed;
    } catch (const std::exception& e) {
        handler_failed(e.what(), true);
    } catch (...) {
        handler_failed("an exception that is no std::exception", false);
    }
}

void exchange::handler_failed(std::string_view what, bool speaks) {
    int code = status::internal_server_error;
    const bool quiet = broken_ || body_error_ || (scope_ && scope_->ctx().err());
    if (!quiet || !speaks) {
        connection_->shared().log("http: " + request_.method + ' ' + request_.target + " from " +
                                  request_.remote_address + ": " + std::string(what));
    }
    if (body_error_ == errc::body_too_large) {
        code = status::content_too_large;
    } else if (body_error_ == errc::malformed) {
        code = status::bad_request;
    } else if (body_error_ == runnel::errc::timed_out) {
        code = status::request_timeout;
    }
    keep_alive_ = keep_alive_ && !head_sent_;
    if (head_sent_) {
        broken_ = runnel::errc::closed;  // the client must not take a part for the whole
        return;
    }
    status_ = 0;
    head_.clear();
    out_.clear();
    body_size_ = 0;
    ending_ = ending::undecided;
    headers_.clear();
    trailers_.clear();
    error(*this, code, std::to_string(code) + ' ' + std::string(status_text(code)));
}

/// Reads what the handler has left of the body. False if that is too much.
bool exchange::drain() {
    if (body_.at_end()) {
        return true;
    }
    if (continue_wanted_ || body_.known_rest() > drain_limit) {
        return false;
    }
    std::array<std::byte, 2048> waste;
    std::uint64_t total = 0;
    while (!body_.at_end()) {
        std::error_code ec;
        total += read_some(waste, ec);
        if (ec || total > drain_limit) {
            return false;
        }
    }
    return true;
}

}  // namespace runnel::http::detail
