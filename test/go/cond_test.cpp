// test/go/cond_test.cpp: condition variables: who wakes, in which order, and that nobody is lost.
//
// Follows Go's src/sync/cond_test.go and TestNoRaceCond of src/runtime/race/testdata/sync_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <cstddef>
#include <mutex>
#include <type_traits>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

// Go notices at run time that a condition variable was copied.
static_assert(!std::is_copy_constructible_v<condition_variable>);
static_assert(!std::is_move_constructible_v<condition_variable>);

using go_cond = test::on_workers;
using lock = std::unique_lock<mutex>;

TEST_P(go_cond, notify_one_wakes_one) {  // S41
    run([] {
        constexpr int n = 2;
        mutex m;
        condition_variable c;
        auto running = make_chan<bool>(n);
        auto awake = make_chan<bool>(n);
        wait_group all;
        for (int i = 0; i < n; ++i) {
            all.go([&] {
                lock held(m);
                running.send(true);
                c.wait(held);
                awake.send(true);
            });
        }
        for (int i = 0; i < n; ++i) {
            test::drop(running);
        }
        for (int i = 0; i < n; ++i) {
            EXPECT_EQ(select(on_recv(awake), otherwise()), 1U) << "not asleep";
            {
                const lock held(m);
                c.notify_one();
            }
            test::drop(awake);
            EXPECT_EQ(select(on_recv(awake), otherwise()), 1U) << "too many awake";
        }
        c.notify_one();
        all.wait();
    });
}

TEST_P(go_cond, notify_one_wakes_the_one_that_waits_and_not_a_later_one) {  // S41
    run([] {
        constexpr int n = 100;
        mutex m;
        condition_variable c;
        auto running = make_chan<bool>(n);
        auto awake = make_chan<int>(n);
        wait_group all;
        for (int i = 0; i < n; ++i) {
            all.go([&, i] {
                lock held(m);
                running.send(true);
                c.wait(held);
                awake.send(i);
            });
            if (i > 0) {
                EXPECT_EQ(awake.recv(), i - 1);
            }
            test::drop(running);
            const lock held(m);
            c.notify_one();
        }
        all.wait();
    });
}

TEST_P(go_cond, notify_all_wakes_each_waiter_once) {
    run([] {
        const std::size_t n = test::scaled(100, 20);
        mutex m;
        condition_variable c;
        bool exit = false;  // guarded by m
        auto running = make_chan<std::size_t>(static_cast<std::ptrdiff_t>(n));
        auto awake = make_chan<std::size_t>(static_cast<std::ptrdiff_t>(n));
        wait_group all;
        for (std::size_t g = 0; g < n; ++g) {
            all.go([&, g] {
                lock held(m);
                while (!exit) {
                    running.send(g);
                    c.wait(held);
                    awake.send(g);
                }
            });
        }
        for (std::size_t round = 0; round < n; ++round) {
            for (std::size_t i = 0; i < n; ++i) {
                test::drop(running);
            }
            if (round == n - 1) {
                const lock held(m);
                exit = true;
            }
            EXPECT_EQ(select(on_recv(awake), otherwise()), 1U) << "not asleep";
            {
                const lock held(m);
                c.notify_all();
            }
            std::vector<bool> seen(n);
            for (std::size_t i = 0; i < n; ++i) {
                const std::size_t g = awake.recv().value();
                EXPECT_FALSE(seen.at(g)) << g << " woke up twice";
                seen.at(g) = true;
            }
        }
        all.wait();
        EXPECT_EQ(select(on_recv(running), otherwise()), 1U) << "did not exit";
        c.notify_all();
    });
}

// Takes the lock, and gives it up for a moment as long as `x` has none of the values that
// `is_turn` is waiting for.
template <class Pred>
void until(lock& held, Pred is_turn) {
    while (!is_turn()) {
        held.unlock();
        yield();
        held.lock();
    }
}

TEST_P(go_cond, three_goroutines_take_turns) {
    run([] {
        mutex m;
        condition_variable c;
        int x = 0;  // guarded by m
        wait_group all;
        all.go([&] {
            lock held(m);
            x = 1;
            c.wait(held);
            EXPECT_EQ(x, 2);
            x = 3;
            c.notify_one();
        });
        all.go([&] {
            lock held(m);
            until(held, [&] { return x == 1; });
            x = 2;
            c.notify_one();
        });
        all.go([&] {
            lock held(m);
            until(held, [&] { return x == 2 || x == 3; });
            if (x == 2) {
                c.wait(held);
                EXPECT_EQ(x, 3);
            }
        });
        all.wait();
    });
}

// A waiter that comes while notify_all runs must not take the place of one that already waits.
TEST_P(go_cond, notify_all_is_not_stolen_by_a_new_waiter) {
    run([] {
        for (std::size_t i = test::scaled(1'000, 200); i > 0; --i) {
            mutex m;
            condition_variable c;
            bool done = false;  // guarded by m
            auto ch = make_chan<unit>();
            wait_group all;
            all.go([&] {
                {
                    lock held(m);
                    ch.send();
                    c.wait(held);
                }
                ch.send();
            });
            test::drop(ch);
            {
                const lock held(m);
            }  // from here on the waiter waits: it has given up the lock
            all.go([&] { c.notify_all(); });
            all.go([&] {
                lock held(m);
                c.wait(held, [&] { return done; });
            });
            test::drop(ch);
            {
                const lock held(m);
                done = true;
            }
            c.notify_all();
            all.wait();
        }
    });
}

TEST_P(go_cond, notify_happens_before_the_wait_that_it_ends) {  // S32
    run([] {
        for (std::size_t i = test::scaled(300, 100); i > 0; --i) {
            mutex m;
            condition_variable c;
            bool condition = false;  // guarded by m
            int x = 0;
            wait_group other;
            other.go([&] {
                x = 1;
                const lock held(m);
                condition = true;
                c.notify_one();
            });
            {
                lock held(m);
                c.wait(held, [&] { return condition; });
            }
            EXPECT_EQ(x, 1);
            other.wait();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_cond, test::worker_counts, test::worker_name);

using go_cond_blocking = test::in_bubble;

TEST_P(go_cond_blocking, waiters_wake_in_the_order_in_which_they_came) {  // S41
    run([](testing::bubble& world) {
        constexpr int n = 10;
        mutex m;
        condition_variable c;
        std::vector<int> woken;  // guarded by m
        wait_group all;
        for (int i = 0; i < n; ++i) {
            all.go([&, i] {
                lock held(m);
                c.wait(held);
                woken.push_back(i);
            });
            world.settle();
        }
        for (int i = 0; i < n; ++i) {
            c.notify_one();
            world.settle();
            const lock held(m);
            ASSERT_EQ(woken.size(), static_cast<std::size_t>(i) + 1);
            EXPECT_EQ(woken.back(), i);
        }
        all.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_cond_blocking, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
