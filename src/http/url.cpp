#include <runnel/http/url.hpp>

#include <algorithm>

#include <runnel/http/error.hpp>

#include "src/http/grammar.hpp"

namespace runnel::http {
namespace {

using detail::hex_value;
using detail::is_digit;

bool is_alpha(char c) noexcept { return detail::lower(c) >= 'a' && detail::lower(c) <= 'z'; }
bool is_unreserved(char c) noexcept {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// No blank, no control character, and each '%' with its two digits.
bool well_encoded(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (c <= 0x20 || c == 0x7f) {
            return false;
        }
        if (c == '%' &&
            (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0)) {
            return false;
        }
    }
    return true;
}

std::string to_lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), detail::lower);
    return out;
}

/// Takes "scheme:" off; false if what stands before the colon cannot be one.
bool take_scheme(std::string_view& text, url& out) {
    const std::size_t end = text.find_first_of(":/?#");
    if (end == std::string_view::npos || text[end] != ':') {
        return true;
    }
    const std::string_view scheme = text.substr(0, end);
    if (scheme.empty() || !is_alpha(scheme[0]) || !std::ranges::all_of(scheme, [](char c) {
            return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
        })) {
        return false;
    }
    out.scheme = to_lower(scheme);
    text.remove_prefix(end + 1);
    return true;
}

bool is_port(std::string_view port) noexcept {
    const auto number = detail::parse_digits(port);
    return port.empty() || (port.size() <= 5 && number && *number <= 65535);
}

bool is_ip_literal(std::string_view host) noexcept {
    const std::string_view address = host.substr(0, host.find('%'));  // then comes a zone
    return std::ranges::count(address, ':') >= 2 && std::ranges::all_of(address, [](char c) {
               return hex_value(c) >= 0 || c == ':' || c == '.';
           });
}

bool parse_authority(std::string_view authority, url& out) {
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        out.user_info = authority.substr(0, at);
        authority.remove_prefix(at + 1);
    }
    std::string_view host;
    std::string_view rest;
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string_view::npos || !is_ip_literal(authority.substr(1, close - 1))) {
            return false;
        }
        host = authority.substr(1, close - 1);
        rest = authority.substr(close + 1);
    } else {
        host = authority.substr(0, authority.find(':'));
        rest = authority.substr(host.size());
        if (!std::ranges::all_of(host, [](char c) {
                return is_unreserved(c) || static_cast<unsigned char>(c) >= 0x80 ||
                       std::string_view("!$&'()*+,;=%").find(c) != std::string_view::npos;
            })) {
            return false;
        }
    }
    if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) {
        return false;
    }
    out.host = to_lower(host);
    out.port = rest.empty() ? rest : rest.substr(1);
    return true;
}

bool parse_into(std::string_view text, url& out) {
    if (!well_encoded(text) || !take_scheme(text, out)) {
        return false;
    }
    if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
        out.fragment = text.substr(hash + 1);
        text = text.substr(0, hash);
    }
    if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
        out.query = text.substr(mark + 1);
        text = text.substr(0, mark);
    }
    bool has_authority = false;
    if (text.starts_with("//")) {
        text.remove_prefix(2);
        const std::string_view authority = text.substr(0, text.find('/'));
        has_authority = true;
        if (!parse_authority(authority, out)) {
            return false;
        }
        text.remove_prefix(authority.size());
    }
    out.path = text;
    if (has_authority && out.path.empty()) {
        out.path = "/";
    }
    return true;
}

std::string_view default_port(std::string_view scheme) noexcept {
    if (scheme == "http") {
        return "80";
    }
    return scheme == "https" ? "443" : "";
}

std::string bracketed(const std::string& host) {
    return host.find(':') != std::string::npos ? '[' + host + ']' : host;
}

/// RFC 3986, section 5.2.4.
std::string remove_dot_segments(std::string_view path) {
    std::string out;
    while (!path.empty()) {
        const std::size_t slash = path.find('/', 1);
        const bool last = slash == std::string_view::npos;
        std::string_view segment = path.substr(0, slash);
        path = last ? std::string_view() : path.substr(slash);
        const bool rooted = segment.starts_with('/');
        const std::string_view name = rooted ? segment.substr(1) : segment;
        if (name == "." || name == "..") {
            if (name == "..") {
                const std::size_t cut = out.rfind('/');
                out.resize(cut == std::string::npos ? 0 : cut);
            }
            if (last && rooted) {
                out += '/';
            }
            continue;
        }
        out += segment;
    }
    return out;
}

std::string merge_paths(const url& base, const std::string& path) {
    if (!base.host.empty() && base.path.empty()) {
        return '/' + path;
    }
    const std::size_t slash = base.path.rfind('/');
    return slash == std::string::npos ? path : base.path.substr(0, slash + 1) + path;
}

std::optional<std::string> form_decode(std::string_view text) {
    std::string blanks(text);
    std::ranges::replace(blanks, '+', ' ');
    return percent_decode(blanks);
}

}  // namespace

url url::parse(std::string_view text, std::error_code& ec) {
    url out;
    ec.clear();
    if (text.empty() || !parse_into(text, out)) {
        ec = errc::invalid_url;
        return {};
    }
    return out;
}

url url::parse(std::string_view text) {
    std::error_code ec;
    url out = parse(text, ec);
    if (ec) {
        throw std::system_error(ec, "'" + std::string(text) + "'");
    }
    return out;
}

std::string url::host_and_port() const {
    return bracketed(host) + ':' + (port.empty() ? std::string(default_port(scheme)) : port);
}

std::string url::authority() const {
    const bool plain = port.empty() || port == default_port(scheme);
    return plain ? bracketed(host) : bracketed(host) + ':' + port;
}

std::string url::target() const {
    std::string text = path.empty() ? "/" : path;
    if (!query.empty()) {
        text += '?' + query;
    }
    return text;
}

std::string url::to_string() const {
    std::string text;
    if (!scheme.empty()) {
        text += scheme + ':';
    }
    if (!host.empty() || !port.empty()) {
        text += "//" + (user_info.empty() ? "" : user_info + '@') + bracketed(host);
        text += port.empty() ? "" : ':' + port;
    }
    text += path;
    text += query.empty() ? "" : '?' + query;
    text += fragment.empty() ? "" : '#' + fragment;
    return text;
}

std::string url::decoded_path() const { return percent_decode(path).value_or(path); }

url url::resolve(const url& reference) const {
    url out = reference;
    if (!reference.scheme.empty()) {
        out.path = remove_dot_segments(reference.path);
        return out;
    }
    out.scheme = scheme;
    if (!reference.host.empty()) {
        out.path = remove_dot_segments(reference.path);
        return out;
    }
    out.user_info = user_info;
    out.host = host;
    out.port = port;
    if (reference.path.empty()) {
        out.path = path;
        out.query = reference.query.empty() ? query : reference.query;
    } else if (reference.path.starts_with('/')) {
        out.path = remove_dot_segments(reference.path);
    } else {
        out.path = remove_dot_segments(merge_paths(*this, reference.path));
    }
    return out;
}

query_values parse_query(std::string_view query) {
    query_values values;
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (pair.empty() || pair.find(';') != std::string_view::npos) {
            continue;
        }
        const std::size_t equal = pair.find('=');
        auto name = form_decode(pair.substr(0, equal));
        auto value = form_decode(equal == std::string_view::npos ? "" : pair.substr(equal + 1));
        if (name && value) {
            values.emplace_back(*std::move(name), *std::move(value));
        }
    }
    return values;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
    for (auto& [key, value] : parse_query(query)) {
        if (key == name) {
            return std::move(value);
        }
    }
    return std::nullopt;
}

std::string to_query(const query_values& values) {
    std::string text;
    for (const auto& [name, value] : values) {
        text += (text.empty() ? "" : "&") + percent_encode(name) + '=' + percent_encode(value);
    }
    return text;
}

std::string percent_encode(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', digits[byte >> 4U], digits[byte & 15U]};
        }
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
            return std::nullopt;
        }
        out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
        i += 2;
    }
    return out;
}

}  // namespace runnel::http
