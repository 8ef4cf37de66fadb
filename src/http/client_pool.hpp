// http/client_pool.hpp: a client's connections, in use and idle.
//
// Invariants
//   P1  `total` of a host counts its connections, idle and in use; a client_connection counts from
//       its creation to its destruction.
//   P2  An idle connection has no unread bytes, and nobody else has a handle of it.
// Locks     state::lock protects `hosts`. Nothing is closed or dialed under it.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/http/client.hpp>
#include <runnel/net/stream.hpp>
#include <runnel/sync/condition_variable.hpp>
#include <runnel/sync/mutex.hpp>

#include "src/http/input.hpp"

namespace runnel::http::detail {

struct client_connection {
    client_connection(std::shared_ptr<client::state> of, std::string host)
        : pool(std::move(of)), key(std::move(host)) {}
    client_connection(const client_connection&) = delete;
    client_connection& operator=(const client_connection&) = delete;
    ~client_connection();

    std::shared_ptr<client::state> pool;  // null while it is idle: the pool does not own itself
    const std::string key;
    net::any_stream stream;
    input in;
    bool used = false;  ///< for an earlier request
    clock::time_point idle_since;
};

using connection_ptr = std::shared_ptr<client_connection>;

}  // namespace runnel::http::detail

namespace runnel::http {

struct client::state : std::enable_shared_from_this<client::state> {
    explicit state(client_options o) : options(std::move(o)) {}

    struct host {
        std::size_t total = 0;
        std::vector<detail::connection_ptr> idle;  // the last is the youngest
    };

    /// A connection for `to`: one that is idle unless `fresh`, else a new one. Waits at the limit.
    detail::connection_ptr acquire(const context& ctx, const url& to, bool fresh,
                                   std::error_code& ec);
    void release(detail::connection_ptr c);
    void forget(const std::string& key) noexcept;

    const client_options options;
    mutable mutex lock;
    condition_variable changed;
    std::map<std::string, host> hosts;

private:
    detail::connection_ptr take_idle(host& h, std::vector<detail::connection_ptr>& dead);
    detail::connection_ptr connect(const context& ctx, const url& to, detail::connection_ptr c,
                                   std::error_code& ec);
};

}  // namespace runnel::http
