// test/behaviour/bad_input_test.cpp: what is wrong is named, at once, and nothing is silent.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_result;
using test::describe;
using test::run_child;

// ---- the environment

using maxprocs = ::testing::TestWithParam<std::string>;

TEST_P(maxprocs, a_wrong_value_is_reported_with_exit_status_2_before_any_goroutine_runs) {
    for (const char* scenario : {"run_one_goroutine", "go_from_a_plain_thread"}) {
        SCOPED_TRACE(scenario);
        const child_result r =
            run_child("crash_child", {scenario}, {"RUNNEL_MAXPROCS=" + GetParam()});
        EXPECT_EQ(r.exit_status, 2) << describe(r);
        EXPECT_TRUE(r.wrote("RUNNEL_MAXPROCS")) << describe(r);
        EXPECT_TRUE(r.wrote("\"" + GetParam() + "\"")) << describe(r);
        EXPECT_EQ(r.out, "") << "a goroutine has run";
    }
}

INSTANTIATE_TEST_SUITE_P(wrong, maxprocs,
                         ::testing::Values("0", "-1", "abc", "100000", "2x", "1.5", "0x2",
                                           "99999999999999999999"));

using good_maxprocs = ::testing::TestWithParam<std::string>;

TEST_P(good_maxprocs, a_right_value_is_taken_without_a_word) {
    const child_result r =
        run_child("crash_child", {"run_one_goroutine"}, {"RUNNEL_MAXPROCS=" + GetParam()});
    EXPECT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_EQ(r.out, "ran\n");
    EXPECT_EQ(r.err, "");
}

// Empty is what a shell leaves when a variable is "taken away" for one command: as good as unset.
INSTANTIATE_TEST_SUITE_P(right, good_maxprocs, ::testing::Values("1", "2", "8", ""));

// ---- options

TEST(configure, throws_after_first_use) {
    const child_result r = run_child("crash_child", {"configure_after_start"});
    EXPECT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_EQ(r.out.rfind("logic_error: ", 0), 0U) << describe(r);
}

TEST(configure, refuses_a_stack_that_nothing_fits_into) {
    for (const char* size : {"0", "1"}) {
        SCOPED_TRACE(size);
        const child_result r = run_child("crash_child", {"configure_with_a_bad_stack_size", size});
        EXPECT_EQ(r.exit_status, 0) << describe(r);
        EXPECT_NE(r.out.find("stack"), std::string::npos) << describe(r);
    }
}

using stack_size = ::testing::TestWithParam<std::size_t>;

// The message of the std::invalid_argument that `call` throws; fails the test if it throws none.
template <class F>
std::string refusal(F call) {
    try {
        call();
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    ADD_FAILURE() << "no std::invalid_argument";
    return {};
}

TEST_P(stack_size, is_refused_by_go_and_spawn_in_the_caller) {
    bool ran = false;
    const auto body = [&] { ran = true; };
    const go_options options{.stack_size = GetParam()};
    EXPECT_NE(refusal([&] { go(options, body); }).find("stack"), std::string::npos);
    EXPECT_NE(refusal([&] { static_cast<void>(spawn(options, body)); }).find("stack"),
              std::string::npos);
    EXPECT_FALSE(ran);
}

TEST_P(stack_size, is_refused_by_go_in_a_goroutine_which_goes_on) {
    runtime rt{{.workers = 2}};
    int after = 0;
    rt.run([&] {
        EXPECT_NE(refusal([] { go(go_options{.stack_size = GetParam()}, [] {}); }).find("stack"),
                  std::string::npos);
        auto ch = make_chan<int>();
        go([ch] { ch.send(7); });
        after = ch.recv().value_or(0);
    });
    EXPECT_EQ(after, 7);
}

TEST_P(stack_size, is_refused_by_a_runtime) {
    EXPECT_NE(refusal([] { runtime rt{{.stack_size = GetParam()}}; }).find("stack"),
              std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(too_small, stack_size, ::testing::Values(0, 1));

TEST(go, refuses_a_stack_larger_than_the_address_space) {
    const go_options all_of_it{.stack_size = std::numeric_limits<std::size_t>::max()};
    EXPECT_THROW(go(all_of_it, [] {}), std::exception);
}

// ---- channels

TEST(make_chan, refuses_a_negative_or_impossible_capacity) {
    EXPECT_THROW(static_cast<void>(make_chan<int>(-1)), std::exception);
    EXPECT_THROW(static_cast<void>(make_chan<int>(std::numeric_limits<std::ptrdiff_t>::min())),
                 std::exception);
    EXPECT_THROW(static_cast<void>(make_chan<int>(std::numeric_limits<std::ptrdiff_t>::max())),
                 std::exception);
    EXPECT_THROW(static_cast<void>(make_chan<int>(std::numeric_limits<std::ptrdiff_t>::max() / 4)),
                 std::exception);
}

TEST(nil_chan, close_throws_logic_error) {
    EXPECT_THROW(chan<int>{}.close(), std::logic_error);
    EXPECT_THROW(send_chan<int>{}.close(), std::logic_error);
    runtime rt{{.workers = 1}};
    rt.run([] { EXPECT_THROW(chan<int>{}.close(), std::logic_error); });
}

TEST(nil_chan, try_forms_fail_at_once) {
    const chan<int> nil;
    int value = 5;
    EXPECT_EQ(nil.try_recv(value), op_status::empty);
    EXPECT_EQ(nil.try_send(value), op_status::full);
    EXPECT_EQ(value, 5);
    EXPECT_FALSE(nil);
    EXPECT_EQ(nil.len(), 0U);
    EXPECT_EQ(nil.cap(), 0U);
}

void expect_timeouts_on_nil() {
    const chan<int> nil;
    int value = 5;
    for (const auto limit : {2ms, 0ms, -1ms}) {
        EXPECT_EQ(nil.recv_for(limit, value), op_status::timeout);
        EXPECT_EQ(nil.send_for(limit, value), op_status::timeout);
        EXPECT_EQ(nil.recv_until(clock::now() + limit, value), op_status::timeout);
        EXPECT_EQ(nil.send_until(clock::now() + limit, value), op_status::timeout);
    }
    EXPECT_EQ(value, 5);
    std::optional<int> slot;
    EXPECT_EQ(select(on_recv(nil, slot), on_send(nil, value), on_timeout(2ms)), 2U);
    EXPECT_FALSE(slot);
}

TEST(nil_chan, timed_forms_time_out_on_a_plain_thread) { expect_timeouts_on_nil(); }

using nil_chan_on_workers = test::on_workers;

TEST_P(nil_chan_on_workers, timed_forms_time_out_in_a_goroutine) {
    run([] { expect_timeouts_on_nil(); });
}

INSTANTIATE_TEST_SUITE_P(workers, nil_chan_on_workers, test::worker_counts, test::worker_name);

TEST(nil_chan, a_timed_receive_takes_its_whole_time) {
    testing::bubble bubble;
    bubble.run([] {
        const auto start = clock::now();
        int value = 0;
        EXPECT_EQ(chan<int>{}.recv_for(1h, value), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 1h);
    });
}

// ---- wait_group and mutex

TEST(wait_group, below_zero_throws_logic_error) {
    wait_group group;
    EXPECT_THROW(group.done(), std::logic_error);
    wait_group other;
    other.add(2);
    EXPECT_THROW(other.add(-3), std::logic_error);
}

TEST(mutex, unlock_of_an_unlocked_one_is_fatal) {
    const child_result r = run_child("crash_child", {"unlock_an_unlocked_mutex"});
    EXPECT_EQ(r.signal, SIGABRT) << describe(r);
    EXPECT_TRUE(r.wrote("unlock") && r.wrote("mutex")) << describe(r);
}

}  // namespace
}  // namespace runnel
