// http/headers_access.hpp: how the parsers fill headers that they have checked already.
#pragma once

#include <string_view>

#include <runnel/http/headers.hpp>

namespace runnel::http::detail {

struct headers_access {
    /// `name` is a token, `value` is trimmed and has no control characters.
    static void append(headers& h, std::string_view name, std::string_view value) {
        h.append(name, value);
    }
};

}  // namespace runnel::http::detail
