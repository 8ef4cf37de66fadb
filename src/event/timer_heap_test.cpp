#include "src/event/timer_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

/// A timer that says whether it still wants to fire, and notes that it was asked.
struct counted_timer : timer_node {
    explicit counted_timer(ticks due);

    bool wanted = true;
    int claims = 0;
    int abandoned = 0;
};

constexpr timer_ops counted_ops{
    .claim =
        [](timer_node& node) noexcept {
            auto& self = static_cast<counted_timer&>(node);
            ++self.claims;
            return self.wanted;
        },
    .fire = [](timer_node&) noexcept {},
    .abandon = [](timer_node& node) noexcept { ++static_cast<counted_timer&>(node).abandoned; },
};

counted_timer::counted_timer(ticks due) {
    when = due;
    ops = &counted_ops;
}

std::vector<timer_node*> due(timer_heap& heap, ticks now) {
    std::vector<timer_node*> all;
    std::array<timer_node*, 3> room;
    for (;;) {
        const auto some = heap.pop_due(now, room);
        all.insert(all.end(), some.begin(), some.end());
        if (some.size() < room.size()) {
            return all;
        }
    }
}

TEST(timer_heap, is_empty_at_first) {
    timer_heap heap;
    EXPECT_EQ(heap.size(), 0u);
    EXPECT_EQ(heap.earliest(), never);
    EXPECT_EQ(due(heap, never), std::vector<timer_node*>());
}

TEST(timer_heap, gives_what_is_due_in_order_of_time) {
    timer_heap heap;
    counted_timer late(30), early(10), middle(20), later(31);
    for (counted_timer* t : {&late, &early, &later, &middle}) {
        heap.add(*t, 0);
    }
    EXPECT_EQ(heap.earliest(), 10);
    EXPECT_EQ(due(heap, 9), std::vector<timer_node*>());
    EXPECT_EQ(due(heap, 30), (std::vector<timer_node*>{&early, &middle, &late}));
    EXPECT_EQ(heap.earliest(), 31);
    EXPECT_EQ(heap.size(), 1u);
}

TEST(timer_heap, timers_of_one_time_come_in_the_order_of_their_ties) {
    timer_heap heap;
    std::vector<std::unique_ptr<counted_timer>> timers;
    const std::vector<std::uint64_t> ties = {5, 3, UINT64_MAX, 0, 4, 1, 2};
    std::map<std::uint64_t, timer_node*> expected;
    for (const std::uint64_t tie : ties) {
        timers.push_back(std::make_unique<counted_timer>(7));
        heap.add(*timers.back(), tie);
        expected[tie] = timers.back().get();
    }
    const std::vector<timer_node*> came = due(heap, 7);
    ASSERT_EQ(came.size(), expected.size());
    std::size_t at = 0;
    for (const auto& [tie, node] : expected) {
        EXPECT_EQ(came[at++], node) << "tie " << tie;
    }
}

TEST(timer_heap, remove_says_whether_it_took_the_timer_out) {
    timer_heap heap;
    counted_timer in(1), fired(2), never_added(3);
    heap.add(in, 0);
    heap.add(fired, 0);
    EXPECT_TRUE(heap.remove(in));
    EXPECT_FALSE(heap.remove(in));
    EXPECT_EQ(heap.earliest(), 2);
    EXPECT_EQ(due(heap, 2), std::vector<timer_node*>{&fired});
    EXPECT_FALSE(heap.remove(fired));
    EXPECT_FALSE(heap.remove(never_added));
    EXPECT_EQ(heap.earliest(), never);
}

TEST(timer_heap, a_timer_that_was_removed_is_never_asked_again) {
    timer_heap heap;
    counted_timer gone(1), stays(1);
    heap.add(gone, 0);
    heap.add(stays, 1);
    EXPECT_TRUE(heap.remove(gone));
    EXPECT_EQ(due(heap, 5), std::vector<timer_node*>{&stays});
    EXPECT_EQ(gone.claims, 0);
    EXPECT_EQ(stays.claims, 1);
}

TEST(timer_heap, a_timer_whose_claim_is_lost_is_out_and_not_in_the_list) {
    timer_heap heap;
    counted_timer first(1), lost(2), last(3);
    lost.wanted = false;
    for (counted_timer* t : {&first, &lost, &last}) {
        heap.add(*t, 0);
    }
    EXPECT_EQ(due(heap, 3), (std::vector<timer_node*>{&first, &last}));
    EXPECT_EQ(lost.claims, 1);
    EXPECT_FALSE(heap.remove(lost));
    EXPECT_EQ(heap.size(), 0u);
}

TEST(timer_heap, a_timer_may_be_added_again_after_it_has_left) {
    timer_heap heap;
    counted_timer timer(1);
    for (ticks when = 1; when < 10; ++when) {
        timer.when = when;
        heap.add(timer, 0);
        if (when % 2 == 0) {
            EXPECT_TRUE(heap.remove(timer));
        } else {
            EXPECT_EQ(due(heap, when), std::vector<timer_node*>{&timer});
        }
    }
}

TEST(timer_heap, times_before_the_epoch_are_due_first) {
    timer_heap heap;
    counted_timer past(INT64_MIN), zero(0), far(never - 1);
    for (counted_timer* t : {&far, &zero, &past}) {
        heap.add(*t, 0);
    }
    EXPECT_EQ(heap.earliest(), INT64_MIN);
    EXPECT_EQ(due(heap, never), (std::vector<timer_node*>{&past, &zero, &far}));
}

TEST(timer_heap, behaves_as_a_sorted_map_under_random_use) {
    std::mt19937_64 random(20240229);
    timer_heap heap;
    std::multimap<std::pair<ticks, std::uint64_t>, counted_timer*> model;
    std::vector<std::unique_ptr<counted_timer>> timers;
    std::uint64_t next_tie = 0;
    const std::size_t steps = test::scaled(200'000, 20'000);
    for (std::size_t step = 0; step < steps; ++step) {
        switch (random() % 8) {
            case 0:
            case 1:
            case 2:
            case 3: {
                timers.push_back(std::make_unique<counted_timer>(ticks(random() % 500)));
                const std::uint64_t tie = next_tie++ * 0x9e3779b97f4a7c15ULL;  // in no order
                heap.add(*timers.back(), tie);
                model.emplace(std::pair(timers.back()->when, tie), timers.back().get());
                break;
            }
            case 4:
            case 5: {  // any timer that ever was: in or out
                if (timers.empty()) {
                    break;
                }
                counted_timer* const t = timers[random() % timers.size()].get();
                const auto at = std::find_if(model.begin(), model.end(),
                                             [&](const auto& e) { return e.second == t; });
                ASSERT_EQ(heap.remove(*t), at != model.end());
                if (at != model.end()) {
                    model.erase(at);
                }
                break;
            }
            case 6: {  // some lose their claim later
                if (!model.empty()) {
                    model.begin()->second->wanted = random() % 2 == 0;
                }
                break;
            }
            default: {
                const ticks now = static_cast<ticks>(random() % 20);
                std::vector<timer_node*> expected;
                while (!model.empty() && model.begin()->first.first <= now) {
                    if (model.begin()->second->wanted) {
                        expected.push_back(model.begin()->second);
                    }
                    model.erase(model.begin());
                }
                ASSERT_EQ(due(heap, now), expected);
                break;
            }
        }
        ASSERT_EQ(heap.size(), model.size());
        ASSERT_EQ(heap.earliest(), model.empty() ? never : model.begin()->first.first);
        if (timers.size() > 1000) {  // keep the linear look-ups above cheap
            due(heap, never);
            model.clear();
            timers.clear();
        }
    }
}

TEST(lent_timer_heap, goes_back_empty_and_is_lent_again) {
    timer_heap* first = nullptr;
    counted_timer left(never);
    counted_timer unwanted(1);
    unwanted.wanted = false;
    {
        const lent_timer_heap lent;
        first = &*lent;
        lent->add(left, 0);
        lent->add(unwanted, 0);
    }
    EXPECT_EQ(left.abandoned, 1);
    EXPECT_EQ(unwanted.abandoned, 0);
    EXPECT_FALSE(left.heap->remove(left));
    const lent_timer_heap again;
    EXPECT_EQ(&*again, first);
    EXPECT_EQ(again->size(), 0u);
    EXPECT_EQ(again->earliest(), never);
    const lent_timer_heap another;
    EXPECT_NE(&*another, first);
}

TEST(wait_timer, claims_the_wait_once_and_loses_to_a_peer) {
    timer_heap heap;
    waiter ended, open;
    ended.contested = open.contested = true;
    wait_timer late(ended), wins(open);
    late.when = wins.when = 5;
    heap.add(late, 0);
    heap.add(wins, 1);
    ASSERT_TRUE(ended.end(1));
    EXPECT_EQ(due(heap, 5), std::vector<timer_node*>{&wins});
    EXPECT_EQ(ended.how(), 1u);
    EXPECT_EQ(open.how(), std::uint32_t{wait_timed_out});
    EXPECT_FALSE(open.end(1));
}

TEST(timer_heap, each_timer_is_either_popped_or_removed_when_threads_race) {
    const std::size_t rounds = test::scaled(2000, 300);
    for (std::size_t round = 0; round < rounds; ++round) {
        timer_heap heap;
        std::vector<std::unique_ptr<counted_timer>> timers;
        for (int i = 0; i < 16; ++i) {
            timers.push_back(std::make_unique<counted_timer>(i));
            heap.add(*timers.back(), 0);
        }
        std::atomic<bool> go = false;
        std::size_t popped = 0;
        std::thread popper([&] {
            while (!go) {
            }
            for (ticks now = 0; now < 16; ++now) {
                popped += due(heap, now).size();
            }
        });
        std::size_t removed = 0;
        go = true;
        for (auto t = timers.rbegin(); t != timers.rend(); ++t) {
            removed += heap.remove(**t) ? 1 : 0;
        }
        popper.join();
        ASSERT_EQ(popped + removed, timers.size());
    }
}

}  // namespace
}  // namespace runnel::detail
