#include "src/sched/run_queue.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <set>
#include <thread>
#include <vector>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

/// Goroutine records that are told apart by their number.
template <std::size_t Count>
struct crowd {
    crowd() {
        for (std::size_t i = 0; i < Count; ++i) {
            all[i].id = i;
        }
    }
    goroutine* operator[](std::size_t i) { return &all[i]; }
    std::array<goroutine, Count> all;
};

std::vector<std::uint64_t> drain(run_queue& q) {
    std::vector<std::uint64_t> order;
    while (goroutine* const g = q.pop()) {
        order.push_back(g->id);
    }
    return order;
}

std::vector<std::uint64_t> stolen_by(run_queue& q, bool with_next) {
    goroutine_list out;
    q.steal(out, with_next);
    std::vector<std::uint64_t> order;
    while (goroutine* const g = out.pop_front()) {
        order.push_back(g->id);
    }
    return order;
}

using ids = std::vector<std::uint64_t>;

TEST(run_queue, is_empty_at_first) {
    run_queue q;
    goroutine self;
    EXPECT_EQ(q.pop(), nullptr);
    EXPECT_EQ(q.rotate(&self), nullptr);
    EXPECT_EQ(q.waiting(), 0u);
    EXPECT_EQ(stolen_by(q, true), ids());
}

TEST(run_queue, those_that_are_ready_run_in_the_order_in_which_they_came) {
    run_queue q;
    crowd<3> g;
    for (auto& each : g.all) {
        q.push_ready(&each);
    }
    EXPECT_EQ(q.waiting(), 3u);
    EXPECT_EQ(drain(q), (ids{0, 1, 2}));
    EXPECT_EQ(q.waiting(), 0u);
}

TEST(run_queue, of_those_that_never_ran_the_newest_is_first) {
    run_queue q;
    crowd<3> g;
    for (auto& each : g.all) {
        q.push_fresh(&each);
    }
    EXPECT_EQ(drain(q), (ids{2, 1, 0}));
}

TEST(run_queue, next_comes_before_ready_and_ready_before_fresh) {
    run_queue q;
    crowd<3> g;
    q.push_fresh(g[2]);
    q.push_ready(g[1]);
    q.push_next(g[0]);
    EXPECT_EQ(drain(q), (ids{0, 1, 2}));
}

TEST(run_queue, a_newer_next_sends_the_older_to_the_end_of_ready) {
    run_queue q;
    crowd<3> g;
    q.push_ready(g[0]);
    q.push_next(g[1]);
    q.push_next(g[2]);
    EXPECT_EQ(q.waiting(), 3u);
    EXPECT_EQ(drain(q), (ids{2, 0, 1}));
}

TEST(run_queue, a_list_keeps_its_order_behind_what_is_ready) {
    run_queue q;
    crowd<4> g;
    q.push_ready(g[0]);
    goroutine_list list;
    for (std::size_t i = 1; i < 4; ++i) {
        list.push_back(g[i]);
    }
    q.push_ready(list);
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(q.waiting(), 4u);
    EXPECT_EQ(drain(q), (ids{0, 1, 2, 3}));
}

TEST(run_queue, at_the_end_of_a_slice_the_others_have_a_turn_before_next) {
    run_queue q;
    crowd<4> g;
    q.push_ready(g[0]);
    q.push_fresh(g[1]);
    q.push_next(g[2]);
    q.end_slice();
    EXPECT_EQ(q.pop(), g[0]);
    EXPECT_EQ(q.pop(), g[2]) << "one turn of the others ends the end of the slice";
    EXPECT_EQ(q.pop(), g[1]);
}

TEST(run_queue, at_the_end_of_a_slice_a_fresh_one_also_comes_before_next) {
    run_queue q;
    crowd<2> g;
    q.push_fresh(g[0]);
    q.push_next(g[1]);
    q.end_slice();
    EXPECT_EQ(drain(q), (ids{0, 1}));
}

TEST(run_queue, the_end_of_a_slice_waits_until_there_are_others) {
    run_queue q;
    crowd<4> g;
    q.push_next(g[0]);
    q.end_slice();
    EXPECT_EQ(q.pop(), g[0]);
    q.push_ready(g[1]);
    q.push_next(g[2]);
    EXPECT_EQ(q.pop(), g[1]) << "the slice that ended before has not been made up for";
    EXPECT_EQ(q.pop(), g[2]);
}

TEST(run_queue, served_counts_the_turns_of_those_that_were_not_next) {
    run_queue q;
    crowd<3> g;
    q.push_ready(g[0]);
    q.push_fresh(g[1]);
    q.push_next(g[2]);
    EXPECT_EQ(q.served(), 0u);
    static_cast<void>(q.pop());
    EXPECT_EQ(q.served(), 0u);
    static_cast<void>(drain(q));
    EXPECT_EQ(q.served(), 2u);
}

TEST(run_queue, the_oldest_fresh_one_has_a_turn_although_ready_never_ends) {
    run_queue q;
    crowd<4> g;
    q.push_fresh(g[0]);
    q.push_fresh(g[1]);
    q.push_ready(g[2]);
    q.push_ready(g[3]);
    ids fresh;
    std::size_t turns = 0;
    while (fresh.size() < 2 && turns < 1000) {
        goroutine* const got = q.pop();
        ++turns;
        if (got->id < 2) {
            fresh.push_back(got->id);
        } else {
            q.push_ready(got);
        }
    }
    EXPECT_EQ(fresh, (ids{0, 1}));  // oldest first, unlike when nobody else waits
    EXPECT_EQ(turns, 64u);
}

TEST(run_queue, those_whose_time_has_come_have_three_turns_for_one_of_the_ready) {
    run_queue q;
    crowd<12> g;
    for (std::size_t i = 0; i < 6; ++i) {
        q.push_ready(g[i]);
    }
    for (std::size_t i = 6; i < 12; ++i) {
        q.push_due(g[i]);
    }
    EXPECT_EQ(drain(q), (ids{6, 7, 8, 0, 9, 10, 11, 1, 2, 3, 4, 5}));
}

TEST(run_queue, those_whose_time_has_come_run_before_fresh_ones_and_after_next) {
    run_queue q;
    crowd<4> g;
    q.push_fresh(g[3]);
    q.push_due(g[1]);
    q.push_due(g[2]);
    q.push_next(g[0]);
    EXPECT_EQ(q.waiting(), 4u);
    EXPECT_EQ(drain(q), (ids{0, 1, 2, 3}));
}

TEST(run_queue, at_the_end_of_a_slice_one_whose_time_has_come_has_a_turn_before_next) {
    run_queue q;
    crowd<2> g;
    q.push_due(g[0]);
    q.push_next(g[1]);
    q.end_slice();
    EXPECT_EQ(drain(q), (ids{0, 1}));
}

TEST(run_queue, ready_ones_have_turns_although_the_time_of_others_always_comes) {
    run_queue q;
    crowd<3> g;
    q.push_due(g[0]);
    q.push_due(g[1]);
    q.push_ready(g[2]);
    std::size_t turns = 0;
    for (;;) {
        goroutine* const got = q.pop();
        ++turns;
        if (got == g[2]) {
            break;
        }
        q.push_due(got);
        ASSERT_LT(turns, 100u);
    }
    EXPECT_LE(turns, 4u);
    static_cast<void>(drain(q));
}

TEST(run_queue, tells_after_how_many_turns_a_list_has_run) {
    run_queue q;
    crowd<4> g;
    q.push_ready(g[0]);
    goroutine_list list;
    list.push_back(g[1]);
    list.push_back(g[2]);
    EXPECT_EQ(q.push_ready(list), 3u);
    static_cast<void>(drain(q));
}

TEST(run_queue, long_queues_keep_their_order) {
    run_queue q;
    crowd<200> g;
    ids expected;
    for (auto& each : g.all) {
        q.push_ready(&each);
        expected.push_back(each.id);
    }
    EXPECT_EQ(drain(q), expected);
}

TEST(run_queue, rotate_puts_the_caller_behind_the_others) {
    run_queue q;
    crowd<3> g;
    EXPECT_EQ(q.rotate(g[0]), nullptr);
    EXPECT_EQ(q.waiting(), 0u) << "alone, it is not queued";
    q.push_ready(g[1]);
    q.push_ready(g[2]);
    EXPECT_EQ(q.rotate(g[0]), g[1]);
    EXPECT_EQ(q.waiting(), 2u);
    EXPECT_EQ(q.rotate(g[1]), g[2]);
    EXPECT_EQ(q.rotate(g[2]), g[0]);
    EXPECT_EQ(drain(q), (ids{1, 2}));
}

TEST(run_queue, a_thief_takes_the_older_half_of_ready) {
    run_queue q;
    crowd<5> g;
    for (auto& each : g.all) {
        q.push_ready(&each);
    }
    EXPECT_EQ(stolen_by(q, false), (ids{0, 1, 2}));
    EXPECT_EQ(q.waiting(), 2u);
    EXPECT_EQ(stolen_by(q, false), (ids{3}));
    EXPECT_EQ(drain(q), (ids{4}));
}

TEST(run_queue, a_thief_takes_fresh_ones_only_if_none_is_ready_and_the_oldest_first) {
    run_queue q;
    crowd<4> g;
    q.push_fresh(g[0]);
    q.push_fresh(g[1]);
    q.push_fresh(g[2]);
    q.push_ready(g[3]);
    EXPECT_EQ(stolen_by(q, false), (ids{3}));
    EXPECT_EQ(stolen_by(q, false), (ids{0, 1}));
    EXPECT_EQ(drain(q), (ids{2}));
}

TEST(run_queue, what_a_thief_takes_stays_fresh_if_it_never_ran) {
    crowd<6> g;
    run_queue victim;
    for (std::size_t i = 0; i < 6; ++i) {
        victim.push_fresh(g[i]);
    }
    goroutine_list taken;
    victim.steal(taken, false);
    run_queue thief;
    stack used{};
    g[5]->on = &used;
    thief.push_ready(g[5]);
    thief.push_stolen(taken);
    EXPECT_EQ(drain(thief), (ids{5, 2, 1, 0})) << "newest first, and behind what has run before";
    g[5]->on = nullptr;
}

TEST(run_queue, a_thief_takes_next_only_if_it_may_and_nothing_else_is_there) {
    run_queue q;
    crowd<2> g;
    q.push_next(g[0]);
    EXPECT_EQ(stolen_by(q, false), ids());
    q.push_ready(g[1]);
    EXPECT_EQ(stolen_by(q, true), (ids{1}));
    EXPECT_EQ(q.waiting(), 1u);
    EXPECT_EQ(stolen_by(q, true), (ids{0}));
    EXPECT_EQ(q.waiting(), 0u);
    EXPECT_EQ(q.pop(), nullptr);
}

TEST(run_queue, a_thief_takes_first_those_whose_time_has_come) {
    run_queue q;
    crowd<4> g;
    q.push_ready(g[0]);
    q.push_ready(g[1]);
    q.push_due(g[2]);
    q.push_due(g[3]);
    EXPECT_EQ(stolen_by(q, false), (ids{2, 0}));
    EXPECT_EQ(drain(q), (ids{3, 1}));
}

TEST(run_queue, surrenders_all_that_waits) {
    run_queue q;
    crowd<400> g;
    for (std::size_t i = 0; i < 100; ++i) {
        q.push_fresh(g[i]);
        q.push_ready(g[i + 100]);
        q.push_due(g[i + 200]);
        q.push_next(g[i + 300]);
    }
    goroutine_list out;
    q.surrender(out);
    EXPECT_EQ(out.size(), 400u);
    EXPECT_EQ(q.waiting(), 0u);
    EXPECT_EQ(q.pop(), nullptr);
    std::set<const goroutine*> all;
    while (const goroutine* const each = out.pop_front()) {
        all.insert(each);
    }
    EXPECT_EQ(all.size(), 400u);
    q.surrender(out);
    EXPECT_TRUE(out.empty());
}

TEST(run_queue, a_thief_never_holds_the_lock_for_more_than_a_batch) {
    run_queue q;
    crowd<400> g;
    for (auto& each : g.all) {
        q.push_ready(&each);
    }
    const std::size_t taken = stolen_by(q, false).size();
    EXPECT_LE(taken, 64u);
    EXPECT_GT(taken, 0u);
    EXPECT_EQ(q.waiting(), 400u - taken);
}

TEST(run_queue, each_goroutine_leaves_once_when_thieves_race_with_the_owner) {
    constexpr std::size_t count = 512;
    const std::size_t rounds = test::scaled(400, 60);
    crowd<count> g;
    for (std::size_t round = 0; round < rounds; ++round) {
        run_queue q;
        std::atomic<std::size_t> left = count;
        std::array<ids, 3> got;
        std::vector<std::thread> thieves;
        for (std::size_t t = 1; t < 3; ++t) {
            thieves.emplace_back([&, t] {
                while (left > 0) {
                    const ids some = stolen_by(q, t == 2);
                    got[t].insert(got[t].end(), some.begin(), some.end());
                    left -= some.size();
                }
            });
        }
        std::size_t pushed = 0;
        while (left > 0) {
            for (int i = 0; i < 5 && pushed < count; ++i, ++pushed) {
                if (pushed % 3 == 0) {
                    q.push_next(g[pushed]);
                } else if (pushed % 3 == 1) {
                    q.push_ready(g[pushed]);
                } else {
                    q.push_fresh(g[pushed]);
                }
            }
            if (goroutine* const mine = q.pop()) {
                got[0].push_back(mine->id);
                --left;
            }
        }
        for (std::thread& t : thieves) {
            t.join();
        }
        std::set<std::uint64_t> all;
        for (const ids& each : got) {
            all.insert(each.begin(), each.end());
        }
        ASSERT_EQ(got[0].size() + got[1].size() + got[2].size(), count) << "one left twice";
        ASSERT_EQ(all.size(), count);
        ASSERT_EQ(q.waiting(), 0u);
    }
}

TEST(inject_queue, gives_a_fair_share_oldest_first) {
    inject_queue q;
    crowd<9> g;
    for (auto& each : g.all) {
        q.push(&each);
    }
    goroutine_list out;
    q.take(out, 4);
    EXPECT_EQ(out.size(), 3u);  // 9 / 4 + 1
    EXPECT_EQ(out.front(), g[0]);
    EXPECT_EQ(q.size(), 6u);
    q.take(out, 1);
    EXPECT_EQ(out.size(), 9u);
    EXPECT_EQ(out.back(), g[8]);
    q.take(out, 0);  // nobody counts as a worker yet: still no division by zero
    EXPECT_EQ(out.size(), 9u);
}

TEST(inject_queue, takes_a_list_as_it_is) {
    inject_queue q;
    crowd<3> g;
    goroutine_list list;
    for (auto& each : g.all) {
        list.push_back(&each);
    }
    q.push(list);
    EXPECT_TRUE(list.empty());
    goroutine_list out;
    q.take(out, 0);
    EXPECT_EQ(out.size(), 3u);
    EXPECT_EQ(out.front(), g[0]);
}

}  // namespace
}  // namespace runnel::detail
