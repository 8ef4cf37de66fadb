#include "src/http/chunked.hpp"

#include <algorithm>
#include <array>

#include <runnel/http/status.hpp>

#include "src/http/fields.hpp"
#include "src/http/grammar.hpp"
#include "src/http/headers_access.hpp"

namespace runnel::http::detail {
namespace {

constexpr refusal bad(const char* why) noexcept { return {status::bad_request, why}; }

/// A trailer of one of these would change the message's meaning after the fact.
constexpr std::array<std::string_view, 12> forbidden = {
    "Content-Length", "Transfer-Encoding", "Host",         "Connection",
    "Trailer",        "Content-Encoding",  "Content-Type", "Content-Range",
    "Authorization",  "Set-Cookie",        "Expect",       "Keep-Alive"};

}  // namespace

std::size_t chunked_decoder::feed(std::string_view bytes, headers& trailers, refusal& no) {
    if (phase_ == phase::data_end) {
        if (bytes.size() < 2) {
            no =
                bytes.empty() || bytes[0] == '\r' ? refusal{} : bad("a chunk longer than its size");
            return 0;
        }
        if (!bytes.starts_with("\r\n")) {
            no = bad("a chunk longer than its size");
            return 0;
        }
        phase_ = phase::size;
        return 2;
    }
    const std::size_t newline = bytes.find('\n');
    if (newline == std::string_view::npos) {
        no = bytes.size() > longest_line ? bad("a line in a chunked body is too long") : refusal{};
        return 0;
    }
    if (newline > longest_line || newline == 0 || bytes[newline - 1] != '\r') {
        no = bad("a malformed line in a chunked body");
        return 0;
    }
    const std::string_view line = bytes.substr(0, newline - 1);
    no = phase_ == phase::size ? take_size(line) : take_trailer(line, trailers);
    return no ? 0 : newline + 1;
}

refusal chunked_decoder::take_size(std::string_view line) {
    std::size_t digits = 0;
    std::uint64_t size = 0;
    while (digits < line.size() && hex_value(line[digits]) >= 0) {
        if (digits == 16) {
            return bad("a chunk's size is too long");
        }
        size = size * 16 + static_cast<std::uint64_t>(hex_value(line[digits]));
        ++digits;
    }
    if (digits == 0 || size > (std::uint64_t{1} << 62U)) {
        return bad("malformed chunk size");
    }
    const std::string_view extensions = line.substr(digits);
    if (!extensions.empty() &&
        (extensions[0] != ';' || !std::ranges::all_of(extensions, is_value_char))) {
        return bad("malformed chunk extension");
    }
    extra_ += extensions.size();
    if (extra_ > overhead) {
        return bad("too many chunk extensions");
    }
    remaining_ = size;
    phase_ = size == 0 ? phase::trailer : phase::data;
    return {};
}

refusal chunked_decoder::take_trailer(std::string_view line, headers& trailers) {
    if (line.empty()) {
        phase_ = phase::done;
        return {};
    }
    std::string_view name;
    std::string_view value;
    if (const refusal no = split_field(line, name, value)) {
        return no;
    }
    extra_ += line.size();
    if (++fields_ > max_fields_ || extra_ > overhead) {
        return bad("too many trailers");
    }
    if (std::ranges::any_of(forbidden,
                            [&](std::string_view f) { return equal_no_case(f, name); })) {
        return bad("a trailer that may not be one");
    }
    headers_access::append(trailers, name, value);
    return {};
}

}  // namespace runnel::http::detail
