#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>
#include <runnel/time.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

class sleep_in_a_bubble : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        testing::bubble bubble{{.workers = static_cast<std::size_t>(GetParam())}};
        bubble.run(body);
    }
};

TEST_P(sleep_in_a_bubble, takes_exactly_its_time) {
    run([] {
        for (const std::chrono::nanoseconds d :
             {1ns, 1000ns, std::chrono::nanoseconds(1ms), std::chrono::nanoseconds(24h * 365)}) {
            const auto start = clock::now();
            sleep_for(d);
            EXPECT_EQ(clock::now() - start, d);
            sleep_until(clock::now() + d);
            EXPECT_EQ(clock::now() - start, 2 * d);
        }
    });
}

TEST_P(sleep_in_a_bubble, of_less_than_the_clock_can_tell_is_rounded_up) {
    run([] {
        const auto start = clock::now();
        sleep_for(std::chrono::duration<double, std::nano>(0.25));
        EXPECT_EQ(clock::now() - start, 1ns);
        sleep_for(std::chrono::duration<int, std::pico>(1001));
        EXPECT_EQ(clock::now() - start, 3ns);
    });
}

TEST_P(sleep_in_a_bubble, of_zero_or_less_takes_no_time) {
    run([] {
        const auto start = clock::now();
        sleep_for(0s);
        sleep_for(-1s);
        sleep_for(std::chrono::nanoseconds::min());
        sleep_for(std::chrono::hours::min());
        sleep_for(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
        sleep_until(start);
        sleep_until(start - 1h);
        sleep_until(clock::time_point::min());
        EXPECT_EQ(clock::now(), start);
    });
}

TEST_P(sleep_in_a_bubble, sleepers_wake_in_the_order_of_their_times) {
    run([] {
        std::vector<int> order;  // one at a time runs: time moves when all are blocked
        wait_group all;
        for (const int seconds : {5, 1, 4, 2, 3}) {
            all.go([&order, seconds] {
                sleep_for(std::chrono::seconds(seconds));
                order.push_back(seconds);
            });
        }
        all.wait();
        EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4, 5}));
    });
}

TEST_P(sleep_in_a_bubble, a_million_years_is_for_ever) {
    testing::bubble bubble{{.workers = static_cast<std::size_t>(GetParam())}};
    try {
        bubble.run([] { sleep_for(std::chrono::years(1'000'000)); });
        ADD_FAILURE() << "it ended";
    } catch (const testing::bubble_error& error) {
        EXPECT_NE(std::string(error.what()).find("[sleep]"), std::string::npos) << error.what();
    }
}

TEST_P(sleep_in_a_bubble, durations_that_do_not_fit_are_the_longest_there_is) {
    run([] {
        auto ch = make_chan<int>();
        go([&] {
            sleep_for(1h);
            for (int i = 0; i < 4; ++i) {
                ch.send(i);
            }
        });
        int value = 0;
        EXPECT_EQ(ch.recv_for(std::chrono::hours::max(), value), op_status::ok);
        EXPECT_EQ(ch.recv_for(std::chrono::nanoseconds::max(), value), op_status::ok);
        EXPECT_EQ(ch.recv_for(std::chrono::duration<double>(1e300), value), op_status::ok);
        EXPECT_EQ(ch.recv_until(clock::time_point::max(), value), op_status::ok);
        EXPECT_EQ(value, 3);
    });
}

TEST_P(sleep_in_a_bubble, times_of_other_clocks_count_as_what_is_left_until_then) {
    run([] {
        const auto start = clock::now();
        sleep_until(std::chrono::system_clock::now() + 1h);
        const auto slept = clock::now() - start;
        EXPECT_GT(slept, 59min);  // real time has passed between the two readings
        EXPECT_LE(slept, 1h);
        sleep_until(std::chrono::steady_clock::now() - 1h);
        EXPECT_EQ(clock::now() - start, slept);
    });
}

TEST_P(sleep_in_a_bubble, the_earliest_time_of_another_clock_has_passed) {
    run([] {
        const auto start = clock::now();
        sleep_until(std::chrono::steady_clock::time_point::min());
        EXPECT_EQ(clock::now(), start);
        sleep_until(std::chrono::system_clock::time_point::min());
        EXPECT_EQ(clock::now(), start);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, sleep_in_a_bubble, test::worker_counts, test::worker_name);

TEST(sleep, on_a_plain_thread_takes_at_least_its_time) {
    const auto start = std::chrono::steady_clock::now();
    sleep_for(2ms);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 2ms);
    sleep_until(clock::now() + 2ms);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 4ms);
    sleep_for(-1h);
    sleep_until(clock::time_point::min());
}

using sleep_on_workers = test::on_workers;

TEST_P(sleep_on_workers, takes_at_least_its_time) {
    run([] {
        wait_group all;
        for (int i = 0; i < 20; ++i) {
            all.go([i] {
                const auto start = clock::now();
                const auto d = std::chrono::microseconds(100 * i);
                sleep_for(d);
                EXPECT_GE(clock::now() - start, d);
            });
        }
        all.wait();
    });
}

TEST_P(sleep_on_workers, of_zero_lets_the_others_run) {
    run([] {
        std::atomic<bool> ran = false;
        go([&] { ran = true; });
        while (!ran) {
            sleep_for(0s);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, sleep_on_workers, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
