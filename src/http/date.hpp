// http/date.hpp: dates as HTTP writes them (RFC 9110, section 5.6.7).
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace runnel::http::detail {

/// "Sun, 06 Nov 1994 08:49:37 GMT", of seconds since 1970.
[[nodiscard]] std::string format_date(std::int64_t seconds);

/// That form, and the two obsolete ones: nullopt for anything else.
[[nodiscard]] std::optional<std::int64_t> parse_date(std::string_view text);

/// The wall clock's date, formatted anew once a second. For one goroutine at a time.
class date_cache {
public:
    [[nodiscard]] std::string_view now();

private:
    std::int64_t seconds_ = -1;
    std::string text_;
};

}  // namespace runnel::http::detail
