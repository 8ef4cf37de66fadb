#include <runnel/sync/condition_variable.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(condition_variable, a_timed_wait_takes_exactly_its_time_and_holds_the_lock_again) {
    testing::bubble bubble;
    bubble.run([] {
        mutex m;
        condition_variable cv;
        std::unique_lock lock(m);
        const auto start = clock::now();
        EXPECT_EQ(cv.wait_for(lock, 2s), std::cv_status::timeout);
        EXPECT_TRUE(lock.owns_lock());
        EXPECT_FALSE(m.try_lock());
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_EQ(cv.wait_until(lock, start + 5s), std::cv_status::timeout);
        EXPECT_EQ(clock::now() - start, 5s);
        EXPECT_EQ(cv.wait_for(lock, -1s), std::cv_status::timeout);
        EXPECT_EQ(cv.wait_until(lock, clock::time_point::min()), std::cv_status::timeout);
        EXPECT_EQ(clock::now() - start, 5s);
    });
}

TEST(condition_variable, a_timed_wait_that_is_notified_says_so) {
    testing::bubble bubble;
    bubble.run([] {
        mutex m;
        condition_variable cv;
        const auto start = clock::now();
        go([&] {
            sleep_for(1s);
            cv.notify_one();
            sleep_for(1s);
            cv.notify_all();
        });
        std::unique_lock lock(m);
        EXPECT_EQ(cv.wait_for(lock, 5s), std::cv_status::no_timeout);
        EXPECT_EQ(clock::now() - start, 1s);
        EXPECT_EQ(cv.wait_until(lock, start + 5s), std::cv_status::no_timeout);
        EXPECT_EQ(clock::now() - start, 2s);
    });
}

TEST(condition_variable, a_wait_with_a_predicate_returns_what_it_says_at_the_end) {
    testing::bubble bubble;
    bubble.run([] {
        mutex m;
        condition_variable cv;
        int step = 0;
        const auto start = clock::now();
        go([&] {
            for (int i = 0; i < 3; ++i) {
                sleep_for(1s);
                const std::lock_guard hold(m);
                ++step;
                cv.notify_all();
            }
        });
        std::unique_lock lock(m);
        cv.wait(lock, [&] { return step == 1; });
        EXPECT_EQ(clock::now() - start, 1s);
        EXPECT_FALSE(cv.wait_for(lock, 500ms, [&] { return step == 3; }));
        EXPECT_EQ(clock::now() - start, 1500ms);
        EXPECT_TRUE(cv.wait_until(lock, start + 10s, [&] { return step == 3; }));
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_TRUE(cv.wait_for(lock, -1s, [&] { return step == 3; }));
    });
}

TEST(condition_variable, a_wait_with_a_predicate_does_not_start_its_time_again) {
    testing::bubble bubble;
    bubble.run([] {
        mutex m;
        condition_variable cv;
        const auto start = clock::now();
        go([&] {
            for (int i = 0; i < 10; ++i) {
                sleep_for(1s);
                cv.notify_all();  // in vain
            }
        });
        std::unique_lock lock(m);
        EXPECT_FALSE(cv.wait_for(lock, 3500ms, [] { return false; }));
        EXPECT_EQ(clock::now() - start, 3500ms);
        sleep_for(10s);
    });
}

TEST(condition_variable, a_notification_goes_to_one_that_has_not_given_up) {
    testing::bubble bubble;
    bubble.run([&] {
        mutex m;
        condition_variable cv;
        wait_group all;
        bool second_notified = false;
        all.go([&] {
            std::unique_lock lock(m);
            EXPECT_EQ(cv.wait_for(lock, 1s), std::cv_status::timeout);
        });
        bubble.settle();
        all.go([&] {
            std::unique_lock lock(m);
            cv.wait(lock);
            second_notified = true;
        });
        sleep_for(2s);
        cv.notify_one();
        all.wait();
        EXPECT_TRUE(second_notified);
    });
}

TEST(condition_variable, a_time_that_has_passed_ends_the_wait_of_a_plain_thread) {
    mutex m;
    condition_variable cv;
    std::unique_lock lock(m);
    for (const auto t : {clock::time_point::min(), clock::time_point(), clock::now() - 1h}) {
        std::atomic<bool> over = false;
        std::thread rescue([&] {  // so that a failure is no hang
            const auto limit = std::chrono::steady_clock::now() + 1s;
            while (!over && std::chrono::steady_clock::now() < limit) {
                std::this_thread::yield();
            }
            cv.notify_all();
        });
        EXPECT_EQ(cv.wait_until(lock, t), std::cv_status::timeout) << t.time_since_epoch().count();
        over = true;
        rescue.join();
    }
}

using condition_variable_on_workers = test::on_workers;

TEST_P(condition_variable_on_workers, no_notification_is_lost_when_waits_give_up_meanwhile) {
    const std::size_t rounds = test::scaled(5'000, 500);
    run([rounds] {
        mutex m;
        condition_variable cv;
        std::size_t tokens = 0, taken = 0;
        bool over = false;
        wait_group hasty, patient;
        for (std::size_t g = 0; g < 2; ++g) {
            hasty.go([&, g] {
                for (std::size_t i = 0; i < rounds; ++i) {
                    std::unique_lock lock(m);
                    const auto limit = std::chrono::nanoseconds((i + g) % 40 * 1000);
                    if (cv.wait_for(lock, limit) == std::cv_status::no_timeout && tokens == 0 &&
                        !over) {
                        cv.notify_one();  // it was for somebody else
                    } else if (tokens > 0) {
                        --tokens;
                        ++taken;
                    }
                }
            });
            patient.go([&] {
                std::unique_lock lock(m);
                for (;;) {
                    cv.wait(lock, [&] { return tokens > 0 || over; });
                    if (tokens == 0) {
                        return;
                    }
                    --tokens;
                    ++taken;
                }
            });
        }
        for (std::size_t i = 0; i < rounds; ++i) {
            {
                const std::lock_guard hold(m);
                ++tokens;
            }
            cv.notify_one();
        }
        hasty.wait();
        {
            const std::lock_guard hold(m);
            over = true;
        }
        cv.notify_all();
        patient.wait();
        EXPECT_EQ(taken, rounds);
        EXPECT_EQ(tokens, 0u);
    });
}

TEST_P(condition_variable_on_workers, a_plain_thread_and_a_goroutine_take_turns) {
    const int rounds = static_cast<int>(test::scaled(3'000, 300));
    mutex m;
    condition_variable cv;
    int turn = 0;
    const auto take_turns = [&](int mine) {
        std::unique_lock lock(m);
        for (int i = 0; i < rounds; ++i) {
            cv.wait(lock, [&] { return turn % 2 == mine; });
            ++turn;
            cv.notify_all();
        }
    };
    std::thread other([&] { take_turns(1); });
    run([&] { take_turns(0); });
    other.join();
    EXPECT_EQ(turn, 2 * rounds);
}

INSTANTIATE_TEST_SUITE_P(workers, condition_variable_on_workers, test::worker_counts,
                         test::worker_name);

TEST(condition_variable_death, destroyed_while_somebody_waits_is_fatal) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const rlimit none{};
            ::setrlimit(RLIMIT_CORE, &none);
            run([] {
                mutex m;
                auto* const cv = new condition_variable;
                go([&] {
                    std::unique_lock lock(m);
                    cv->wait(lock);
                });
                sleep_for(50ms);  // by then it waits; if not, the test fails, and rightly so
                delete cv;
            });
        },
        "condition_variable was destroyed while somebody waits");
}

}  // namespace
}  // namespace runnel
