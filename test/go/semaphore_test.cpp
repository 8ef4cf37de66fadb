// test/go/semaphore_test.cpp: weighted semaphores.
//
// Follows semaphore/semaphore_test.go of Go's golang.org/x/sync.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using go_semaphore = test::in_bubble;

TEST_P(go_semaphore, requests_of_every_size_take_turns) {
    const std::size_t loops = test::scaled(500, 100);
    run([loops](testing::bubble&) {
        constexpr std::ptrdiff_t n = 8;
        semaphore s(n);
        std::atomic<std::ptrdiff_t> held = 0;
        wait_group all;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            all.go([&, i] {
                for (std::size_t k = 0; k < loops; ++k) {
                    s.acquire(i);
                    EXPECT_LE(held += i, n);
                    sleep_for(std::chrono::microseconds(k * 7 % 1000));
                    held -= i;
                    s.release(i);
                }
            });
        }
        all.wait();
        EXPECT_TRUE(s.try_acquire(n));
    });
}

TEST_P(go_semaphore, release_of_what_nobody_holds_throws) {  // S43
    run([](testing::bubble&) {
        semaphore s(1);
        EXPECT_THROW(s.release(), std::logic_error);
    });
}

// What `acquire` says with one, two, none and one of two units taken.
template <class F>
std::vector<bool> four_tries(F acquire) {
    semaphore s(2);
    std::vector<bool> tries;
    s.acquire();
    tries.push_back(acquire(s));
    tries.push_back(acquire(s));
    s.release(2);
    tries.push_back(acquire(s));
    s.acquire();
    tries.push_back(acquire(s));
    return tries;
}

TEST_P(go_semaphore, acquires_what_is_free_and_no_more) {
    run([](testing::bubble&) {
        const std::vector<bool> expected{true, false, true, false};
        EXPECT_EQ(four_tries([](semaphore& s) { return s.try_acquire(); }), expected);
        EXPECT_EQ(four_tries([](semaphore& s) {
                      auto [ctx, cancel] = with_timeout(background(), 10ms);
                      return s.acquire(ctx) == op_status::ok;
                  }),
                  expected);
    });
}

TEST_P(go_semaphore, request_that_can_never_be_met_blocks_nobody) {  // S43
    run([](testing::bubble& world) {
        constexpr std::ptrdiff_t n = 2;
        semaphore s(n);
        auto [ctx, cancel] = with_cancel(background());
        auto doomed = spawn([&s, ctx] { return s.acquire(ctx, n + 1); });
        world.settle();
        wait_group all;
        for (int i = 0; i < 3 * n; ++i) {
            all.go([&] {
                s.acquire();
                sleep_for(1ms);
                s.release();
            });
        }
        all.wait();
        cancel();
        EXPECT_EQ(doomed.join(), op_status::canceled);
    });
}

TEST_P(go_semaphore, large_request_does_not_starve) {  // S43
    run([](testing::bubble&) {
        constexpr std::ptrdiff_t n = 4;
        semaphore s(n);
        std::atomic<bool> running = true;
        wait_group all;
        for (std::ptrdiff_t i = 0; i < n; ++i) {
            s.acquire();
            all.go([&] {
                while (running) {
                    sleep_for(1ms);
                    s.release();
                    s.acquire();
                }
                s.release();
            });
        }
        s.acquire(n);
        running = false;
        s.release(n);
        all.wait();
    });
}

TEST_P(go_semaphore, request_that_is_cancelled_lets_those_behind_it_go_on) {
    run([](testing::bubble& world) {
        semaphore s(10);
        s.acquire();
        auto writer = spawn([&] {
            auto [ctx, cancel] = with_timeout(background(), 300ms);
            return s.acquire(ctx, 10);
        });
        world.settle();
        const auto start = clock::now();
        s.acquire();  // behind the writer
        EXPECT_EQ(clock::now() - start, 300ms);
        EXPECT_EQ(writer.join(), op_status::timeout);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_semaphore, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
