#include <runnel/http/body.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <runnel/error.hpp>
#include <runnel/http/error.hpp>

namespace runnel::http {
namespace {

class text_source final : public body_source {
public:
    explicit text_source(std::string text) noexcept : text_(std::move(text)) {}

    std::size_t read_some(std::span<std::byte> out, std::error_code& ec) override {
        ec.clear();
        const std::size_t n = std::min(out.size(), text_.size() - at_);
        std::memcpy(out.data(), text_.data() + at_, n);
        at_ += n;
        return n;
    }

private:
    std::string text_;
    std::size_t at_ = 0;
};

}  // namespace

void detail::throw_error(const std::error_code& ec, const char* what) {
    if (ec == runnel::errc::canceled) {
        throw canceled_error();
    }
    if (ec == runnel::errc::deadline_exceeded || ec == runnel::errc::timed_out) {
        throw timeout_error(static_cast<runnel::errc>(ec.value()));
    }
    throw std::system_error(ec, what);
}

body::body(std::string text) {
    length_ = text.size();
    if (!text.empty()) {
        source_ = std::make_shared<text_source>(std::move(text));
    }
}

body::body(std::shared_ptr<body_source> source, std::optional<std::uint64_t> length)
    : source_(std::move(source)), length_(length) {}

std::size_t body::read_some(std::span<std::byte> out, std::error_code& ec) {
    ec = failed_;
    if (failed_ || !source_ || out.empty()) {
        return 0;
    }
    const std::size_t n = source_->read_some(out, ec);
    if (ec) {
        failed_ = ec;
    }
    if (n == 0) {
        const headers* const trailers = source_->received_trailers();
        if (trailers != nullptr && !trailers->empty()) {
            trailers_ = std::make_unique<headers>(*trailers);
        }
        source_.reset();
    }
    return n;
}

std::size_t body::read_some(std::span<std::byte> out) {
    std::error_code ec;
    const std::size_t n = read_some(out, ec);
    if (ec) {
        detail::throw_error(ec, "http: reading a body");
    }
    return n;
}

std::string body::read_all(std::error_code& ec, std::size_t limit) {
    std::string all;
    if (length_ && *length_ <= limit) {
        all.reserve(std::min<std::uint64_t>(*length_, 1U << 20U));
    }
    std::array<std::byte, 4096> chunk;
    for (;;) {
        const std::size_t n = read_some(chunk, ec);
        if (ec || n == 0) {
            return all;
        }
        if (n > limit - all.size()) {
            ec = failed_ = errc::body_too_large;
            return all;
        }
        all.append(reinterpret_cast<const char*>(chunk.data()), n);
    }
}

std::string body::read_all(std::size_t limit) {
    std::error_code ec;
    std::string all = read_all(ec, limit);
    if (ec) {
        detail::throw_error(ec, "http: reading a body");
    }
    return all;
}

const headers& body::trailers() const noexcept {
    static const headers none;
    return trailers_ ? *trailers_ : none;
}

void body::close() noexcept {
    if (source_) {
        const std::shared_ptr<body_source> source = std::move(source_);
        failed_ = errc::body_closed;
        source->close();
    }
}

}  // namespace runnel::http
