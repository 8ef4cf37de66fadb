// http/fields.hpp: the strict pass over the field lines of a head, and of trailers.
#pragma once

#include <string_view>

#include "src/http/head.hpp"

namespace runnel::http::detail {

/// What the field lines say about the message.
struct field_facts {
    framing how;
    std::size_t count = 0;
    int hosts = 0;
    std::string_view host;
    bool connection_close = false;
    bool connection_keep_alive = false;
    bool has_transfer_encoding = false;
    bool unknown_coding = false;
    bool unknown_expectation = false;
};

/// Takes one line, without its CRLF, apart; a refusal if it is not a field.
[[nodiscard]] refusal split_field(std::string_view line, std::string_view& name,
                                  std::string_view& value) noexcept;

/// Goes over lines that each end with CRLF.
[[nodiscard]] refusal check_fields(std::string_view lines, std::size_t max_fields,
                                   field_facts& facts) noexcept;

}  // namespace runnel::http::detail
