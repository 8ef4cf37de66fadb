#include "src/http/body_reader.hpp"

#include <algorithm>

#include <runnel/error.hpp>
#include <runnel/http/error.hpp>

namespace runnel::http::detail {

void body_reader::start(kind how, std::uint64_t length, std::uint64_t limit,
                        std::size_t max_fields) {
    kind_ = how == kind::length && length == 0 ? kind::none : how;
    rest_ = length;
    limit_ = limit;
    trailers_.clear();
    if (how == kind::chunked) {
        chunks_.start(max_fields);
    }
}

std::size_t body_reader::read_some(net::any_stream& from, input& in, const context& ctx,
                                   std::span<std::byte> out, std::error_code& ec) {
    ec.clear();
    switch (kind_) {
        case kind::none:
            return 0;
        case kind::length:
            return count(read_length(from, in, ctx, out, ec), ec);
        case kind::chunked:
            return count(read_chunked(from, in, ctx, out, ec), ec);
        case kind::until_end: {
            const std::size_t n = read_raw(from, in, ctx, out, ec);
            if (n == 0 && !ec) {
                kind_ = kind::none;
            }
            return count(n, ec);
        }
    }
    return 0;
}

std::size_t body_reader::count(std::size_t n, std::error_code& ec) noexcept {
    if (n > limit_) {
        ec = errc::body_too_large;
        return 0;
    }
    limit_ -= n;
    return n;
}

std::size_t body_reader::read_raw(net::any_stream& from, input& in, const context& ctx,
                                  std::span<std::byte> out, std::error_code& ec) {
    if (!in.empty()) {
        return in.take(out);
    }
    return from.read_some(ctx, out, ec);  // past the buffer: one copy less
}

std::size_t body_reader::read_length(net::any_stream& from, input& in, const context& ctx,
                                     std::span<std::byte> out, std::error_code& ec) {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), rest_));
    const std::size_t n = read_raw(from, in, ctx, out.first(want), ec);
    if (n == 0) {
        if (!ec) {
            ec = runnel::errc::unexpected_eof;
        }
        return 0;
    }
    rest_ -= n;
    if (rest_ == 0) {
        kind_ = kind::none;
    }
    return n;
}

std::size_t body_reader::read_chunked(net::any_stream& from, input& in, const context& ctx,
                                      std::span<std::byte> out, std::error_code& ec) {
    using phase = chunked_decoder::phase;
    if (chunks_.at() != phase::data) {
        skip_lines(from, in, ctx, ec);
        if (ec) {
            return 0;
        }
        if (chunks_.at() == phase::done) {
            kind_ = kind::none;
            return 0;
        }
    }
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), chunks_.remaining()));
    const std::size_t n = read_raw(from, in, ctx, out.first(want), ec);
    if (n == 0) {
        if (!ec) {
            ec = runnel::errc::unexpected_eof;
        }
        return 0;
    }
    chunks_.passed(n);
    return n;
}

void body_reader::skip_lines(net::any_stream& from, input& in, const context& ctx,
                             std::error_code& ec) {
    using phase = chunked_decoder::phase;
    while (chunks_.at() != phase::data && chunks_.at() != phase::done) {
        refusal no;
        const std::size_t used = chunks_.feed(in.bytes(), trailers_, no);
        if (no) {
            ec = errc::malformed;
            return;
        }
        if (used > 0) {
            in.consume(used);
            continue;
        }
        if (in.fill(from, ctx, ec) == 0) {
            if (!ec) {
                ec = runnel::errc::unexpected_eof;
            }
            return;
        }
    }
}

}  // namespace runnel::http::detail
