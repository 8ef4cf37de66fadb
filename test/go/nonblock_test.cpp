// test/go/nonblock_test.cpp: operations that do not block, with values of several sizes and types.
//
// Follows Go's test/chan/nonblock.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

template <class T>
struct sample;

template <>
struct sample<std::int32_t> {
    static std::int32_t make() { return 123; }
};

template <>
struct sample<std::int64_t> {
    static std::int64_t make() { return 123'456'789'012; }
};

template <>
struct sample<bool> {
    static bool make() { return true; }
};

template <>
struct sample<std::string> {
    static std::string make() { return "hello again, and long enough for the heap"; }
};

template <>
struct sample<std::array<int, 256>> {
    static std::array<int, 256> make() {
        std::array<int, 256> a{};
        a.front() = 1;
        a.back() = 2;
        return a;
    }
};

// Compared by what it points to.
struct owner {
    std::unique_ptr<int> p;
    friend bool operator==(const owner& a, const owner& b) { return *a.p == *b.p; }
};

template <>
struct sample<owner> {
    static owner make() { return {std::make_unique<int>(5)}; }
};

template <class T>
class go_nonblock : public ::testing::Test {
protected:
    // The same cases at each worker count and capacity.
    template <class F>
    void in_bubbles(F f) {
        for (const std::size_t workers : test::worker_numbers) {
            testing::bubble world{{.workers = workers}};
            world.run([&] {
                for (const std::ptrdiff_t capacity : {0, 1}) {
                    f(world, make_chan<T>(capacity));
                }
            });
        }
    }
};

using value_types =
    ::testing::Types<std::int32_t, std::int64_t, bool, std::string, std::array<int, 256>, owner>;
TYPED_TEST_SUITE(go_nonblock, value_types);

TYPED_TEST(go_nonblock, receive_from_an_empty_channel_gives_up) {
    this->in_bubbles([](testing::bubble&, const chan<TypeParam>& c) {
        std::optional<TypeParam> got;
        EXPECT_EQ(select(on_recv(c, got), otherwise()), 1U);
        EXPECT_EQ(c.try_recv(got), op_status::empty);
        EXPECT_FALSE(got.has_value());
    });
}

TYPED_TEST(go_nonblock, send_reaches_a_receiver_that_waits) {
    this->in_bubbles([](testing::bubble& world, const chan<TypeParam>& c) {
        for (const bool by_select : {true, false}) {
            auto received = spawn([=] { return c.recv().value(); });
            world.settle();
            auto value = sample<TypeParam>::make();
            if (by_select) {
                EXPECT_EQ(select(on_send(c, std::move(value)), otherwise()), 0U);
            } else {
                EXPECT_EQ(c.try_send(std::move(value)), op_status::ok);
            }
            EXPECT_TRUE(received.join() == sample<TypeParam>::make());
        }
    });
}

TYPED_TEST(go_nonblock, receive_takes_from_a_sender_that_waits) {
    this->in_bubbles([](testing::bubble& world, const chan<TypeParam>& c) {
        for (const bool by_select : {true, false}) {
            auto sent = spawn([=] { c.send(sample<TypeParam>::make()); });
            world.settle();
            std::optional<TypeParam> got;
            if (by_select) {
                EXPECT_EQ(select(on_recv(c, got), otherwise()), 0U);
            } else {
                EXPECT_EQ(c.try_recv(got), op_status::ok);
            }
            EXPECT_TRUE(got == sample<TypeParam>::make());
            sent.join();
        }
    });
}

// Nobody can say when the other side arrives, so both sides try until they meet.
TYPED_TEST(go_nonblock, sides_that_try_again_and_again_meet) {
    for (const std::size_t workers : test::worker_numbers) {
        runtime rt{{.workers = workers}};
        rt.run([] {
            for (const std::ptrdiff_t capacity : {0, 1}) {
                auto c = make_chan<TypeParam>(capacity);
                auto received = spawn([=] { return c.recv().value(); });
                auto value = sample<TypeParam>::make();
                while (c.try_send(std::move(value)) == op_status::full) {
                    yield();  // what was not sent is still ours
                }
                EXPECT_TRUE(received.join() == sample<TypeParam>::make());

                auto sent = spawn([=] { c.send(sample<TypeParam>::make()); });
                std::optional<TypeParam> got;
                while (c.try_recv(got) == op_status::empty) {
                    yield();
                }
                EXPECT_TRUE(got == sample<TypeParam>::make());
                sent.join();
            }
        });
    }
}

}  // namespace
}  // namespace runnel
