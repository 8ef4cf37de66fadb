// Batches and pace, on virtual time.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
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
using batch_test = test::clean_bubble;
using throttle_test = test::clean_bubble;

INSTANTIATE_TEST_SUITE_P(, batch_test, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(, throttle_test, test::worker_counts, test::worker_name);

using batches = std::vector<std::vector<int>>;

TEST_P(batch_test, a_full_one_goes_at_once_and_the_last_one_with_the_end) {
    run_clean([](testing::bubble&) {
        const auto before = clock::now();
        EXPECT_EQ(collect(produce<int>(numbers(0, 7)) | batch(3, 1h)),
                  (batches{{0, 1, 2}, {3, 4, 5}, {6}}));
        EXPECT_TRUE(collect(batch(produce<int>(numbers(0, 0)), 3, 1h)).empty());
        EXPECT_EQ(clock::now(), before);
    });
}

TEST_P(batch_test, one_that_is_not_full_goes_when_its_time_is_over) {
    run_clean([](testing::bubble&) {
        const auto out = batch(produce<int>([](const send_chan<int>& to) {
                                   sleep_for(10s);  // no empty batches meanwhile
                                   to.send(1);
                                   sleep_for(600ms);
                                   to.send(2);
                                   sleep_for(600ms);
                                   to.send(3);
                               }),
                               10, 1s);
        const auto before = clock::now();
        EXPECT_EQ(out.recv(), (std::vector<int>{1, 2}));
        EXPECT_EQ(clock::now() - before, 11s);
        EXPECT_EQ(out.recv(), (std::vector<int>{3}));
        EXPECT_EQ(clock::now() - before, 11200ms);
        EXPECT_EQ(out.recv(), std::nullopt);
    });
}

TEST_P(batch_test, what_came_before_an_exception_is_sent_before_it) {
    run_clean([](testing::bubble&) {
        const auto [values, error] =
            collect_until_error(batch(produce<int>([](const send_chan<int>& to) {
                                          to.send(1);
                                          to.send(2);
                                          throw std::runtime_error("broken");
                                      }),
                                      10, 1h));
        EXPECT_EQ(values, (batches{{1, 2}}));
        EXPECT_TRUE(is<std::runtime_error>(error));
    });
}

TEST_P(batch_test, a_cancel_and_a_consumer_that_walks_away_strand_nobody) {
    run_clean([](testing::bubble& world) {
        EXPECT_EQ(batch(produce<int>(naturals), 2, 1h).recv(), (std::vector<int>{0, 1}));
        auto [ctx, cancel] = with_timeout(background(), 1s);
        const auto out = produce<tracked>(ctx,
                                          [](const context& c, const send_chan<tracked>& to) {
                                              to.send(tracked(1));
                                              c.done().recv();
                                          }) |
                         batch(ctx, 10, 1h);
        EXPECT_TRUE(is<timeout_error>(collect_until_error(out).second));
        world.settle();
        EXPECT_EQ(tracked::alive, 0);
    });
}

TEST_P(batch_test, the_longest_time_there_is_means_full_ones) {
    run_clean([](testing::bubble&) {
        const auto slow = [](const send_chan<int>& out) {
            for (int i = 0; i < 4; ++i) {
                out.send(i);
                sleep_for(1h);
            }
        };
        EXPECT_EQ(collect(produce<int>(slow) | batch(3, std::chrono::hours::max())),
                  (batches{{0, 1, 2}, {3}}));
    });
}

TEST_P(throttle_test, one_value_in_each_interval) {
    run_clean([](testing::bubble&) {
        const auto before = clock::now();
        const auto out = throttle(produce<int>(numbers(0, 4)), 100ms);
        for (int i = 0; i < 4; ++i) {
            EXPECT_EQ(out.recv(), i);
            EXPECT_EQ(clock::now() - before, i * 100ms);
        }
        EXPECT_EQ(out.recv(), std::nullopt);
    });
}

TEST_P(throttle_test, a_rate_lets_a_few_pass_at_once) {
    run_clean([](testing::bubble&) {
        const auto before = clock::now();
        const auto out = produce<int>(numbers(0, 6)) | throttle(rate{.count = 2, .per = 1s});
        for (int i = 0; i < 6; ++i) {
            EXPECT_EQ(out.recv(), i);
            EXPECT_EQ(clock::now() - before, (i / 2) * 1s);
        }
        EXPECT_EQ(out.recv(), std::nullopt);
    });
}

TEST_P(throttle_test, the_longest_time_there_is_lets_no_more_pass) {
    run_clean([](testing::bubble&) {
        const auto out = throttle(produce<int>(numbers(0, 9)), rate{2, clock::duration::max()});
        EXPECT_EQ(out.recv(), 0);
        EXPECT_EQ(out.recv(), 1);
        int third = 0;
        EXPECT_EQ(out.recv_for(std::chrono::hours(100'000), third), op_status::timeout);
    });
}

TEST_P(throttle_test, a_cancel_ends_the_pause_and_errors_pass) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_timeout(background(), 90min);
        const auto before = clock::now();
        const auto [values, error] =
            collect_until_error(produce<int>(naturals) | throttle(ctx, 1h));
        EXPECT_EQ(values, (std::vector<int>{0, 1}));
        EXPECT_TRUE(is<timeout_error>(error));
        EXPECT_EQ(clock::now() - before, 90min);

        const auto broken = throttle(
            produce<int>([](const send_chan<int>&) { throw std::runtime_error("broken"); }), 1s);
        EXPECT_THROW(broken.recv(), std::runtime_error);
        EXPECT_EQ(throttle(produce<int>(naturals), 1s).recv(), 0);
    });
}

TEST(batch_arguments, are_named_when_they_are_bad) {
    const auto message = [](auto make) -> std::string {
        try {
            static_cast<void>(make());
            return "";
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
    };
    const auto in = make_chan<int>();
    EXPECT_EQ(message([&] { return batch(in, 0, 1s); }), "runnel: n is 0");
    EXPECT_EQ(message([&] { return batch(in, 1, 0s); }), "runnel: d is not positive: 0 ns");
    EXPECT_EQ(message([&] { return throttle(in, -1ns); }),
              "runnel: interval is not positive: -1 ns");
    EXPECT_EQ(message([&] { return throttle(in, rate{.count = 0}); }), "runnel: count is 0");
}

}  // namespace
}  // namespace runnel
