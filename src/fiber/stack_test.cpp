#include "src/fiber/stack.hpp"

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "src/os/pages.hpp"
#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

constexpr std::size_t kib = 1024;

stack_policy unguarded_policy(std::size_t size = 256 * kib) {
    return {.size = size, .method = os::guard_method::none};
}

/// How many pages of the stack's usable part are in memory.
std::size_t resident_pages(const stack& s) {
    const std::size_t page = os::page_size();
    std::vector<unsigned char> state(s.size() / page);
    if (::mincore(s.low, s.size(), state.data()) != 0) {
        ADD_FAILURE() << "mincore failed";
    }
    std::size_t count = 0;
    for (const unsigned char each : state) {
        count += each & 1U;
    }
    return count;
}

/// Uses all of the stack, as a deep recursion would.
void use_deeply(const stack& s) { std::memset(s.low, 0x55, s.size()); }

bool is_all_zero(const std::byte* from, const std::byte* to) {
    for (; from != to; ++from) {
        if (*from != std::byte{0}) {
            return false;
        }
    }
    return true;
}

std::size_t length(const stack* list) {
    std::size_t count = 0;
    for (; list != nullptr; list = list->next) {
        ++count;
    }
    return count;
}

/// As sleeping workers do: until nothing is left that has lain for long.
void scavenge_all(stack_depot& depot) {
    for (std::int64_t at = 10; at < 13; ++at) {
        while (depot.scavenge(at * stack_depot::keep_for)) {
        }
    }
}

bool kernel_can_populate() {
    const std::size_t page = os::page_size();
    const os::page_range one{.start = os::reserve(page), .bytes = page};
    os::populate({&one, 1});
    unsigned char state = 0;
    const bool resident = ::mincore(one.start, page, &state) == 0 && (state & 1U) != 0;
    os::release(one.start, page);
    return resident;
}

TEST(stack_depot, gives_stacks_of_the_size_it_was_told) {
    for (const std::size_t size : {min_stack_size, 64 * kib, 256 * kib, 128 * 1024 * kib}) {
        stack_depot depot(unguarded_policy(size));
        stack* const s = depot.take(1);
        ASSERT_EQ(length(s), 1u);
        EXPECT_EQ(s->size(), size);
        EXPECT_TRUE(s->pooled);
        *s->low = *(s->top - 1) = std::byte{1};  // usable from end to end
        depot.give(s);
    }
}

TEST(stack_depot, never_gives_a_stack_to_two_at_once) {
    stack_depot depot(unguarded_policy());
    std::set<const std::byte*> lows;
    std::vector<stack*> lists;
    std::size_t total = 0;
    while (total < 1000) {  // several arenas
        lists.push_back(depot.take(16));
        for (const stack* s = lists.back(); s != nullptr; s = s->next) {
            EXPECT_TRUE(lows.insert(s->low).second);
            ++total;
        }
    }
    const std::byte* end = nullptr;
    for (const std::byte* low : lows) {
        EXPECT_GE(low, end + (end != nullptr ? guard_bytes : 0)) << "they overlap";
        end = low + 256 * kib;
    }
    for (stack* list : lists) {
        depot.give(list);
    }
}

TEST(stack_depot, gives_again_what_it_has_taken_back) {
    stack_depot depot(unguarded_policy());
    stack* const list = depot.take(4);
    std::set<const stack*> before;
    for (const stack* s = list; s != nullptr; s = s->next) {
        before.insert(s);
    }
    depot.give(list);
    stack* const again = depot.take(before.size());
    for (const stack* s = again; s != nullptr; s = s->next) {
        EXPECT_EQ(before.count(s), 1u);
    }
    depot.give(again);
    depot.give(nullptr);  // nothing to take back
}

TEST(stack_depot, a_new_stack_has_no_memory_but_the_page_where_it_begins) {
    stack_depot depot(unguarded_policy());
    stack* const list = depot.take(4);
    for (const stack* s = list; s != nullptr; s = s->next) {
        *(s->top - 1) = std::byte{1};
        EXPECT_EQ(resident_pages(*s), 1u);
    }
    depot.give(list);
}

TEST(stack_depot, makes_more_at_once_the_more_there_are_but_not_more_than_are_wanted) {
    stack_depot depot(unguarded_policy(min_stack_size));
    std::vector<stack*> lists{depot.take(32)};
    EXPECT_LE(length(lists.back()), 4u) << "a program that needs few pays for few";
    std::size_t longest = 0;
    for (int i = 0; i < 100; ++i) {
        lists.push_back(depot.take(32));
        longest = std::max(longest, length(lists.back()));
    }
    EXPECT_GT(longest, 8u);
    EXPECT_LE(longest, 32u);
    lists.push_back(depot.take(3));
    EXPECT_EQ(length(lists.back()), 3u);
    for (stack* list : lists) {
        depot.give(list);
    }
}

TEST(stack_depot, a_batch_stays_within_two_page_tables) {
    stack_depot depot(unguarded_policy());
    std::vector<stack*> lists;
    for (int i = 0; i < 100; ++i) {
        lists.push_back(depot.take(32));
        EXPECT_LE(length(lists.back()), 7u);
    }
    for (stack* list : lists) {
        depot.give(list);
    }
}

TEST(stack_depot, what_has_given_all_back_has_its_first_page_again_when_it_is_taken) {
    if (!kernel_can_populate()) {
        GTEST_SKIP() << "this kernel has no MADV_POPULATE_WRITE";
    }
    stack_depot depot(unguarded_policy(min_stack_size));
    std::vector<stack*> lists;
    for (std::size_t total = 0; total < 1200; total += length(lists.back())) {
        lists.push_back(depot.take(32));
    }
    for (stack* list : lists) {
        depot.give(list);
    }
    scavenge_all(depot);
    std::size_t taken = 0;
    while (taken < 1200) {
        stack* const list = depot.take(32);
        for (const stack* s = list; s != nullptr; s = s->next) {
            EXPECT_GE(resident_pages(*s), 1u);
        }
        taken += length(list);
    }
}

TEST(stack_depot, keeps_the_memory_of_what_was_needed_of_late) {
    stack_depot depot(unguarded_policy());
    stack* s = depot.take(1);
    use_deeply(*s);
    for (std::int64_t at = 1; at < 10; ++at) {
        depot.give(s);
        EXPECT_FALSE(depot.scavenge(at * stack_depot::keep_for));
        EXPECT_EQ(resident_pages(*s), s->size() / os::page_size());
        EXPECT_EQ(depot.take(1), s);
    }
    depot.give(s);
    EXPECT_TRUE(depot.stocked());
    scavenge_all(depot);
    EXPECT_FALSE(depot.stocked());
}

TEST(stack_depot, memory_of_a_deep_use_goes_back_to_the_system) {
    stack_depot depot(unguarded_policy());
    stack* const s = depot.take(1);
    use_deeply(*s);
    ASSERT_EQ(resident_pages(*s), s->size() / os::page_size());
    depot.give(s);
    scavenge_all(depot);
    EXPECT_LE(resident_pages(*s) * os::page_size(), 16 * kib) << "only the hot top stays";
    EXPECT_TRUE(is_all_zero(s->low, s->top - 16 * kib));
}

TEST(stack_depot, with_many_in_stock_even_the_hot_tops_go_back) {
    stack_depot depot(unguarded_policy(min_stack_size));
    std::vector<stack*> lists;
    std::size_t total = 0;
    while (total < 1100) {
        lists.push_back(depot.take(4));
        for (const stack* s = lists.back(); s != nullptr; s = s->next) {
            *(s->top - 1) = std::byte{1};
            ++total;
        }
    }
    std::vector<const stack*> all;
    for (stack* list : lists) {
        for (const stack* s = list; s != nullptr; s = s->next) {
            all.push_back(s);
        }
        depot.give(list);
    }
    scavenge_all(depot);
    std::size_t with_memory = 0;
    for (const stack* s : all) {
        with_memory += resident_pages(*s) != 0 ? 1 : 0;
    }
    EXPECT_EQ(with_memory, 1024u);
}

TEST(stack_depot, stacks_of_another_size_are_mapped_and_unmapped_one_by_one) {
    stack_depot depot(unguarded_policy());
    stack* const s = depot.map_one(1024 * kib);
    EXPECT_EQ(s->size(), 1024 * kib);
    EXPECT_FALSE(s->pooled);
    use_deeply(*s);
    std::byte* const low = s->low;
    depot.unmap_one(s);
    unsigned char state = 0;
    EXPECT_NE(::mincore(low, 1, &state), 0) << "still mapped";
}

TEST(stack_depot, counts_the_stacks_that_have_no_guard) {
    stack_depot depot(unguarded_policy());
    EXPECT_EQ(depot.unguarded(), 0u);
    stack* const s = depot.take(1);
    EXPECT_EQ(depot.unguarded(), 1u);
    EXPECT_FALSE(s->guarded);
    depot.give(s);
    stack* const again = depot.take(1);
    EXPECT_EQ(depot.unguarded(), 1u) << "the same stack is not counted twice";
    depot.give(again);
    stack* const own = depot.map_one(64 * kib);
    EXPECT_EQ(depot.unguarded(), 2u);
    depot.unmap_one(own);
}

TEST(stack_depot, guards_no_more_with_mprotect_than_its_budget_allows) {
    stack_depot depot({.size = 64 * kib, .method = os::guard_method::mprotect, .guard_budget = 3});
    stack* const list = depot.take(5);
    std::size_t guarded = 0;
    for (const stack* s = list; s != nullptr; s = s->next) {
        guarded += s->guarded ? 1 : 0;
    }
    EXPECT_EQ(guarded, 3u);
    EXPECT_EQ(depot.unguarded(), length(list) - 3);
    depot.give(list);
}

TEST(stack_depot, an_unmapped_stack_gives_its_share_of_the_budget_back) {
    stack_depot depot({.size = 64 * kib, .method = os::guard_method::mprotect, .guard_budget = 1});
    for (int i = 0; i < 3; ++i) {
        stack* const s = depot.map_one(64 * kib);
        EXPECT_TRUE(s->guarded);
        depot.unmap_one(s);
    }
    EXPECT_EQ(depot.unguarded(), 0u);
}

void touch(std::byte* at) {
    ::signal(SIGSEGV, SIG_DFL);  // not the sanitizer's handler
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    *static_cast<volatile std::byte*>(at) = std::byte{1};
    std::_Exit(0);
}

class stack_guard : public ::testing::TestWithParam<os::guard_method> {};

TEST_P(stack_guard, faults_at_both_of_its_ends_and_nowhere_else) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    if (GetParam() == os::guard_method::install &&
        os::best_guard_method() != os::guard_method::install) {
        GTEST_SKIP() << "this kernel has no MADV_GUARD_INSTALL";
    }
    if (!test::can_start_programs()) {
        GTEST_SKIP() << test::needs_programs;
    }
    stack_depot depot({.size = 64 * kib, .method = GetParam(), .guard_budget = 10});
    stack* const s = depot.take(1);
    ASSERT_TRUE(s->guarded);
    use_deeply(*s);
    depot.give(s);
    use_deeply(*depot.take(1));  // also when it is used again
    EXPECT_EXIT(touch(s->low - 1), ::testing::KilledBySignal(SIGSEGV), "");
    EXPECT_EXIT(touch(s->low - guard_bytes), ::testing::KilledBySignal(SIGSEGV), "");
    EXPECT_EXIT(touch(s->low), ::testing::ExitedWithCode(0), "");
}

std::string method_name(const ::testing::TestParamInfo<os::guard_method>& of) {
    return of.param == os::guard_method::mprotect ? "mprotect" : "install";
}

INSTANTIATE_TEST_SUITE_P(methods, stack_guard,
                         ::testing::Values(os::guard_method::mprotect, os::guard_method::install),
                         method_name);

TEST(stack_cache, gives_the_hottest_stack_first) {
    stack_depot depot(unguarded_policy());
    stack_cache cache(depot);
    stack* const a = cache.take();
    stack* const b = cache.take();
    EXPECT_NE(a, b);
    cache.give(a);
    cache.give(b);
    EXPECT_EQ(cache.take(), b);
    EXPECT_EQ(cache.take(), a);
    cache.give(a);
    cache.give(b);
}

TEST(stack_cache, trim_gives_back_the_deep_pages_of_stacks_that_were_used) {
    stack_depot depot(unguarded_policy());
    stack_cache cache(depot);
    stack* const s = cache.take();
    use_deeply(*s);
    cache.give(s);
    EXPECT_EQ(resident_pages(*s), s->size() / os::page_size()) << "hot until trimmed";
    cache.trim();
    EXPECT_LE(resident_pages(*s) * os::page_size(), 16 * kib);
    EXPECT_GT(resident_pages(*s), 0u) << "the top stays";
    EXPECT_TRUE(is_all_zero(s->low, s->top - 16 * kib));
}

TEST(stack_cache, hands_the_coldest_half_to_the_depot_when_it_is_overfull) {
    stack_depot depot(unguarded_policy(min_stack_size));
    std::vector<stack*> taken;
    stack_cache cache(depot);
    while (taken.size() < 65) {
        taken.push_back(cache.take());
    }
    std::size_t given = 0;
    while (!cache.overfull() && given < taken.size()) {
        cache.give(taken[given++]);
    }
    ASSERT_TRUE(cache.overfull());
    cache.shrink();
    EXPECT_FALSE(cache.overfull());
    EXPECT_EQ(cache.take(), taken[given - 1]) << "the hottest stayed";
    cache.give(taken[given - 1]);
    stack* const cold = depot.take(1);
    EXPECT_NE(cold, nullptr);
    depot.give(cold);
    while (given < taken.size()) {
        cache.give(taken[given++]);
    }
}

TEST(stack_cache, gives_everything_back_when_it_ends) {
    stack_depot depot(unguarded_policy());
    stack* s = nullptr;
    {
        stack_cache cache(depot);
        s = cache.take();
        use_deeply(*s);
        cache.give(s);
    }
    EXPECT_TRUE(depot.stocked());
    scavenge_all(depot);
    EXPECT_LE(resident_pages(*s) * os::page_size(), 16 * kib);
}

}  // namespace
}  // namespace runnel::detail
