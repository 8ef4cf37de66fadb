// http/input.hpp: bytes that have been read from a connection, and not yet used.
//
// Invariants: begin_ <= end_ <= capacity_; the unused bytes are [begin_, end_), and move only in
// fill(), append() and reserve(). It owns no memory before the first byte is asked for.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/detail/context.hpp>
#include <runnel/net/stream.hpp>

namespace runnel::http::detail {

class input {
public:
    static constexpr std::size_t usual = 4096;  ///< bytes that it begins with

    [[nodiscard]] std::string_view bytes() const noexcept {
        return {data_.get() + begin_, end_ - begin_};
    }
    [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
    [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

    void consume(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ == end_) {
            begin_ = end_ = 0;
        }
    }
    void clear() noexcept { begin_ = end_ = 0; }
    /// Gives its memory back if it has become much.
    void trim() noexcept {
        if (capacity_ > 4 * usual && empty()) {
            data_.reset();
            capacity_ = 0;
        }
    }

    /// Adds bytes behind the others.
    void append(std::span<const std::byte> more) {
        reserve(more.size());
        std::memcpy(data_.get() + end_, more.data(), more.size());
        end_ += more.size();
    }

    /// Reads once more; room for one byte at least is made. Returns what read_some() does.
    std::size_t fill(net::any_stream& from, const context& ctx, std::error_code& ec) {
        reserve(1);
        const std::size_t n = from.read_some(
            ctx, std::as_writable_bytes(std::span(data_.get() + end_, capacity_ - end_)), ec);
        end_ += n;
        return n;
    }

    /// Takes what is there, at most out.size() bytes.
    std::size_t take(std::span<std::byte> out) noexcept {
        const std::size_t n = std::min(out.size(), size());
        std::memcpy(out.data(), data_.get() + begin_, n);
        consume(n);
        return n;
    }

private:
    void reserve(std::size_t room) {
        if (capacity_ - end_ >= room) {
            return;
        }
        if (begin_ > 0) {
            std::memmove(data_.get(), data_.get() + begin_, size());
            end_ -= std::exchange(begin_, 0);
        }
        if (capacity_ - end_ < room) {
            const std::size_t larger = std::max({usual, 2 * capacity_, end_ + room});
            std::unique_ptr<char[]> data(new char[larger]);
            if (end_ > 0) {
                std::memcpy(data.get(), data_.get(), end_);
            }
            data_ = std::move(data);
            capacity_ = larger;
        }
    }

    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace runnel::http::detail
