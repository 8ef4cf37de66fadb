// net/net_test.hpp: what the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>

#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel::test {

inline std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

template <net::stream S>
std::string read_text(S& s, std::size_t most = 4096) {
    std::vector<std::byte> room(most);
    const std::size_t count = s.read_some(room);
    return {reinterpret_cast<const char*>(room.data()), count};
}

template <net::stream S>
std::string read_to_end(S& s) {
    std::string all;
    for (std::string part = read_text(s, 65536); !part.empty(); part = read_text(s, 65536)) {
        all += part;
    }
    return all;
}

/// The error of a read, which gets nothing.
template <net::stream S>
std::error_code read_error(S& s, const context& ctx = {}) {
    std::vector<std::byte> room(16);
    std::error_code ec;
    EXPECT_EQ(s.read_some(ctx, room, ec), 0u);
    return ec;
}

/// Two ends of one TCP connection.
inline std::pair<net::tcp_stream, net::tcp_stream> tcp_pair() {
    net::tcp_listener l = net::listen("127.0.0.1:0");
    net::tcp_stream a = net::dial(l.local_address().to_string());
    return {std::move(a), l.accept()};
}

/// Lets others run until `done` says so.
template <class Done>
void until(Done done) {
    while (!done()) {
        yield();
    }
}

/// Returns once `count` goroutines of the caller's runtime wait for descriptors.
inline void until_waiting(std::size_t count) {
    until([&] { return detail::current_worker()->home.events().armed() == count; });
}

}  // namespace runnel::test
