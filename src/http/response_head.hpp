// http/response_head.hpp: writes the head of a response.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <runnel/http/headers.hpp>

namespace runnel::http::detail {

/// What the handler's headers say that the server has to know.
struct head_facts {
    std::optional<std::uint64_t> length;
    bool has_type = false;
    bool has_encoding = false;
    bool has_date = false;
    bool close = false;
};

/// Appends the status line and the handler's fields to `out`, but for those that are the server's
/// business (Connection, Transfer-Encoding). Throws std::invalid_argument for a Content-Length that
/// is not a number.
[[nodiscard]] head_facts begin_head(std::string& out, int status, const headers& fields);

void put_field(std::string& out, std::string_view name, std::string_view value);
void put_number(std::string& out, std::uint64_t value);
void put_hex(std::string& out, std::uint64_t value);

/// 1xx, 204 and 304 have no body, whatever their headers say.
[[nodiscard]] constexpr bool has_body(int status) noexcept {
    return status >= 200 && status != 204 && status != 304;
}

}  // namespace runnel::http::detail
