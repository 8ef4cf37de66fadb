// runnel/http/body.hpp: the bytes that follow a message's head, read once, as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <runnel/http/headers.hpp>

namespace runnel::http {

/// Where a body comes from: a connection, a file, a compressor.
class body_source {
public:
    body_source() = default;
    body_source(const body_source&) = delete;
    body_source& operator=(const body_source&) = delete;
    virtual ~body_source() = default;

    /// Blocks until there is at least one byte; returns how many were put into `out`, which is not
    /// empty. 0 without an error: the end. After an error or the end it is not called again.
    virtual std::size_t read_some(std::span<std::byte> out, std::error_code& ec) = 0;
    /// No more will be read. Called once at most, from the reader.
    virtual void close() noexcept {}
    /// Asked for after the end; null if there are none.
    [[nodiscard]] virtual const headers* received_trailers() const noexcept { return nullptr; }
};

/// Movable. Not to be used by two goroutines at once. A default-constructed one is empty.
class body {
public:
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    body() = default;
    body(body&&) = default;
    body& operator=(body&&) = default;
    body(const body&) = delete;
    body& operator=(const body&) = delete;
    ~body() = default;
    /// What is read is `text`.
    explicit body(std::string text);
    explicit body(std::shared_ptr<body_source> source,
                  std::optional<std::uint64_t> length = std::nullopt);

    /// Blocks until there is at least one byte; returns how many were put into `out`. 0 without an
    /// error: the end (or `out` is empty). A body that breaks off gives
    /// runnel::errc::unexpected_eof, one that is longer than the limit errc::body_too_large, and
    /// every read after an error gives the same error.
    std::size_t read_some(std::span<std::byte> out, std::error_code& ec);
    /// The same; throws std::system_error (timeout_error, canceled_error where they fit).
    std::size_t read_some(std::span<std::byte> out);

    /// The rest, all of it. More than `limit` bytes: errc::body_too_large. With an error it returns
    /// what had come before.
    [[nodiscard]] std::string read_all(std::error_code& ec, std::size_t limit = no_limit);
    [[nodiscard]] std::string read_all(std::size_t limit = no_limit);

    /// Nothing more will be read. What the client's connection does then: see response.
    void close() noexcept;

    /// The fields that came after a chunked body, once its end has been read.
    [[nodiscard]] const headers& trailers() const noexcept;

    /// Known beforehand: from Content-Length, or because it is empty.
    [[nodiscard]] std::optional<std::uint64_t> length() const noexcept { return length_; }
    [[nodiscard]] bool empty() const noexcept { return length_ == 0; }

private:
    std::shared_ptr<body_source> source_;  // null: at its end, or closed
    std::optional<std::uint64_t> length_ = 0;
    std::error_code failed_;
    std::unique_ptr<headers> trailers_;
};

namespace detail {
/// Throws the exception that fits `ec`: timeout_error, canceled_error, else std::system_error.
[[noreturn]] void throw_error(const std::error_code& ec, const char* what);
}  // namespace detail

}  // namespace runnel::http
