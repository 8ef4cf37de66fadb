// test/go/context_after_func_test.cpp: functions that wait for the end of a context. (S53)
//
// Follows the AfterFunc tests of Go's src/context/x_test.go and example_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/go/context_helpers.hpp"
#include "test/go/helpers.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

class go_after_func : public test::anywhere {};
INSTANTIATE_TEST_SUITE_P(places, go_after_func, test::all_places, test::place_name);
class go_after_func_waits : public test::in_bubble {};
INSTANTIATE_TEST_SUITE_P(workers, go_after_func_waits, test::worker_counts, test::worker_name);

TEST_P(go_after_func_waits, is_called_after_cancel_and_not_before) {
    run([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        const chan<unit> done = make_chan<unit>();
        auto handle = on_cancel(ctx, [&] { done.close(); });
        sleep_for(1s);
        world.settle();
        EXPECT_FALSE(test::is_closed(done));
        cancel();
        done.recv();
        EXPECT_FALSE(handle.stop());
    });
}

TEST_P(go_after_func, is_called_after_the_deadline) {
    run([] {
        auto [ctx, cancel] = with_timeout(background(), test::short_time);
        const chan<unit> done = make_chan<unit>();
        on_cancel(ctx, [done] { done.close(); });
        done.recv();
        EXPECT_EQ(ctx.err(), errc::deadline_exceeded);
    });
}

TEST_P(go_after_func, is_called_at_once_when_the_context_has_ended) {
    run([] {
        auto [ctx, cancel] = with_cancel(background());
        cancel();
        const chan<unit> done = make_chan<unit>();
        auto handle = on_cancel(ctx, [done] { done.close(); });
        done.recv();
        EXPECT_FALSE(handle.stop());
    });
}

TEST_P(go_after_func_waits, is_not_called_once_it_is_stopped) {
    run([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        int called = 0;
        auto handle = on_cancel(ctx, [&] { ++called; });
        EXPECT_TRUE(handle.stop());
        cancel();
        world.settle();
        EXPECT_EQ(called, 0);
        EXPECT_FALSE(handle.stop());
    });
}

TEST_P(go_after_func, does_not_hold_up_the_canceller) {
    run([] {
        auto [ctx, cancel] = with_cancel(background());
        const chan<unit> done = make_chan<unit>();
        on_cancel(ctx, [done] { done.send(); });  // blocks until it is received
        cancel();
        EXPECT_TRUE(done.recv());
    });
}

TEST_P(go_after_func_waits, registrations_are_independent) {
    run([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        std::atomic<int> called = 0;
        auto first = on_cancel(ctx, [&] { called += 1; });
        auto second = on_cancel(ctx, [&] { called += 10; });
        auto third = on_cancel(ctx, [&] { called += 100; });
        EXPECT_TRUE(second.stop());
        cancel();
        world.settle();
        EXPECT_EQ(called, 101);
        EXPECT_FALSE(first.stop());
        EXPECT_FALSE(third.stop());
    });
}

TEST_P(go_after_func_waits, each_runs_in_a_goroutine_of_its_own) {
    run([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        const chan<unit> meet = make_chan<unit>();
        std::atomic<int> met = 0;
        on_cancel(ctx, [&] {
            meet.send();
            ++met;
        });
        on_cancel(ctx, [&] {
            meet.recv();
            ++met;
        });
        cancel();
        world.settle();
        EXPECT_EQ(met, 2);
    });
}

TEST_P(go_after_func_waits, of_a_context_that_never_ends_is_never_called) {
    run([](testing::bubble& world) {
        auto never = on_cancel(background(), [] { ADD_FAILURE() << "called"; });
        auto [parent, cancel] = with_cancel(background());
        auto apart = on_cancel(without_cancel(parent), [] { ADD_FAILURE() << "called"; });
        cancel();
        world.settle();
        EXPECT_TRUE(never.stop());
        EXPECT_FALSE(never.stop());
        EXPECT_TRUE(apart.stop());
    });
}

TEST_P(go_after_func_waits, may_be_move_only_and_is_destroyed_once) {
    run([](testing::bubble& world) {
        auto value = std::make_shared<int>(1);
        auto [ctx, cancel] = with_cancel(background());
        on_cancel(ctx, [own = std::make_unique<std::shared_ptr<int>>(value)] { ++**own; });
        EXPECT_EQ(value.use_count(), 2);
        cancel();
        world.settle();
        EXPECT_EQ(*value, 2);
        EXPECT_EQ(value.use_count(), 1);
    });
}

// ExampleAfterFunc_cond
TEST_P(go_after_func_waits, wakes_those_who_wait_for_a_condition) {
    run([](testing::bubble&) {
        struct state {
            mutex lock;
            condition_variable changed;
        };
        const auto shared = std::make_shared<state>();  // a function may run when all is over
        wait_group waiters;
        for (int i = 0; i < 4; ++i) {
            waiters.go([shared] {
                auto [ctx, cancel] = with_timeout(background(), 1s);
                auto wake = on_cancel(ctx, [shared] {
                    const std::lock_guard hold(shared->lock);
                    shared->changed.notify_all();
                });
                std::unique_lock hold(shared->lock);
                while (!ctx.err()) {
                    shared->changed.wait(hold);
                }
                EXPECT_FALSE(wake.stop());
            });
        }
        waiters.wait();
    });
}

// ExampleAfterFunc_merge
TEST_P(go_after_func_waits, merges_two_contexts) {
    run([](testing::bubble& world) {
        auto [first, cancel_first] = with_cancel(background());
        auto [second, cancel_second] = with_cancel(background());
        auto [merged, cancel] = with_cancel(first);
        auto link =
            on_cancel(second, [trigger = cancel.share(), &second] { trigger(second.cause()); });
        cancel_second(test::because("second"));
        world.settle();
        test::expect_end(merged, errc::canceled);
        EXPECT_EQ(test::text_of(merged.cause()), "second");
        test::expect_end(first, {});
    });
}

}  // namespace
}  // namespace runnel
