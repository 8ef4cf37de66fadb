#include <runnel/net/address.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include <runnel/error.hpp>

#include "src/os/interface.hpp"

namespace runnel::net {
namespace {

using v4_bytes = std::array<std::uint8_t, 4>;
using v6_bytes = std::array<std::uint8_t, 16>;

[[noreturn]] void refuse(std::error_code ec, const std::string& why, std::string_view text) {
    throw std::system_error(ec, "runnel: " + why + ": '" + std::string(text) + "'");
}

/// The whole of `text` as a number without signs; none if it is longer than `digits`.
template <class Number>
std::optional<Number> number(std::string_view text, int base, std::size_t digits) {
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && text.size() <= digits ? std::optional(value) : std::nullopt;
}

std::optional<v4_bytes> parse_v4(std::string_view text) {
    v4_bytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const std::size_t dot = i == 3 ? text.size() : text.find('.');
        if (dot == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view part = text.substr(0, dot);
        const auto value = number<std::uint8_t>(part, 10, 3);
        if (!value || (part.size() > 1 && part.front() == '0')) {  // no octal by accident
            return std::nullopt;
        }
        bytes[i] = *value;
        text.remove_prefix(i == 3 ? dot : dot + 1);
    }
    return bytes;
}

/// What was read of an IPv6 address: groups before "::" and after it.
struct groups {
    v6_bytes bytes{};
    std::size_t filled = 0;
    std::optional<std::size_t> gap;

    [[nodiscard]] bool add(std::uint16_t group) {
        if (filled + 2 > bytes.size()) {
            return false;
        }
        bytes[filled++] = static_cast<std::uint8_t>(group >> 8);
        bytes[filled++] = static_cast<std::uint8_t>(group);
        return true;
    }
    [[nodiscard]] bool add(const v4_bytes& v4) {
        return add(static_cast<std::uint16_t>(v4[0] << 8 | v4[1])) &&
               add(static_cast<std::uint16_t>(v4[2] << 8 | v4[3]));
    }
    [[nodiscard]] std::optional<v6_bytes> finish() const {
        if (!gap) {
            return filled == bytes.size() ? std::optional(bytes) : std::nullopt;
        }
        if (filled == bytes.size()) {
            return std::nullopt;  // "::" stands for one group at least
        }
        v6_bytes all{};
        std::copy_n(bytes.begin(), *gap, all.begin());
        std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(*gap),
                  bytes.begin() + static_cast<std::ptrdiff_t>(filled),
                  all.end() - static_cast<std::ptrdiff_t>(filled - *gap));
        return all;
    }
};

/// Takes the group at the front of `text` with the colon behind it; false if there is none.
bool take_group(std::string_view& text, groups& read) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && part.find('.') != std::string_view::npos) {
        const auto v4 = parse_v4(part);
        text = {};
        return v4 && read.add(*v4);
    }
    const auto group = number<std::uint16_t>(part, 16, 4);
    if (!group || !read.add(*group)) {
        return false;
    }
    if (colon == std::string_view::npos) {
        text = {};
        return true;
    }
    text.remove_prefix(colon + 1);
    return !text.empty();  // no colon at the end, except those of "::"
}

std::optional<v6_bytes> parse_v6(std::string_view text) {
    groups read;
    if (text.starts_with("::")) {
        read.gap = 0;
        text.remove_prefix(2);
    }
    while (!text.empty()) {
        if (text.front() == ':' && !read.gap && read.filled != 0) {
            read.gap = read.filled;
            text.remove_prefix(1);
            continue;
        }
        if (!take_group(text, read)) {
            return std::nullopt;
        }
    }
    return read.finish();
}

bool parse_zone(std::string_view text, std::uint32_t& zone) {
    if (const auto index = number<std::uint32_t>(text, 10, 10); index && *index != 0) {
        zone = *index;
    } else {
        zone = os::interface_index(std::string(text));
    }
    return zone != 0;
}

/// The longest run of two or more zero groups, of 8; the first of equals (RFC 5952).
std::pair<std::size_t, std::size_t> longest_gap(std::span<const std::uint8_t> bytes) {
    std::pair<std::size_t, std::size_t> best{8, 1};
    for (std::size_t i = 0; i < 8; ++i) {
        std::size_t length = 0;
        while (i + length < 8 && bytes[2 * (i + length)] == 0 && bytes[2 * (i + length) + 1] == 0) {
            ++length;
        }
        if (length > best.second) {
            best = {i, length};
        }
    }
    return best;
}

std::string hex(unsigned value) {
    std::array<char, 8> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr;
    return {text.data(), end};
}

bool is_mapped_v4(std::span<const std::uint8_t> bytes) {
    return std::all_of(bytes.begin(), bytes.begin() + 10, [](auto b) { return b == 0; }) &&
           bytes[10] == 0xff && bytes[11] == 0xff;
}

std::string v4_text(std::span<const std::uint8_t> bytes) {
    return std::to_string(bytes[0]) + "." + std::to_string(bytes[1]) + "." +
           std::to_string(bytes[2]) + "." + std::to_string(bytes[3]);
}

std::string v6_text(std::span<const std::uint8_t> bytes) {
    if (is_mapped_v4(bytes)) {
        return "::ffff:" + v4_text(bytes.subspan(12));
    }
    const auto [gap, length] = longest_gap(bytes);
    std::string text;
    for (std::size_t i = 0; i < 8;) {
        if (i == gap) {
            text += "::";
            i += length;
            continue;
        }
        if (i != 0 && !text.ends_with("::")) {
            text += ":";
        }
        text += hex(static_cast<unsigned>(bytes[2 * i]) << 8 | bytes[2 * i + 1]);
        ++i;
    }
    return text;
}

}  // namespace

ip_address ip_address::v4(std::array<std::uint8_t, 4> bytes) noexcept {
    ip_address a;
    std::copy(bytes.begin(), bytes.end(), a.bytes_.begin());
    return a;
}

ip_address ip_address::v6(std::array<std::uint8_t, 16> bytes, std::uint32_t zone) noexcept {
    ip_address a;
    a.v6_ = true;
    a.bytes_ = bytes;
    a.zone_ = zone;
    return a;
}

ip_address ip_address::loopback_v6() noexcept {
    return v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
}

ip_address ip_address::parse(std::string_view text, std::error_code& ec) {
    ec.clear();
    if (text.find(':') == std::string_view::npos) {
        if (const auto bytes = parse_v4(text)) {
            return v4(*bytes);
        }
        ec = errc::bad_address;
        return {};
    }
    const std::size_t percent = text.find('%');
    const auto bytes = parse_v6(text.substr(0, percent));
    if (!bytes || percent == text.size() - 1) {
        ec = errc::bad_address;
        return {};
    }
    std::uint32_t zone = 0;
    if (percent != std::string_view::npos && !parse_zone(text.substr(percent + 1), zone)) {
        ec = std::make_error_code(std::errc::no_such_device);
        return {};
    }
    return v6(*bytes, zone);
}

ip_address ip_address::parse(std::string_view text) {
    std::error_code ec;
    const ip_address a = parse(text, ec);
    if (ec) {
        refuse(ec, ec == errc::bad_address ? "not an IP address" : "no such interface", text);
    }
    return a;
}

bool ip_address::is_loopback() const noexcept {
    return v6_ ? bytes_ == loopback_v6().bytes_ : bytes_[0] == 127;
}

bool ip_address::is_unspecified() const noexcept {
    return std::all_of(bytes_.begin(), bytes_.end(), [](auto b) { return b == 0; });
}

bool ip_address::is_multicast() const noexcept {
    return v6_ ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0;
}

bool ip_address::is_link_local() const noexcept {
    return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80
               : bytes_[0] == 169 && bytes_[1] == 254;
}

std::string ip_address::to_string() const {
    if (!v6_) {
        return v4_text(bytes());
    }
    std::string text = v6_text(bytes());
    if (zone_ != 0) {
        const std::string name = os::interface_name(zone_);
        text += "%" + (name.empty() ? std::to_string(zone_) : name);
    }
    return text;
}

endpoint endpoint::local(std::string path) {
    endpoint e;
    e.family_ = family::local;
    e.path_ = std::move(path);
    return e;
}

endpoint endpoint::memory() {
    endpoint e;
    e.family_ = family::memory;
    return e;
}

endpoint endpoint::parse(std::string_view text, std::error_code& ec) {
    const host_port parts = split_host_port(text, ec);
    if (ec) {
        return {};
    }
    const ip_address address = ip_address::parse(parts.host, ec);
    if (ec) {
        return {};
    }
    const auto port = number<std::uint16_t>(parts.port, 10, 5);
    if (!port) {
        ec = errc::bad_address;
        return {};
    }
    return {address, *port};
}

endpoint endpoint::parse(std::string_view text) {
    const host_port parts = split_host_port(text);
    const ip_address address = ip_address::parse(parts.host);
    const auto port = number<std::uint16_t>(parts.port, 10, 5);
    if (!port) {
        refuse(errc::bad_address, "not a port number", parts.port);
    }
    return {address, *port};
}

std::string endpoint::to_string() const {
    switch (family_) {
        case family::ip:
            return join_host_port(address_.to_string(), std::to_string(port_));
        case family::local:
            return path_;
        case family::memory:
            return "pipe";
        case family::none:
            break;
    }
    return {};
}

namespace {

/// Takes `text` apart; a name for what is wrong with it if that fails.
const char* split(std::string_view text, host_port& out, std::error_code& ec) {
    const std::size_t colon = text.rfind(':');
    const bool bracketed = text.starts_with('[');
    const std::size_t close = bracketed ? text.find(']') : std::string_view::npos;
    ec = errc::bad_address;
    if (bracketed && close == std::string_view::npos) {
        return "missing ']' in address";
    }
    if (colon == std::string_view::npos || (bracketed && close + 1 == text.size())) {
        ec = errc::missing_port;
        return "missing port in address";
    }
    if (bracketed && close + 1 != colon) {
        return text[close + 1] == ':' ? "too many colons in address" : "malformed address";
    }
    const std::string_view host = bracketed ? text.substr(1, close - 1) : text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (!bracketed && host.find(':') != std::string_view::npos) {
        return "too many colons in address (an IPv6 host needs brackets)";
    }
    if (host.find_first_of("[]") != std::string_view::npos) {
        return "unexpected bracket in address";
    }
    if (port.find_first_of("[]") != std::string_view::npos) {
        return "unexpected bracket in address";
    }
    ec.clear();
    out = {std::string(host), std::string(port)};
    return nullptr;
}

}  // namespace

host_port split_host_port(std::string_view text, std::error_code& ec) {
    host_port out;
    split(text, out, ec);
    return out;
}

host_port split_host_port(std::string_view text) {
    host_port out;
    std::error_code ec;
    if (const char* const why = split(text, out, ec); why != nullptr) {
        refuse(ec, why, text);
    }
    return out;
}

std::string join_host_port(std::string_view host, std::string_view port) {
    const bool brackets = host.find(':') != std::string_view::npos;
    std::string text = brackets ? "[" : "";
    text += host;
    text += brackets ? "]:" : ":";
    return text += port;
}

}  // namespace runnel::net

std::size_t std::hash<runnel::net::ip_address>::operator()(
    const runnel::net::ip_address& a) const noexcept {
    const auto bytes = a.bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return std::hash<std::string_view>()(text) ^ a.zone() * 0x9e3779b97f4a7c15U;
}

std::size_t std::hash<runnel::net::endpoint>::operator()(
    const runnel::net::endpoint& e) const noexcept {
    return std::hash<runnel::net::ip_address>()(e.address()) ^
           std::hash<std::string>()(e.path()) * 31 ^ e.port() * 0x9e3779b97f4a7c15U;
}
