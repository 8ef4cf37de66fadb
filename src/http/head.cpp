#include "src/http/head.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include <runnel/http/status.hpp>

#include "src/http/fields.hpp"
#include "src/http/grammar.hpp"
#include "src/http/headers_access.hpp"

namespace runnel::http::detail {
namespace {

namespace beast = boost::beast;
using beast::error_code;

constexpr refusal bad(const char* why) noexcept { return {status::bad_request, why}; }

std::string_view view(beast::string_view text) noexcept { return {text.data(), text.size()}; }

/// Fills a message with what Beast's parser finds. Bodies are not its business.
template <bool IsRequest, class Message>
class filler final : public beast::http::basic_parser<IsRequest> {
public:
    filler(Message& out, std::size_t limit) : out_(out) {
        this->header_limit(static_cast<std::uint32_t>(limit));
        this->body_limit(boost::none);
        this->skip(true);
    }

private:
    void on_request_impl(beast::http::verb /*verb*/, beast::string_view method,
                         beast::string_view target, int version, error_code& ec) override {
        ec = {};
        if constexpr (IsRequest) {
            out_.method = view(method);
            out_.target = view(target);
            out_.minor_version = version % 10;
        }
    }
    void on_response_impl(int code, beast::string_view reason, int version,
                          error_code& ec) override {
        ec = {};
        if constexpr (!IsRequest) {
            out_.status = code;
            out_.reason = view(reason);
            out_.minor_version = version % 10;
        }
    }
    void on_field_impl(beast::http::field /*name*/, beast::string_view name,
                       beast::string_view value, error_code& ec) override {
        ec = {};
        headers_access::append(out_.headers, view(name), view(value));
    }
    void on_header_impl(error_code& ec) override { ec = {}; }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           error_code& ec) override {
        ec = {};
    }
    std::size_t on_body_impl(beast::string_view body, error_code& ec) override {
        ec = {};
        return body.size();
    }
    void on_chunk_header_impl(std::uint64_t /*size*/, beast::string_view /*extensions*/,
                              error_code& ec) override {
        ec = {};
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, beast::string_view body,
                                   error_code& ec) override {
        ec = {};
        return body.size();
    }
    void on_finish_impl(error_code& ec) override { ec = {}; }

    Message& out_;
};

template <bool IsRequest, class Message>
refusal fill(std::string_view head, std::size_t count, Message& out) {
    out.headers.clear();
    filler<IsRequest, Message> parser(out, head.size());
    error_code ec;
    const std::size_t used = parser.put(boost::asio::const_buffer(head.data(), head.size()), ec);
    if (ec || used != head.size() || !parser.is_header_done() || out.headers.size() != count) {
        return bad("not HTTP/1.1");
    }
    return {};
}

bool is_target_char(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f && c != '#';
}

/// "METHOD SP target SP HTTP/1.x", with nothing more between or around them.
refusal check_request_line(std::string_view line, const head_limits& limits) {
    if (line.size() > limits.line_bytes) {
        return {status::uri_too_long, "request line too long"};
    }
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) {
        return bad("malformed request line");
    }
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!is_token(line.substr(0, first))) {
        return bad("malformed method");
    }
    if (target.empty() || !std::ranges::all_of(target, is_target_char)) {
        return bad("malformed request target");
    }
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) ||
        version[6] != '.' || !is_digit(version[7])) {
        return bad("malformed HTTP version");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        return {status::version_not_supported, "unsupported HTTP version"};
    }
    return {};
}

/// What has to do with the message's end: both sides' rules.
refusal check_framing(field_facts& facts, int minor_version) noexcept {
    framing& how = facts.how;
    how.minor_version = minor_version;
    how.keep_alive = !facts.connection_close && (minor_version == 1 || facts.connection_keep_alive);
    if (facts.has_transfer_encoding && how.length) {
        return bad("both Content-Length and Transfer-Encoding");
    }
    if (facts.has_transfer_encoding && minor_version == 0) {
        return bad("Transfer-Encoding in HTTP/1.0");
    }
    if (facts.unknown_coding) {
        return {status::not_implemented, "unsupported Transfer-Encoding"};
    }
    return {};
}

/// Sets url and host from the target.
refusal take_target(request& out, const field_facts& facts) {
    http::url& url = out.url;
    if (out.target.starts_with('/') && out.method != "CONNECT") {
        // By far the most frequent form, and one that needs no memory once the strings have some.
        for (std::string* const part :
             {&url.scheme, &url.user_info, &url.host, &url.port, &url.fragment}) {
            part->clear();
        }
        const std::string_view target = out.target;
        const std::size_t mark = target.find('?');
        url.path = target.substr(0, mark);
        url.query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
        if (url.path.find('%') != std::string::npos && !percent_decode(url.path)) {
            return bad("malformed request target");
        }
        out.host = facts.host;
        return {};
    }
    url = {};
    out.host = facts.host;
    if (out.target == "*") {
        url.path = "*";
        return out.method == "OPTIONS" ? refusal{} : bad("malformed request target");
    }
    std::error_code ec;
    if (out.method == "CONNECT") {
        url = http::url::parse("//" + out.target, ec);
        url.path.clear();
        out.host = out.target;
        return ec || url.host.empty() || url.port.empty() ? bad("malformed authority") : refusal{};
    }
    url = http::url::parse(out.target, ec);
    if (ec || url.scheme.empty() || url.host.empty()) {
        return bad("malformed request target");
    }
    out.host = url.authority();  // RFC 9112, section 3.2.2: in place of the field
    return {};
}

}  // namespace

std::size_t find_head_end(std::string_view bytes, std::size_t& from, refusal& no) noexcept {
    for (;;) {
        const std::size_t newline = bytes.find('\n', from);
        if (newline == std::string_view::npos) {
            from = bytes.size();
            return 0;
        }
        if (newline == 0 || bytes[newline - 1] != '\r') {
            no = bad("a line ends without a carriage return");
            return 0;
        }
        if (newline == 1) {
            no = bad("an empty line in place of the first");
            return 0;
        }
        if (newline >= 3 && bytes[newline - 2] == '\n') {
            return newline + 1;
        }
        from = newline + 1;
    }
}

refusal parse_request_head(std::string_view head, const head_limits& limits, request& out,
                           framing& how) {
    const std::size_t line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    if (const refusal no = check_request_line(line, limits)) {
        return no;
    }
    field_facts facts;
    const std::string_view lines = head.substr(line_end + 2, head.size() - line_end - 4);
    if (const refusal no = check_fields(lines, limits.fields, facts)) {
        return no;
    }
    if (const refusal no = check_framing(facts, line.back() - '0')) {
        return no;
    }
    if (facts.hosts > 1 || (facts.hosts == 0 && facts.how.minor_version == 1)) {
        return bad("not exactly one Host");
    }
    if (facts.unknown_expectation) {
        return {status::expectation_failed, "unknown expectation"};
    }
    if (const refusal no = fill<true>(head, facts.count, out)) {
        return no;
    }
    how = facts.how;
    how.expect_continue = how.expect_continue && how.minor_version == 1;
    return take_target(out, facts);
}

refusal parse_response_head(std::string_view head, const head_limits& limits, response& out,
                            framing& how) {
    const std::size_t line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    const bool good = line.size() >= 12 &&
                      (line.starts_with("HTTP/1.1 ") || line.starts_with("HTTP/1.0 ")) &&
                      is_digit(line[9]) && line[9] != '0' && is_digit(line[10]) &&
                      is_digit(line[11]) && (line.size() == 12 || line[12] == ' ');
    if (!good || !std::ranges::all_of(line, is_value_char)) {
        return bad("malformed status line");
    }
    // Beast wants the blank that RFC 9112 asks for, and some servers leave out.
    std::string repaired;
    if (line.size() == 12) {
        repaired.append(line).append(" ").append(head.substr(line_end));
    }
    field_facts facts;
    const std::string_view lines = head.substr(line_end + 2, head.size() - line_end - 4);
    if (const refusal no = check_fields(lines, limits.fields, facts)) {
        return no;
    }
    if (const refusal no = check_framing(facts, line[7] - '0')) {
        return no;
    }
    how = facts.how;
    return fill<false>(repaired.empty() ? head : std::string_view(repaired), facts.count, out);
}

}  // namespace runnel::http::detail
