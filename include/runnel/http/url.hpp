// runnel/http/url.hpp: addresses of things (RFC 3986), and what stands in a query.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace runnel::http {

/// A URL, taken apart. The parts are as they stand in the text: percent-encoded. A part that is
/// assigned is not checked until to_string() is parsed by somebody.
struct url {
    std::string scheme;     ///< in lower case; empty in a relative reference
    std::string user_info;  ///< what stands before the '@'
    std::string host;       ///< in lower case; an IPv6 address without its brackets
    std::string port;       ///< digits; empty if there is none
    std::string path;       ///< "/" at least, if there is a host
    std::string query;      ///< without the '?'
    std::string fragment;   ///< without the '#'

    /// An absolute URL or a relative reference. Throws std::system_error with errc::invalid_url,
    /// and in what() the text.
    [[nodiscard]] static url parse(std::string_view text);
    [[nodiscard]] static url parse(std::string_view text, std::error_code& ec);

    /// "host:port", in which the scheme's port (80, 443) stands in for one that is not given. An
    /// IPv6 address has brackets.
    [[nodiscard]] std::string host_and_port() const;
    /// What the field Host says: without the scheme's own port.
    [[nodiscard]] std::string authority() const;
    /// What the request line says: path and query.
    [[nodiscard]] std::string target() const;
    [[nodiscard]] std::string to_string() const;
    /// The path decoded, "%2F" and all.
    [[nodiscard]] std::string decoded_path() const;

    /// What `reference` means on a page at this URL (RFC 3986, section 5.2).
    [[nodiscard]] url resolve(const url& reference) const;

    friend bool operator==(const url&, const url&) = default;
};

/// The names and values of a query or a form, decoded, in their order.
using query_values = std::vector<std::pair<std::string, std::string>>;
/// Takes "a=1&b=x+y" apart. Pairs that are not encoded well are left out, as in Go.
[[nodiscard]] query_values parse_query(std::string_view query);
[[nodiscard]] std::string to_query(const query_values& values);
/// The first value of that name in a query.
[[nodiscard]] std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// Percent-encodes all but letters, digits and "-._~".
[[nodiscard]] std::string percent_encode(std::string_view text);
/// nullopt if a '%' is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace runnel::http
