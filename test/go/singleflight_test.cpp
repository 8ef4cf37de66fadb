// test/go/singleflight_test.cpp: many ask, one fetches.
//
// Follows golang.org/x/sync/singleflight/singleflight_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_singleflight = test::clean_bubble;
using flights = singleflight<std::string, std::string>;

TEST_P(go_singleflight, returns_what_the_function_returns) {
    run_clean([](testing::bubble&) {
        flights g;
        EXPECT_EQ(g.do_("key", [] { return "bar"; }), "bar");
        EXPECT_EQ(g.do_(background(), "key", [] { return "bar"; }), "bar");
    });
}

TEST_P(go_singleflight, throws_what_the_function_throws) {
    run_clean([](testing::bubble&) {
        flights g;
        const auto fails = []() -> std::string { throw std::runtime_error("some error"); };
        EXPECT_THROW(g.do_("key", fails), std::runtime_error);
        EXPECT_THROW(g.do_(background(), "key", fails), std::runtime_error);
    });
}

TEST_P(go_singleflight, duplicates_are_suppressed) {
    run_clean([](testing::bubble& world) {
        flights g;
        std::atomic<int> calls = 0;
        auto answer = make_chan<std::string>();
        const auto f = [&] {
            ++calls;
            return answer.recv().value();
        };
        constexpr int n = 10;
        wait_group callers;
        for (int i = 0; i < n; ++i) {
            callers.go([&] { EXPECT_EQ(g.do_("key", f), "bar"); });
        }
        world.settle();
        answer.send("bar");
        callers.wait();
        EXPECT_EQ(calls, 1);
    });
}

TEST_P(go_singleflight, forget_starts_a_second_call_which_later_callers_share) {
    run_clean([](testing::bubble& world) {
        flights g;
        auto first_may_end = make_chan<unit>();
        auto second_may_end = make_chan<unit>();
        wait_group callers;
        callers.go([&] {
            EXPECT_EQ(g.do_("key",
                            [&] {
                                first_may_end.recv();
                                return "first";
                            }),
                      "first");
        });
        world.settle();
        g.forget("key");
        callers.go([&] {
            EXPECT_EQ(g.do_("key",
                            [&] {
                                second_may_end.recv();
                                return "second";
                            }),
                      "second");
        });
        world.settle();
        first_may_end.close();
        world.settle();
        callers.go([&] { EXPECT_EQ(g.do_("key", [] { return "third"; }), "second"); });
        world.settle();
        second_may_end.close();
        callers.wait();
    });
}

// Go: a panic is raised again in every caller.
TEST_P(go_singleflight, exception_is_raised_in_every_caller) {
    run_clean([](testing::bubble& world) {
        flights g;
        auto release = make_chan<unit>();
        std::atomic<int> raised = 0;
        wait_group callers;
        const auto f = [&]() -> std::string {
            release.recv();
            throw std::runtime_error("invalid memory address or nil pointer dereference");
        };
        constexpr int n = 5;
        for (int i = 0; i < n; ++i) {
            callers.go([&, i] {
                try {
                    static_cast<void>(i % 2 == 0 ? g.do_("key", f) : g.do_(background(), "key", f));
                } catch (const std::runtime_error&) {
                    ++raised;
                }
            });
        }
        world.settle();
        release.close();
        callers.wait();
        EXPECT_EQ(raised, n);
    });
}

// Go: a caller of DoChan stops listening.
TEST_P(go_singleflight, caller_with_a_context_leaves_and_the_others_get_the_answer) {
    run_clean([](testing::bubble& world) {
        flights g;
        auto [ctx, cancel] = with_timeout(background(), std::chrono::seconds(1));
        wait_group callers;
        const auto slow = [] {
            sleep_for(std::chrono::seconds(5));
            return "bar";
        };
        callers.go([&] { EXPECT_THROW(g.do_(ctx, "key", slow), timeout_error); });
        world.settle();
        callers.go([&] { EXPECT_EQ(g.do_("key", slow), "bar"); });
        callers.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_singleflight, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
