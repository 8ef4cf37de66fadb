// test/support/wire.hpp: talks to an HTTP server byte by byte, over a pipe, on virtual time.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <runnel/http/server.hpp>
#include <runnel/net/pipe.hpp>
#include <runnel/runnel.hpp>

namespace runnel::test {

/// One connection to `server`, whose other end somebody serves.
class wire {
public:
    explicit wire(http::server& server) {
        auto [near, far] = net::pipe(64 * 1024);
        near_ = net::any_stream(std::move(near));
        served_ = spawn([&server, s = net::any_stream(std::move(far))]() mutable {
            server.serve_connection(std::move(s));
        });
    }
    ~wire() {
        near_.close();
        served_.join();
    }
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;

    void send(std::string_view text) {
        std::error_code ignored;  // the server may have hung up: what it said before counts
        near_.write({}, std::as_bytes(std::span(text)), ignored);
    }
    void end() {
        std::error_code ignored;
        near_.shutdown_write(ignored);
    }
    void close() { near_.close(); }
    /// Everything until the server hangs up, or says nothing for `patience`.
    std::string read_all(clock::duration patience = std::chrono::seconds(5)) {
        std::string all;
        while (read_more(all, patience)) {
        }
        return all;
    }
    /// One complete response with a Content-Length, or as much of it as comes.
    std::string read_response() {
        while (!is_complete()) {
            if (!read_more(kept_, std::chrono::seconds(5))) {
                return std::exchange(kept_, {});
            }
        }
        const std::size_t size = response_size();
        std::string one = kept_.substr(0, size);
        kept_.erase(0, size);
        return one;
    }
    /// Until what has come has `text` in it.
    std::string read_until(std::string_view text) {
        while (kept_.find(text) == std::string::npos) {
            if (!read_more(kept_, std::chrono::seconds(5))) {
                break;
            }
        }
        return std::exchange(kept_, {});
    }
    /// The server has closed its half.
    [[nodiscard]] bool hung_up() const { return hung_up_; }
    [[nodiscard]] net::any_stream& stream() { return near_; }

private:
    bool read_more(std::string& into, clock::duration patience) {
        char chunk[4096];
        std::error_code ec;
        near_.set_read_deadline(clock::now() + patience);
        const std::size_t n = near_.read_some({}, std::as_writable_bytes(std::span(chunk)), ec);
        into.append(chunk, n);
        hung_up_ = n == 0 && ec != errc::timed_out;
        return n > 0;
    }
    [[nodiscard]] std::size_t response_size() const {
        const std::size_t head = kept_.find("\r\n\r\n");
        if (head == std::string::npos) {
            return std::string::npos;
        }
        const std::size_t at = kept_.find("Content-Length: ");
        const bool has = at != std::string::npos && at < head;
        return head + 4 + (has ? std::stoul(kept_.substr(at + 16, 12)) : 0);
    }
    [[nodiscard]] bool is_complete() const { return response_size() <= kept_.size(); }

    net::any_stream near_;
    join_handle<void> served_;
    std::string kept_;
    bool hung_up_ = false;
};

}  // namespace runnel::test
