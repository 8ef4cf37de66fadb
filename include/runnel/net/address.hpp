// runnel/net/address.hpp: IP addresses, endpoints, and host:port as text.
//
// Values: copyable, comparable, hashable. Parsing is strict (Go's net.ParseIP, net.SplitHostPort):
// no octal, no shortened IPv4, no white space.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace runnel::net {

/// An IPv4 or IPv6 address; the latter may have a zone (the index of an interface).
/// Default-constructed it is 0.0.0.0.
class ip_address {
public:
    ip_address() noexcept = default;
    [[nodiscard]] static ip_address v4(std::array<std::uint8_t, 4> bytes) noexcept;
    [[nodiscard]] static ip_address v6(std::array<std::uint8_t, 16> bytes,
                                       std::uint32_t zone = 0) noexcept;
    [[nodiscard]] static ip_address loopback_v4() noexcept { return v4({127, 0, 0, 1}); }
    [[nodiscard]] static ip_address loopback_v6() noexcept;
    [[nodiscard]] static ip_address any_v4() noexcept { return {}; }
    [[nodiscard]] static ip_address any_v6() noexcept { return v6({}); }

    /// "192.0.2.1", "2001:db8::1", "fe80::1%eth0", "fe80::1%2". Errors: errc::bad_address; for a
    /// zone that no interface has, std::errc::no_such_device.
    [[nodiscard]] static ip_address parse(std::string_view text, std::error_code& ec);
    [[nodiscard]] static ip_address parse(std::string_view text);

    [[nodiscard]] bool is_v4() const noexcept { return !v6_; }
    [[nodiscard]] bool is_v6() const noexcept { return v6_; }
    [[nodiscard]] bool is_loopback() const noexcept;
    [[nodiscard]] bool is_unspecified() const noexcept;
    [[nodiscard]] bool is_multicast() const noexcept;
    [[nodiscard]] bool is_link_local() const noexcept;
    /// 4 or 16 bytes, most significant first.
    [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept {
        return std::span(bytes_).first(v6_ ? 16 : 4);
    }
    /// The index of the interface; 0: none.
    [[nodiscard]] std::uint32_t zone() const noexcept { return zone_; }
    /// As parse() takes it; IPv6 as RFC 5952 wants it.
    [[nodiscard]] std::string to_string() const;

    friend auto operator<=>(const ip_address&, const ip_address&) noexcept = default;

private:
    bool v6_ = false;
    std::array<std::uint8_t, 16> bytes_{};
    std::uint32_t zone_ = 0;
};

/// One end of a connection, or of something that connections come to.
class endpoint {
public:
    enum class family : std::uint8_t {
        none,    ///< nothing is known
        ip,      ///< address() and port()
        local,   ///< a unix socket: path(), which may be empty; "@..." is an abstract name
        memory,  ///< in this process: net::pipe()
    };

    endpoint() noexcept = default;
    endpoint(const ip_address& address, std::uint16_t port) noexcept
        : family_(family::ip), address_(address), port_(port) {}
    [[nodiscard]] static endpoint local(std::string path);
    [[nodiscard]] static endpoint memory();

    /// "127.0.0.1:80", "[fe80::1%eth0]:80". Errors: as of ip_address::parse and split_host_port.
    [[nodiscard]] static endpoint parse(std::string_view text, std::error_code& ec);
    [[nodiscard]] static endpoint parse(std::string_view text);

    [[nodiscard]] family kind() const noexcept { return family_; }
    [[nodiscard]] const ip_address& address() const noexcept { return address_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// As parse() takes it; the path of a unix socket; "pipe"; empty if nothing is known.
    [[nodiscard]] std::string to_string() const;

    friend bool operator==(const endpoint&, const endpoint&) noexcept = default;

private:
    family family_ = family::none;
    ip_address address_;
    std::uint16_t port_ = 0;
    std::string path_;
};

/// "host:port" taken apart; an IPv6 host loses its brackets.
struct host_port {
    std::string host;
    std::string port;
    friend bool operator==(const host_port&, const host_port&) = default;
};

/// "example.com:80", "[::1]:http", ":8080". Errors: errc::missing_port, errc::bad_address (too many
/// colons, brackets that do not match). The throwing form says which it is, and the text.
[[nodiscard]] host_port split_host_port(std::string_view text, std::error_code& ec);
[[nodiscard]] host_port split_host_port(std::string_view text);
/// The inverse: a host with a colon gets brackets.
[[nodiscard]] std::string join_host_port(std::string_view host, std::string_view port);

}  // namespace runnel::net

template <>
struct std::hash<runnel::net::ip_address> {
    std::size_t operator()(const runnel::net::ip_address& a) const noexcept;
};

template <>
struct std::hash<runnel::net::endpoint> {
    std::size_t operator()(const runnel::net::endpoint& e) const noexcept;
};
