// http/head.hpp: from the bytes of a message's head to what it means.
//
// Purpose   Two readers of the same bytes must agree before a message counts: a strict pass of our
//           own, which refuses whatever two implementations could read in two ways, and the parser
//           of Boost.Beast, which takes it apart. What decides where the message ends (framing)
//           comes from the strict pass alone.
// Refused   Lines that end with a bare LF or hold a bare CR; lines that begin with a blank
//           (obsolete folding); a blank before the colon; names that are not tokens; control
//           characters; Content-Length twice, with a sign, a list or a Transfer-Encoding beside
//           it; a Transfer-Encoding other than one "chunked", or in HTTP/1.0; no Host or two in
//           HTTP/1.1.
// Tests     The corpus in malformed_test.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <runnel/http/headers.hpp>
#include <runnel/http/message.hpp>

namespace runnel::http::detail {

struct head_limits {
    std::size_t bytes = 64 * 1024;      ///< of the whole head
    std::size_t line_bytes = 8 * 1024;  ///< of the request line
    std::size_t fields = 128;
};

/// Where a message ends, and what becomes of the connection then.
struct framing {
    std::optional<std::uint64_t> length;  ///< Content-Length
    bool chunked = false;
    bool keep_alive = true;
    bool expect_continue = false;
    int minor_version = 1;
};

/// Why a head is refused: the status that says so, and a line for the log.
struct refusal {
    int status = 0;
    const char* why = nullptr;

    [[nodiscard]] explicit operator bool() const noexcept { return status != 0; }
};

/// Looks for the empty line that ends a head, from `from` on, which it moves. Returns the size of
/// the head; 0 if it is not complete. A line that does not end with CRLF: a refusal.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes, std::size_t& from,
                                        refusal& no) noexcept;

/// Fills method, target, url, host, headers and version of `out` from a complete head.
[[nodiscard]] refusal parse_request_head(std::string_view head, const head_limits& limits,
                                         request& out, framing& how);

/// Fills status, reason, headers and version of `out`. The refusal's status means nothing here.
[[nodiscard]] refusal parse_response_head(std::string_view head, const head_limits& limits,
                                          response& out, framing& how);

}  // namespace runnel::http::detail
