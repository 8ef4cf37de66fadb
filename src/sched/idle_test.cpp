#include "src/sched/idle.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>

#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

/// Workers without threads, to be moved about by hand.
class idle_protocol : public ::testing::Test {
protected:
    idle_protocol() {
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = std::make_unique<worker>(home, i, i);
        }
    }
    ~idle_protocol() override {
        for (auto& each : w) {
            each.reset();
        }
        home.stop();
    }

    void expect_counts(std::uint32_t searching, std::uint32_t sleeping) {
        EXPECT_EQ(idle.now().searching, searching);
        EXPECT_EQ(idle.now().sleeping, sleeping);
        EXPECT_EQ(idle.now_ordered().searching, searching);
        EXPECT_EQ(idle.now_ordered().sleeping, sleeping);
        EXPECT_EQ(idle.worth_waking(), sleeping != 0 && searching == 0);
    }

    scheduler home{{.workers = 1}, nullptr};
    std::array<std::unique_ptr<worker>, 4> w;
    idle_workers idle;
};

TEST_F(idle_protocol, has_nobody_to_wake_at_first) {
    expect_counts(0, 0);
    EXPECT_EQ(idle.announce(), nullptr);
    EXPECT_EQ(idle.pick(), nullptr);
}

TEST_F(idle_protocol, a_worker_goes_to_sleep_and_comes_back_by_itself) {
    EXPECT_EQ(idle.enter(*w[0], false), 1u);
    expect_counts(0, 1);
    EXPECT_TRUE(idle.leave(*w[0]));
    expect_counts(1, 0);
    EXPECT_FALSE(idle.leave(*w[0])) << "it is not in the list any more";
    EXPECT_TRUE(idle.end_search());
    expect_counts(0, 0);
}

TEST_F(idle_protocol, a_searcher_that_goes_to_sleep_stops_searching_in_the_same_step) {
    ASSERT_TRUE(idle.begin_search(4));
    expect_counts(1, 0);
    EXPECT_EQ(idle.enter(*w[0], true), 1u);
    expect_counts(0, 1);
}

TEST_F(idle_protocol, enter_says_how_many_sleep) {
    for (std::size_t i = 0; i < w.size(); ++i) {
        EXPECT_EQ(idle.enter(*w[i], false), i + 1);
    }
}

TEST_F(idle_protocol, pick_takes_the_one_that_fell_asleep_last_and_counts_it_as_searching) {
    idle.enter(*w[0], false);
    idle.enter(*w[1], false);
    EXPECT_EQ(idle.pick(), w[1].get());
    expect_counts(1, 1);
    EXPECT_FALSE(idle.leave(*w[1])) << "its wake-up is coming";
    EXPECT_EQ(idle.pick(), w[0].get());
    expect_counts(2, 0);
    EXPECT_EQ(idle.pick(), nullptr);
    expect_counts(2, 0);
}

TEST_F(idle_protocol, a_sleeper_in_the_middle_may_leave) {
    for (std::size_t i = 0; i < 3; ++i) {
        idle.enter(*w[i], false);
    }
    EXPECT_TRUE(idle.leave(*w[1]));
    EXPECT_EQ(idle.pick(), w[2].get());
    EXPECT_EQ(idle.pick(), w[0].get());
    expect_counts(3, 0);
}

TEST_F(idle_protocol, announce_wakes_one_and_no_second_while_that_one_searches) {
    idle.enter(*w[0], false);
    idle.enter(*w[1], false);
    EXPECT_EQ(idle.announce(), w[1].get());
    EXPECT_EQ(idle.announce(), nullptr) << "somebody looks already";
    expect_counts(1, 1);
    EXPECT_TRUE(idle.end_search());
    EXPECT_EQ(idle.announce(), w[0].get());
}

TEST_F(idle_protocol, the_last_of_several_searchers_is_told_so) {
    ASSERT_TRUE(idle.begin_search(8));
    ASSERT_TRUE(idle.begin_search(8));
    EXPECT_FALSE(idle.end_search());
    EXPECT_TRUE(idle.end_search());
}

TEST_F(idle_protocol, at_most_half_of_those_awake_search) {
    EXPECT_FALSE(idle.begin_search(0));
    EXPECT_TRUE(idle.begin_search(1));
    EXPECT_FALSE(idle.begin_search(2));
    EXPECT_TRUE(idle.begin_search(3));
    EXPECT_FALSE(idle.begin_search(4));
    idle.enter(*w[0], false);
    EXPECT_FALSE(idle.begin_search(5)) << "one of the five sleeps";
    EXPECT_TRUE(idle.begin_search(6));
}

TEST_F(idle_protocol, each_sleeper_is_taken_out_once_when_threads_race) {
    const std::size_t rounds = test::scaled(20'000, 2'000);
    std::atomic<bool> done = false;
    std::atomic<std::size_t> woken = 0;
    std::atomic<worker*> picked = nullptr;
    std::thread waker([&] {
        while (!done) {
            if (worker* const up = idle.pick(); up != nullptr) {
                ++woken;
                picked = up;
                while (picked != nullptr && !done) {
                    std::this_thread::yield();
                }
            }
        }
    });
    std::size_t left_alone = 0, was_taken = 0;
    for (std::size_t i = 0; i < rounds; ++i) {
        idle.enter(*w[0], false);
        if (idle.leave(*w[0])) {
            ++left_alone;
        } else {
            ++was_taken;
            while (picked == nullptr) {
                std::this_thread::yield();
            }
            EXPECT_EQ(picked.load(), w[0].get());
            picked = nullptr;
        }
        idle.end_search();
    }
    done = true;
    waker.join();
    EXPECT_EQ(left_alone + was_taken, rounds);
    EXPECT_EQ(woken, was_taken);
    expect_counts(0, 0);
}

class idle_runtime : public test::on_workers {};

TEST_P(idle_runtime, each_goroutine_of_a_foreign_thread_runs_although_all_may_be_asleep) {
    const std::size_t count = test::scaled(100'000, 5'000);
    runtime rt{{.workers = static_cast<std::size_t>(GetParam())}};
    // Goroutines of a plain thread go to the process-wide runtime, so a relay stands in ours: it is
    // woken from outside, one value at a time, each of which is a goroutine there.
    auto jobs = make_chan<std::size_t>();
    auto results = make_chan<std::size_t>();
    std::thread foreign([&] {
        for (std::size_t i = 0; i < count; ++i) {
            jobs.send(i);
            ASSERT_EQ(results.recv(), i);  // every worker has nothing to do here
        }
        jobs.close();
    });
    rt.run([&] {
        for (std::size_t n : jobs) {
            go([&results, n] { results.send(n); });
        }
    });
    foreign.join();
}

TEST_P(idle_runtime, goroutines_injected_one_at_a_time_each_run) {
    const std::size_t count = test::scaled(100'000, 5'000);
    scheduler home({.workers = static_cast<std::size_t>(GetParam())}, nullptr);
    struct word {
        std::atomic<std::size_t> ran = 0;
    } seen;
    std::thread foreign([&] {
        for (std::size_t i = 0; i < count; ++i) {
            start_on(
                home, {.file = __FILE__, .line = __LINE__}, "",
                [](void* w) { ++static_cast<word*>(w)->ran; }, &seen);
            while (seen.ran.load() != i + 1) {
                std::this_thread::yield();
            }
        }
    });
    foreign.join();
    EXPECT_EQ(seen.ran, count);
    EXPECT_TRUE(home.drain(std::chrono::seconds(60)));
    home.stop();
}

TEST_P(idle_runtime, goroutines_injected_in_bursts_by_two_threads_all_run) {
    const std::size_t bursts = test::scaled(2'000, 100);
    scheduler home({.workers = static_cast<std::size_t>(GetParam())}, nullptr);
    std::atomic<std::size_t> ran = 0;
    const auto inject = [&] {
        for (std::size_t i = 0; i < bursts; ++i) {
            for (int k = 0; k < 20; ++k) {
                start_on(
                    home, {.file = __FILE__, .line = __LINE__}, "",
                    [](void* r) { ++*static_cast<std::atomic<std::size_t>*>(r); }, &ran);
            }
            std::this_thread::yield();
        }
    };
    std::thread first(inject), second(inject);
    first.join();
    second.join();
    EXPECT_TRUE(home.drain(std::chrono::seconds(60)));
    EXPECT_EQ(ran, 2 * 20 * bursts);
    home.stop();
}

INSTANTIATE_TEST_SUITE_P(workers, idle_runtime, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel::detail
