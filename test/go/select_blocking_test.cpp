// test/go/select_blocking_test.cpp: what blocks for ever, what never blocks, what throws.
//
// Follows Go's test/chan/select3.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <optional>
#include <tuple>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

chan<int> closed_chan() {
    auto c = make_chan<int>();
    c.close();
    return c;
}

const auto unreachable = [] { FAIL() << "this case must not be chosen"; };

class go_select_blocks : public test::in_bubble {
protected:
    const chan<int> nil_{};
};

TEST_P(go_select_blocks, send_on_nil) {  // S2
    EXPECT_TRUE(blocks_for_ever([this] { nil_.send(7); }));
}

TEST_P(go_select_blocks, receive_on_nil) {  // S2
    EXPECT_TRUE(blocks_for_ever([this] { test::drop(nil_); }));
}

TEST_P(go_select_blocks, range_over_nil) {
    EXPECT_TRUE(blocks_for_ever([this] {
        for (const int v : nil_) {
            ADD_FAILURE() << v;
        }
    }));
}

TEST_P(go_select_blocks, receive_from_an_empty_channel) {
    EXPECT_TRUE(blocks_for_ever([c = make_chan<int>()] { test::drop(c); }));
}

TEST_P(go_select_blocks, select_without_a_case) {  // S19
    EXPECT_TRUE(blocks_for_ever([] { select(); }));
}

TEST_P(go_select_blocks, select_of_a_receive_on_nil) {  // S20
    EXPECT_TRUE(blocks_for_ever([this] { select(on_recv(nil_, unreachable)); }));
}

TEST_P(go_select_blocks, select_of_a_send_on_nil) {
    EXPECT_TRUE(blocks_for_ever([this] { select(on_send(nil_, 7, unreachable)); }));
}

TEST_P(go_select_blocks, select_of_both_on_nil) {
    EXPECT_TRUE(blocks_for_ever(
        [this] { select(on_recv(nil_, unreachable), on_send(nil_, 7, unreachable)); }));
}

TEST_P(go_select_blocks, select_of_a_channel_that_is_not_ready) {
    EXPECT_TRUE(blocks_for_ever([c = make_chan<int>()] { select(on_recv(c, unreachable)); }));
}

TEST_P(go_select_blocks, select_that_meets_itself) {  // S22
    EXPECT_TRUE(blocks_for_ever(
        [c = make_chan<int>()] { select(on_send(c, 1, unreachable), on_recv(c, unreachable)); }));
}

INSTANTIATE_TEST_SUITE_P(workers, go_select_blocks, test::worker_counts, test::worker_name);

class go_select_proceeds : public test::on_workers {
protected:
    const chan<int> nil_{};
};

TEST_P(go_select_proceeds, with_otherwise_when_there_is_nothing_else) {
    run([] { EXPECT_EQ(select(otherwise()), 0U); });
}

TEST_P(go_select_proceeds, with_otherwise_when_every_channel_is_nil) {
    run([this] {
        EXPECT_EQ(select(on_send(nil_, 7, unreachable), otherwise()), 1U);
        EXPECT_EQ(select(on_recv(nil_, unreachable), otherwise()), 1U);
    });
}

TEST_P(go_select_proceeds, with_a_send_into_free_buffer_space) {
    run([] {
        auto c = make_chan<int>(2);
        c.send(7);
        EXPECT_EQ(select(on_send(c, 7), otherwise(unreachable)), 0U);
        EXPECT_EQ(c.len(), 2U);
    });
}

TEST_P(go_select_proceeds, with_a_receive_from_the_buffer) {
    run([] {
        auto c = make_chan<int>(1);
        c.send(7);
        EXPECT_EQ(select(on_recv(c), otherwise(unreachable)), 0U);
        EXPECT_EQ(c.len(), 0U);
    });
}

TEST_P(go_select_proceeds, with_a_receive_from_a_closed_channel) {  // S5, S21
    run([] {
        const auto closed = closed_chan();
        for (int i = 0; i < 10; ++i) {
            EXPECT_FALSE(closed.recv().has_value());
        }
        EXPECT_EQ(select(on_recv(closed)), 0U);
        std::optional<int> slot = 1;
        EXPECT_EQ(select(on_recv(closed, slot)), 0U);
        EXPECT_FALSE(slot.has_value());
        select(on_recv(closed, [](std::optional<int> v) { EXPECT_FALSE(v.has_value()); }));
    });
}

TEST_P(go_select_proceeds, to_throw_when_it_sends_on_a_closed_channel) {  // S3, S21
    run([] {
        const auto closed = closed_chan();
        EXPECT_THROW(closed.send(7), channel_closed);
        EXPECT_THROW(select(on_send(closed, 7)), channel_closed);
        EXPECT_THROW(select(on_send(closed, 7), otherwise(unreachable)), channel_closed);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_select_proceeds, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
