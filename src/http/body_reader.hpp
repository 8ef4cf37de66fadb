// http/body_reader.hpp: a message's body, taken out of its framing, for both sides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include <runnel/detail/context.hpp>
#include <runnel/http/headers.hpp>
#include <runnel/net/stream.hpp>

#include "src/http/chunked.hpp"
#include "src/http/input.hpp"

namespace runnel::http::detail {

class body_reader {
public:
    enum class kind : unsigned char { none, length, chunked, until_end };

    /// Begins a body of which at most `limit` bytes are wanted.
    void start(kind how, std::uint64_t length, std::uint64_t limit, std::size_t max_fields);

    /// Blocks until there is a byte of the body. 0 without an error: its end.
    std::size_t read_some(net::any_stream& from, input& in, const context& ctx,
                          std::span<std::byte> out, std::error_code& ec);

    /// All of it has been read, up to the last byte of its framing.
    [[nodiscard]] bool at_end() const noexcept { return kind_ == kind::none; }
    /// What is still to come, if that is known and more than nothing.
    [[nodiscard]] std::uint64_t known_rest() const noexcept {
        return kind_ == kind::length ? rest_ : 0;
    }
    [[nodiscard]] const headers& trailers() const noexcept { return trailers_; }

private:
    std::size_t read_raw(net::any_stream& from, input& in, const context& ctx,
                         std::span<std::byte> out, std::error_code& ec);
    std::size_t read_length(net::any_stream& from, input& in, const context& ctx,
                            std::span<std::byte> out, std::error_code& ec);
    std::size_t read_chunked(net::any_stream& from, input& in, const context& ctx,
                             std::span<std::byte> out, std::error_code& ec);
    void skip_lines(net::any_stream& from, input& in, const context& ctx, std::error_code& ec);
    std::size_t count(std::size_t n, std::error_code& ec) noexcept;

    kind kind_ = kind::none;
    std::uint64_t rest_ = 0;   ///< of a body whose length is known
    std::uint64_t limit_ = 0;  ///< bytes that may still come
    chunked_decoder chunks_;
    headers trailers_;
};

}  // namespace runnel::http::detail
