// http/grammar.hpp: the small words of HTTP's grammar (RFC 9110, section 5.6).
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace runnel::http::detail {

consteval std::array<bool, 256> make_token_table() {
    std::array<bool, 256> table{};
    for (const char c : std::string_view("!#$%&'*+-.^_`|~")) {
        table[static_cast<unsigned char>(c)] = true;
    }
    for (int c = '0'; c <= '9'; ++c) {
        table[static_cast<std::size_t>(c)] = true;
    }
    for (int c = 'a'; c <= 'z'; ++c) {
        table[static_cast<std::size_t>(c)] = true;
        table[static_cast<std::size_t>(c - 'a' + 'A')] = true;
    }
    return table;
}
inline constexpr std::array<bool, 256> token_table = make_token_table();

[[nodiscard]] inline bool is_token_char(char c) noexcept {
    return token_table[static_cast<unsigned char>(c)];
}
[[nodiscard]] inline bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::ranges::all_of(text, is_token_char);
}
/// What a field's value may hold: no control character but the tab.
[[nodiscard]] inline bool is_value_char(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
[[nodiscard]] inline bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
[[nodiscard]] inline char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
/// The value of a hexadecimal digit, or -1.
[[nodiscard]] inline int hex_value(char c) noexcept {
    if (is_digit(c)) {
        return c - '0';
    }
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/// Without the blanks and tabs at both ends.
[[nodiscard]] inline std::string_view trim(std::string_view text) noexcept {
    constexpr std::string_view blank = " \t";
    const std::size_t first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Calls f(element) for each element of a comma-separated list, trimmed, without the empty ones,
/// until it returns false. Commas in quoted strings do not separate.
template <class F>
void for_each_element(std::string_view list, F f) {
    while (!list.empty()) {
        std::size_t end = 0;
        bool quoted = false;
        for (; end < list.size() && (quoted || list[end] != ','); ++end) {
            if (list[end] == '"') {
                quoted = !quoted;
            } else if (quoted && list[end] == '\\' && end + 1 < list.size()) {
                ++end;
            }
        }
        end = std::min(end, list.size());
        const std::string_view element = trim(list.substr(0, end));
        if (!element.empty() && !f(element)) {
            return;
        }
        list.remove_prefix(std::min(list.size(), end + 1));
    }
}

/// A number of digits only, all of `text`; nothing else, and none that does not fit.
[[nodiscard]] inline std::optional<std::uint64_t> parse_digits(std::string_view text) noexcept {
    std::uint64_t value = 0;
    if (text.empty() || !std::ranges::all_of(text, is_digit)) {
        return std::nullopt;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace runnel::http::detail
