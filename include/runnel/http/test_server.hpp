// runnel/http/test_server.hpp: a server for tests, and a writer that keeps what it is given.
//
//     http::test_server server(handler);            // on a loopback port of its own
//     http::response r = server.client().get(ctx, server.url() + "/weather");
//
// (Go's net/http/httptest)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <runnel/http/client.hpp>
#include <runnel/http/handler.hpp>
#include <runnel/http/server.hpp>

namespace runnel::http {

class test_server {
public:
    enum class network : bool {
        loopback,   ///< TCP, 127.0.0.1, a port that the system chooses
        in_memory,  ///< pipes: no descriptor, virtual time in a bubble; only client() reaches it
    };

    /// Serves at once. Throws std::system_error if there is no port.
    explicit test_server(handler h, network where = network::loopback, server_options options = {});
    test_server(test_server&&) noexcept = default;
    test_server& operator=(test_server&&) = delete;
    test_server(const test_server&) = delete;
    test_server& operator=(const test_server&) = delete;
    /// close(), unless that was called.
    ~test_server();

    /// "http://127.0.0.1:port"
    [[nodiscard]] const std::string& url() const noexcept;
    /// A client whose idle connections close() closes.
    [[nodiscard]] const http::client& client() const noexcept;

    /// The requests that are being answered: "GET /weather".
    [[nodiscard]] std::vector<std::string> outstanding() const;
    /// Takes no more connections, closes those that are idle, and blocks until the requests that
    /// are being answered have been. When that takes more than 5 seconds, names them in the log,
    /// and goes on waiting.
    void close();
    /// Closes the connections at once, those in use too; contexts of requests are cancelled.
    void close_connections();

private:
    struct state;
    std::unique_ptr<state> state_;
};

/// Keeps what a handler writes, without a connection.
class recorder final : public response_writer {
public:
    using response_writer::flush;
    using response_writer::write;
    [[nodiscard]] http::headers& headers() override { return headers_; }
    [[nodiscard]] http::headers& trailers() override { return trailers_; }
    void write_head(int status) override;
    std::size_t write(std::span<const std::byte> part, std::error_code& ec) override;
    void flush(std::error_code& ec) override;
    /// 0 before the head has been written; result() then says 200.
    [[nodiscard]] int status() const noexcept override { return status_; }
    [[nodiscard]] std::uint64_t body_size() const noexcept override { return body_.size(); }

    [[nodiscard]] const std::string& body() const noexcept { return body_; }
    [[nodiscard]] bool flushed() const noexcept { return flushed_; }
    /// What a client would have got; the headers as they were when the head was written.
    [[nodiscard]] response result() const;

private:
    http::headers headers_;
    http::headers sent_;
    http::headers trailers_;
    std::string body_;
    int status_ = 0;
    bool flushed_ = false;
};

}  // namespace runnel::http
