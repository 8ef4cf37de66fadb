// One function for every element of a range.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "src/patterns/flow_test.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using parallel_test = test::clean_bubble;

INSTANTIATE_TEST_SUITE_P(, parallel_test, test::worker_counts, test::worker_name);

TEST_P(parallel_test, every_element_once_and_so_many_at_a_time) {
    run_clean([](testing::bubble&) {
        std::vector<int> visited(20, 0);
        const auto before = clock::now();
        parallel_for_each(visited, 5, [](int& n) {
            sleep_for(1s);
            ++n;
        });
        EXPECT_EQ(visited, std::vector<int>(20, 1));
        EXPECT_EQ(clock::now() - before, 4s);
        parallel_for_each(std::vector<int>(), 5, [](int) { FAIL(); });
    });
}

TEST_P(parallel_test, results_come_in_the_order_of_the_elements) {
    run_clean([](testing::bubble&) {
        const auto squares = parallel_map(std::views::iota(0, 10), 4, [](int n) {
            sleep_for(1ms * (10 - n));
            return std::to_string(n * n);
        });
        EXPECT_EQ(squares, (std::vector<std::string>{"0", "1", "4", "9", "16", "25", "36", "49",
                                                     "64", "81"}));
    });
}

TEST_P(parallel_test, the_first_exception_cancels_the_rest_and_is_rethrown) {
    run_clean([](testing::bubble&) {
        std::atomic<int> started = 0;
        std::atomic<int> canceled = 0;
        EXPECT_THROW(parallel_for_each(background(), std::views::iota(0, 1000), 4,
                                       [&](const context& ctx, int n) {
                                           ++started;
                                           if (n == 2) {
                                               sleep_for(1s);
                                               throw std::runtime_error("two");
                                           }
                                           if (sleep_for(ctx, 1h) != op_status::ok) {
                                               ++canceled;
                                           }
                                       }),
                     std::runtime_error);
        EXPECT_EQ(started, 4);
        EXPECT_EQ(canceled, 3);
    });
}

TEST_P(parallel_test, the_end_of_the_context_is_an_error_unless_all_is_done) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_timeout(background(), 5s);
        const auto nap = [](int n) {
            sleep_for(2s);
            return n;
        };
        EXPECT_EQ(parallel_map(ctx, std::vector{1, 2, 3, 4}, 2, nap).size(), 4U);
        EXPECT_THROW(static_cast<void>(parallel_map(ctx, std::vector{1, 2, 3, 4}, 2, nap)),
                     timeout_error);
    });
}

TEST(parallel_arguments, are_named_when_they_are_bad) {
    try {
        parallel_for_each(std::vector{1}, 0, [](int) {});
        FAIL();
    } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), "runnel: n is 0");
    }
}

}  // namespace
}  // namespace runnel
