#include <runnel/http/headers.hpp>

#include <algorithm>
#include <functional>
#include <limits>
#include <stdexcept>

#include "src/http/grammar.hpp"

namespace runnel::http {

bool equal_no_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i] && detail::lower(a[i]) != detail::lower(b[i])) {
            return false;
        }
    }
    return true;
}

headers::headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [name, value] : fields) {
        add(name, value);
    }
}

void headers::append(std::string_view name, std::string_view value) {
    if (bytes_.size() + name.size() + value.size() > std::numeric_limits<std::uint32_t>::max()) {
        throw std::length_error("http::headers: more than 4 GiB");
    }
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    bytes_.append(name).append(value);
    fields_.push_back(
        {at, static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

void headers::add(std::string_view name, std::string_view value) {
    if (!detail::is_token(name)) {
        throw std::invalid_argument("http::headers: not a field name: '" + std::string(name) + "'");
    }
    const std::string_view trimmed = detail::trim(value);
    if (!std::ranges::all_of(trimmed, detail::is_value_char)) {
        throw std::invalid_argument("http::headers: control character in the value of '" +
                                    std::string(name) + "'");
    }
    const std::less_equal<> ordered;
    const char* const begin = bytes_.data();
    const char* const end = begin + bytes_.size();
    const bool own = (ordered(begin, name.data()) && ordered(name.data(), end)) ||
                     (ordered(begin, trimmed.data()) && ordered(trimmed.data(), end));
    if (own) {  // views into bytes_, which is about to grow
        append(std::string(name), std::string(trimmed));
    } else {
        append(name, trimmed);
    }
}

void headers::set(std::string_view name, std::string_view value) {
    const std::size_t before = fields_.size();
    add(name, value);  // first: it may throw, and the arguments may be views into this object
    const place added = fields_.back();
    const std::string_view kept = view(added).name;
    std::size_t to = 0;
    std::optional<std::size_t> first;
    for (std::size_t from = 0; from < before; ++from) {
        if (!equal_no_case(view(fields_[from]).name, kept)) {
            fields_[to++] = fields_[from];
        } else if (!first) {
            first = to;
            fields_[to++] = added;
        }
    }
    if (!first) {
        fields_[to++] = added;
    }
    fields_.resize(to);
    // What is no longer used is given back before it is more than what is.
    std::size_t used = 0;
    for (const place& p : fields_) {
        used += p.name_size + p.value_size;
    }
    if (bytes_.size() > 2 * used + 1024) {
        headers compact;
        for (const field f : *this) {
            compact.append(f.name, f.value);
        }
        *this = std::move(compact);
    }
}

std::size_t headers::erase(std::string_view name) noexcept {
    const auto gone = std::ranges::remove_if(
        fields_, [&](const place& p) { return equal_no_case(view(p).name, name); });
    const std::size_t count = gone.size();
    fields_.erase(gone.begin(), gone.end());
    if (fields_.empty()) {
        bytes_.clear();
    }
    return count;
}

void headers::clear() noexcept {
    bytes_.clear();
    fields_.clear();
}

std::optional<std::string_view> headers::find(std::string_view name) const noexcept {
    for (const place& p : fields_) {
        if (p.name_size == name.size() && equal_no_case(view(p).name, name)) {
            return view(p).value;
        }
    }
    return std::nullopt;
}

std::string_view headers::get(std::string_view name) const noexcept {
    return find(name).value_or(std::string_view());
}

std::vector<std::string_view> headers::values(std::string_view name) const {
    std::vector<std::string_view> all;
    for (const field f : *this) {
        if (equal_no_case(f.name, name)) {
            all.push_back(f.value);
        }
    }
    return all;
}

bool headers::contains(std::string_view name) const noexcept { return find(name).has_value(); }

std::size_t headers::count(std::string_view name) const noexcept {
    std::size_t n = 0;
    for (const place& p : fields_) {
        n += equal_no_case(view(p).name, name) ? 1 : 0;
    }
    return n;
}

bool headers::has_token(std::string_view name, std::string_view token) const noexcept {
    bool found = false;
    for (const field f : *this) {
        if (equal_no_case(f.name, name)) {
            detail::for_each_element(f.value, [&](std::string_view element) {
                found = found || equal_no_case(element, token);
                return !found;
            });
        }
    }
    return found;
}

}  // namespace runnel::http
