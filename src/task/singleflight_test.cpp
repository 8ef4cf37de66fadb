#include <runnel/task/singleflight.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using singleflight_in_a_bubble = test::clean_bubble;

TEST_P(singleflight_in_a_bubble, concurrent_callers_share_one_call) {
    run_clean([](testing::bubble&) {
        singleflight<std::string, int> flights;
        std::atomic<int> calls = 0;
        wait_group callers;
        for (int i = 0; i < 10; ++i) {
            callers.go([&] {
                EXPECT_EQ(flights.do_("key",
                                      [&] {
                                          sleep_for(1s);
                                          return ++calls;
                                      }),
                          1);
            });
        }
        callers.wait();
        EXPECT_EQ(flights.do_("key", [&] { return ++calls; }), 2) << "nothing is cached";
    });
}

TEST_P(singleflight_in_a_bubble, keys_do_not_wait_for_each_other) {
    run_clean([](testing::bubble&) {
        singleflight<int, int> flights;
        wait_group callers;
        const auto start = clock::now();
        for (int i = 0; i < 5; ++i) {
            callers.go([&, i] {
                EXPECT_EQ(flights.do_(i,
                                      [i] {
                                          sleep_for(1s);
                                          return i;
                                      }),
                          i);
            });
        }
        callers.wait();
        EXPECT_EQ(clock::now() - start, 1s);
    });
}

TEST_P(singleflight_in_a_bubble, exception_reaches_every_caller) {
    run_clean([](testing::bubble&) {
        singleflight<int, void> flights;
        std::atomic<int> calls = 0;
        std::atomic<int> caught = 0;
        wait_group callers;
        for (int i = 0; i < 5; ++i) {
            callers.go([&] {
                try {
                    flights.do_(1, [&] {
                        ++calls;
                        sleep_for(1s);
                        throw std::runtime_error("down");
                    });
                } catch (const std::runtime_error&) {
                    ++caught;
                }
            });
        }
        callers.wait();
        EXPECT_EQ(calls, 1);
        EXPECT_EQ(caught, 5);
    });
}

TEST_P(singleflight_in_a_bubble, context_ends_the_wait_of_its_caller_alone) {
    run_clean([](testing::bubble& world) {
        singleflight<int, int> flights;
        auto [ctx, cancel] = with_timeout(background(), 1s);
        const auto start = clock::now();
        const auto slow = [] {
            sleep_for(3s);
            return 7;
        };
        wait_group callers;
        callers.go([&] {  // the one that starts the call
            EXPECT_THROW(flights.do_(ctx, 1, slow), timeout_error);
            EXPECT_EQ(clock::now() - start, 1s);
        });
        world.settle();
        callers.go([&] { EXPECT_EQ(flights.do_(1, slow), 7); });
        callers.go([&] { EXPECT_EQ(flights.do_(background(), 1, slow), 7); });
        callers.wait();
        EXPECT_EQ(clock::now() - start, 3s) << "all have shared the first call";
        EXPECT_THROW(flights.do_(ctx, 1, slow), timeout_error) << "an ended one starts nothing";
    });
}

TEST_P(singleflight_in_a_bubble, context_ends_the_wait_for_the_call_of_another) {
    run_clean([](testing::bubble& world) {
        singleflight<int, int> flights;
        auto [ctx, cancel] = with_cancel(background());
        wait_group callers;
        callers.go([&] {
            EXPECT_EQ(flights.do_(1,
                                  [] {
                                      sleep_for(1s);
                                      return 7;
                                  }),
                      7);
        });
        world.settle();
        callers.go([&] { EXPECT_THROW(flights.do_(ctx, 1, [] { return 8; }), canceled_error); });
        world.settle();
        cancel();
        callers.wait();
    });
}

TEST_P(singleflight_in_a_bubble, outcome_that_everybody_has_given_up_on_is_dropped) {
    run_clean([](testing::bubble&) {
        auto owned = std::make_shared<int>(0);
        const std::weak_ptr<int> watched = owned;
        {
            singleflight<int, int> flights;
            auto [ctx, cancel] = with_timeout(background(), 1s);
            EXPECT_THROW(flights.do_(ctx, 1,
                                     [o = std::move(owned)]() -> int {
                                         sleep_for(2s);
                                         throw std::runtime_error("too late for anybody");
                                     }),
                         timeout_error);
        }
        sleep_for(2s);  // the call outlives the object
        sleep_for(1s);
        EXPECT_TRUE(watched.expired());
    });
}

TEST_P(singleflight_in_a_bubble, forget_lets_the_next_caller_start_anew) {
    run_clean([](testing::bubble& world) {
        singleflight<int, int> flights;
        wait_group callers;
        const auto slow = [](int result) {
            return [result] {
                sleep_for(1s);
                return result;
            };
        };
        callers.go([&] { EXPECT_EQ(flights.do_(1, slow(1)), 1); });
        world.settle();
        flights.forget(1);
        sleep_for(500ms);
        callers.go([&] { EXPECT_EQ(flights.do_(1, slow(2)), 2); });
        world.settle();
        sleep_for(700ms);  // the first has ended, and has not taken the second's entry out
        callers.go([&] { EXPECT_EQ(flights.do_(1, slow(3)), 2); });
        callers.wait();
        flights.forget(5);
    });
}

// What it frees too early only AddressSanitizer sees.
TEST_P(singleflight_in_a_bubble, may_be_destroyed_while_calls_are_under_way) {
    run_clean([](testing::bubble& world) {
        auto flights = std::make_unique<singleflight<int, int>>();
        wait_group callers;
        for (int i = 0; i < 2; ++i) {
            callers.go([flights = flights.get()] {
                EXPECT_EQ(flights->do_(1,
                                       [] {
                                           sleep_for(1s);
                                           return 7;
                                       }),
                          7);
            });
        }
        world.settle();
        flights.reset();
        callers.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, singleflight_in_a_bubble, test::worker_counts, test::worker_name);

using singleflight_on_workers = test::on_workers;

TEST_P(singleflight_on_workers, callers_that_come_and_give_up_at_once_leave_nothing) {
    const std::size_t before = debug::live_goroutines();
    run([] {
        singleflight<std::size_t, std::size_t> flights;
        wait_group callers;
        std::atomic<std::size_t> given_up = 0;
        for (std::size_t c = 0; c < 8; ++c) {
            callers.go([&, c] {
                for (std::size_t i = 0; i < test::scaled(500, 100); ++i) {
                    const std::size_t key = i % 3;
                    const auto f = [key] {
                        yield();
                        return key;
                    };
                    auto [ctx, cancel] =
                        with_timeout(background(), std::chrono::microseconds((i + c) % 20));
                    try {
                        ASSERT_EQ(c % 2 == 0 ? flights.do_(key, f) : flights.do_(ctx, key, f), key);
                    } catch (const timeout_error&) {
                        ++given_up;
                    }
                    if (i % 7 == 0) {
                        flights.forget(key);
                    }
                }
            });
        }
        callers.wait();
    });
    EXPECT_EQ(debug::live_goroutines(), before);
}

INSTANTIATE_TEST_SUITE_P(workers, singleflight_on_workers, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
