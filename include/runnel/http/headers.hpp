// runnel/http/headers.hpp: the fields of a message's head.
//
// An ordered multimap: fields keep the order in which they were added, names compare without regard
// to case, and one name may occur many times. What is read out is a view that stays valid until the
// next change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runnel::http {

namespace detail {
struct headers_access;
}  // namespace detail

/// Whether two names (or tokens) are equal without regard to the case of ASCII letters.
[[nodiscard]] bool equal_no_case(std::string_view a, std::string_view b) noexcept;

class headers {
public:
    struct field {
        std::string_view name;
        std::string_view value;
    };

    headers() = default;
    /// Throws as add().
    headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

    /// Adds a field after all others. Throws std::invalid_argument if `name` is not a token, or if
    /// `value` has a control character other than a tab: it could end the field and begin another.
    /// White space around `value` is dropped.
    void add(std::string_view name, std::string_view value);
    /// The same in place of all fields of that name.
    void set(std::string_view name, std::string_view value);
    /// Removes all fields of that name; returns how many there were.
    std::size_t erase(std::string_view name) noexcept;
    void clear() noexcept;

    /// The value of the first field of that name; empty if there is none.
    [[nodiscard]] std::string_view get(std::string_view name) const noexcept;
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
    [[nodiscard]] std::vector<std::string_view> values(std::string_view name) const;
    [[nodiscard]] bool contains(std::string_view name) const noexcept;
    [[nodiscard]] std::size_t count(std::string_view name) const noexcept;
    /// Whether one of the comma-separated elements of the fields `name` is `token`, without regard
    /// to case: has_token("Connection", "close").
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
    [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
    [[nodiscard]] field operator[](std::size_t i) const noexcept { return view(fields_[i]); }

    class iterator {
    public:
        using value_type = field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;

        iterator() = default;
        [[nodiscard]] field operator*() const noexcept { return (*of_)[at_]; }
        iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        iterator operator++(int) noexcept {
            iterator before(*this);
            ++at_;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) = default;

    private:
        friend class headers;
        iterator(const headers* of, std::size_t at) noexcept : of_(of), at_(at) {}
        const headers* of_ = nullptr;
        std::size_t at_ = 0;
    };
    [[nodiscard]] iterator begin() const noexcept { return {this, 0}; }
    [[nodiscard]] iterator end() const noexcept { return {this, fields_.size()}; }

private:
    friend struct detail::headers_access;

    /// One field in bytes_: its name, and right behind it its value.
    struct place {
        std::uint32_t at;
        std::uint32_t name_size;
        std::uint32_t value_size;
    };

    [[nodiscard]] field view(const place& p) const noexcept {
        const std::string_view all(bytes_);
        return {all.substr(p.at, p.name_size), all.substr(p.at + p.name_size, p.value_size)};
    }
    void append(std::string_view name, std::string_view value);

    std::string bytes_;
    std::vector<place> fields_;
};

}  // namespace runnel::http
