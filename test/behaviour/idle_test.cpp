// test/behaviour/idle_test.cpp: a program that has nothing to do uses nothing.
//
// Measured from outside, so that looking does not wake what is looked at. The window opens a moment
// after the work has ended, because going to sleep is itself work.
#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::describe;

// What a process has used so far.
struct usage {
    std::chrono::nanoseconds cpu{};
    std::map<std::string, long> switches;  // by thread
};

// Voluntary and involuntary context switches, as in the `status` file of a thread.
long switches_in(const std::filesystem::path& status) {
    std::ifstream file(status);
    long total = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.find("ctxt_switches:") != std::string::npos) {
            total += std::stol(line.substr(line.find(':') + 1));
        }
    }
    return total;
}

usage usage_of(pid_t pid) {
    usage result;
    clockid_t cpu_clock{};
    timespec cpu{};
    EXPECT_EQ(::clock_getcpuclockid(pid, &cpu_clock), 0);
    EXPECT_EQ(::clock_gettime(cpu_clock, &cpu), 0);
    result.cpu = std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
    const auto tasks = std::filesystem::path("/proc") / std::to_string(pid) / "task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
        result.switches[task.path().filename()] = switches_in(task.path() / "status");
    }
    return result;
}

// The switches of all threads of `after` since `before`; a thread that is new counts in full.
long switches_between(const usage& before, const usage& after) {
    long total = 0;
    for (const auto& [thread, count] : after.switches) {
        const auto old = before.switches.find(thread);
        total += old == before.switches.end() ? count : count - old->second;
    }
    return total;
}

// What a child that has said "idle" uses in the two seconds after it has settled down.
struct measured {
    std::chrono::nanoseconds cpu{};
    long switches = 0;
};

measured two_seconds_of(test::child_process& child) {
    std::this_thread::sleep_for(250ms);
    const usage before = usage_of(child.pid());
    std::this_thread::sleep_for(2s);
    const usage after = usage_of(child.pid());
    const measured result{after.cpu - before.cpu, switches_between(before, after)};
    std::printf("[ measured ] %lld us of CPU, %ld context switches in 2 s over %zu threads\n",
                static_cast<long long>(result.cpu / 1us), result.switches, after.switches.size());
    return result;
}

void expect_quiet_end(test::child_process& child) {
    child.close_input();
    const test::child_result r = child.wait(30s);
    EXPECT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_EQ(r.err, "");
}

using idle_program = ::testing::TestWithParam<const char*>;

TEST_P(idle_program, uses_no_cpu_and_stays_asleep_after_a_burst_of_work) {
    if (test::under_sanitizer()) {
        GTEST_SKIP() << "a sanitizer's own background thread would be measured";
    }
    test::child_process child({test::child_path("idle_child"), GetParam()});
    ASSERT_TRUE(child.wait_for_output("idle\n", 60s)) << describe(child.wait(0s));
    const measured used = two_seconds_of(child);
    EXPECT_LT(used.cpu, 5ms);
    EXPECT_LE(used.switches, 5);
    expect_quiet_end(child);
}

// The measurement itself: a program that wakes up a hundred times a second must not look idle.
TEST(idle_measurement, notices_a_program_that_is_at_work) {
    test::child_process child({test::child_path("idle_child"), "at_work"});
    ASSERT_TRUE(child.wait_for_output("idle\n", 60s)) << describe(child.wait(0s));
    const measured used = two_seconds_of(child);
    EXPECT_GT(used.cpu, 20ms);
    EXPECT_GT(used.switches, 50);
    expect_quiet_end(child);
}

INSTANTIATE_TEST_SUITE_P(waiting, idle_program,
                         ::testing::Values("after_run", "in_a_receive", "in_a_long_sleep",
                                           "in_a_blocking_call"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace runnel
