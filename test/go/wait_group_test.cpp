// test/go/wait_group_test.cpp: waiting for many.
//
// Follows Go's src/sync/waitgroup_test.go and the NoRace tests of
// src/runtime/race/testdata/waitgroup_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_wait_group = test::on_workers;

// Sixteen goroutines count down the first group and wait for the second.
void use_as_barriers(wait_group& first, wait_group& second) {
    constexpr std::ptrdiff_t n = 16;
    first.add(n);
    second.add(n);
    auto exited = make_chan<bool>(n);
    for (int i = 0; i < n; ++i) {
        go([&first, &second, exited] {
            first.done();
            second.wait();
            exited.send(true);
        });
    }
    first.wait();
    for (int i = 0; i < n; ++i) {
        ASSERT_EQ(select(on_recv(exited), otherwise()), 1U) << "released too soon";
        second.done();
    }
    for (int i = 0; i < n; ++i) {
        test::drop(exited);
    }
}

TEST_P(go_wait_group, releases_all_waiters_at_zero_and_is_used_again) {  // S36
    run([] {
        wait_group first;
        wait_group second;
        for (int i = 0; i < 8; ++i) {
            use_as_barriers(first, second);
        }
    });
}

TEST_P(go_wait_group, below_zero_throws) {  // S34
    run([] {
        wait_group wg;
        wg.add(1);
        wg.done();
        EXPECT_THROW(wg.done(), std::logic_error);
        wait_group fresh;
        EXPECT_THROW(fresh.add(-1), std::logic_error);
    });
}

// Each group is destroyed as soon as its wait has returned.
TEST_P(go_wait_group, wait_returns_when_both_are_done_and_not_before) {
    run([] {
        for (std::size_t i = test::scaled(2'000, 500); i > 0; --i) {
            auto wg = std::make_unique<wait_group>();
            std::atomic<int> n = 0;
            for (int j = 0; j < 2; ++j) {
                wg->add(1);
                go([&n, &wg = *wg] {
                    ++n;
                    wg.done();
                });
            }
            wg->wait();
            wg.reset();
            ASSERT_EQ(n, 2);
        }
    });
}

TEST_P(go_wait_group, stands_behind_a_byte_in_a_struct) {
    run([] {
        struct {
            char before = 0;
            wait_group wg;
        } x;
        x.wg.add(1);
        go([&x] { x.wg.done(); });
        x.wg.wait();
    });
}

TEST_P(go_wait_group, go_counts_its_goroutine) {
    run([] {
        wait_group wg;
        int i = 0;
        wg.go([&] { ++i; });
        wg.wait();
        EXPECT_EQ(i, 1);
    });
}

// Work done before `done` is visible after `wait`, to every waiter.
TEST_P(go_wait_group, done_happens_before_every_wait_that_it_ends) {  // S32
    run([] {
        constexpr std::size_t n = 3;
        for (std::size_t round = test::scaled(300, 100); round > 0; --round) {
            std::array<int, n> data{};
            wait_group wg;
            wait_group waiters;
            wg.add(n);
            for (auto& d : data) {
                go([&d, &wg] {
                    d = 42;
                    wg.done();
                });
            }
            for (std::size_t i = 0; i < n; ++i) {
                waiters.go([&] {
                    wg.wait();
                    EXPECT_EQ(data, (std::array<int, n>{42, 42, 42}));
                });
            }
            waiters.wait();
        }
    });
}

TEST_P(go_wait_group, work_of_one_round_happens_before_the_next) {
    run([] {
        constexpr std::size_t n = 3;
        std::array<int, n> data{};
        wait_group wg;
        for (int round = 0; round < 100; ++round) {
            wg.add(n);
            for (auto& d : data) {
                go([&d, &wg] {
                    ++d;
                    wg.done();
                });
            }
            wg.wait();
            for (auto& d : data) {
                ++d;
            }
        }
        EXPECT_EQ(data, (std::array<int, n>{200, 200, 200}));
    });
}

TEST_P(go_wait_group, tasks_add_more_tasks_while_somebody_waits) {  // S35
    run([] {
        wait_group wg;
        std::atomic<int> leaves = 0;
        struct grow {
            wait_group& wg;
            std::atomic<int>& leaves;
            void operator()(int depth) const {
                if (depth == 0) {
                    ++leaves;
                    return;
                }
                for (int i = 0; i < 2; ++i) {
                    wg.go([self = *this, depth] { self(depth - 1); });
                }
            }
        };
        wg.go([&] { grow{wg, leaves}(8); });
        wg.wait();
        EXPECT_EQ(leaves, 256);
    });
}

TEST_P(go_wait_group, wait_at_zero_returns_at_once) {  // S36
    run([] {
        wait_group wg;
        wg.wait();
        EXPECT_TRUE(wg.wait_for(std::chrono::hours(1)));
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_wait_group, test::worker_counts, test::worker_name);

using go_wait_group_blocking = test::in_bubble;

TEST_P(go_wait_group_blocking, wait_above_zero_blocks_and_wait_for_gives_up) {
    run([](testing::bubble& world) {
        wait_group wg;
        wg.add(2);
        std::atomic<int> released = 0;
        wait_group waiters;
        for (int i = 0; i < 5; ++i) {
            waiters.go([&] {
                wg.wait();
                ++released;
            });
        }
        EXPECT_FALSE(wg.wait_for(std::chrono::seconds(1)));
        wg.done();
        world.settle();
        EXPECT_EQ(released, 0);
        wg.done();
        waiters.wait();
        EXPECT_EQ(released, 5);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_wait_group_blocking, test::worker_counts, test::worker_name);

// The process must die of the exception; if the group counted down first, main could end it with
// success.
TEST(go_wait_group_death, exception_that_leaves_its_goroutine_ends_the_process) {  // S37
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(run([] {
                     wait_group wg;
                     wg.go([] { throw std::runtime_error("left the goroutine"); });
                     wg.wait();
                     std::_Exit(0);
                 }),
                 "left the goroutine");
}

}  // namespace
}  // namespace runnel
