#include <runnel/sync/semaphore.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/blocked.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(semaphore, bad_numbers_throw_and_change_nothing) {
    EXPECT_THROW(semaphore(-1), std::invalid_argument);
    semaphore s(2);
    EXPECT_THROW(s.acquire(-1), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(s.try_acquire(-1)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(s.acquire(background(), -1)), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(s.try_acquire_for(1s, -1)), std::invalid_argument);
    EXPECT_THROW(s.release(-1), std::invalid_argument);
    EXPECT_THROW(s.release(), std::logic_error);
    s.acquire();
    EXPECT_THROW(s.release(2), std::logic_error);
    s.release();
    EXPECT_TRUE(s.try_acquire(2));
    s.acquire(0);
    s.release(0);
    EXPECT_FALSE(s.try_acquire());
    s.release(2);
}

TEST(semaphore, more_than_there_are_waits_for_its_limit_alone_or_throws) {
    testing::bubble bubble;
    bubble.run([&] {
        semaphore s(2);
        EXPECT_FALSE(s.try_acquire(3));
        EXPECT_THROW(s.acquire(3), std::invalid_argument);
        EXPECT_THROW(static_cast<void>(s.acquire(background(), 3)), std::invalid_argument);
        const auto start = clock::now();
        auto doomed = spawn([&] { return s.try_acquire_for(2s, 3); });
        bubble.settle();
        EXPECT_TRUE(s.try_acquire(2)) << "it stands in nobody's way";
        s.release(2);
        EXPECT_FALSE(doomed.join());
        EXPECT_EQ(clock::now() - start, 2s);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        EXPECT_EQ(s.acquire(ctx, 3), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 3s);
    });
}

TEST(semaphore, timed_forms_take_exactly_their_time) {
    testing::bubble bubble;
    bubble.run([] {
        semaphore s(1);
        EXPECT_TRUE(s.try_acquire_for(-1s));
        const auto start = clock::now();
        EXPECT_FALSE(s.try_acquire_for(0s));
        EXPECT_FALSE(s.try_acquire_until(clock::time_point::min()));
        EXPECT_EQ(clock::now(), start);
        EXPECT_FALSE(s.try_acquire_for(2s));
        EXPECT_EQ(clock::now() - start, 2s);
        go([&] {
            sleep_for(1s);
            s.release();
        });
        EXPECT_TRUE(s.try_acquire_until(start + 1h));
        EXPECT_EQ(clock::now() - start, 3s);
        s.release();
    });
}

TEST(semaphore, first_come_first_served_also_for_a_large_request) {
    testing::bubble bubble{{.workers = 1}};
    bubble.run([&] {
        semaphore s(4);
        s.acquire(3);
        std::vector<int> order;
        wait_group all;
        const auto line_up = [&](int name, std::ptrdiff_t n) {
            all.go([&, name, n] {
                s.acquire(n);
                order.push_back(name);  // each releases only after the next has been checked
            });
            bubble.settle();
        };
        line_up(1, 4);
        line_up(2, 1);
        line_up(3, 2);
        EXPECT_TRUE(order.empty());
        EXPECT_FALSE(s.try_acquire()) << "one is free, but not for who passes those in line";
        s.release(2);
        bubble.settle();
        EXPECT_TRUE(order.empty());
        s.release(1);
        bubble.settle();
        EXPECT_EQ(order, std::vector<int>{1});
        s.release(4);
        all.wait();
        EXPECT_EQ(order.size(), 3u);
        s.release(3);
        EXPECT_TRUE(s.try_acquire(4));
    });
}

TEST(semaphore, those_behind_a_large_request_that_gives_up_are_served) {
    testing::bubble bubble;
    bubble.run([&] {
        semaphore s(2);
        s.acquire();
        auto [ctx, cancel] = with_cancel(background());
        auto large = spawn([&s, ctx] { return s.acquire(ctx, 2); });
        bubble.settle();
        auto small = spawn([&] { s.acquire(); });
        bubble.settle();
        EXPECT_FALSE(s.try_acquire());
        cancel();
        small.join();
        EXPECT_EQ(large.join(), op_status::canceled);
    });
}

using semaphore_on_workers = test::on_workers;

TEST_P(semaphore_on_workers, no_unit_is_lost_or_doubled_when_waits_give_up_meanwhile) {
    static constexpr std::ptrdiff_t total = 5;
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        semaphore s(total);
        std::atomic<std::ptrdiff_t> taken = 0;
        wait_group all;
        for (std::size_t g = 0; g < 9; ++g) {
            all.go([&, g] {
                for (std::size_t i = 0; i < rounds; ++i) {
                    const auto n = static_cast<std::ptrdiff_t>((i + g) % total + 1);
                    const auto limit = std::chrono::nanoseconds((i + g) % 50 * 1000);
                    if (g % 3 == 0) {
                        s.acquire(n);
                    } else if (g % 3 == 1) {
                        if (!s.try_acquire_for(limit, n)) {
                            continue;
                        }
                    } else {
                        auto [ctx, cancel] = with_timeout(background(), limit);
                        if (s.acquire(ctx, n) != op_status::ok) {
                            continue;
                        }
                    }
                    EXPECT_LE(taken += n, total);
                    if (i % 8 == 0) {
                        yield();
                    }
                    taken -= n;
                    s.release(n);
                }
            });
        }
        all.wait();
        EXPECT_EQ(taken, 0);
        EXPECT_TRUE(s.try_acquire(total));
        EXPECT_THROW(s.release(total + 1), std::logic_error);
    });
}

TEST_P(semaphore_on_workers, a_cancelled_acquire_either_has_its_units_or_leaves_them) {
    const std::size_t rounds = test::scaled(2'000, 300);
    run([rounds] {
        semaphore s(1);
        std::size_t got = 0;
        for (std::size_t i = 0; i < rounds; ++i) {
            s.acquire();
            auto [ctx, cancel] = with_cancel(background());
            auto waiter = spawn([&s, ctx] { return s.acquire(ctx); });
            test::until_waiting("semaphore acquire", 1);
            auto canceler = spawn([trigger = cancel.share()] { trigger(); });
            for (std::size_t k = 0; k < i % 3; ++k) {
                yield();
            }
            s.release();
            canceler.join();
            if (waiter.join() == op_status::ok) {
                ++got;
                s.release();
            }
            ASSERT_TRUE(s.try_acquire());
            s.release();
        }
        std::printf("[ note     ] %zu of %zu acquired\n", got, rounds);
    });
}

TEST_P(semaphore_on_workers, may_be_destroyed_by_whoever_has_been_served_last) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto s = std::make_unique<semaphore>(1);
            s->acquire();
            auto other = spawn([i, shared = s.get()] {
                for (std::size_t k = 0; k < i % 3; ++k) {
                    yield();
                }
                shared->release();
            });
            if (i % 2 == 0) {
                s->acquire();
            } else {
                while (!s->try_acquire_for(std::chrono::microseconds(i % 30))) {
                }
            }
            s.reset();
            other.join();
        }
    });
}

TEST_P(semaphore_on_workers, threads_and_goroutines_share_it) {
    const std::size_t rounds = test::scaled(3'000, 300);
    semaphore s(2);
    std::atomic<int> inside = 0;
    const auto use = [&] {
        for (std::size_t i = 0; i < rounds; ++i) {
            s.acquire();
            EXPECT_LE(++inside, 2);
            --inside;
            s.release();
        }
    };
    std::thread first(use), second(use);
    run([&] {
        wait_group all;
        all.go(use);
        all.go(use);
        all.wait();
    });
    first.join();
    second.join();
}

INSTANTIATE_TEST_SUITE_P(workers, semaphore_on_workers, test::worker_counts, test::worker_name);

TEST(semaphore_death, destroyed_while_somebody_waits_is_fatal) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const rlimit none{};
            ::setrlimit(RLIMIT_CORE, &none);
            testing::bubble bubble;
            bubble.run([&] {
                auto* const s = new semaphore(1);
                s->acquire();
                go([s] { s->acquire(); });
                bubble.settle();
                delete s;
            });
        },
        "semaphore was destroyed while somebody waits");
}

}  // namespace
}  // namespace runnel
