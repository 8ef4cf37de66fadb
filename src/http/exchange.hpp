// http/exchange.hpp: one request and its response, on a server's connection.
//
// Purpose   Everything that a request needs beyond its connection: buffers, the request, the state
//           of its response, the watch for the client's end. Connections take one from a pool when
//           a request begins to come, and give it back when they wait for the next: a connection
//           that is idle has none.
// The watch The request's context is made when it is first asked for; only then, and once the body
//           has been read, does a goroutine read on: bytes of requests to come into `in_`, and an
//           end or an error cancels the context. finish() ends the watch by a read deadline that
//           has passed, and waits for it, before anybody else touches `in_`.
// Writing   Up to `buffer_size` bytes of the body wait in out_; if the handler returns before
//           there are more, head and body go out in one write, with Content-Length.
// Threads   Used by the connection's goroutine; the watch uses in_, stream() for reading,
//           watch_end_ and the context's trigger.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <runnel/context.hpp>
#include <runnel/http/handler.hpp>
#include <runnel/http/message.hpp>
#include <runnel/net/stream.hpp>
#include <runnel/sync/wait_group.hpp>

#include "src/http/body_reader.hpp"
#include "src/http/date.hpp"
#include "src/http/head.hpp"
#include "src/http/input.hpp"
#include "src/http/response_head.hpp"

namespace runnel::http::detail {

class connection;

class exchange final : public response_writer, private context_source, private body_source {
public:
    static constexpr std::size_t buffer_size = 4096;
    static constexpr std::size_t pipelined_limit = 64 * 1024;
    /// How much of a body that the handler has not read is read for the sake of the connection.
    static constexpr std::uint64_t drain_limit = 256 * 1024;

    exchange() = default;

    /// Before anything else, and after the last: which connection it serves.
    void attach(connection& c, std::span<const std::byte> first);
    void detach() noexcept;

    /// Reads a request, has it answered; returns whether the connection can go on.
    bool serve_one();
    /// There are bytes of a next request already.
    [[nodiscard]] bool has_more() const noexcept { return !in_.empty(); }

    // response_writer
    using response_writer::flush;
    using response_writer::write;
    [[nodiscard]] http::headers& headers() override { return headers_; }
    [[nodiscard]] http::headers& trailers() override { return trailers_; }
    void write_head(int status) override;
    std::size_t write(std::span<const std::byte> part, std::error_code& ec) override;
    void flush(std::error_code& ec) override;
    [[nodiscard]] int status() const noexcept override { return status_; }
    [[nodiscard]] std::uint64_t body_size() const noexcept override { return body_size_; }

private:
    /// How the end of the response's body is marked.
    enum class ending : unsigned char { undecided, none, length, chunked, close };

    // Reading: exchange.cpp
    [[nodiscard]] bool read_head();
    void start_body();
    std::size_t read_some(std::span<std::byte> out, std::error_code& ec) override;
    [[nodiscard]] const http::headers* received_trailers() const noexcept override {
        return &body_.trailers();
    }
    [[nodiscard]] const runnel::context& request_context() override;
    void start_watch();
    void watch();
    void stop_watch();
    void call_handler();
    void handler_failed(std::string_view what, bool speaks);
    [[nodiscard]] bool drain();
    void refuse(const refusal& no);
    void reset();

    // Writing: exchange_write.cpp
    void decide_ending(bool complete);
    void send_head(bool complete, std::span<const std::byte> part);
    void send(std::span<const std::byte> bytes);
    void put_part(std::span<const std::byte> part);
    void finish_response();
    void send_continue();
    void take_error(std::error_code& ec) const noexcept { ec = broken_; }

    connection* connection_ = nullptr;
    input in_;
    request request_;
    framing framing_;
    body_reader body_;
    std::error_code body_error_;
    bool continue_wanted_ = false;

    http::headers headers_;
    http::headers trailers_;
    std::string head_;  ///< fixed by write_head(), sent by send_head()
    std::string out_;   ///< bytes of the body that wait
    head_facts facts_;
    ending ending_ = ending::undecided;
    int status_ = 0;
    bool head_sent_ = false;
    bool is_head_request_ = false;
    bool keep_alive_ = false;
    std::uint64_t body_size_ = 0;
    std::error_code broken_;  ///< the first error of a write
    date_cache date_;

    std::optional<cancel_scope> scope_;  ///< once the context has been asked for
    wait_group watch_end_;
    bool watching_ = false;
    bool client_gone_ = false;  ///< set by the watch; read after watch_end_
};

}  // namespace runnel::http::detail
