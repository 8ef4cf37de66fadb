// test/behaviour/process_end_test.cpp: a program may end whenever it likes: no crash in static
// destruction, no hang, no goroutine that runs while static objects are being destroyed.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_result;
using test::describe;
using test::run_child;

// How many times a scenario is run; its goroutines are in another state each time.
void expect_quiet_ends(const std::string& scenario, std::size_t repetitions) {
    for (std::size_t i = 0; i < repetitions; ++i) {
        const std::string moments = std::to_string(i * 7 % 100);
        const std::string workers = std::to_string(std::size_t{1} << i % 4);
        SCOPED_TRACE("end_child " + scenario + " " + moments + ", workers " + workers);
        const child_result r =
            run_child("end_child", {scenario, moments}, {"RUNNEL_MAXPROCS=" + workers}, 30s);
        ASSERT_EQ(r.exit_status, 7) << describe(r);
        ASSERT_EQ(r.err, "");
    }
}

using process_end = ::testing::TestWithParam<const char*>;

TEST_P(process_end, is_quiet) { expect_quiet_ends(GetParam(), test::scaled(40, 5)); }

INSTANTIATE_TEST_SUITE_P(
    when, process_end,
    ::testing::Values("main_returns_while_parked", "main_returns_while_running",
                      "main_returns_while_spinning", "main_returns_while_sleeping",
                      "main_returns_while_blocking", "plain_main_returns",
                      "exit_from_the_main_goroutine", "exit_from_another_goroutine",
                      "exit_from_blocking", "exit_from_a_plain_thread", "run_returns_many_times"),
    [](const auto& each) { return std::string(each.param); });

TEST(process_end, is_quiet_again_and_again_while_everything_happens) {
    expect_quiet_ends("main_returns_while_everything_happens", test::scaled(60, 10));
}

}  // namespace
}  // namespace runnel
