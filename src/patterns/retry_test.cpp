#include <runnel/patterns/retry.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using retry_in_a_bubble = test::clean_bubble;

TEST_P(retry_in_a_bubble, returns_the_first_result) {
    run_clean([](testing::bubble&) {
        int calls = 0;
        const auto start = clock::now();
        const int result =
            retry(background(), {.attempts = 5, .backoff = 1s, .jitter = 0}, [&](const context&) {
                if (++calls < 3) {
                    throw std::runtime_error("not yet");
                }
                return calls;
            });
        EXPECT_EQ(result, 3);
        EXPECT_EQ(clock::now() - start, 3s) << "1 s, then 2 s";
        EXPECT_EQ(*retry(background(), {}, [] { return std::make_unique<int>(5); }), 5);
        retry(background(), {}, [] {});
    });
}

TEST_P(retry_in_a_bubble, waits_grow_by_the_factor_up_to_the_maximum) {
    run_clean([](testing::bubble&) {
        std::vector<clock::duration> at;
        const auto start = clock::now();
        EXPECT_THROW(retry(background(),
                           {.attempts = 6, .backoff = 1s, .factor = 3, .max = 10s, .jitter = 0},
                           [&] {
                               at.push_back(clock::now() - start);
                               throw std::runtime_error("no");
                           }),
                     all_failed);
        EXPECT_EQ(at, (std::vector<clock::duration>{0s, 1s, 4s, 13s, 23s, 33s}));
    });
}

TEST_P(retry_in_a_bubble, last_failure_reports_them_all_in_order) {
    run_clean([](testing::bubble&) {
        int calls = 0;
        try {
            retry(background(), {.attempts = 3},
                  [&] { throw std::runtime_error(std::to_string(++calls)); });
            ADD_FAILURE() << "nothing was thrown";
        } catch (const all_failed& error) {
            EXPECT_EQ(error.errors().size(), 3U);
            EXPECT_STREQ(error.what(), "runnel: all 3 attempts failed: 1; 2; 3");
        }
        EXPECT_EQ(calls, 3);
    });
}

TEST_P(retry_in_a_bubble, failure_that_is_not_worth_it_is_rethrown_at_once) {
    run_clean([](testing::bubble&) {
        int calls = 0;
        const auto fails = [&] {
            ++calls;
            throw std::out_of_range("for good");
        };
        const auto by_type = [](const std::exception& e) {
            return dynamic_cast<const std::out_of_range*>(&e) == nullptr;
        };
        EXPECT_THROW(retry(background(), {}, fails, by_type), std::out_of_range);
        EXPECT_THROW(
            retry(background(), {}, fails, [](const std::exception_ptr&) { return false; }),
            std::out_of_range);
        EXPECT_EQ(calls, 2);
        EXPECT_THROW(retry(background(), {}, [] { throw 5; }, by_type), int) << "no std::exception";
        EXPECT_THROW(retry(
                         background(), {}, [] { throw std::runtime_error("later"); }, by_type),
                     all_failed);
    });
}

TEST_P(retry_in_a_bubble, end_of_the_context_ends_the_wait) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_timeout(background(), 5s);
        const auto start = clock::now();
        try {
            retry(ctx, {.attempts = 9, .backoff = 2s, .jitter = 0},
                  [] { throw std::runtime_error("no"); });
            ADD_FAILURE() << "nothing was thrown";
        } catch (const attempts_timed_out& error) {
            EXPECT_EQ(error.errors().size(), 2U) << "at 0 s and at 2 s; the next were at 6 s";
        }
        EXPECT_EQ(clock::now() - start, 5s);
        EXPECT_THROW(retry(ctx, {}, [] { ADD_FAILURE() << "called"; }), timeout_error);

        auto [other, cancel_other] = with_cancel(background());
        wait_group caller;
        caller.go([&] {
            EXPECT_THROW(retry(other, {.backoff = 1h}, [] { throw std::runtime_error("no"); }),
                         canceled_error);
        });
        world.settle();
        cancel_other();
        caller.wait();
    });
}

TEST_P(retry_in_a_bubble, attempt_that_reports_the_end_of_the_context_is_not_repeated) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_timeout(background(), 1s);
        int calls = 0;
        EXPECT_THROW(retry(ctx, {},
                           [&](const context& c) {
                               ++calls;
                               if (sleep_for(c, 1h) != op_status::ok) {
                                   throw timeout_error(errc::deadline_exceeded);
                               }
                           }),
                     timeout_error);
        EXPECT_EQ(calls, 1);
    });
}

TEST_P(retry_in_a_bubble, policy_that_makes_no_sense_throws) {
    run_clean([](testing::bubble&) {
        const auto refused = [](const retry_policy& policy) {
            EXPECT_THROW(retry(background(), policy, [] { ADD_FAILURE() << "called"; }),
                         std::invalid_argument);
        };
        refused({.attempts = 0});
        refused({.backoff = -1s});
        refused({.max = -1s});
        refused({.factor = 0.5});
        refused({.factor = std::numeric_limits<double>::quiet_NaN()});
        refused({.jitter = 1.5});
        refused({.jitter = -0.1});
    });
}

INSTANTIATE_TEST_SUITE_P(workers, retry_in_a_bubble, test::worker_counts, test::worker_name);

std::vector<clock::duration> waits_with(std::uint64_t seed) {
    std::vector<clock::duration> waits;
    testing::bubble world{{.workers = 1, .seed = seed}};
    world.run([&] {
        auto last = clock::now();
        try {
            retry(background(), {.attempts = 20, .backoff = 1s, .factor = 1, .jitter = 0.5}, [&] {
                waits.push_back(clock::now() - last);
                last = clock::now();
                throw std::runtime_error("no");
            });
        } catch (const all_failed&) {
        }
    });
    waits.erase(waits.begin());
    return waits;
}

TEST(retry, jitter_cuts_a_random_part_off_that_the_seed_repeats) {
    const auto waits = waits_with(1);
    EXPECT_EQ(waits.size(), 19U);
    for (const auto each : waits) {
        EXPECT_GE(each, 500ms);
        EXPECT_LE(each, 1s);
    }
    EXPECT_EQ(waits, waits_with(1));
    EXPECT_NE(waits, waits_with(2));
}

TEST(retry, very_long_waits_saturate) {
    testing::bubble world;
    world.run([] {
        auto [ctx, cancel] = with_timeout(background(), 1h);
        EXPECT_THROW(retry(ctx,
                           {.backoff = clock::duration::max(),
                            .factor = 1e300,
                            .max = clock::duration::max(),
                            .jitter = 0},
                           [] { throw std::runtime_error("no"); }),
                     timeout_error);
    });
}

}  // namespace
}  // namespace runnel
