// http/pattern.hpp: the mux's patterns, and which of two is the more specific one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace runnel::http::detail {

struct segment {
    std::string text;  ///< of a literal, "/" for {$}; or a wildcard's name, empty for a final slash
    bool wild = false;
    bool multi = false;  ///< then it is wild, too, and the last one
};

struct pattern {
    std::string text;    ///< as it was given
    std::string method;  ///< empty: all
    std::string host;    ///< empty: all
    std::vector<segment> segments;

    /// Throws std::invalid_argument.
    [[nodiscard]] static pattern parse(std::string_view text);
    [[nodiscard]] const segment& last() const noexcept { return segments.back(); }
};

/// How what `a` matches stands to what `b` matches.
enum class relation : unsigned char { equivalent, more_general, more_specific, disjoint, overlaps };
[[nodiscard]] relation compare(const pattern& a, const pattern& b);

/// Whether the two cannot live in one mux.
[[nodiscard]] bool in_conflict(const pattern& a, const pattern& b);

}  // namespace runnel::http::detail
