#include <runnel/http/server.hpp>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include <runnel/error.hpp>
#include <runnel/goroutine.hpp>
#include <runnel/time.hpp>

#include "src/http/connection.hpp"

namespace runnel::http {
namespace {

using detail::connection;

/// Whether an accept that has failed may succeed later.
bool is_shortage(std::error_code ec) noexcept {
    return ec == std::errc::too_many_files_open || ec == std::errc::too_many_files_open_in_system ||
           ec == std::errc::no_buffer_space || ec == std::errc::not_enough_memory;
}
/// Whether it says only that a client has gone before it was accepted.
bool is_harmless(std::error_code ec) noexcept {
    return ec == std::errc::connection_aborted || ec == std::errc::interrupted ||
           ec == std::errc::protocol_error || ec == std::errc::network_down ||
           ec == std::errc::host_unreachable || ec == std::errc::network_unreachable;
}

void turn_away(net::any_stream& stream) {
    constexpr std::string_view answer =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 24\r\nConnection: close\r\n\r\n503 Service Unavailable\n";
    std::error_code ignored;
    stream.set_write_deadline(clock::now() + std::chrono::seconds(1));
    stream.write({}, std::as_bytes(std::span(answer)), ignored);
    stream.shutdown_write(ignored);
    stream.close();
}

}  // namespace

server::state::state(handler h, server_options o)
    : answer(std::move(h)),
      options(std::move(o)),
      head{.bytes = options.max_header_bytes,
           .line_bytes = options.max_request_line,
           .fields = options.max_header_fields},
      base(with_cancel(background())) {}

void server::state::log(std::string_view line) const {
    if (options.log) {
        options.log(line);
    } else {
        const std::string whole = std::string(line) + '\n';
        std::fwrite(whole.data(), 1, whole.size(), stderr);
    }
}

void server::state::serve_connection(net::any_stream stream, const std::shared_ptr<state>& self,
                                     bool wait) {
    if (count.fetch_add(1) >= options.max_connections) {
        count.fetch_sub(1);
        turn_away(stream);
        return;
    }
    auto c = std::make_shared<connection>(self, std::move(stream));
    {
        const std::lock_guard guard(lock);
        c->place = all.insert(all.end(), c);
    }
    if (stopping.load()) {
        c->close();
    }
    auto serve = [c = std::move(c)] {
        c->run();
        state& shared = c->shared();
        const std::lock_guard guard(shared.lock);
        shared.all.erase(c->place);
        if (shared.count.fetch_sub(1) == 1) {
            shared.none_left.notify_all();
        }
    };
    if (wait) {
        serve();
    } else {
        go({.name = "http connection"}, std::move(serve));
    }
}

std::error_code server::state::wait_for_connections(const context& ctx) {
    std::unique_lock guard(lock);
    const op_status s = none_left.wait(ctx, guard, [this] { return all.empty(); });
    return s == op_status::ok ? std::error_code() : ctx.err();
}

void server::state::close_all() {
    stopping.store(true);
    base.cancel();
    std::vector<std::shared_ptr<connection>> connections;
    std::vector<std::shared_ptr<net::any_listener>> open;
    {
        const std::lock_guard guard(lock);
        connections.assign(all.begin(), all.end());
        open.assign(listeners.begin(), listeners.end());
    }
    for (const auto& l : open) {
        l->close();
    }
    for (const auto& c : connections) {
        c->close();
    }
}

server::server(handler h, server_options options) {
    if (!h) {
        throw std::invalid_argument("http::server: no handler");
    }
    state_ = std::make_shared<state>(std::move(h), std::move(options));
}

server::~server() {
    if (state_) {
        close();
        static_cast<void>(state_->wait_for_connections(background()));
    }
}

std::error_code server::serve(net::any_listener listener) {
    const std::shared_ptr<state> shared = state_;
    const auto own = std::make_shared<net::any_listener>(std::move(listener));
    std::list<std::shared_ptr<net::any_listener>>::iterator place;
    {
        const std::lock_guard guard(shared->lock);
        place = shared->listeners.insert(shared->listeners.end(), own);
    }
    constexpr clock::duration shortest = std::chrono::milliseconds(5);
    constexpr clock::duration longest = std::chrono::seconds(1);
    clock::duration pause = shortest;
    std::error_code ec;
    while (!shared->stopping.load()) {
        net::any_stream stream = own->accept(context(), ec);
        if (!ec) {
            pause = shortest;
            shared->serve_connection(std::move(stream), shared, false);
        } else if (is_shortage(ec) && !shared->stopping.load()) {
            shared->log("http: accept: " + ec.message() + "; trying again");
            static_cast<void>(sleep_for(shared->base.ctx(), pause));
            pause = std::min(2 * pause, longest);
        } else if (!is_harmless(ec)) {
            break;
        }
    }
    own->close();
    const std::lock_guard guard(shared->lock);
    shared->listeners.erase(place);
    return shared->stopping.load() ? make_error_code(errc::server_closed) : ec;
}

void server::serve_connection(net::any_stream stream) {
    state_->serve_connection(std::move(stream), state_, true);
}

std::error_code server::shutdown(const context& ctx) {
    const std::shared_ptr<state> shared = state_;
    shared->stopping.store(true);
    std::vector<std::shared_ptr<connection>> connections;
    std::vector<std::shared_ptr<net::any_listener>> open;
    {
        const std::lock_guard guard(shared->lock);
        connections.assign(shared->all.begin(), shared->all.end());
        open.assign(shared->listeners.begin(), shared->listeners.end());
    }
    for (const auto& l : open) {
        l->close();
    }
    for (const auto& c : connections) {
        c->end_if_idle();
    }
    return shared->wait_for_connections(ctx);
}

std::error_code server::shutdown(clock::duration limit) {
    const std::shared_ptr<state> shared = state_;
    auto [ctx, cancel] = with_timeout(background(), limit);
    const std::error_code ec = shutdown(ctx);
    if (ec) {
        shared->close_all();
        return runnel::errc::timed_out;
    }
    return {};
}

void server::close() { state_->close_all(); }

void server::log(std::string_view line) const { state_->log(line); }

std::size_t server::connections() const { return state_->count.load(); }

}  // namespace runnel::http
