// test/signals/listen_test.cpp: what signals do to a program that listens for them. (S57)
#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

#include <runnel/signal.hpp>

#include "src/fiber/sanitizer.hpp"
#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_path;
using test::child_process;
using test::child_result;
using test::describe;
using test::run_child;

/// ThreadSanitizer puts a handler off until its thread makes a call that it knows, and it does not
/// know the one in which our threads sleep: a program whose threads all sleep never runs it.
constexpr bool handlers_wait = detail::watched_for_races;
constexpr const char* why_they_wait =
    "ThreadSanitizer runs no handler while every thread sleeps in a system call of ours";

/// Starts the scenario, sends `signal` once it is ready, and waits for its end.
child_result send_to(const std::string& scenario, int signal) {
    child_process child({child_path("listen_child"), scenario});
    EXPECT_TRUE(child.wait_for_output("ready", 30s));
    ::kill(child.pid(), signal);
    return child.wait(30s);
}

TEST(signals, cancel_the_context_of_a_program_that_only_waits_for_them) {
    if (handlers_wait) {
        GTEST_SKIP() << why_they_wait;
    }
    const child_result r = send_to("wait_in_main", SIGTERM);
    EXPECT_EQ(r.exit_status, 7) << describe(r);
    EXPECT_NE(r.out.find("signal_error 15: signal SIGTERM received"), std::string::npos)
        << describe(r);
}

TEST(signals, cancel_what_a_plain_thread_waits_for) {
    if (handlers_wait) {
        GTEST_SKIP() << why_they_wait;
    }
    const child_result r = send_to("wait_on_plain_thread", SIGUSR1);
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, reach_a_program_whose_threads_all_block_them) {
    const child_result r = send_to("blocked_everywhere", SIGUSR1);
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, do_what_they_did_before_once_cancel_was_called) {
    const child_result r = send_to("cancelled", SIGTERM);
    EXPECT_EQ(r.signal, SIGTERM) << describe(r);
}

TEST(signals, do_what_they_did_before_once_the_context_is_dropped) {
    const child_result r = send_to("dropped", SIGTERM);
    EXPECT_EQ(r.signal, SIGTERM) << describe(r);
}

TEST(signals, after_the_first_do_not_kill_until_cancel_is_called) {
    if (handlers_wait) {
        GTEST_SKIP() << why_they_wait;
    }
    const child_result r = send_to("second_signal", SIGINT);
    EXPECT_EQ(r.signal, SIGINT) << describe(r);
    EXPECT_NE(r.out.find("alive"), std::string::npos) << describe(r);
}

TEST(signals, have_their_own_handler_back_after_the_last_listener) {
    const child_result r = run_child("listen_child", {"own_handler"});
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, have_the_programs_dispositions_in_a_forked_child) {
    const child_result r = run_child("listen_child", {"child_process"});
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, find_listeners_that_come_and_go) {
    const child_result r = run_child("listen_child", {"come_and_go"});
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, come_through_a_channel_that_drops_them_when_it_is_full) {
    const child_result r = run_child("listen_child", {"channel"});
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, reach_a_program_that_only_receives_them) {
    if (handlers_wait) {
        GTEST_SKIP() << why_they_wait;
    }
    const child_result r = send_to("channel_in_main", SIGINT);
    EXPECT_EQ(r.exit_status, 7) << describe(r);
}

TEST(signals, do_what_they_did_before_once_the_last_handle_of_the_channel_is_dropped) {
    const child_result r = send_to("channel_dropped", SIGTERM);
    EXPECT_EQ(r.signal, SIGTERM) << describe(r);
}

TEST(signals, do_not_hide_a_deadlock_when_nobody_listens_any_more) {
    const child_result r = run_child("listen_child", {"deadlock_afterwards"});
    EXPECT_EQ(r.exit_status, 2) << describe(r);
    EXPECT_TRUE(r.wrote("deadlock")) << describe(r);
}

/// Clock ticks of user and system time that the process has used.
long processor_ticks(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    std::getline(stat, line);
    const std::size_t after = line.rfind(')');
    long user = 0;
    long system = 0;
    std::sscanf(line.c_str() + after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
                &user, &system);
    return user + system;
}

TEST(signals, are_waited_for_without_using_the_processor) {
    if (handlers_wait) {
        GTEST_SKIP() << why_they_wait;
    }
    child_process child({child_path("listen_child"), "wait_in_main"});
    ASSERT_TRUE(child.wait_for_output("ready", 30s));
    std::this_thread::sleep_for(50ms);  // the start is over
    const long before = processor_ticks(child.pid());
    std::this_thread::sleep_for(500ms);
    EXPECT_LE(processor_ticks(child.pid()) - before, 1);
    ::kill(child.pid(), SIGINT);
    EXPECT_EQ(child.wait(30s).exit_status, 7);
}

TEST(signals, that_cannot_be_caught_are_refused_by_name) {
    for (const int bad : {SIGKILL, SIGSTOP, SIGSEGV, 0, -1, 65, 32}) {
        try {
            static_cast<void>(with_signals(background(), {SIGUSR1, bad}));
            ADD_FAILURE() << "signal " << bad << " was accepted";
        } catch (const std::invalid_argument& e) {
            const std::string name = bad == SIGKILL   ? "SIGKILL"
                                     : bad == SIGSTOP ? "SIGSTOP"
                                     : bad == SIGSEGV ? "SIGSEGV"
                                                      : std::to_string(bad);
            EXPECT_NE(std::string(e.what()).find(name), std::string::npos) << e.what();
        }
    }
    EXPECT_THROW(static_cast<void>(with_signals(background(), {})), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(signals({SIGKILL})), std::invalid_argument);
    EXPECT_THROW(static_cast<void>(signals({SIGUSR1}, -1)), std::length_error);
}

}  // namespace
}  // namespace runnel
