// Many channels into one, and one into many.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "src/patterns/flow_test.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::collect;
using test::collect_until_error;
using test::is;
using test::naturals;
using test::numbers;
using test::tracked;
using fan_in_test = test::clean_bubble;
using tee_test = test::clean_bubble;

INSTANTIATE_TEST_SUITE_P(, fan_in_test, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(, tee_test, test::worker_counts, test::worker_name);

TEST_P(fan_in_test, sends_everything_and_is_closed_when_all_inputs_are) {
    run_clean([](testing::bubble&) {
        auto plain = make_chan<int>(1);
        plain.send(100);
        plain.close();
        auto all =
            collect(fan_in(produce<int>(numbers(0, 10)), produce<int>(numbers(10, 20)), plain));
        EXPECT_EQ(all.size(), 21U);
        std::erase_if(all, [](int n) { return n >= 10; });
        EXPECT_EQ(all, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})) << "in their own order";
    });
}

TEST_P(fan_in_test, takes_a_range_and_an_empty_one_ends_at_once) {
    run_clean([](testing::bubble&) {
        std::vector<recv_chan<int>> inputs;
        EXPECT_TRUE(collect(fan_in(inputs)).empty());
        for (int i = 0; i < 100; ++i) {
            inputs.push_back(produce<int>(numbers(i, i + 1)));
        }
        auto all = collect(fan_in(std::move(inputs)));
        std::ranges::sort(all);
        ASSERT_EQ(all.size(), 100U);
        EXPECT_EQ(all.back(), 99);
        EXPECT_EQ(collect(fan_in(std::vector{make_chan<int>(), make_chan<int>()} |
                                 std::views::transform([](const chan<int>& ch) {
                                     ch.close();
                                     return ch;
                                 })))
                      .size(),
                  0U);
    });
}

TEST_P(fan_in_test, values_may_be_such_that_can_only_be_moved) {
    run_clean([](testing::bubble&) {
        const auto box = [](const send_chan<std::unique_ptr<int>>& out) {
            out.send(std::make_unique<int>(1));
        };
        EXPECT_EQ(
            collect(fan_in(produce<std::unique_ptr<int>>(box), produce<std::unique_ptr<int>>(box)))
                .size(),
            2U);
    });
}

TEST_P(fan_in_test, the_exception_of_one_input_ends_the_others_and_reaches_the_consumer) {
    run_clean([](testing::bubble&) {
        const auto out = fan_in(produce<int>(naturals), produce<int>([](const send_chan<int>& to) {
                                    to.send(-1);
                                    throw std::runtime_error("broken");
                                }));
        const auto [values, error] = collect_until_error(out);
        EXPECT_TRUE(is<std::runtime_error>(error));
        EXPECT_EQ(std::ranges::count(values, -1), 1) << "what was before it has been sent";
    });
}

TEST_P(fan_in_test, a_consumer_that_walks_away_and_a_cancel_strand_nobody) {
    run_clean([](testing::bubble& world) {
        EXPECT_TRUE(fan_in(produce<int>(naturals), produce<int>(naturals)).recv().has_value());
        auto [ctx, cancel] = with_cancel(background());
        const auto silent = make_chan<int>();
        const auto out = fan_in(ctx, silent, produce<int>(ctx, naturals));
        EXPECT_TRUE(out.recv().has_value());
        const auto quiet = fan_in(ctx, std::vector{silent, silent});
        world.settle();
        cancel();
        EXPECT_TRUE(is<canceled_error>(collect_until_error(out).second));
        EXPECT_TRUE(is<canceled_error>(collect_until_error(quiet).second));
    });
}

TEST_P(tee_test, everybody_gets_everything_in_order) {
    run_clean([](testing::bubble&) {
        auto outs = tee(produce<int>(numbers(0, 50)), 3);
        ASSERT_EQ(outs.size(), 3U);
        std::vector<std::vector<int>> got(3);
        wait_group readers;
        for (std::size_t i = 0; i < 3; ++i) {
            readers.go([&, i] { got[i] = collect(outs[i]); });
        }
        readers.wait();
        const auto all = collect(produce<int>(numbers(0, 50)));
        EXPECT_EQ(got, (std::vector<std::vector<int>>{all, all, all}));
    });
}

TEST_P(tee_test, one_reader_may_read_the_outputs_in_any_order) {
    run_clean([](testing::bubble&) {
        const auto outs = tee(produce<int>(numbers(0, 10)), 2);
        for (int i = 0; i < 10; ++i) {
            EXPECT_EQ(outs[1].recv(), i);
            EXPECT_EQ(outs[0].recv(), i);
        }
        EXPECT_EQ(outs[1].recv(), std::nullopt);
        EXPECT_EQ(outs[0].recv(), std::nullopt);
    });
}

TEST_P(tee_test, who_walks_away_is_left_out_and_the_last_one_ends_it) {
    run_clean([](testing::bubble& world) {
        auto outs = tee(produce<tracked>([](const send_chan<tracked>& to) {
                            for (int i = 0;; ++i) {
                                to.send(tracked(i));
                            }
                        }),
                        3);
        EXPECT_EQ(outs[1].recv()->value, 0);
        outs[0] = {};
        EXPECT_EQ(outs[2].recv()->value, 0);
        outs[2] = {};
        for (int i = 1; i < 20; ++i) {
            EXPECT_EQ(outs[1].recv()->value, i);
        }
        outs.clear();
        world.settle();
        EXPECT_EQ(tracked::alive, 0);
    });
}

TEST_P(tee_test, errors_and_cancels_reach_everybody) {
    run_clean([](testing::bubble&) {
        auto outs = tee(produce<int>([](const send_chan<int>& to) {
                            to.send(1);
                            throw std::runtime_error("broken");
                        }),
                        2, 1);
        for (const auto& out : outs) {
            const auto [values, error] = collect_until_error(out);
            EXPECT_EQ(values, std::vector<int>{1});
            EXPECT_TRUE(is<std::runtime_error>(error));
        }
        auto [ctx, cancel] = with_timeout(background(), 1s);
        for (const auto& out : tee(ctx, produce<int>(ctx, naturals), 2)) {
            sleep_for(2s);
            EXPECT_TRUE(is<timeout_error>(collect_until_error(out).second));
        }
    });
}

TEST_P(tee_test, who_waits_for_a_silent_input_learns_that_nobody_receives) {
    run_clean([](testing::bubble& world) {
        const auto silent = make_chan<int>();
        auto outs = tee(silent, 3);
        auto merged = fan_in(silent, silent);
        auto batches = batch(silent, 10, 1h);
        silent.send(1);  // to any of them
        world.settle();
        outs[0] = {};
        outs.clear();
        merged = {};
        batches = {};
        world.settle();
    });
}

TEST(tee_arguments, are_named_when_they_are_bad) {
    try {
        static_cast<void>(tee(make_chan<int>(), 0));
        FAIL();
    } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), "runnel: n is 0");
    }
}

}  // namespace
}  // namespace runnel
