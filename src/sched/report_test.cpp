#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

/// Main waits for threads that wake it and are gone at once.
[[noreturn]] void be_woken_by_threads_that_end(std::size_t rounds) {
    for (std::size_t i = 0; i < rounds; ++i) {
        run([] {
            auto ch = make_chan<int>();
            std::thread([ch] { ch.send(1); }).detach();
            ch.recv();
        });
    }
    std::fprintf(stderr, "no deadlock");
    std::_Exit(0);
}

TEST(deadlock_report_death, does_not_come_when_the_thread_that_woke_main_has_just_ended) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(be_woken_by_threads_that_end(test::scaled(20'000, 1'000)),
                ::testing::ExitedWithCode(0), "no deadlock");
}

}  // namespace
}  // namespace runnel
