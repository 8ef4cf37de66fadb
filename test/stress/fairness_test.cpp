// test/stress/fairness_test.cpp: nobody is starved: not by a goroutine that never yields, not by
// one whose thread is stuck in a system call, not by many that yield all the time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_result;
using test::describe;

long printed(const child_result& r, const std::string& label) {
    const std::size_t at = r.out.find(label + " ");
    return at == std::string::npos ? -1 : std::stol(r.out.substr(at + label.size()));
}

TEST(fairness, stuck_goroutines_stop_nobody_for_half_a_second) {
    const std::size_t others = test::scaled(1'000, 100);
    const child_result r =
        test::run_child("stuck_child", {"exchange_beside_stuck_ones", std::to_string(others)},
                        {"RUNNEL_MAXPROCS=2"}, 60s);
    ASSERT_EQ(r.exit_status, 0) << describe(r);
    std::printf(
        "[ measured ] %zu goroutines for %ld ms: at least %ld round trips each, the longest "
        "time without one %ld ms\n",
        others, printed(r, "slept_ms"), printed(r, "fewest"), printed(r, "longest_ms"));
    // The longest wait is below the window, so there is a round trip in every window there is.
    EXPECT_LE(printed(r, "longest_ms"), static_cast<long>(test::scaled(500, 5'000)));
    EXPECT_GE(printed(r, "fewest"), 10);
    EXPECT_LE(printed(r, "slept_ms"), static_cast<long>(test::scaled(5'500, 10'000)))
        << "the timer of the main goroutine was late";
    EXPECT_EQ(r.err, "");
}

using fairness_on_workers = test::on_workers;

TEST_P(fairness_on_workers, timers_fire_while_every_worker_is_busy_yielding) {
    run([] {
        std::atomic<bool> stop = false;
        wait_group busy;
        for (int i = 0; i < 64; ++i) {
            busy.go([&] {
                while (!stop) {
                    yield();
                }
            });
        }
        std::vector<std::chrono::nanoseconds> late;
        for (int i = 0; i < 200; ++i) {
            const auto due = std::chrono::steady_clock::now() + 1ms;
            sleep_for(1ms);
            late.push_back(std::chrono::steady_clock::now() - due);
        }
        stop = true;
        busy.wait();
        std::sort(late.begin(), late.end());
        std::printf(
            "[ measured ] a sleep ends late by %lld us (median), %lld us (99th percentile)\n",
            static_cast<long long>(late[late.size() / 2] / 1us),
            static_cast<long long>(late[late.size() * 99 / 100] / 1us));
        EXPECT_GE(late.front(), 0ns) << "woke too early";
        EXPECT_LT(late[late.size() / 2], 100ms);
    });
}

TEST_P(fairness_on_workers, a_pair_that_plays_ping_pong_does_not_starve_the_rest) {
    run([] {
        auto there = make_chan<int>();
        auto back = make_chan<int>();
        std::atomic<bool> stop = false;
        wait_group all;
        all.go([&] {
            while (!stop) {
                there.send(1);
                static_cast<void>(back.recv());
            }
            there.close();
        });
        all.go([&] {
            for (int n : there) {
                back.send(n);
            }
        });
        std::atomic<int> turns = 0;
        wait_group rest;
        for (int i = 0; i < 10; ++i) {
            rest.go([&] {
                for (int n = 0; n < 100; ++n) {
                    yield();
                    ++turns;
                }
            });
        }
        rest.wait();
        stop = true;
        all.wait();
        EXPECT_EQ(turns, 1'000);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, fairness_on_workers, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
