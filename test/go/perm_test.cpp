// test/go/perm_test.cpp: what each direction of a channel allows, checked at compile time.
//
// Follows Go's test/chan/perm.go, and makechan.go for the arguments of make.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <concepts>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include <runnel/runnel.hpp>

namespace runnel {
namespace {

template <class C>
concept can_send = requires(const C& c) { c.send(0); };
template <class C>
concept can_try_send = requires(const C& c) { c.try_send(0); };
template <class C>
concept can_recv = requires(const C& c) { c.recv(); };
template <class C>
concept can_try_recv = requires(const C& c, int& v) { c.try_recv(v); };
template <class C>
concept can_close = requires(const C& c) { c.close(); };
template <class C>
concept can_range = requires(const C& c) {
    c.begin();
    c.end();
};
template <class C>
concept can_be_sent_on_in_a_select = requires(const C& c, int v) { select(on_send(c, v)); };
template <class C>
concept can_be_received_from_in_a_select = requires(const C& c) { select(on_recv(c)); };

using both_ways = chan<int>;
using sender = send_chan<int>;
using receiver = recv_chan<int>;

// A channel may be handed on as one of its directions, and a direction as nothing else.
static_assert(std::convertible_to<both_ways, receiver>);
static_assert(std::convertible_to<both_ways, sender>);
static_assert(!std::is_constructible_v<both_ways, receiver>);
static_assert(!std::is_constructible_v<both_ways, sender>);
static_assert(!std::is_constructible_v<receiver, sender>);
static_assert(!std::is_constructible_v<sender, receiver>);
static_assert(!std::is_assignable_v<both_ways&, receiver>);
static_assert(!std::is_assignable_v<both_ways&, sender>);
static_assert(!std::is_assignable_v<receiver&, sender>);
static_assert(!std::is_assignable_v<sender&, receiver>);
static_assert(!std::is_constructible_v<chan<long>, chan<int>>);

static_assert(can_send<both_ways> && can_send<sender> && !can_send<receiver> && !can_send<int>);
static_assert(can_try_send<both_ways> && can_try_send<sender> && !can_try_send<receiver>);
static_assert(can_recv<both_ways> && !can_recv<sender> && can_recv<receiver> && !can_recv<int>);
static_assert(can_try_recv<both_ways> && !can_try_recv<sender> && can_try_recv<receiver>);
static_assert(can_range<both_ways> && !can_range<sender> && can_range<receiver>);
static_assert(can_close<both_ways> && can_close<sender> && !can_close<receiver>);  // S4
static_assert(can_be_sent_on_in_a_select<both_ways> && can_be_sent_on_in_a_select<sender>);
static_assert(!can_be_sent_on_in_a_select<receiver> && !can_be_sent_on_in_a_select<int>);
static_assert(can_be_received_from_in_a_select<both_ways>);
static_assert(can_be_received_from_in_a_select<receiver>);
static_assert(!can_be_received_from_in_a_select<sender>);
static_assert(!can_be_received_from_in_a_select<int>);

// What arrives is what the channel is a channel of, or the end.
static_assert(std::same_as<decltype(std::declval<receiver>().recv()), std::optional<int>>);

TEST(go_perm, handles_of_one_channel_are_equal_in_every_direction) {  // S16
    const auto c = make_chan<int>(1);
    const auto other = make_chan<int>(1);
    const sender out = c;
    const receiver in = c;
    EXPECT_TRUE(c == both_ways(c));
    EXPECT_TRUE(out == c);
    EXPECT_TRUE(in == c);
    EXPECT_TRUE(out == in);
    EXPECT_FALSE(c == other);
    EXPECT_FALSE(out == sender(other));

    out.send(1);
    EXPECT_EQ(in.recv(), 1);
    out.close();
    EXPECT_FALSE(c.recv().has_value());
}

TEST(go_perm, channel_is_the_key_of_a_map) {  // S16
    const auto a = make_chan<int>();
    const auto b = make_chan<int>();
    std::unordered_map<chan<int>, std::string> names{{a, "a"}, {b, "b"}};
    EXPECT_EQ(names.at(a), "a");
    EXPECT_EQ(names.at(b), "b");
    EXPECT_FALSE(names.contains(chan<int>{}));
}

TEST(go_perm, handle_tells_whether_it_is_nil) {
    EXPECT_FALSE(static_cast<bool>(chan<int>{}));
    EXPECT_FALSE(static_cast<bool>(send_chan<int>{}));
    EXPECT_FALSE(static_cast<bool>(recv_chan<int>{}));
    EXPECT_TRUE(static_cast<bool>(make_chan<int>()));
    EXPECT_TRUE(chan<int>{} == chan<int>{});
}

}  // namespace
}  // namespace runnel
