// runnel/http/error.hpp: what can go wrong with HTTP, beside what the stream under it reports.
#pragma once

#include <system_error>

namespace runnel::http {

/// Errors of the HTTP layer.
enum class errc {
    malformed = 1,         ///< the peer sent what is not HTTP/1.1, or what is ambiguous
    header_too_large,      ///< the head has more bytes or fields than the limit
    body_too_large,        ///< the body is longer than the limit
    body_not_allowed,      ///< a body for a response that cannot have one (1xx, 204, 304)
    body_length_mismatch,  ///< more, or less, was written than Content-Length says
    body_closed,           ///< a read after close()
    invalid_url,           ///< not a URL, or not one that can be asked for
    unsupported_scheme,    ///< neither http nor a scheme that the client was given a dialer for
    too_many_redirects,    ///< more redirects than the limit
    bad_redirect,          ///< a redirect without a usable Location, or with a body sent only once
    server_closed,         ///< serve() has returned because of shutdown() or close()
    bad_encoding,          ///< a compressed body that does not decompress
    unsolicited_response,  ///< the server spoke before it was asked
};

[[nodiscard]] const std::error_category& error_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc e) noexcept;

}  // namespace runnel::http

template <>
struct std::is_error_code_enum<runnel::http::errc> : std::true_type {};
