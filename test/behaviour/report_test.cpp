// test/behaviour/report_test.cpp: how a program dies: of an uncaught exception, of a stack that ran
// out, of a deadlock. Each names the goroutine, so that a user knows where to look.
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

// The word after `label ` on the child's standard output.
std::string printed(const child_result& r, const std::string& label) {
    const std::size_t at = r.out.find(label + " ");
    if (at == std::string::npos) {
        return "(not printed: " + label + ")";
    }
    const std::size_t from = at + label.size() + 1;
    return r.out.substr(from, r.out.find('\n', from) - from);
}

// ---- uncaught exceptions

TEST(uncaught_exception, names_the_goroutine_where_it_was_started_and_what_it_said) {
    const child_result r = run_child("crash_child", {"throw_from_a_goroutine"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("the disk is full")) << describe(r);
    EXPECT_TRUE(r.wrote("goroutine " + printed(r, "id"))) << describe(r);
    EXPECT_TRUE(r.wrote("crash_child.cpp:" + printed(r, "line"))) << describe(r);
}

TEST(uncaught_exception, names_a_named_goroutine) {
    const child_result r = run_child("crash_child", {"throw_from_a_named_goroutine"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("log-writer") && r.wrote("the disk is full")) << describe(r);
}

TEST(uncaught_exception, is_reported_even_if_it_is_no_std_exception) {
    const child_result r = run_child("crash_child", {"throw_something_else"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("log-writer")) << describe(r);
}

TEST(uncaught_exception, ends_the_process_wherever_it_leaves_a_goroutine) {
    for (const char* scenario :
         {"throw_from_run", "drop_a_failed_handle", "throw_in_a_wait_group"}) {
        SCOPED_TRACE(scenario);
        const child_result r = run_child("crash_child", {scenario});
        EXPECT_EQ(r.signal, SIGABRT) << describe(r);
        EXPECT_TRUE(r.wrote("the disk is full")) << describe(r);
    }
}

TEST(uncaught_exception, calls_the_terminate_handler_after_the_message) {
    const child_result r = run_child("crash_child", {"throw_under_a_terminate_handler"});
    EXPECT_EQ(r.exit_status, 42) << describe(r);
    EXPECT_TRUE(r.wrote("the disk is full")) << describe(r);
}

// ---- stacks that run out

void expect_overflow_report(const child_result& r, const std::string& who) {
    EXPECT_NE(r.signal, 0) << describe(r);
    EXPECT_TRUE(r.wrote(who)) << describe(r);
    EXPECT_TRUE(r.wrote("overflow")) << describe(r);
}

TEST(stack_overflow, names_the_goroutine) {
    for (const char* scenario : {"overflow_a_named_goroutine", "overflow_while_handling"}) {
        SCOPED_TRACE(scenario);
        expect_overflow_report(run_child("crash_child", {scenario}), "deep-thinker");
    }
}

TEST(stack_overflow, names_the_size_of_the_stack) {
    const child_result r = run_child("crash_child", {"overflow_a_small_stack"});
    expect_overflow_report(r, "deep-thinker");
    EXPECT_TRUE(r.wrote("65536") || r.wrote("64 KiB") || r.wrote("64 kB")) << describe(r);
}

TEST(stack_overflow, gives_the_number_of_an_unnamed_goroutine) {
    const child_result r = run_child("crash_child", {"overflow_an_unnamed_goroutine"});
    expect_overflow_report(r, "goroutine " + printed(r, "id"));
}

TEST(stack_overflow, of_the_main_goroutine_is_reported_too) {
    expect_overflow_report(run_child("crash_child", {"overflow_main"}), "goroutine ");
}

TEST(stack_overflow, is_not_blamed_for_a_wild_pointer) {
    const child_result r = run_child("crash_child", {"write_through_a_wild_pointer"});
    EXPECT_FALSE(r.wrote("stack overflow")) << describe(r);
    if (test::under_sanitizer()) {
        EXPECT_NE(r.exit_status, 0) << describe(r);  // the sanitizer reports it and exits
    } else {
        EXPECT_EQ(r.signal, SIGSEGV) << describe(r);
    }
}

// ---- deadlocks

TEST(deadlock, is_reported_with_exit_status_2_and_who_waits_where) {
    const child_result r = run_child("crash_child", {"deadlock_on_channels"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    EXPECT_TRUE(r.wrote("deadlock")) << describe(r);
    for (const char* who : {"stuck-receiver", "stuck-sender", "stuck-selector"}) {
        EXPECT_TRUE(r.wrote(who)) << who << "\n" << describe(r);
    }
    for (const char* where : {"recv", "send", "select"}) {
        EXPECT_TRUE(r.wrote(where)) << where << "\n" << describe(r);
    }
}

TEST(deadlock, covers_locks_and_wait_groups) {
    const child_result r = run_child("crash_child", {"deadlock_on_locks"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    for (const char* text : {"deadlock", "stuck-locker", "stuck-waiter", "mutex",
                             "condition_variable", "wait_group"}) {
        EXPECT_TRUE(r.wrote(text)) << text << "\n" << describe(r);
    }
}

TEST(deadlock, of_the_main_goroutine_alone_is_one) {
    const child_result r = run_child("crash_child", {"deadlock_of_main_alone"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    EXPECT_TRUE(r.wrote("deadlock") && r.wrote("recv")) << describe(r);
}

TEST(deadlock, is_reported_at_any_number_of_workers) {
    for (const char* workers : {"1", "2", "8"}) {
        SCOPED_TRACE(workers);
        const child_result r = run_child("crash_child", {"deadlock_on_channels"},
                                         {std::string("RUNNEL_MAXPROCS=") + workers});
        EXPECT_EQ(r.exit_status, 2) << describe(r);
        EXPECT_TRUE(r.wrote("stuck-receiver")) << describe(r);
    }
}

TEST(deadlock, is_not_reported_while_somebody_may_still_come_back) {
    for (const char* scenario :
         {"no_deadlock_while_a_timer_is_pending", "no_deadlock_while_someone_is_blocking",
          "no_deadlock_after_a_thread_has_called_in"}) {
        SCOPED_TRACE(scenario);
        const child_result r = run_child("crash_child", {scenario});
        EXPECT_EQ(r.exit_status, 0) << describe(r);
        EXPECT_EQ(r.err, "");
    }
}

TEST(deadlock, is_reported_soon_after_the_last_thread_outside_has_ended) {
    const child_result r = run_child("crash_child", {"deadlock_after_a_thread_has_ended"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    EXPECT_TRUE(r.wrote("deadlock") && r.wrote("recv")) << describe(r);
}

TEST(deadlock, is_reported_after_a_bubble_has_failed) {
    const child_result r = run_child("crash_child", {"deadlock_after_a_bubble_has_failed"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    EXPECT_TRUE(r.wrote("'main' [chan recv]")) << describe(r);
    EXPECT_FALSE(r.wrote("of-the-bubble")) << describe(r);
}

TEST(deadlock, of_a_bubble_on_a_mutex_is_found_at_once_if_nobody_is_outside) {
    const child_result r = run_child("crash_child", {"bubble_deadlock_on_a_mutex"});
    EXPECT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_NE(r.out.find("deadlock"), std::string::npos) << describe(r);
    EXPECT_NE(r.out.find("mutex lock"), std::string::npos) << describe(r);
}

// ---- runtime instances

TEST(runtime, left_with_a_stuck_goroutine_reports_it_and_terminates) {
    const child_result r = run_child("crash_child", {"runtime_left_with_a_stuck_goroutine"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("left-behind")) << describe(r);
    EXPECT_TRUE(r.wrote("recv")) << describe(r);
}

}  // namespace
}  // namespace runnel
