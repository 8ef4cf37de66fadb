// http/connection.hpp: a server's connection, and what connections share.
//
// Invariants
//   C1  A connection is in server::state::all from before its goroutine starts until it ends.
//   C2  Only the connection's goroutine changes phase_, but for shutdown, which may change idle to
//       closing: whoever has made that change closes the stream.
//   C3  stopping is set before shutdown looks at any phase; a connection becomes idle before it
//       looks at stopping. Both are sequentially consistent, so one of them sees the other.
// Locks     state::lock protects `all` and `listeners`; nothing is closed under it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <runnel/context.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/http/server.hpp>
#include <runnel/sync/condition_variable.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/http/exchange.hpp"

namespace runnel::http::detail {

/// Exchanges that nobody uses: as many as were used at one time, up to a limit.
class exchange_pool {
public:
    [[nodiscard]] std::unique_ptr<exchange> take();
    void put(std::unique_ptr<exchange> e) noexcept;

private:
    static constexpr std::size_t most = 256;

    runnel::detail::spin_lock lock_;
    std::size_t count_ = 0;                               // protected by lock_
    std::array<std::unique_ptr<exchange>, most> unused_;  // protected by lock_
};

class connection {
public:
    enum class phase : unsigned char { fresh, idle, active, closing };

    connection(std::shared_ptr<server::state> shared, net::any_stream stream);

    /// Serves until the connection ends.
    void run();
    /// Of a server that stops: ends it now if it does nothing, soon if it has not said anything.
    void end_if_idle();
    void close() { stream_.close(); }

    [[nodiscard]] net::any_stream& stream() noexcept { return stream_; }
    [[nodiscard]] server::state& shared() noexcept { return *shared_; }
    [[nodiscard]] const std::string& remote() const noexcept { return remote_; }
    /// Deadlines are set anew only if what is left of them is less than asked for: a request on a
    /// busy connection changes no timer. They may come an eighth late.
    void read_within(clock::duration limit);
    void write_within(clock::duration limit);
    void forget_read_deadline() noexcept { read_deadline_ = {}; }
    /// Says goodbye so that the client can read what was sent: without that, bytes that it has sent
    /// and nobody has read would make the system drop them.
    void linger();

    std::list<std::shared_ptr<connection>>::iterator place;  ///< in state::all; under its lock

private:
    bool wait_for_request(std::span<std::byte> first, std::size_t& count);
    [[nodiscard]] bool serve_requests(std::span<const std::byte> first);

    const std::shared_ptr<server::state> shared_;
    net::any_stream stream_;
    const std::string remote_;
    const clock::time_point begin_ = clock::now();
    std::atomic<phase> phase_ = phase::fresh;
    clock::time_point read_deadline_;
    clock::time_point write_deadline_;
};

}  // namespace runnel::http::detail

namespace runnel::http {

struct server::state {
    state(handler h, server_options o);

    void log(std::string_view line) const;
    void serve_connection(net::any_stream stream, const std::shared_ptr<state>& self, bool wait);
    void close_all();
    /// Waits until no connection is left, or `ctx` ends.
    std::error_code wait_for_connections(const context& ctx);

    const handler answer;
    const server_options options;
    const detail::head_limits head;
    cancel_scope base;  ///< what requests' contexts are derived from
    detail::exchange_pool pool;
    std::atomic<bool> stopping = false;
    std::atomic<std::size_t> count = 0;

    mutex lock;
    condition_variable none_left;
    std::list<std::shared_ptr<detail::connection>> all;
    std::list<std::shared_ptr<net::any_listener>> listeners;
};

}  // namespace runnel::http
