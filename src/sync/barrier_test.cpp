// sync/barrier_test.cpp: barrier and latch.
#include <runnel/sync/barrier.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

constinit latch constant_latch(1);

TEST(latch, bad_counts_throw_and_change_nothing) {
    EXPECT_THROW(latch(-1), std::invalid_argument);
    latch l(2);
    EXPECT_THROW(l.count_down(-1), std::invalid_argument);
    EXPECT_THROW(l.count_down(3), std::invalid_argument);
    EXPECT_FALSE(l.try_wait());
    l.count_down(0);
    l.count_down(2);
    EXPECT_TRUE(l.try_wait());
    EXPECT_THROW(l.count_down(), std::invalid_argument);
    l.count_down(0);
    l.wait();
    EXPECT_TRUE(latch(0).try_wait());
    constant_latch.count_down();
    constant_latch.wait();
}

TEST(latch, opens_for_all_when_the_count_is_zero_and_stays_open) {
    testing::bubble bubble;
    bubble.run([&] {
        latch l(3);
        std::atomic<int> passed = 0;
        wait_group all;
        for (int i = 0; i < 4; ++i) {
            all.go([&] {
                l.wait();
                ++passed;
            });
        }
        l.count_down(2);
        bubble.settle();
        EXPECT_EQ(passed, 0);
        l.arrive_and_wait();
        all.wait();
        EXPECT_EQ(passed, 4);
        EXPECT_TRUE(l.wait_for(0s));
    });
}

TEST(latch, limits_end_the_wait_at_their_time) {
    testing::bubble bubble;
    bubble.run([&] {
        latch l(2);
        const auto start = clock::now();
        EXPECT_FALSE(l.wait_for(-1s));
        EXPECT_FALSE(l.wait_for(2s));
        EXPECT_FALSE(l.wait_until(start + 3s));
        EXPECT_EQ(clock::now() - start, 3s);
        auto [late, cancel_late] = with_timeout(background(), 1s);
        EXPECT_EQ(l.wait(late), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 4s);
        auto [ctx, cancel] = with_cancel(background());
        auto waiter = spawn([&l, ctx] { return l.arrive_and_wait(ctx); });
        bubble.settle();
        cancel();
        EXPECT_EQ(waiter.join(), op_status::canceled);
        l.count_down();  // the other has arrived all the same
        EXPECT_EQ(l.wait(ctx), op_status::ok) << "it is open, whatever the context";
    });
}

TEST(barrier, bad_counts_throw_and_change_nothing) {
    EXPECT_THROW(barrier(-1), std::invalid_argument);
    barrier b(2);
    EXPECT_THROW(std::ignore = b.arrive(0), std::invalid_argument);
    EXPECT_THROW(std::ignore = b.arrive(3), std::invalid_argument);
    b.wait(b.arrive(2));
    b.arrive_and_drop();
    b.arrive_and_drop();
    EXPECT_THROW(b.arrive_and_drop(), std::invalid_argument) << "nobody is expected any more";
}

TEST(barrier, completion_runs_once_a_phase_before_anybody_goes_on) {
    testing::bubble bubble;
    bubble.run([&] {
        constexpr int members = 4;
        int completed = 0;  // written by completions alone
        barrier b(members, [&]() noexcept { ++completed; });
        wait_group all;
        for (int i = 0; i < members; ++i) {
            all.go([&, i] {
                for (int phase = 1; phase <= 10; ++phase) {
                    sleep_for(std::chrono::milliseconds((i * phase) % 5));
                    b.arrive_and_wait();
                    EXPECT_EQ(completed, 2 * phase - 1);
                    b.arrive_and_wait();  // so that nobody completes while others look
                }
            });
        }
        all.wait();
        EXPECT_EQ(completed, 20);
    });
}

TEST(barrier, who_drops_is_expected_no_more) {
    testing::bubble bubble;
    bubble.run([&] {
        barrier b(3);
        std::atomic<int> passed = 0;
        const auto member = [&](int phases) {
            for (int i = 1; i < phases; ++i) {
                b.arrive_and_wait();
                ++passed;
            }
            b.arrive_and_drop();
        };
        wait_group all;
        all.go([&] { member(1); });
        all.go([&] { member(3); });
        all.go([&] { member(5); });
        all.wait();
        EXPECT_EQ(passed, 2 + 4);
    });
}

TEST(barrier, limits_end_the_wait_and_leave_the_arrival) {
    testing::bubble bubble;
    bubble.run([&] {
        barrier b(2);
        const auto start = clock::now();
        auto token = b.arrive();
        EXPECT_FALSE(b.wait_for(token, -1s));
        EXPECT_FALSE(b.wait_for(token, 2s));
        EXPECT_FALSE(b.wait_until(token, start + 3s));
        EXPECT_EQ(clock::now() - start, 3s);
        auto [ctx, cancel] = with_cancel(background());
        auto waiter = spawn([&b, &token, ctx] { return b.wait(ctx, token); });
        bubble.settle();
        cancel();
        EXPECT_EQ(waiter.join(), op_status::canceled);
        b.arrive_and_wait();
        EXPECT_TRUE(b.wait_for(token, 0s));
        EXPECT_EQ(b.wait(ctx, token), op_status::ok) << "it is over, whatever the context";
        auto [late, cancel_late] = with_timeout(background(), 1s);
        EXPECT_EQ(b.arrive_and_wait(late), op_status::timeout);
        b.arrive_and_wait();  // the arrival before has counted
        b.wait(std::move(token));
    });
}

using barrier_on_workers = test::on_workers;

TEST_P(barrier_on_workers, phases_follow_each_other_for_threads_and_goroutines) {
    const std::size_t phases = test::scaled(1'000, 100);
    std::vector<std::size_t> at(4);
    barrier b(4);
    const auto member = [&](std::size_t me) {
        for (std::size_t i = 0; i < phases; ++i) {
            ++at[me];
            b.arrive_and_wait();
            for (const std::size_t other : at) {
                EXPECT_EQ(other, i + 1);
            }
            b.arrive_and_wait();
        }
    };
    std::thread first([&] { member(0); }), second([&] { member(1); });
    run([&] {
        wait_group all;
        all.go([&] { member(2); });
        all.go([&] { member(3); });
        all.wait();
    });
    first.join();
    second.join();
}

TEST_P(barrier_on_workers, may_be_destroyed_as_soon_as_the_waits_have_returned) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto l = std::make_unique<latch>(1);
            auto b = std::make_unique<barrier<>>(2);
            auto other = spawn([i, opens = l.get(), meets = b.get()] {
                for (std::size_t k = 0; k < i % 3; ++k) {
                    yield();
                }
                opens->count_down();
                std::ignore = meets->arrive();
            });
            if (i % 2 == 0) {
                l->wait();
                l.reset();
                b->arrive_and_wait();
            } else {
                while (!l->wait_for(std::chrono::microseconds(i % 20))) {
                }
                l.reset();
                auto token = b->arrive();
                while (!b->wait_for(token, std::chrono::microseconds(i % 20))) {
                }
            }
            b.reset();
            other.join();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, barrier_on_workers, test::worker_counts, test::worker_name);

class barrier_death : public ::testing::Test {
protected:
    barrier_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    /// Destroys a T(1) in whose `wait` a goroutine stands.
    template <class T, class F>
    static void destroy_while(F wait) {
        const rlimit none{};
        ::setrlimit(RLIMIT_CORE, &none);
        testing::bubble bubble;
        bubble.run([&] {
            auto* const object = new T(2);
            go([&] { wait(*object); });
            bubble.settle();
            delete object;
        });
    }
};

TEST_F(barrier_death, destroyed_while_somebody_waits_is_fatal) {
    EXPECT_DEATH(destroy_while<latch>([](latch& l) { l.wait(); }),
                 "latch was destroyed while somebody waits");
    EXPECT_DEATH(destroy_while<barrier<>>([](barrier<>& b) { b.arrive_and_wait(); }),
                 "barrier was destroyed while somebody waits");
}

}  // namespace
}  // namespace runnel
