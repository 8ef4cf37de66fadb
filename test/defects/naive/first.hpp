// test/defects/naive/first.hpp: the first of several answers, in the seed's three versions.
// (Seed: timeout and cancel; rows 31 to 33 and 35. Over plain functions: a query takes a context
// and returns a value or an error, as a request with its context does.)
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <runnel/context.hpp>

#include "go.hpp"

namespace runnel::naive {

using query = std::function<std::pair<std::string, error>(const context&)>;
using answer = std::pair<std::string, error>;

/// What a query goroutine does: its error goes to the log, and nowhere else.
inline void run_query(const query& q, const context& ctx, const chan<std::string>& c) {
    auto [body, err] = q(ctx);
    if (err) {
        return;
    }
    c.send(std::move(body));
}

/// The first version: no limit.
inline answer first_v1(const std::vector<query>& servers) {
    auto c = make_chan<std::string>(static_cast<std::ptrdiff_t>(servers.size()));
    for (const query& q : servers) {
        naive::go([=] { run_query(q, background(), c); });
    }
    return {c.recv().value(), error()};
}

/// The second one: a limit.
inline answer first_v2(const std::vector<query>& servers) {
    auto c = make_chan<std::string>(static_cast<std::ptrdiff_t>(servers.size()));
    for (const query& q : servers) {
        naive::go([=] { run_query(q, background(), c); });
    }
    std::optional<std::string> r;
    if (select(on_recv(c, r), on_recv(after(std::chrono::milliseconds(500)))) == 0) {
        return {*r, error()};
    }
    return {"", error("timeout")};
}

/// The third one: the queries are cancelled when first returns.
inline answer first_v3(const std::vector<query>& servers) {
    auto c = make_chan<std::string>();
    auto [ctx, cancel] = with_cancel(background());
    for (const query& q : servers) {
        naive::go([q, c, ctx] { run_query(q, ctx, c); });
    }
    std::optional<std::string> r;
    if (select(on_recv(c, r), on_recv(after(std::chrono::milliseconds(500)))) == 0) {
        return {*r, error()};
    }
    return {"", error("timeout")};
}

}  // namespace runnel::naive
