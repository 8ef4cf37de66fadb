#include <runnel/patterns/worker_pool.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/slow_to_go.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<worker_pool<int>>);
static_assert(std::is_nothrow_move_constructible_v<worker_pool<int>>);

using worker_pool_in_a_bubble = test::clean_bubble;

TEST_P(worker_pool_in_a_bubble, runs_n_jobs_at_a_time_and_submit_blocks_while_all_are_busy) {
    run_clean([](testing::bubble&) {
        std::atomic<int> done = 0;
        worker_pool<int> pool(3, [&](int seconds) {
            sleep_for(std::chrono::seconds(seconds));
            ++done;
        });
        const auto start = clock::now();
        for (int i = 0; i < 6; ++i) {
            pool.submit(1);
        }
        EXPECT_EQ(clock::now() - start, 1s);
        EXPECT_EQ(pool.close_and_wait(10s), op_status::ok);
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_EQ(done, 6);
    });
}

TEST_P(worker_pool_in_a_bubble, try_submit_needs_an_idle_worker) {
    run_clean([](testing::bubble& world) {
        worker_pool<int> pool(1, [](int) { sleep_for(1s); });
        world.settle();
        EXPECT_EQ(pool.try_submit(1), op_status::ok);
        EXPECT_EQ(pool.try_submit(2), op_status::full);
        sleep_for(2s);
        EXPECT_EQ(pool.try_submit(3), op_status::ok);
        pool.close();
        EXPECT_EQ(pool.try_submit(4), op_status::closed);
        EXPECT_EQ(pool.close_and_wait(5s), op_status::ok);
    });
}

TEST_P(worker_pool_in_a_bubble, closed_pool_refuses_and_leaves_the_job_to_its_owner) {
    run_clean([](testing::bubble&) {
        worker_pool<std::unique_ptr<int>> pool(2, [](std::unique_ptr<int>) {});
        pool.close();
        pool.close();
        EXPECT_THROW(pool.submit(std::make_unique<int>(1)), channel_closed);
        auto job = std::make_unique<int>(2);
        EXPECT_EQ(pool.submit(background(), std::move(job)), op_status::closed);
        EXPECT_EQ(pool.try_submit(std::move(job)), op_status::closed);
        ASSERT_NE(job, nullptr);
        EXPECT_EQ(*job, 2);
    });
}

TEST_P(worker_pool_in_a_bubble, close_ends_a_submit_that_waits) {
    run_clean([](testing::bubble& world) {
        std::atomic<int> ran = 0;
        worker_pool<int> pool(1, [&](int) {
            ++ran;
            sleep_for(5s);
        });
        pool.submit(1);
        wait_group producers;
        producers.go([&] { EXPECT_THROW(pool.submit(2), channel_closed); });
        producers.go([&] { EXPECT_EQ(pool.submit(background(), 3), op_status::closed); });
        world.settle();
        EXPECT_EQ(pool.close_and_wait(10s), op_status::ok);
        producers.wait();
        EXPECT_EQ(ran, 1);
    });
}

TEST_P(worker_pool_in_a_bubble, submit_with_a_context_gives_up) {
    run_clean([](testing::bubble&) {
        worker_pool<int> pool(1, [](int) { sleep_for(10s); });
        pool.submit(1);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        int job = 2;
        EXPECT_EQ(pool.submit(ctx, std::move(job)), op_status::timeout);
        EXPECT_EQ(job, 2);
        const int same = 3;
        EXPECT_EQ(pool.submit(ctx, same), op_status::timeout);
        EXPECT_EQ(pool.submit(background(), same), op_status::ok);
        EXPECT_EQ(pool.close_and_wait(20s), op_status::ok);
    });
}

TEST_P(worker_pool_in_a_bubble, wait_gives_up_at_its_limit_and_may_be_repeated) {
    run_clean([](testing::bubble&) {
        worker_pool<int> pool(2, [](int) { sleep_for(5s); });
        pool.submit(1);
        const auto start = clock::now();
        EXPECT_EQ(pool.close_and_wait(2s), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 2s);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        EXPECT_EQ(pool.close_and_wait(ctx), op_status::timeout);
        EXPECT_EQ(pool.close_and_wait(background()), op_status::ok);
        EXPECT_EQ(clock::now() - start, 5s);
    });
}

TEST_P(worker_pool_in_a_bubble, exception_ends_its_job_alone_and_the_first_is_rethrown) {
    run_clean([](testing::bubble&) {
        std::atomic<int> ran = 0;
        worker_pool<int> pool(1, [&](int i) {
            ++ran;
            if (i == 1) {
                throw std::runtime_error("first");
            }
            if (i == 2) {
                throw std::logic_error("second");
            }
        });
        for (int i = 0; i < 4; ++i) {
            pool.submit(i);
        }
        EXPECT_THROW(static_cast<void>(pool.close_and_wait(1s)), std::runtime_error);
        EXPECT_THROW(static_cast<void>(pool.close_and_wait(1s)), std::runtime_error);
        EXPECT_EQ(ran, 4);
    });
}

TEST_P(worker_pool_in_a_bubble, end_of_its_context_ends_submits_and_is_seen_by_jobs) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        std::atomic<int> interrupted = 0;
        worker_pool<int> pool(ctx, 2, [&](const context& c, int) {
            interrupted += sleep_for(c, 1h) == op_status::canceled ? 1 : 0;
        });
        pool.submit(1);
        pool.submit(2);
        wait_group producers;
        producers.go([&] { EXPECT_THROW(pool.submit(3), channel_closed); });
        producers.go([&] { EXPECT_EQ(pool.submit(background(), 4), op_status::closed); });
        world.settle();
        cancel();
        producers.wait();
        EXPECT_EQ(pool.try_submit(5), op_status::closed);
        EXPECT_EQ(pool.close_and_wait(1s), op_status::ok);
        EXPECT_EQ(interrupted, 2);
    });
}

TEST_P(worker_pool_in_a_bubble, destructor_closes_and_waits) {
    run_clean([](testing::bubble&) {
        std::atomic<int> done = 0;
        const auto start = clock::now();
        {
            worker_pool<int> pool(2, [&](int) {
                sleep_for(3s);
                ++done;
            });
            pool.submit(1);
            pool.submit(2);
        }
        EXPECT_EQ(done, 2);
        EXPECT_EQ(clock::now() - start, 3s);
    });
}

TEST_P(worker_pool_in_a_bubble, without_workers_throws) {
    run_clean([](testing::bubble&) {
        EXPECT_THROW(static_cast<void>(worker_pool<int>(0, [](int) {})), std::invalid_argument);
        EXPECT_THROW(static_cast<void>(worker_pool<int>(-1, [](int) {})), std::invalid_argument);
    });
}

TEST_P(worker_pool_in_a_bubble, moves_and_replaces) {
    run_clean([](testing::bubble&) {
        std::atomic<int> ran = 0;
        worker_pool<int> a(1, [&](int) { ++ran; });
        worker_pool<int> b(std::move(a));
        b.submit(1);
        b = worker_pool<int>(1, [&](int) { ran += 10; });
        EXPECT_EQ(ran, 1);
        b.submit(1);
        EXPECT_EQ(b.close_and_wait(1s), op_status::ok);
        EXPECT_EQ(ran, 11);
    });
}

TEST_P(worker_pool_in_a_bubble, the_function_is_destroyed_before_the_wait_for_the_end_returns) {
    run_clean([](testing::bubble&) {
        std::atomic<bool> gone = false;
        worker_pool<int> pool(2, [guard = test::slow_to_go(gone)](int) {});
        pool.submit(1);
        EXPECT_EQ(pool.close_and_wait(1s), op_status::ok);
        EXPECT_TRUE(gone);
    });
}

TEST_P(worker_pool_in_a_bubble, a_failure_is_not_hidden_by_a_job_that_repeats_the_cancellation) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_cancel(background());
        worker_pool<int> pool(ctx, 2, [](const context& c, int job) {
            c.done().recv();
            if (job == 0) {
                throw canceled_error();
            }
            sleep_for(1s);
            throw std::runtime_error("could not be saved");
        });
        pool.submit(0);
        pool.submit(1);
        cancel();
        EXPECT_THROW(static_cast<void>(pool.close_and_wait(1h)), std::runtime_error);
    });
}

TEST_P(worker_pool_in_a_bubble, one_that_has_been_moved_from_says_so) {
    run_clean([](testing::bubble&) {
        worker_pool<int> a(1, [](int) {});
        const worker_pool<int> b(std::move(a));
        EXPECT_THROW(a.submit(1), std::logic_error);
        EXPECT_THROW(static_cast<void>(a.submit(background(), 1)), std::logic_error);
        EXPECT_THROW(static_cast<void>(a.try_submit(1)), std::logic_error);
        EXPECT_THROW(static_cast<void>(a.close_and_wait(1s)), std::logic_error);
        EXPECT_THROW(static_cast<void>(a.close_and_wait(background())), std::logic_error);
        a.close();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, worker_pool_in_a_bubble, test::worker_counts, test::worker_name);

using worker_pool_on_workers = test::on_workers;

// Producers, a close in the middle and a context that ends: what was accepted ran, exactly once.
TEST_P(worker_pool_on_workers, every_accepted_job_runs_exactly_once) {
    const std::size_t before = debug::live_goroutines();
    run([] {
        constexpr std::size_t producers = 4;
        for (std::size_t round = 0; round < test::scaled(200, 40); ++round) {
            constexpr std::size_t each = 50;
            std::vector<std::atomic<int>> ran(producers * each);
            std::vector<int> accepted(producers * each);
            auto [ctx, cancel] = with_cancel(background());
            worker_pool<std::size_t> pool(ctx, 3, [&](std::size_t i) { ++ran[i]; });
            wait_group all;
            for (std::size_t p = 0; p < producers; ++p) {
                all.go([&, p] {
                    for (std::size_t k = 0; k < each; ++k) {
                        std::size_t job = p * each + k;
                        const op_status s =
                            k % 3 == 0 ? pool.try_submit(job) : pool.submit(background(), job);
                        accepted[job] = s == op_status::ok ? 1 : 0;
                        if (job == round % (producers * each)) {
                            round % 2 == 0 ? pool.close() : cancel();
                        }
                    }
                });
            }
            all.wait();
            ASSERT_EQ(pool.close_and_wait(10s), op_status::ok);
            for (std::size_t i = 0; i < ran.size(); ++i) {
                ASSERT_EQ(ran[i], accepted[i]);
            }
        }
    });
    EXPECT_EQ(debug::live_goroutines(), before);
}

INSTANTIATE_TEST_SUITE_P(workers, worker_pool_on_workers, test::worker_counts, test::worker_name);

void no_core() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

TEST(worker_pool_death, exception_that_nobody_waited_for_ends_the_process) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                worker_pool<int> pool(1, [](int) { throw std::runtime_error("nobody took me"); });
                pool.submit(1);
            });
        },
        "worker_pool nobody waited for.*nobody took me");
}

}  // namespace
}  // namespace runnel
