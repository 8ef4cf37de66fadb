#include "src/http/fields.hpp"

#include <algorithm>

#include <runnel/http/status.hpp>

#include "src/http/grammar.hpp"

namespace runnel::http::detail {
namespace {

constexpr refusal bad(const char* why) noexcept { return {status::bad_request, why}; }

refusal note_length(std::string_view value, field_facts& facts) noexcept {
    if (facts.how.length) {
        return bad("more than one Content-Length");
    }
    facts.how.length = parse_digits(value);
    constexpr std::uint64_t largest = std::uint64_t{1} << 62U;  // fits every signed type
    if (!facts.how.length || *facts.how.length > largest) {
        return bad("invalid Content-Length");
    }
    return {};
}

refusal note_coding(std::string_view value, field_facts& facts) noexcept {
    if (facts.has_transfer_encoding) {
        return bad("more than one Transfer-Encoding");
    }
    facts.has_transfer_encoding = true;
    facts.how.chunked = equal_no_case(value, "chunked");
    facts.unknown_coding = !facts.how.chunked;
    return {};
}

void note_connection(std::string_view value, field_facts& facts) noexcept {
    for_each_element(value, [&](std::string_view token) {
        facts.connection_close |= equal_no_case(token, "close");
        facts.connection_keep_alive |= equal_no_case(token, "keep-alive");
        return true;
    });
}

refusal note_host(std::string_view value, field_facts& facts) noexcept {
    ++facts.hosts;
    facts.host = value;
    const bool good = std::ranges::all_of(value, [](char c) {
        return is_token_char(c) || std::string_view("()[],;=:%").find(c) != std::string_view::npos;
    });
    return good ? refusal{} : bad("invalid Host");
}

refusal note_expectation(std::string_view value, field_facts& facts) noexcept {
    if (equal_no_case(value, "100-continue")) {
        facts.how.expect_continue = true;
    } else {
        facts.unknown_expectation = true;
    }
    return {};
}

/// Only names of these lengths mean anything here: most fields cost one comparison.
refusal note_field(std::string_view name, std::string_view value, field_facts& facts) noexcept {
    switch (name.size()) {
        case 4:
            return equal_no_case(name, "Host") ? note_host(value, facts) : refusal{};
        case 6:
            return equal_no_case(name, "Expect") ? note_expectation(value, facts) : refusal{};
        case 10:
            if (equal_no_case(name, "Connection")) {
                note_connection(value, facts);
            }
            return {};
        case 14:
            return equal_no_case(name, "Content-Length") ? note_length(value, facts) : refusal{};
        case 17:
            return equal_no_case(name, "Transfer-Encoding") ? note_coding(value, facts) : refusal{};
        default:
            return {};
    }
}

}  // namespace

refusal split_field(std::string_view line, std::string_view& name,
                    std::string_view& value) noexcept {
    if (line.starts_with(' ') || line.starts_with('\t')) {
        return bad("obsolete line folding");
    }
    std::size_t colon = 0;
    while (colon < line.size() && is_token_char(line[colon])) {
        ++colon;
    }
    if (colon == line.size() || line[colon] != ':') {
        return bad("a field's name is not followed by a colon");
    }
    if (colon == 0) {
        return bad("a field without a name");
    }
    name = line.substr(0, colon);
    value = trim(line.substr(colon + 1));
    if (!std::ranges::all_of(value, is_value_char)) {
        return bad("a control character in a field");
    }
    return {};
}

refusal check_fields(std::string_view lines, std::size_t max_fields, field_facts& facts) noexcept {
    while (!lines.empty()) {
        const std::size_t end = lines.find("\r\n");
        if (end == std::string_view::npos) {
            return bad("a line without an end");
        }
        std::string_view name;
        std::string_view value;
        if (const refusal no = split_field(lines.substr(0, end), name, value)) {
            return no;
        }
        if (++facts.count > max_fields) {
            return {status::header_fields_too_large, "too many header fields"};
        }
        if (const refusal no = note_field(name, value, facts)) {
            return no;
        }
        lines.remove_prefix(end + 2);
    }
    return {};
}

}  // namespace runnel::http::detail
