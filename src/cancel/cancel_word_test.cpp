#include <runnel/detail/cancel_word.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <runnel/detail/limits.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t by_peer = 1;

/// A queue that waits stand in, as a channel or a mutex has one.
class meeting_point {
public:
    /// Blocks until meet() or the limits; returns what ended the wait.
    std::uint32_t wait(const wait_limits& limits) {
        waiter who;
        who.contested = true;
        wait_node node{.owner = &who, .index = by_peer};
        {
            const std::lock_guard hold(lock_);
            begin_wait(who, wait_kind::join, nullptr);
            queue_.push_back(node);
        }
        park_limited(who, limits);
        const std::lock_guard hold(lock_);
        queue_.remove(node);
        return who.how();
    }

    /// Ends one wait; false if there is none that can still be ended.
    bool meet() {
        wait_node* node = nullptr;
        {
            const std::lock_guard hold(lock_);
            node = queue_.pop();
        }
        if (node == nullptr) {
            return false;
        }
        wake(*node->owner);
        return true;
    }

    bool empty() {
        const std::lock_guard hold(lock_);
        return queue_.empty();
    }

private:
    spin_lock lock_;
    wait_queue queue_;
};

TEST(cancel_word, is_cancelled_once) {
    cancel_word word;
    EXPECT_FALSE(word.canceled());
    EXPECT_TRUE(word.cancel());
    EXPECT_TRUE(word.canceled());
    EXPECT_FALSE(word.cancel());
    EXPECT_TRUE(word.canceled());
}

TEST(cancel_word, links_no_wait_once_it_is_cancelled) {
    cancel_word word;
    waiter who;
    wait_node node{.owner = &who, .index = wait_canceled};
    EXPECT_TRUE(word.link(node));
    word.unlink(node);
    word.unlink(node);  // a second time is no harm
    EXPECT_TRUE(word.cancel());
    EXPECT_EQ(who.how(), std::uint32_t{wait_open});
    EXPECT_FALSE(word.link(node));
}

TEST(wait_limits, are_any_when_one_is_set) {
    cancel_word word;
    EXPECT_FALSE(wait_limits{}.any());
    EXPECT_TRUE(wait_limits{.deadline = 0}.any());
    EXPECT_TRUE(wait_limits{.cancel = &word}.any());
}

/// The same tests for a wait of a goroutine and of a plain thread: each wait is started with
/// start(), which gives what ended it.
class limited_wait : public ::testing::TestWithParam<int> {
protected:
    /// Runs `body`, whose waits are those of goroutines if there is a number of workers.
    template <class F>
    void run(F body) {
        if (GetParam() == 0) {
            body();
        } else {
            runtime rt{{.workers = static_cast<std::size_t>(GetParam())}};
            rt.run(body);
        }
    }

    static std::uint32_t wait_beside(meeting_point& point, const wait_limits& limits,
                                     const std::function<void()>& meanwhile) {
        std::thread other([&] {
            while (point.empty()) {
                std::this_thread::yield();
            }
            meanwhile();
        });
        const std::uint32_t how = point.wait(limits);
        blocking([&] { other.join(); });
        return how;
    }
};

TEST_P(limited_wait, is_ended_by_its_peer) {
    run([] {
        meeting_point point;
        cancel_word word;
        EXPECT_EQ(wait_beside(point, {.deadline = deadline_after(1h), .cancel = &word},
                              [&] { EXPECT_TRUE(point.meet()); }),
                  by_peer);
        EXPECT_FALSE(point.meet());
        EXPECT_TRUE(word.cancel()) << "the wait has left the word: nobody is woken twice";
    });
}

TEST_P(limited_wait, is_ended_by_its_deadline) {
    run([] {
        meeting_point point;
        cancel_word word;
        const auto start = clock::now();
        EXPECT_EQ(point.wait({.deadline = deadline_after(2ms), .cancel = &word}),
                  std::uint32_t{wait_timed_out});
        EXPECT_GE(clock::now() - start, 2ms);
        EXPECT_EQ(point.wait({.deadline = deadline_after(1ms)}), std::uint32_t{wait_timed_out});
        EXPECT_FALSE(point.meet());
        EXPECT_TRUE(word.cancel());
    });
}

TEST_P(limited_wait, is_ended_by_a_deadline_that_has_passed) {
    run([] {
        for (const ticks deadline : {ticks{0}, ticks{-1}, INT64_MIN, deadline_after(0ns)}) {
            meeting_point point;
            std::atomic<bool> over = false;
            std::thread rescue([&] {  // so that a failure is no hang
                const auto limit = std::chrono::steady_clock::now() + 1s;
                while (!over && std::chrono::steady_clock::now() < limit) {
                    std::this_thread::yield();
                }
                point.meet();
            });
            EXPECT_EQ(point.wait({.deadline = deadline}), std::uint32_t{wait_timed_out})
                << deadline;
            over = true;
            rescue.join();
        }
    });
}

TEST_P(limited_wait, is_ended_by_a_cancel) {
    run([] {
        meeting_point point;
        cancel_word word;
        EXPECT_EQ(wait_beside(point, {.cancel = &word}, [&] { EXPECT_TRUE(word.cancel()); }),
                  std::uint32_t{wait_canceled});
        EXPECT_FALSE(point.meet());
    });
}

TEST_P(limited_wait, is_ended_at_once_by_a_word_that_is_cancelled_already) {
    run([] {
        meeting_point point;
        cancel_word word;
        word.cancel();
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(point.wait({.cancel = &word}), std::uint32_t{wait_canceled});
            EXPECT_EQ(point.wait({.deadline = deadline_after(1h), .cancel = &word}),
                      std::uint32_t{wait_canceled});
        }
        EXPECT_TRUE(point.empty());
        sleep_for(1us);  // whoever waited can still wait for something else
    });
}

TEST_P(limited_wait, a_cancel_ends_all_waits_that_are_linked) {
    const int workers = GetParam();
    run([workers] {
        meeting_point point;
        cancel_word word;
        constexpr int count = 20;
        std::atomic<int> canceled = 0, waiting = 0;
        const auto waits = [&] {
            ++waiting;
            canceled += point.wait({.cancel = &word}) == wait_canceled ? 1 : 0;
        };
        std::vector<std::thread> threads;
        wait_group goroutines;
        for (int i = 0; i < count; ++i) {
            if (workers == 0) {
                threads.emplace_back(waits);
            } else {
                goroutines.go(waits);
            }
        }
        while (waiting < count) {
            yield();
        }
        EXPECT_TRUE(word.cancel());
        goroutines.wait();
        for (std::thread& t : threads) {
            t.join();
        }
        EXPECT_EQ(canceled, count);
    });
}

TEST_P(limited_wait, exactly_one_of_peer_cancel_and_deadline_wins_a_race) {
    const std::size_t rounds = test::scaled(4'000, 600);
    run([rounds] {
        std::array<std::size_t, 3> ended{};  // by peer, cancel, deadline
        for (std::size_t round = 0; round < rounds; ++round) {
            meeting_point point;
            cancel_word word;
            std::atomic<bool> start = false, met = false;
            auto peer = spawn([&] {
                while (!start) {
                    yield();
                }
                met = point.meet();
            });
            auto canceler = spawn([&] {
                while (!start) {
                    yield();
                }
                word.cancel();
            });
            start = true;
            const auto limit = std::chrono::microseconds(round % 40);
            const std::uint32_t how =
                point.wait({.deadline = deadline_after(limit), .cancel = &word});
            peer.join();
            canceler.join();
            ASSERT_EQ(met, how == by_peer);
            ASSERT_TRUE(point.empty());
            ++ended[how == by_peer ? 0 : how == wait_canceled ? 1 : 2];
            ASSERT_NE(how, std::uint32_t{wait_open});
        }
        EXPECT_EQ(ended[0] + ended[1] + ended[2], rounds);
    });
}

TEST_P(limited_wait, many_waits_at_one_word_end_once_each_when_all_sides_race) {
    const std::size_t rounds = test::scaled(300, 50);
    run([rounds] {
        for (std::size_t round = 0; round < rounds; ++round) {
            meeting_point point;
            cancel_word word;
            std::atomic<std::size_t> by_peers = 0, met = 0, waiting = 0;
            constexpr std::size_t waits = 8;
            std::vector<join_handle<void>> all;
            for (std::size_t i = 0; i < waits; ++i) {
                all.push_back(spawn([&, i] {
                    ++waiting;
                    const auto limit = std::chrono::microseconds(10 * i);
                    by_peers +=
                        point.wait({.deadline = deadline_after(limit), .cancel = &word}) == by_peer;
                }));
            }
            for (std::size_t i = 0; i < 4; ++i) {
                all.push_back(spawn([&] { met += point.meet() ? 1 : 0; }));
            }
            while (waiting < waits) {
                yield();
            }
            word.cancel();
            for (auto& each : all) {
                each.join();
            }
            ASSERT_EQ(by_peers, met);
            ASSERT_TRUE(point.empty());
        }
    });
}

std::string waiter_name(const ::testing::TestParamInfo<int>& of) {
    return of.param == 0 ? "plain_threads" : test::worker_name(of);
}

INSTANTIATE_TEST_SUITE_P(of, limited_wait, ::testing::Values(0, 1, 2, 8), waiter_name);

TEST(limited_wait_in_a_bubble, ends_at_the_earliest_of_its_limits_and_of_its_peer) {
    testing::bubble bubble;
    bubble.run([] {
        meeting_point point;
        cancel_word word;
        const auto start = clock::now();
        go([&] {
            sleep_for(2s);
            EXPECT_TRUE(point.meet());
            sleep_for(2s);
            word.cancel();
        });
        const wait_limits limits{.deadline = deadline_after(3s), .cancel = &word};
        EXPECT_EQ(point.wait(limits), by_peer);
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_EQ(point.wait(limits), std::uint32_t{wait_timed_out});
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_EQ(point.wait({.deadline = never, .cancel = &word}), std::uint32_t{wait_canceled});
        EXPECT_EQ(clock::now() - start, 4s);
    });
}

}  // namespace
}  // namespace runnel::detail
