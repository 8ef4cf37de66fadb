#include <runnel/patterns/first.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using query = std::function<std::string(context)>;

// Answers after `d`, unless its context ends.
auto answers(std::string text, clock::duration d) {
    return [text = std::move(text), d](const context& ctx) {
        if (sleep_for(ctx, d) != op_status::ok) {
            throw canceled_error();
        }
        return text;
    };
}

auto fails(const char* what, clock::duration d) {
    return [what, d](const context& ctx) -> std::string {
        static_cast<void>(sleep_for(ctx, d));
        throw std::runtime_error(what);
    };
}

std::vector<std::string> texts(const std::vector<std::exception_ptr>& errors) {
    std::vector<std::string> all;
    for (const auto& error : errors) {
        all.push_back(error ? detail::text_of(error) : "none");
    }
    return all;
}

using first_in_a_bubble = test::clean_bubble;

TEST_P(first_in_a_bubble, fastest_answer_wins_and_the_others_are_cancelled) {
    run_clean([](testing::bubble& world) {
        std::atomic<int> canceled = 0;
        const auto slow = [&](clock::duration d) {
            return [&canceled, d](const context& ctx) {
                if (sleep_for(ctx, d) == op_status::canceled) {
                    ++canceled;
                    throw canceled_error();
                }
                return std::string("slow");
            };
        };
        const auto start = clock::now();
        EXPECT_EQ(first(background(), slow(1000ms), answers("fast", 200ms), slow(600ms)), "fast");
        EXPECT_EQ(clock::now() - start, 200ms);
        world.settle();
        EXPECT_EQ(canceled, 2);
    });
}

TEST_P(first_in_a_bubble, failure_does_not_end_it_while_others_may_succeed) {
    run_clean([](testing::bubble&) {
        EXPECT_EQ(first(background(), fails("a", 0s), answers("b", 1s), fails("c", 500ms)), "b");
    });
}

TEST_P(first_in_a_bubble, all_failures_are_reported_in_argument_order_as_soon_as_the_last_fails) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        try {
            static_cast<void>(first(background(), fails("a", 3s), fails("b", 1s), fails("c", 2s)));
            ADD_FAILURE() << "nothing was thrown";
        } catch (const all_failed& error) {
            EXPECT_EQ(texts(error.errors()), (std::vector<std::string>{"a", "b", "c"}));
            EXPECT_STREQ(error.what(), "runnel: all 3 attempts failed: a; b; c");
        }
        EXPECT_EQ(clock::now() - start, 3s);
    });
}

TEST_P(first_in_a_bubble, deadline_of_the_context_is_a_timeout_error_with_the_failures_so_far) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_timeout(background(), 500ms);
        const auto start = clock::now();
        try {
            static_cast<void>(first(ctx, answers("a", 1s), fails("b", 100ms)));
            ADD_FAILURE() << "nothing was thrown";
        } catch (const timeout_error& error) {
            EXPECT_EQ(error.code(), errc::deadline_exceeded);
            const auto& more = dynamic_cast<const attempts_timed_out&>(error);
            EXPECT_EQ(texts(more.errors())[1], "b");
        }
        EXPECT_EQ(clock::now() - start, 500ms);
    });
}

TEST_P(first_in_a_bubble, cancelling_the_context_is_a_canceled_error) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        wait_group caller;
        caller.go([&] {
            EXPECT_THROW(static_cast<void>(first(ctx, answers("a", 1s), answers("b", 2s))),
                         canceled_error);
        });
        world.settle();
        cancel();
        caller.wait();
        bool ran = false;
        EXPECT_THROW(first(ctx, [&](const context&) { ran = true; }), canceled_error);
        EXPECT_FALSE(ran) << "a context that has ended starts nothing";
    });
}

TEST_P(first_in_a_bubble, attempts_that_all_report_the_end_of_the_context_have_not_failed) {
    run_clean([](testing::bubble&) {
        for (int i = 0; i < 20; ++i) {
            auto [ctx, cancel] = with_timeout(background(), 1s);
            ASSERT_THROW(static_cast<void>(first(ctx, answers("a", 2s), answers("b", 2s))),
                         timeout_error);
        }
    });
}

TEST_P(first_in_a_bubble, answer_that_comes_with_the_deadline_is_an_answer_or_a_timeout) {
    run_clean([](testing::bubble&) {
        for (int i = 0; i < 20; ++i) {
            auto [ctx, cancel] = with_timeout(background(), 1s);
            try {
                ASSERT_EQ(first(ctx,
                                [](const context&) {
                                    sleep_for(1s);
                                    return 1;
                                }),
                          1);
            } catch (const timeout_error&) {
            }
        }
    });
}

TEST_P(first_in_a_bubble, attempts_that_ignore_their_context_are_not_waited_for) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        const auto deaf = [](const context&) {
            sleep_for(1h);
            return std::string("too late");
        };
        EXPECT_EQ(first(background(), deaf, answers("a", 1s), deaf), "a");
        EXPECT_EQ(clock::now() - start, 1s);
        sleep_for(1h);
    });
}

TEST_P(first_in_a_bubble, takes_a_range) {
    run_clean([](testing::bubble&) {
        const std::vector<query> kept{answers("a", 3s), answers("b", 1s)};
        EXPECT_EQ(first(background(), kept), "b");
        EXPECT_EQ(first(background(), std::vector<query>(kept)), "b");
        std::vector<decltype(answers("", 1s))> same;
        same.push_back(answers("x", 1s));
        EXPECT_EQ(first(background(), std::move(same)), "x");
        std::vector<query> viewed{answers("a", 3s), answers("b", 1s)};
        EXPECT_EQ(first(background(), std::span(viewed)), "b");
        EXPECT_EQ(first(background(), viewed), "b") << "a view's elements are not moved from";
    });
}

TEST_P(first_in_a_bubble, without_attempts_throws) {
    run_clean([](testing::bubble&) {
        EXPECT_THROW(first(background()), std::invalid_argument);
        EXPECT_THROW(static_cast<void>(first(background(), std::vector<query>())),
                     std::invalid_argument);
        EXPECT_THROW(hedge(background(), 1s), std::invalid_argument);
    });
}

TEST_P(first_in_a_bubble, results_may_be_movable_only_or_nothing) {
    run_clean([](testing::bubble&) {
        auto owned = std::make_unique<int>(4);
        auto result = first(
            background(), [p = std::move(owned)](const context&) mutable { return std::move(p); });
        EXPECT_EQ(*result, 4);
        std::atomic<int> ran = 0;
        first(background(), [&](const context&) { ++ran; });
        EXPECT_EQ(ran, 1);
        EXPECT_EQ(first(
                      background(), [](const context&) { return 1; },
                      [](const context& c) -> double {
                          sleep_for(c, 1s) == op_status::ok ? void() : throw canceled_error();
                          return 2.5;
                      }),
                  1.0);
    });
}

TEST_P(first_in_a_bubble, result_of_a_loser_is_destroyed) {
    run_clean([](testing::bubble&) {
        auto watched = std::make_shared<int>(1);
        const auto result = first(
            background(), [](const context&) { return std::shared_ptr<int>(); },
            [watched](const context&) {
                sleep_for(1s);
                return watched;
            });
        EXPECT_EQ(result, nullptr);
        sleep_for(2s);
        EXPECT_EQ(watched.use_count(), 1);
    });
}

TEST_P(first_in_a_bubble, hedge_starts_the_next_only_after_its_delay) {
    run_clean([](testing::bubble&) {
        std::vector<clock::duration> started;
        const auto start = clock::now();
        const auto attempt = [&](clock::duration d) {
            return [&, d](const context& ctx) {
                started.push_back(clock::now() - start);
                if (sleep_for(ctx, d) != op_status::ok) {
                    throw canceled_error();
                }
                return d;
            };
        };
        EXPECT_EQ(hedge(background(), 100ms, attempt(1s), attempt(1s), attempt(50ms), attempt(1s)),
                  50ms);
        EXPECT_EQ(clock::now() - start, 250ms);
        EXPECT_EQ(started, (std::vector<clock::duration>{0ms, 100ms, 200ms}));
    });
}

TEST_P(first_in_a_bubble, hedge_needs_one_attempt_if_that_answers_in_time) {
    run_clean([](testing::bubble&) {
        bool second = false;
        EXPECT_EQ(hedge(background(), 100ms, answers("a", 50ms),
                        [&](const context&) {
                            second = true;
                            return std::string("b");
                        }),
                  "a");
        sleep_for(1s);
        EXPECT_FALSE(second);
    });
}

TEST_P(first_in_a_bubble, hedge_does_not_wait_when_all_that_were_started_have_failed) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        EXPECT_EQ(hedge(background(), 1s, fails("a", 0s), fails("b", 0s), answers("c", 1ms)), "c");
        EXPECT_EQ(clock::now() - start, 1ms);
        EXPECT_THROW(static_cast<void>(hedge(background(), 1s, fails("a", 0s), fails("b", 0s))),
                     all_failed);
    });
}

TEST_P(first_in_a_bubble, hedge_takes_a_range_and_a_context) {
    run_clean([](testing::bubble&) {
        const std::vector<query> all{answers("a", 10s), answers("b", 10s), answers("c", 10s)};
        auto [ctx, cancel] = with_timeout(background(), 3s);
        EXPECT_THROW(static_cast<void>(hedge(ctx, 1s, all)), timeout_error);
        EXPECT_EQ(hedge(background(), 1s, all), "a");
        EXPECT_EQ(hedge(background(), -1s, all).size(), 1U);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, first_in_a_bubble, test::worker_counts, test::worker_name);

using first_on_workers = test::on_workers;

TEST_P(first_on_workers, races_of_all_outcomes_leave_nobody) {
    const std::size_t before = debug::live_goroutines();
    run([] {
        for (std::size_t i = 0; i < test::scaled(2'000, 200); ++i) {
            const auto attempt = [i](std::size_t n) {
                return [i, n](const context&) -> std::size_t {
                    for (std::size_t k = (i + n) % 4; k > 0; --k) {
                        yield();
                    }
                    if ((i * 7 + n) % 3 == 0) {
                        throw std::runtime_error("no");
                    }
                    return n;
                };
            };
            auto [ctx, cancel] = with_timeout(background(), std::chrono::microseconds(i % 50));
            try {
                const std::size_t who = first(ctx, attempt(0), attempt(1), attempt(2));
                ASSERT_NE((i * 7 + who) % 3, 0U);
            } catch (const timeout_error&) {
            }
        }
    });
    EXPECT_EQ(debug::live_goroutines(), before);
}

INSTANTIATE_TEST_SUITE_P(workers, first_on_workers, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
