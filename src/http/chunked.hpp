// http/chunked.hpp: the lines of a chunked body (RFC 9112, section 7.1), strictly.
//
// Purpose   Tells data from lines: the caller feeds whole lines, and passes data by itself.
// Refused   Lines that end with a bare LF; sizes with signs, blanks, "0x", or more than 16 digits;
//           more than `overhead` bytes of extensions in one body; trailers beyond the limits of
//           heads; trailers that would change what the message is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <runnel/http/headers.hpp>

#include "src/http/head.hpp"

namespace runnel::http::detail {

class chunked_decoder {
public:
    static constexpr std::size_t longest_line = 4096;
    static constexpr std::size_t overhead = 16 * 1024;

    enum class phase : unsigned char { size, data, data_end, trailer, done };

    void start(std::size_t max_fields) noexcept {
        *this = {};
        max_fields_ = max_fields;
    }
    [[nodiscard]] phase at() const noexcept { return phase_; }
    /// Bytes of the chunk that are still to come, in phase data.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }
    void passed(std::uint64_t n) noexcept {
        remaining_ -= n;
        if (remaining_ == 0) {
            phase_ = phase::data_end;
        }
    }

    /// In the other phases: looks at `bytes` for one line. Returns how many bytes it took, 0 if the
    /// line is not complete. Trailers are added to `trailers`.
    std::size_t feed(std::string_view bytes, headers& trailers, refusal& no);

private:
    refusal take_size(std::string_view line);
    refusal take_trailer(std::string_view line, headers& trailers);

    phase phase_ = phase::size;
    std::uint64_t remaining_ = 0;
    std::size_t extra_ = 0;  ///< bytes of extensions and trailers so far
    std::size_t fields_ = 0;
    std::size_t max_fields_ = 0;
};

}  // namespace runnel::http::detail
