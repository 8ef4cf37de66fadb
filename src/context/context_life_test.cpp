// context/context_life_test.cpp: who keeps what of a context alive, and where it is destroyed.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "src/context/context_state.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

std::size_t children_of(const context& ctx) { return ctx.node().get()->canceler()->child_count(); }

TEST(context_life, a_child_that_is_dropped_leaves_nothing_in_its_parent) {
    auto [root, cancel] = with_cancel(background());
    for (int i = 0; i < 1000; ++i) {
        auto [a, cancel_a] = with_cancel(root);
        auto [b, cancel_b] = with_timeout(a, 1h);
        auto [c, cancel_c] = with_stop_token(b, std::stop_source().get_token());
        std::move(cancel_a).release();
        std::move(cancel_b).release();
        std::move(cancel_c).release();
        EXPECT_EQ(children_of(root), 1U);
    }
    EXPECT_EQ(children_of(root), 0U);
}

struct tracked_key {
    using type = std::shared_ptr<int>;
};

TEST(context_life, values_go_with_the_last_context_that_has_them) {
    auto value = std::make_shared<int>(7);
    std::optional<context> outer = with_value<tracked_key>(background(), value);
    std::optional<context> inner = without_cancel(*outer);
    outer.reset();
    EXPECT_EQ(value.use_count(), 2);
    EXPECT_EQ(**inner->value<tracked_key>(), 7);
    inner.reset();
    EXPECT_EQ(value.use_count(), 1);
}

struct throws_key {
    struct type {
        explicit type(int) { throw std::runtime_error("no value"); }
    };
};

TEST(context_life, a_value_that_cannot_be_made_keeps_no_share_of_the_parent) {
    auto value = std::make_shared<int>(7);
    {
        const context parent = with_value<tracked_key>(background(), value);
        EXPECT_THROW(static_cast<void>(with_value<throws_key>(parent, 1)), std::runtime_error);
    }
    EXPECT_EQ(value.use_count(), 1);
}

struct immovable_key {
    struct type {
        explicit type(int n) : number(n) {}
        type(const type&) = delete;
        type& operator=(const type&) = delete;
        int number;
    };
};

TEST(context_life, a_value_need_not_be_movable) {
    const context ctx = with_value<immovable_key>(background(), 5);
    EXPECT_EQ(ctx.value<immovable_key>()->number, 5);
}

TEST(context_life, a_function_waits_for_the_parents_end_when_its_own_context_is_dropped) {
    testing::bubble bubble;
    bubble.run([&] {
        auto [root, cancel] = with_cancel(background());
        int ran = 0;
        {
            auto [middle, cancel_middle] = with_cancel(root);
            auto [ctx, cancel_ctx] = with_cancel(middle);
            on_cancel(ctx, [&] { ++ran; });
            std::move(cancel_ctx).release();
            std::move(cancel_middle).release();
        }
        EXPECT_EQ(children_of(root), 0U);
        bubble.settle();
        EXPECT_EQ(ran, 0);
        cancel();
        bubble.settle();
        EXPECT_EQ(ran, 1);
    });
}

TEST(context_life, a_function_waits_for_the_deadline_when_its_context_is_dropped) {
    testing::bubble bubble;
    bubble.run([&] {
        std::vector<clock::duration> ran;
        const auto start = clock::now();
        for (const auto d : {3s, 1s, 2s}) {
            auto [ctx, cancel] = with_timeout(background(), d);
            on_cancel(ctx, [&] { ran.push_back(clock::now() - start); });
            std::move(cancel).release();
        }
        sleep_for(10s);
        EXPECT_EQ(ran, (std::vector<clock::duration>{1s, 2s, 3s}));
    });
}

TEST(context_life, a_function_that_is_taken_back_frees_a_context_with_a_deadline) {
    auto value = std::make_shared<int>(7);
    {
        const context outer = with_value<tracked_key>(background(), value);
        auto [ctx, cancel] = with_timeout(outer, 1h);
        std::move(cancel).release();
        auto a = on_cancel(ctx, [] {});
        auto b = on_cancel(ctx, [] {});
        EXPECT_TRUE(a.stop());
        EXPECT_TRUE(b.stop());
    }
    EXPECT_EQ(value.use_count(), 1);
}

TEST(context_life, a_function_that_nobody_can_cause_any_more_is_dropped) {
    auto value = std::make_shared<int>(7);
    {
        auto [ctx, cancel] = with_cancel(background());
        on_cancel(ctx, [value] { ADD_FAILURE() << "ran"; });
        std::move(cancel).release();
    }
    EXPECT_EQ(value.use_count(), 1);
    {
        runtime rt{{.workers = 1}};
        rt.run([&] {
            auto [ctx, cancel] = with_timeout(background(), 1h);
            on_cancel(ctx, [value] { ADD_FAILURE() << "ran"; });
            std::move(cancel).release();
        });
    }
    EXPECT_EQ(value.use_count(), 1);  // the deadline has gone with its runtime
}

TEST(context_life, what_a_function_holds_goes_when_it_has_run) {
    testing::bubble bubble;
    bubble.run([&] {
        auto value = std::make_shared<int>(7);
        auto [ctx, cancel] = with_cancel(background());
        auto handle = on_cancel(ctx, [value] {});
        cancel();
        bubble.settle();
        EXPECT_EQ(value.use_count(), 1);
        EXPECT_FALSE(handle.stop());
    });
}

/// Destroyed only after somebody has let it.
struct stubborn {
    chan<unit> let;
    explicit stubborn(chan<unit> ch) : let(std::move(ch)) {}
    stubborn(const stubborn&) = delete;
    stubborn& operator=(const stubborn&) = delete;
    ~stubborn() { let.recv(); }
};
struct stubborn_key {
    using type = stubborn;
};

TEST(context_life, destructors_that_block_do_not_hold_up_a_deadline) {
    for (const std::size_t workers : {1U, 2U}) {
        testing::bubble bubble{{.workers = workers}};
        bubble.run([&] {
            auto let = make_chan<unit>();
            int ran = 0;
            {
                const context outer = with_value<stubborn_key>(background(), let);
                auto [ctx, cancel] = with_timeout(outer, 1s);
                on_cancel(ctx, [&] { ++ran; });
                std::move(cancel).release();
            }
            // The deadline's own share is the last one: it goes while somebody waits in a channel.
            auto [other, cancel_other] = with_timeout(background(), 2s);
            other.done().recv();
            EXPECT_EQ(ran, 1);
            let.send();  // there is a goroutine that waits for it
        });
    }
}

TEST(context_life, a_parent_that_has_ended_counts_before_a_deadline_that_has_passed) {
    auto [parent, cancel] = with_cancel(background());
    cancel(std::make_exception_ptr(std::runtime_error("why")));
    auto [child, cancel_child] = with_timeout(parent, -1s);
    EXPECT_EQ(child.err(), errc::canceled);
    EXPECT_THROW(std::rethrow_exception(child.cause()), std::runtime_error);
}

TEST(context_life, a_stop_request_cancels) {
    std::stop_source source;
    auto [ctx, cancel] = with_stop_token(background(), source.get_token());
    auto [child, cancel_child] = with_cancel(ctx);
    EXPECT_FALSE(ctx.err());
    source.request_stop();
    EXPECT_EQ(ctx.err(), errc::canceled);
    EXPECT_EQ(child.err(), errc::canceled);
    auto [late, cancel_late] = with_stop_token(background(), source.get_token());
    EXPECT_EQ(late.err(), errc::canceled);
}

TEST(context_life, a_stop_token_that_cannot_stop_is_as_good_as_none) {
    auto [ctx, cancel] = with_stop_token(background(), std::stop_token());
    EXPECT_FALSE(ctx.err());
    cancel();
    EXPECT_EQ(ctx.err(), errc::canceled);
}

TEST(context_life, a_context_dropped_before_the_stop_request_is_not_touched) {
    std::stop_source source;
    {
        auto [ctx, cancel] = with_stop_token(background(), source.get_token());
        std::move(cancel).release();
    }
    source.request_stop();
}

TEST(context_life, stop_requests_and_drops_may_meet) {
    for (std::size_t i = 0; i < test::scaled(2000, 200); ++i) {
        std::stop_source source;
        std::optional<context> kept;
        {
            auto [ctx, cancel] = with_stop_token(background(), source.get_token());
            std::move(cancel).release();
            kept = ctx;
        }
        std::thread stopper([&] { source.request_stop(); });
        kept.reset();
        stopper.join();
    }
}

TEST(context_life, the_token_of_a_context_stops_with_it) {
    testing::bubble bubble;
    bubble.run([&] {
        auto [ctx, cancel] = with_cancel(background());
        const std::stop_token token = stop_token(ctx);
        EXPECT_TRUE(token == stop_token(ctx));
        std::uint64_t callback_ran_in = 0;
        const std::stop_callback callback(token, [&] { callback_ran_in = this_goroutine::id(); });
        EXPECT_FALSE(token.stop_requested());
        cancel();
        bubble.settle();
        EXPECT_TRUE(token.stop_requested());
        EXPECT_NE(callback_ran_in, 0U);
        EXPECT_NE(callback_ran_in, this_goroutine::id());
        EXPECT_TRUE(stop_token(ctx).stop_requested());
    });
}

TEST(context_life, the_token_of_a_context_that_has_ended_is_stopped) {
    auto [ctx, cancel] = with_cancel(background());
    cancel();
    EXPECT_TRUE(stop_token(ctx).stop_requested());
    EXPECT_FALSE(stop_token(background()).stop_possible());
}

TEST(context_life, the_token_of_a_dropped_context_cannot_be_stopped) {
    std::stop_token token;
    {
        auto [ctx, cancel] = with_cancel(background());
        token = stop_token(ctx);
        std::move(cancel).release();
        EXPECT_TRUE(token.stop_possible());
    }
    EXPECT_FALSE(token.stop_possible());
}

}  // namespace
}  // namespace runnel
