// test/behaviour/oom_test.cpp: no memory: an exception where one can be thrown, else a message.
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

class out_of_memory : public ::testing::Test {
protected:
    void SetUp() override {
        if (test::under_sanitizer()) {
            GTEST_SKIP() << "a sanitizer has an operator new of its own";
        }
    }
};

TEST_F(out_of_memory, is_an_exception_where_a_goroutine_or_a_blocking_call_is_started) {
    const auto expect = [](const char* scenario, const std::string& said) {
        SCOPED_TRACE(scenario);
        const child_result r = run_child("oom_child", {scenario});
        EXPECT_EQ(r.exit_status, 0) << describe(r);
        EXPECT_EQ(r.out, said) << describe(r);
    };
    expect("start", "failed 1\n");
    expect("start_from_outside", "failed 3\n");
    expect("blocking_call", "failed 1\n");
}

TEST_F(out_of_memory, for_a_deadline_ends_the_process_with_a_message) {
    const child_result r = run_child("oom_child", {"timer"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("out of memory") && r.wrote("deadline")) << describe(r);
}

}  // namespace
}  // namespace runnel
