#include "src/sched/biased_lock.hpp"

#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

/// The owner and two thieves add to a plain int. Returns how much is missing in the end.
long lost_in_a_race(std::size_t owner_turns, std::size_t thief_turns) {
    biased_lock lock;
    long plain = 0;
    bool inside = false;  // plain too: two inside at once would be seen
    std::atomic<long> overlaps = 0;
    const auto count = [&] {
        overlaps += inside ? 1 : 0;
        inside = true;
        ++plain;
        inside = false;
    };
    const auto steal = [&] {
        for (std::size_t i = 0; i < thief_turns; ++i) {
            const thief_guard hold(lock);
            count();
        }
    };
    std::thread first(steal);
    std::thread second(steal);
    for (std::size_t i = 0; i < owner_turns; ++i) {
        const owner_guard hold(lock);
        count();
    }
    first.join();
    second.join();
    return static_cast<long>(owner_turns + 2 * thief_turns) - plain + overlaps;
}

TEST(biased_lock, the_owner_may_lock_again_and_again) {
    biased_lock lock;
    for (int i = 0; i < 1000; ++i) {
        const owner_guard hold(lock);
    }
}

TEST(biased_lock, thieves_and_owner_take_turns_in_one_thread) {
    biased_lock lock;
    for (int i = 0; i < 100; ++i) {
        {
            const thief_guard hold(lock);
        }
        const owner_guard hold(lock);
    }
}

TEST(biased_lock, the_owner_and_two_thieves_exclude_each_other) {
    EXPECT_EQ(lost_in_a_race(test::scaled(5'000'000, 100'000), test::scaled(20'000, 2'000)), 0);
}

TEST(biased_lock, the_owner_waits_while_a_thief_is_inside) {
    biased_lock lock;
    int plain = 0;
    std::atomic<bool> claimed = false;
    std::thread thief([&] {
        const thief_guard hold(lock);
        claimed = true;
        for (int i = 0; i < 20; ++i) {
            std::this_thread::yield();  // let the owner try
        }
        plain = 1;
    });
    while (!claimed) {
        std::this_thread::yield();
    }
    {
        const owner_guard hold(lock);
        EXPECT_EQ(plain, 1);
    }
    thief.join();
}

/// From now on this process has no membarrier, as under older kernels and some emulators. Returns
/// false where system calls cannot be filtered.
bool take_membarrier_away() {
    std::array<sock_filter, 4> program{{
        {.code = BPF_LD | BPF_W | BPF_ABS, .jt = 0, .jf = 0, .k = offsetof(seccomp_data, nr)},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .jt = 0, .jf = 1, .k = SYS_membarrier},
        {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ERRNO | ENOSYS},
        {.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW},
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

[[noreturn]] void race_without_membarrier() {
    const bool filtered = take_membarrier_away();
    if (os::has_all_threads_fence()) {
        std::fprintf(stderr, "membarrier is still there (filter installed: %d)\n", filtered);
        std::_Exit(3);
    }
    const long lost = lost_in_a_race(test::scaled(1'000'000, 50'000), test::scaled(20'000, 2'000));
    std::fprintf(stderr, "lost %ld", lost);
    std::_Exit(lost == 0 ? 0 : 1);
}

TEST(biased_lock_death, without_membarrier_all_take_one_lock_and_exclude_each_other) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(race_without_membarrier(), ::testing::ExitedWithCode(0), "lost 0");
}

}  // namespace
}  // namespace runnel::detail
