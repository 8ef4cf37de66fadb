#include <runnel/context.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(context, the_background_never_ends) {
    const context ctx = background();
    EXPECT_FALSE(ctx.err());
    EXPECT_FALSE(ctx.done());
    EXPECT_FALSE(ctx.deadline());
    EXPECT_EQ(ctx.cause(), nullptr);
}

TEST(context, cancel_reaches_all_descendants) {
    auto [root, cancel] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(root);
    auto [grandchild, cancel_grandchild] = with_cancel(child);
    auto done = grandchild.done();
    unit u;
    EXPECT_EQ(done.try_recv(u), op_status::empty);
    cancel();
    EXPECT_EQ(root.err(), errc::canceled);
    EXPECT_EQ(grandchild.err(), errc::canceled);
    EXPECT_EQ(done.try_recv(u), op_status::closed);
    EXPECT_EQ(child.done().try_recv(u), op_status::closed);
}

TEST(context, cancelling_a_child_leaves_the_parent) {
    auto [root, cancel] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(root);
    cancel_child();
    EXPECT_EQ(child.err(), errc::canceled);
    EXPECT_FALSE(root.err());
}

struct name_key {
    using type = std::string;
};
struct number_key {
    using type = int;
};

TEST(context, values_are_found_innermost_first) {
    const context a = with_value<name_key>(background(), "a");
    const context b = with_value<number_key>(a, 7);
    const context c = with_value<name_key>(b, "c");
    EXPECT_EQ(*c.value<name_key>(), "c");
    EXPECT_EQ(*b.value<name_key>(), "a");
    EXPECT_EQ(*c.value<number_key>(), 7);
    EXPECT_EQ(a.value<number_key>(), nullptr);
    EXPECT_EQ(background().value<name_key>(), nullptr);
}

TEST(context, a_deadline_ends_it) {
    testing::bubble bubble;
    bubble.run([] {
        auto [ctx, cancel] = with_timeout(background(), 2s);
        const auto start = clock::now();
        ctx.done().recv();
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_EQ(ctx.err(), errc::deadline_exceeded);
        EXPECT_EQ(sleep_for(ctx, 1s), op_status::timeout);
    });
}

TEST(context, one_with_a_deadline_may_outlive_its_runtime) {
    context kept;
    {
        runtime rt{{.workers = 2}};
        rt.run([&] {
            auto [ctx, cancel] = with_timeout(background(), 1h);
            std::move(cancel).release();
            kept = ctx;
        });
    }
    EXPECT_FALSE(kept.err());
}

TEST(context, every_kind_of_wait_ends_with_it) {
    testing::bubble bubble;
    bubble.run([&] {
        auto [ctx, cancel] = with_cancel(background());
        auto ch = make_chan<int>();
        wait_group all;
        all.go([&] {
            int v = 0;
            EXPECT_EQ(ch.recv(ctx, v), op_status::canceled);
        });
        all.go([&] {
            auto other = make_chan<int>();
            EXPECT_EQ(other.send(ctx, 1), op_status::canceled);
        });
        all.go([&] { EXPECT_EQ(sleep_for(ctx, 1h), op_status::canceled); });
        all.go([&] {
            std::optional<int> v;
            EXPECT_EQ(select(on_recv(ch, v), on_done(ctx)), 1u);
        });
        all.go([&] {
            std::optional<int> v;
            selector s;
            s.add_recv(ch, v);
            s.add_done(ctx);
            EXPECT_EQ(s.wait(), 1u);
        });
        bubble.settle();
        cancel();
        all.wait();
    });
}

TEST(context, on_cancel_runs_in_its_own_goroutine) {
    testing::bubble bubble;
    bubble.run([&] {
        auto [ctx, cancel] = with_cancel(background());
        int ran = 0;
        auto kept = on_cancel(ctx, [&] { ++ran; });
        auto stopped = on_cancel(ctx, [&] { ran += 100; });
        EXPECT_TRUE(stopped.stop());
        EXPECT_FALSE(stopped.stop());
        cancel();
        bubble.settle();
        EXPECT_EQ(ran, 1);
        EXPECT_FALSE(kept.stop());
        on_cancel(ctx, [&] { ++ran; });
        bubble.settle();
        EXPECT_EQ(ran, 2);
    });
}

TEST(context, the_cause_is_the_first_on_the_way_from_the_root) {
    auto [root, cancel] = with_cancel(background());
    auto [child, cancel_child] = with_cancel(root);
    cancel(std::make_exception_ptr(std::runtime_error("root")));
    cancel_child(std::make_exception_ptr(std::runtime_error("child")));
    try {
        std::rethrow_exception(child.cause());
    } catch (const std::runtime_error& e) {
        EXPECT_STREQ(e.what(), "root");
    }
}

TEST(context, a_chain_of_100000_is_cancelled_and_dropped_without_recursion) {
    std::vector<cancel_func> cancels;
    context at = background();
    for (int i = 0; i < 100'000; ++i) {
        auto [ctx, cancel] = with_cancel(at);
        cancels.push_back(std::move(cancel));
        at = ctx;
    }
    cancels.front()();
    EXPECT_EQ(at.err(), errc::canceled);
    for (auto& c : cancels) {
        std::move(c).release();
    }
}

}  // namespace
}  // namespace runnel
