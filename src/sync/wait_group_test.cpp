#include <runnel/sync/wait_group.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(wait_group, wait_for_takes_exactly_its_time) {
    testing::bubble bubble;
    bubble.run([] {
        wait_group g;
        EXPECT_TRUE(g.wait_for(-1s)) << "nothing to wait for";
        EXPECT_TRUE(g.wait_until(clock::time_point::min()));
        g.add(1);
        const auto start = clock::now();
        EXPECT_FALSE(g.wait_for(0s));
        EXPECT_FALSE(g.wait_for(-1s));
        EXPECT_FALSE(g.wait_until(clock::time_point::min()));
        EXPECT_EQ(clock::now(), start);
        EXPECT_FALSE(g.wait_for(2s));
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_FALSE(g.wait_until(start + 3s));
        EXPECT_EQ(clock::now() - start, 3s);
        go([&] {
            sleep_for(1s);
            g.done();
        });
        EXPECT_TRUE(g.wait_for(1h));
        EXPECT_EQ(clock::now() - start, 4s);
    });
}

TEST(wait_group, misuse_throws_and_changes_nothing) {
    wait_group g;
    EXPECT_THROW(g.add(-1), std::logic_error);
    EXPECT_THROW(g.done(), std::logic_error);
    g.add(2);
    EXPECT_THROW(g.add(-3), std::logic_error);
    EXPECT_THROW(g.add(INT32_MIN), std::logic_error);
    g.add(INT32_MAX - 2);
    EXPECT_THROW(g.add(1), std::logic_error) << "the counter would overflow";
    g.add(-INT32_MAX);
    EXPECT_TRUE(g.wait_for(0s));
    g.add(0);
    EXPECT_TRUE(g.wait_for(0s));
}

TEST(wait_group, a_waiter_that_gives_up_leaves_the_others_waiting) {
    testing::bubble bubble;
    bubble.run([&] {
        wait_group g;
        g.add(1);
        auto patient = spawn([&] { g.wait(); });
        bubble.settle();
        auto hasty = spawn([&] { return g.wait_for(1s); });
        EXPECT_FALSE(hasty.join());
        EXPECT_FALSE(patient.wait_for(1s));
        g.done();
        patient.join();
        g.add(1);  // everybody has left, so it may be used again
        g.done();
    });
}

TEST(wait_group, an_add_after_the_last_done_begins_a_round_that_ended_waits_do_not_see) {
    testing::bubble bubble{{.workers = 1}};
    bubble.run([&] {
        wait_group g;
        g.add(1);
        auto first = spawn([&] { g.wait(); });
        bubble.settle();
        g.done();
        g.add(1);  // the wait has ended, but its goroutine has not run yet
        first.join();
        EXPECT_FALSE(g.wait_for(0s));
        g.done();
        EXPECT_TRUE(g.wait_for(0s));
    });
}

TEST(wait_group, go_counts_a_function_until_it_is_destroyed) {
    testing::bubble bubble;
    bubble.run([] {
        struct slow_to_go {
            std::atomic<bool>* gone;
            explicit slow_to_go(std::atomic<bool>* g) : gone(g) {}
            slow_to_go(slow_to_go&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
            ~slow_to_go() {
                if (gone != nullptr) {
                    sleep_for(1s);
                    *gone = true;
                }
            }
            void operator()() const {}
        };
        std::atomic<bool> gone = false;
        wait_group g;
        g.go(slow_to_go(&gone));
        g.wait();
        EXPECT_TRUE(gone);
    });
}

using wait_group_on_workers = test::on_workers;

TEST_P(wait_group_on_workers, waits_that_give_up_while_the_last_is_done_leave_nothing_behind) {
    const std::size_t rounds = test::scaled(4'000, 400);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto g = std::make_unique<wait_group>();
            g->add(1);
            auto worker = spawn([counter = g.get(), i] {
                for (std::size_t k = 0; k < i % 5; ++k) {
                    yield();
                }
                counter->done();
            });
            auto other = spawn([&] { return g->wait_for(std::chrono::microseconds(i % 25)); });
            const bool ended = g->wait_for(std::chrono::microseconds(i % 20));
            const bool other_ended = other.join();
            if (!ended && !other_ended) {
                g->wait();
            }
            g.reset();  // the last wait has returned
            worker.join();
        }
    });
}

TEST_P(wait_group_on_workers, plain_threads_may_wait_and_be_waited_for) {
    wait_group g;
    g.add(2);
    int by_thread = 0, by_goroutine = 0;
    std::thread other([&] {
        by_thread = 1;
        g.done();
        g.wait();
        EXPECT_EQ(by_goroutine, 2);
    });
    run([&] {
        by_goroutine = 2;
        g.done();
        g.wait();
        EXPECT_EQ(by_thread, 1);
    });
    other.join();
}

INSTANTIATE_TEST_SUITE_P(workers, wait_group_on_workers, test::worker_counts, test::worker_name);

TEST(wait_group_death, destroyed_while_somebody_waits_is_fatal) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const rlimit none{};
            ::setrlimit(RLIMIT_CORE, &none);
            run([] {
                auto* const g = new wait_group;
                g->add(1);
                go([g] { g->wait(); });
                sleep_for(50ms);  // by then it waits; if not, the test fails, and rightly so
                delete g;
            });
        },
        "wait_group was destroyed while somebody waits");
}

}  // namespace
}  // namespace runnel
