// test/behaviour/signal_test.cpp: signals in a program of goroutines.
#include <gtest/gtest.h>

#include <csignal>
#include <string>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using test::child_result;
using test::describe;
using test::run_child;

class child_process_of_a_goroutine : public ::testing::TestWithParam<const char*> {};

TEST_P(child_process_of_a_goroutine, has_the_signal_mask_that_the_program_has) {
    const child_result r = run_child("signal_child", {"masks_of_children", GetParam()});
    ASSERT_EQ(r.exit_status, 0) << describe(r);
    const std::string mask = *GetParam() == '\0' ? "\n" : " " + std::to_string(SIGUSR1) + "\n";
    EXPECT_EQ(r.out, "main" + mask + "fork" + mask + "posix_spawn" + mask + "blocking" + mask +
                         "thread" + mask)
        << describe(r);
}

INSTANTIATE_TEST_SUITE_P(blocked, child_process_of_a_goroutine, ::testing::Values("", "usr1"),
                         [](const auto& given) {
                             return std::string(*given.param == '\0' ? "nothing" : given.param);
                         });

TEST(signal_handler, for_which_a_goroutine_has_no_stack_left_is_a_stack_overflow) {
    if (test::under_sanitizer()) {
        GTEST_SKIP() << "a sanitizer calls handlers itself, when and where it sees fit";
    }
    const child_result r = run_child("signal_child", {"handler_on_a_full_stack"});
    EXPECT_EQ(r.signal, SIGSEGV) << describe(r);
    EXPECT_TRUE(r.wrote("stack overflow") && r.wrote("deep-thinker")) << describe(r);
}

}  // namespace
}  // namespace runnel
