#include <algorithm>
#include <stdexcept>
#include <string>

#include <runnel/error.hpp>
#include <runnel/http/error.hpp>

#include "src/http/connection.hpp"
#include "src/http/exchange.hpp"

namespace runnel::http::detail {

void exchange::write_head(int status) {
    if (status < 100 || status > 999) {
        throw std::invalid_argument("http: status " + std::to_string(status));
    }
    if (status_ != 0) {
        return;
    }
    if (status < 200) {
        if (framing_.minor_version == 0) {
            return;  // HTTP/1.0 knows no such answers
        }
        std::string early;
        static_cast<void>(begin_head(early, status, headers_));
        early += "\r\n";
        continue_wanted_ = continue_wanted_ && status != status::continue_;
        send(std::as_bytes(std::span(early)));
        return;
    }
    head_.clear();
    facts_ = begin_head(head_, status, headers_);
    status_ = status;
}

std::size_t exchange::write(std::span<const std::byte> part, std::error_code& ec) {
    ec.clear();
    if (status_ == 0) {
        write_head(status::ok);
    }
    if (broken_) {
        ec = broken_;
        return 0;
    }
    if (part.empty()) {
        return 0;
    }
    if (!has_body(status_)) {
        ec = errc::body_not_allowed;
        return 0;
    }
    if (facts_.length && part.size() > *facts_.length - body_size_) {
        ec = errc::body_length_mismatch;
        return 0;
    }
    body_size_ += part.size();
    if (is_head_request_) {
        if (!facts_.has_type && out_.size() < 512) {  // the head says what a GET's would
            const std::size_t n = std::min(part.size(), 512 - out_.size());
            out_.append(reinterpret_cast<const char*>(part.data()), n);
        }
        return part.size();
    }
    if (out_.size() + part.size() <= buffer_size) {
        out_.append(reinterpret_cast<const char*>(part.data()), part.size());
        return part.size();
    }
    put_part(part);
    ec = broken_;
    return broken_ ? 0 : part.size();
}

void exchange::flush(std::error_code& ec) {
    if (status_ == 0) {
        write_head(status::ok);
    }
    if (!broken_ && !is_head_request_ && (!head_sent_ || !out_.empty())) {
        put_part({});
    } else if (is_head_request_ && !head_sent_) {
        send_head(false, {});
    }
    ec = broken_;
}

/// Sends what waits, and `part` behind it, as one piece.
void exchange::put_part(std::span<const std::byte> part) {
    if (!head_sent_) {
        send_head(false, part);
        return;
    }
    constexpr std::size_t worth_copying = 16 * 1024;
    const std::size_t size = out_.size() + part.size();
    std::string frame;
    if (ending_ == ending::chunked) {
        put_hex(frame, size);
        frame += "\r\n";
    }
    const bool copy = part.size() <= worth_copying;
    frame += out_;
    out_.clear();
    if (copy) {
        frame.append(reinterpret_cast<const char*>(part.data()), part.size());
    }
    const std::string_view tail = ending_ == ending::chunked ? "\r\n" : "";
    if (copy) {
        frame += tail;
        send(std::as_bytes(std::span(frame)));
        return;
    }
    send(std::as_bytes(std::span(frame)));
    send(part);
    send(std::as_bytes(std::span(tail)));
}

/// `complete`: the whole body is in out_.
void exchange::decide_ending(bool complete) {
    if (!has_body(status_)) {
        ending_ = ending::none;
    } else if (facts_.length) {
        ending_ = ending::length;
    } else if (complete && trailers_.empty()) {
        facts_.length = body_size_;
        ending_ = ending::length;
    } else if (framing_.minor_version == 0) {
        ending_ = ending::close;
    } else {
        ending_ = ending::chunked;
    }
}

void exchange::send_head(bool complete, std::span<const std::byte> part) {
    decide_ending(complete);
    // What comes after a body that is not read to its end cannot be found.
    const bool unread = !body_.at_end() && (continue_wanted_ || body_.known_rest() > drain_limit);
    if (facts_.close || unread || ending_ == ending::close || connection_->shared().stopping) {
        keep_alive_ = false;
    }
    if (!facts_.has_date) {
        put_field(head_, "Date", date_.now());
    }
    if (!facts_.has_type && !facts_.has_encoding && has_body(status_) && body_size_ > 0) {
        const auto* const first = reinterpret_cast<const char*>(part.data());
        put_field(head_, "Content-Type",
                  detect_content_type(out_.empty() ? std::string_view(first, part.size())
                                                   : std::string_view(out_)));
    }
    // 304 may say how long a 200 would be; 204 and HEAD without a known length say nothing.
    if (ending_ == ending::length || (status_ == status::not_modified && facts_.length)) {
        head_.append("Content-Length: ");
        put_number(head_, *facts_.length);
        head_.append("\r\n");
    } else if (ending_ == ending::chunked && !is_head_request_) {
        head_.append("Transfer-Encoding: chunked\r\n");
    }
    if (!keep_alive_) {
        head_.append("Connection: close\r\n");
    } else if (framing_.minor_version == 0) {
        head_.append("Connection: keep-alive\r\n");
    }
    if (ending_ == ending::chunked && !trailers_.empty()) {
        std::string names;
        for (const headers::field f : trailers_) {
            names.append(names.empty() ? "" : ", ").append(f.name);
        }
        put_field(head_, "Trailer", names);
    }
    head_.append("\r\n");
    head_sent_ = true;
    if (is_head_request_) {
        out_.clear();
        send(std::as_bytes(std::span(head_)));
        return;
    }
    // Head and body in one write.
    const std::size_t size = out_.size() + part.size();
    const bool chunk = ending_ == ending::chunked && size > 0;
    if (chunk) {
        put_hex(head_, size);
        head_.append("\r\n");
    }
    head_.append(out_);
    out_.clear();
    if (part.size() <= 16 * 1024) {
        head_.append(reinterpret_cast<const char*>(part.data()), part.size());
        head_.append(chunk ? "\r\n" : "");
        send(std::as_bytes(std::span(head_)));
        return;
    }
    send(std::as_bytes(std::span(head_)));
    send(part);
    if (chunk) {
        send(std::as_bytes(std::span("\r\n", 2)));
    }
}

void exchange::send(std::span<const std::byte> bytes) {
    if (broken_ || bytes.empty()) {
        return;
    }
    connection_->write_within(connection_->shared().options.write_timeout);
    connection_->stream().write({}, bytes, broken_);
    if (broken_) {
        keep_alive_ = false;
        if (scope_) {
            scope_->cancel();
        }
    }
}

void exchange::send_continue() {
    if (!head_sent_) {
        constexpr std::string_view line = "HTTP/1.1 100 Continue\r\n\r\n";
        send(std::as_bytes(std::span(line)));
    }
}

void exchange::finish_response() {
    if (broken_) {
        return;
    }
    if (status_ == 0) {
        write_head(status::ok);
    }
    if (facts_.length && has_body(status_) && !is_head_request_ && body_size_ != *facts_.length) {
        connection_->shared().log("http: " + request_.method + ' ' + request_.target +
                                  ": the handler has written " + std::to_string(body_size_) +
                                  " of the " + std::to_string(*facts_.length) +
                                  " bytes that its Content-Length says");
        keep_alive_ = false;
    }
    if (!head_sent_) {
        send_head(!is_head_request_ || body_size_ <= buffer_size, {});
        if (ending_ != ending::chunked) {
            return;
        }
    } else if (!out_.empty()) {
        put_part({});
    }
    if (ending_ == ending::chunked && !is_head_request_) {
        std::string end = "0\r\n";
        for (const headers::field f : trailers_) {
            put_field(end, f.name, f.value);
        }
        end += "\r\n";
        send(std::as_bytes(std::span(end)));
    }
}

}  // namespace runnel::http::detail
