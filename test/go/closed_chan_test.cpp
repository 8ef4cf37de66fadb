// test/go/closed_chan_test.cpp: a closed channel, through every way to use it.
//
// Follows Go's test/closedchan.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

// What a receive that must not block found.
struct outcome {
    bool selected;
    std::optional<int> value;
};

// The channel's own operations.
struct directly {
    static void send(const chan<int>& c, int x) { c.send(x); }
    static bool try_send(const chan<int>& c, int x) {
        switch (c.try_send(x)) {
            case op_status::ok:
                return true;
            case op_status::closed:
                throw channel_closed("closed");  // what the other ways do
            default:
                return false;
        }
    }
    static std::optional<int> recv(const chan<int>& c) { return c.recv(); }
    static outcome try_recv(const chan<int>& c) {
        outcome found{};
        found.selected = c.try_recv(found.value) != op_status::empty;
        return found;
    }
};

// Selects with one case, and otherwise.
struct by_select {
    static void send(const chan<int>& c, int x) { select(on_send(c, x)); }
    static bool try_send(const chan<int>& c, int x) {
        return select(on_send(c, x), otherwise()) == 0;
    }
    static std::optional<int> recv(const chan<int>& c) {
        return select(on_recv(c, [](std::optional<int> v) { return v; }));
    }
    static outcome try_recv(const chan<int>& c) {
        outcome found{};
        found.selected = select(on_recv(c, found.value), otherwise()) == 0;
        return found;
    }
};

// Selects with one more case, which is never ready.
struct by_larger_select {
    static void send(const chan<int>& c, int x) { select(on_send(c, x), on_recv(never())); }
    static bool try_send(const chan<int>& c, int x) {
        return select(on_recv(never()), on_send(c, x), otherwise()) == 1;
    }
    static std::optional<int> recv(const chan<int>& c) {
        std::optional<int> v;
        select(on_recv(never()), on_recv(c, v));
        return v;
    }
    static outcome try_recv(const chan<int>& c) {
        outcome found{};
        found.selected = select(on_recv(never()), on_recv(c, found.value), otherwise()) == 1;
        return found;
    }

private:
    static const chan<bool>& never() {
        static const auto c = make_chan<bool>();
        return c;
    }
};

// The same through a set of cases made at run time.
struct by_selector {
    static void send(const chan<int>& c, int x) {
        selector s;
        s.add_send(c, x);
        s.wait();
    }
    static bool try_send(const chan<int>& c, int x) {
        selector s;
        s.add_send(c, x);
        return s.try_wait().has_value();
    }
    static std::optional<int> recv(const chan<int>& c) {
        std::optional<int> v;
        selector s;
        s.add_recv(c, v);
        s.wait();
        return v;
    }
    static outcome try_recv(const chan<int>& c) {
        outcome found{};
        selector s;
        s.add_recv(c, found.value);
        found.selected = s.try_wait().has_value();
        return found;
    }
};

template <class Way>
class go_closed_chan : public ::testing::Test {
protected:
    // A channel that is closed, with the value 1 in its buffer or without.
    static chan<int> closed(bool with_value) {
        auto c = make_chan<int>(with_value ? 2 : 0);
        if (with_value) {
            c.send(1);
        }
        c.close();
        return c;
    }

    static void expect_drained(const chan<int>& c) {
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(Way::recv(c), std::optional<int>{});
            const outcome found = Way::try_recv(c);
            EXPECT_TRUE(found.selected);
            EXPECT_EQ(found.value, std::optional<int>{});
        }
    }
};

using ways = ::testing::Types<directly, by_select, by_larger_select, by_selector>;
TYPED_TEST_SUITE(go_closed_chan, ways);

TYPED_TEST(go_closed_chan, yields_nothing_for_ever) {  // S5
    this->expect_drained(this->closed(false));
}

TYPED_TEST(go_closed_chan, refuses_values_and_drops_them) {  // S3
    for (const bool with_value : {false, true}) {
        const auto c = this->closed(with_value);
        EXPECT_THROW(TypeParam::try_send(c, 1), channel_closed);
        EXPECT_THROW(TypeParam::send(c, 2), channel_closed);
        if (with_value) {
            EXPECT_EQ(TypeParam::recv(c), 1);
        }
        this->expect_drained(c);
    }
}

TYPED_TEST(go_closed_chan, yields_the_last_value_to_a_blocking_receive) {
    const auto c = this->closed(true);
    EXPECT_EQ(TypeParam::recv(c), 1);
    this->expect_drained(c);
}

TYPED_TEST(go_closed_chan, yields_the_last_value_to_a_receive_that_must_not_block) {
    const auto c = this->closed(true);
    const outcome found = TypeParam::try_recv(c);
    EXPECT_TRUE(found.selected);
    EXPECT_EQ(found.value, 1);
    this->expect_drained(c);
}

TEST(go_close, of_nil_throws) {  // S2
    EXPECT_THROW(chan<int>{}.close(), std::logic_error);
    EXPECT_THROW(send_chan<int>{}.close(), std::logic_error);
}

TEST(go_close, of_a_closed_channel_throws) {  // S4
    const auto c = make_chan<int>();
    c.close();
    EXPECT_THROW(c.close(), channel_closed);
}

}  // namespace
}  // namespace runnel
