// test/go/errgroup_test.cpp: goroutines that belong together.
//
// Follows golang.org/x/sync/errgroup/errgroup_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_errgroup = test::clean_bubble;

// What each task throws; empty for nothing.
using outcomes = std::vector<std::string>;

void start(group& g, const std::string& outcome) {
    g.go([outcome] {
        if (!outcome.empty()) {
            throw std::runtime_error(outcome);
        }
    });
}

std::string result_of(group& g) {
    try {
        g.wait();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

TEST_P(go_errgroup, first_of_several_errors_is_the_one_reported) {
    run_clean([](testing::bubble& world) {
        for (const outcomes& tasks :
             {outcomes{}, {""}, {"one"}, {"one", ""}, {"", "one"}, {"", "one", "two"}}) {
            group g;
            std::string first;
            for (const std::string& each : tasks) {
                start(g, each);
                world.settle();  // so that there is a first one
                first = first.empty() ? each : first;
                EXPECT_EQ(g.context().err().value() != 0, !first.empty());
            }
            EXPECT_EQ(result_of(g), first);
            EXPECT_EQ(result_of(g), first) << "as often as it is asked";
        }
    });
}

TEST_P(go_errgroup, context_is_cancelled_by_the_first_error_and_by_wait) {
    run_clean([](testing::bubble&) {
        for (const outcomes& tasks :
             {outcomes{}, {""}, {"one"}, {"one", ""}, {"", "two"}, {"one", "two"}}) {
            group g(background());
            const context ctx = g.context();
            for (const std::string& each : tasks) {
                start(g, each);
            }
            static_cast<void>(result_of(g));
            EXPECT_EQ(ctx.err(), errc::canceled);
            EXPECT_FALSE(ctx.done().recv());
        }
    });
}

TEST_P(go_errgroup, try_go_respects_the_limit) {
    run_clean([](testing::bubble& world) {
        group g;
        constexpr int n = 42;
        g.set_limit(n);
        auto release = make_chan<unit>();
        const auto blocked = [release] { release.recv(); };
        for (int i = 0; i < n; ++i) {
            EXPECT_TRUE(g.try_go(blocked)) << i;
        }
        EXPECT_FALSE(g.try_go(blocked));
        release.close();
        world.settle();
        EXPECT_TRUE(g.try_go([] {}));
        g.wait();

        g.set_limit(1);
        EXPECT_TRUE(g.try_go([] { sleep_for(std::chrono::seconds(1)); }));
        EXPECT_FALSE(g.try_go([] {}));
        g.wait();

        g.set_limit(-1);
        for (int i = 0; i < n; ++i) {
            EXPECT_TRUE(g.try_go([] {})) << "no limit";
        }
        g.wait();

        g.set_limit(0);
        EXPECT_FALSE(g.try_go([] {})) << "none at all";
    });
}

TEST_P(go_errgroup, limit_is_never_exceeded) {
    run_clean([](testing::bubble&) {
        constexpr int limit = 10;
        group g;
        g.set_limit(limit);
        std::atomic<int> active = 0;
        for (int i = 0; i <= 1 << 10; ++i) {
            g.go([&] {
                EXPECT_LE(++active, limit);
                yield();
                --active;
            });
        }
        g.wait();
    });
}

TEST_P(go_errgroup, set_limit_with_active_tasks_throws) {
    run_clean([](testing::bubble&) {
        group g;
        auto release = make_chan<unit>();
        g.go([release] { release.recv(); });
        EXPECT_THROW(g.set_limit(3), std::logic_error);
        release.close();
        g.wait();
    });
}

TEST_P(go_errgroup, first_error_is_the_cause_of_the_context) {  // S43
    run_clean([](testing::bubble&) {
        for (const outcomes& tasks : {outcomes{""}, {"one"}, {"one", ""}, {"", "one"}}) {
            group g;
            const context ctx = g.context();
            for (const std::string& each : tasks) {
                start(g, each);
            }
            const std::string error = result_of(g);
            try {
                std::rethrow_exception(ctx.cause());
            } catch (const canceled_error&) {
                EXPECT_EQ(error, "");
            } catch (const std::runtime_error& cause) {
                EXPECT_EQ(cause.what(), error);
            }
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_errgroup, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
