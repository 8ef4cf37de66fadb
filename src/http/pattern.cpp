#include "src/http/pattern.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include <runnel/http/url.hpp>

#include "src/http/grammar.hpp"

namespace runnel::http::detail {
namespace {

[[noreturn]] void reject(std::string_view pattern, const std::string& why) {
    throw std::invalid_argument("http::mux: pattern '" + std::string(pattern) + "': " + why);
}

bool is_identifier(std::string_view name) noexcept {
    const auto letter = [](char c) {
        return c == '_' || (lower(c) >= 'a' && lower(c) <= 'z') ||
               static_cast<unsigned char>(c) >= 0x80;
    };
    return !name.empty() && letter(name[0]) &&
           std::ranges::all_of(name, [&](char c) { return letter(c) || is_digit(c); });
}

/// What stands between the braces of the segment `text`.
segment parse_wildcard(const pattern& of, std::string_view text, bool last) {
    std::string_view name = text.substr(1, text.size() - 2);
    if (name == "$") {
        if (!last) {
            reject(of.text, "{$} not at the end");
        }
        return {"/", false, false};
    }
    const bool multi = name.ends_with("...");
    if (multi) {
        name.remove_suffix(3);
        if (!last) {
            reject(of.text, "{...} wildcard not at the end");
        }
    }
    if (!is_identifier(name)) {
        reject(of.text, "bad wildcard name '" + std::string(name) + "'");
    }
    for (const segment& s : of.segments) {
        if (s.wild && s.text == name) {
            reject(of.text, "duplicate wildcard name '" + s.text + "'");
        }
    }
    return {std::string(name), true, multi};
}

void parse_path(pattern& out, std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        if (path.empty()) {
            out.segments.push_back({"", true, true});
            return;
        }
        const std::string_view text = path.substr(0, path.find('/'));
        path.remove_prefix(text.size());
        if (text.find_first_of("{}") == std::string_view::npos) {
            out.segments.push_back(
                {percent_decode(text).value_or(std::string(text)), false, false});
        } else if (text.starts_with('{') && text.ends_with('}') &&
                   text.substr(1, text.size() - 2).find_first_of("{}") == std::string_view::npos) {
            out.segments.push_back(parse_wildcard(out, text, path.empty()));
        } else {
            reject(out.text, "bad wildcard segment '" + std::string(text) + "'");
        }
    }
}

relation combine(relation a, relation b) noexcept {
    if (a == b || b == relation::equivalent) {
        return a;
    }
    if (a == relation::equivalent) {
        return b;
    }
    return a == relation::disjoint || b == relation::disjoint ? relation::disjoint
                                                              : relation::overlaps;
}

relation compare_methods(const std::string& a, const std::string& b) noexcept {
    if (a == b) {
        return relation::equivalent;
    }
    if (a.empty() || (a == "GET" && b == "HEAD")) {
        return relation::more_general;
    }
    if (b.empty() || (b == "GET" && a == "HEAD")) {
        return relation::more_specific;
    }
    return relation::disjoint;
}

relation compare_segments(const segment& a, const segment& b) noexcept {
    if (a.multi || b.multi) {
        if (a.multi && b.multi) {
            return relation::equivalent;
        }
        return a.multi ? relation::more_general : relation::more_specific;
    }
    if (a.wild && b.wild) {
        return relation::equivalent;
    }
    if (a.wild) {  // one segment is never the empty one behind a final slash
        return b.text == "/" ? relation::disjoint : relation::more_general;
    }
    if (b.wild) {
        return a.text == "/" ? relation::disjoint : relation::more_specific;
    }
    return a.text == b.text ? relation::equivalent : relation::disjoint;
}

relation compare_paths(const pattern& a, const pattern& b) noexcept {
    const std::size_t na = a.segments.size();
    const std::size_t nb = b.segments.size();
    if (na != nb && !a.last().multi && !b.last().multi) {
        return relation::disjoint;
    }
    relation all = relation::equivalent;
    for (std::size_t i = 0; i < std::min(na, nb); ++i) {
        all = combine(all, compare_segments(a.segments[i], b.segments[i]));
        if (all == relation::disjoint) {
            return all;
        }
    }
    if (na == nb) {
        return all;
    }
    if (na < nb && a.last().multi) {
        return combine(all, relation::more_general);
    }
    if (nb < na && b.last().multi) {
        return combine(all, relation::more_specific);
    }
    return relation::disjoint;
}

}  // namespace

pattern pattern::parse(std::string_view text) {
    pattern out;
    out.text = text;
    if (text.empty()) {
        reject(text, "empty pattern");
    }
    std::string_view rest = text;
    if (const std::size_t blank = text.find_first_of(" \t"); blank != std::string_view::npos) {
        out.method = text.substr(0, blank);
        rest = text.substr(blank);
        rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(" \t")));
        if (!is_token(out.method)) {
            reject(text, "invalid method '" + out.method + "'");
        }
    }
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) {
        reject(text, "host/path missing /");
    }
    out.host = rest.substr(0, slash);
    if (out.host.find_first_of("{} \t") != std::string::npos) {
        reject(text, "host contains '{', '}' or blanks");
    }
    const std::string_view path = rest.substr(slash);
    if (path.find_first_of(" \t?#") != std::string_view::npos) {
        reject(text, "a blank, '?' or '#' in the path");
    }
    if (path.find("//") != std::string_view::npos || path.find("/./") != std::string_view::npos ||
        path.find("/../") != std::string_view::npos || path.ends_with("/.") ||
        path.ends_with("/..")) {
        reject(text, "the path is not clean: no request would match");
    }
    parse_path(out, path);
    return out;
}

relation compare(const pattern& a, const pattern& b) {
    const relation methods = compare_methods(a.method, b.method);
    return methods == relation::disjoint ? methods : combine(methods, compare_paths(a, b));
}

bool in_conflict(const pattern& a, const pattern& b) {
    if (a.host != b.host) {
        return false;  // either they share no request, or the one with a host takes precedence
    }
    const relation r = compare(a, b);
    return r == relation::equivalent || r == relation::overlaps;
}

}  // namespace runnel::http::detail
