#include <runnel/testing/bubble.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel::testing {
namespace {

using namespace std::chrono_literals;

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// The lines that name `goroutine` and what it waits for.
std::size_t lines_with(const std::vector<std::string>& lines, const std::string& goroutine,
                       const std::string& kind) {
    std::size_t count = 0;
    for (const std::string& line : lines) {
        count += contains(line, "'" + goroutine + "'") && contains(line, "[" + kind + "]");
    }
    return count;
}

class bubble_on_workers : public ::testing::TestWithParam<int> {
protected:
    [[nodiscard]] runtime_options options() const {
        return {.workers = static_cast<std::size_t>(GetParam())};
    }
    /// Runs `body`, which must fail; returns how.
    template <class F>
    bubble_error failure_of(F body, runtime_options with = {}) {
        with.workers = options().workers;
        bubble b(with);
        try {
            b.run(body);
        } catch (const bubble_error& error) {
            return error;
        }
        ADD_FAILURE() << "the bubble found nothing wrong";
        return {"", {}};
    }
};

TEST_P(bubble_on_workers, begins_with_the_year_2000_and_time_stands_still_while_anybody_runs) {
    bubble b(options());
    b.run([] {
        const auto start = clock::now();
        EXPECT_EQ(std::chrono::sys_time<clock::duration>(start.time_since_epoch()),
                  std::chrono::sys_days(std::chrono::year(2000) / 1 / 1));
        for (int i = 0; i < 1000; ++i) {
            yield();
        }
        EXPECT_EQ(clock::now(), start);
    });
}

TEST_P(bubble_on_workers, settle_returns_when_all_others_are_blocked) {
    bubble b(options());
    b.run([&] {
        auto ch = make_chan<int>();
        std::vector<int> got;
        wait_group receivers;
        for (int i = 0; i < 3; ++i) {
            receivers.go([&] {
                for (int k = 0; k < 100; ++k) {
                    yield();  // on the way to where it blocks
                }
                if (const auto value = ch.recv()) {
                    got.push_back(*value);
                }
            });
        }
        b.settle();
        EXPECT_TRUE(got.empty());
        ch.send(7);
        b.settle();
        EXPECT_EQ(got, std::vector<int>{7});
        ch.close();
        b.settle();
        receivers.wait();
    });
}

TEST_P(bubble_on_workers, settle_does_not_move_time) {
    bubble b(options());
    b.run([&] {
        const auto start = clock::now();
        bool slept = false;
        wait_group sleeper;
        sleeper.go([&] {
            sleep_for(1s);
            slept = true;
        });
        b.settle();
        b.settle();
        EXPECT_FALSE(slept);
        EXPECT_EQ(clock::now(), start);
        sleeper.wait();
        EXPECT_EQ(clock::now() - start, 1s);
    });
}

TEST_P(bubble_on_workers, time_jumps_over_a_year_in_no_time) {
    bubble b(options());
    const auto real = std::chrono::steady_clock::now();
    b.run([] {
        const auto start = clock::now();
        std::vector<int> days;
        wait_group all;
        for (int i = 1; i <= 365; ++i) {
            all.go([&days, i] {
                sleep_for(i * 24h);
                days.push_back(i);
            });
        }
        all.wait();
        EXPECT_EQ(clock::now() - start, 365 * 24h);
        EXPECT_EQ(days.size(), 365u);
        EXPECT_TRUE(std::is_sorted(days.begin(), days.end()));
    });
    EXPECT_LT(std::chrono::steady_clock::now() - real, 60s);
}

TEST_P(bubble_on_workers, a_deadlock_is_an_error_that_says_who_waits_where) {
    const bubble_error error = failure_of([] {
        auto ch = make_chan<int>();
        go(go_options{.name = "sender"}, [ch] {
            ch.send(1);
            ch.send(2);
        });
        go(go_options{.name = "selects"}, [] { static_cast<void>(select()); });
        EXPECT_EQ(ch.recv(), 1);
        make_chan<int>().recv();
    });
    EXPECT_TRUE(contains(error.what(), "deadlock")) << error.what();
    EXPECT_EQ(error.goroutines().size(), 3u);
    EXPECT_EQ(lines_with(error.goroutines(), "sender", "chan send"), 1u) << error.what();
    EXPECT_EQ(lines_with(error.goroutines(), "selects", "select (no cases)"), 1u) << error.what();
    EXPECT_EQ(lines_with(error.goroutines(), "root", "chan recv"), 1u) << error.what();
    for (const std::string& line : error.goroutines()) {
        EXPECT_TRUE(contains(line, "bubble_test.cpp:")) << line;
        EXPECT_TRUE(contains(error.what(), line)) << line;
    }
}

TEST_P(bubble_on_workers, a_goroutine_that_is_left_blocked_is_an_error) {
    const bubble_error error = failure_of([] {
        go(go_options{.name = "forgotten"}, [] { chan<int>().recv(); });
        go([] {});
    });
    EXPECT_TRUE(contains(error.what(), "goroutines are left")) << error.what();
    EXPECT_EQ(error.goroutines().size(), 1u);
    EXPECT_EQ(lines_with(error.goroutines(), "forgotten", "chan recv (nil chan)"), 1u)
        << error.what();
}

TEST_P(bubble_on_workers, a_goroutine_that_sleeps_past_the_end_of_the_root_is_left) {
    const bubble_error error =
        failure_of([] { go(go_options{.name = "sleeper"}, [] { sleep_for(1ns); }); });
    EXPECT_EQ(lines_with(error.goroutines(), "sleeper", "sleep"), 1u) << error.what();
}

TEST_P(bubble_on_workers, goroutines_that_can_end_without_time_may_outlive_the_root) {
    std::atomic<int> ended = 0;
    bubble b(options());
    b.run([&] {
        for (int i = 0; i < 10; ++i) {
            go([&] {
                for (int k = 0; k < 50; ++k) {
                    yield();
                }
                ++ended;
            });
        }
    });
    EXPECT_EQ(ended, 10) << "run() waits for them";
}

TEST_P(bubble_on_workers, who_waits_for_a_mutex_keeps_time_from_moving) {
    mutex m;
    m.lock();
    std::atomic<bool> slept = false;
    std::thread outside([&] {
        const auto all_wait = [] {
            const auto lines = debug::goroutines();
            return lines_with(lines, "locks", "mutex lock") == 1 &&
                   lines_with(lines, "root", "sleep") == 1;
        };
        while (!all_wait()) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 100; ++i) {  // time would jump now, if it were wrong
            EXPECT_TRUE(all_wait());
            std::this_thread::yield();
        }
        EXPECT_FALSE(slept);
        m.unlock();
    });
    bubble b(options());
    b.run([&] {
        const auto start = clock::now();
        auto locks = spawn(go_options{.name = "locks"}, [&] {
            m.lock();
            m.unlock();
            return clock::now() - start;
        });
        sleep_for(1h);
        slept = true;
        EXPECT_EQ(locks.join(), 0h) << "time had moved before it got the lock";
    });
    outside.join();
}

TEST_P(bubble_on_workers, a_mutex_that_nobody_unlocks_is_a_deadlock) {
    mutex m;  // outlives the bubble, locked and waited for
    const bubble_error error = failure_of(
        [&] {
            m.lock();
            go(go_options{.name = "locks"}, [&] { m.lock(); });
            m.lock();
        },
        {.shutdown_limit = 30ms});
    EXPECT_TRUE(contains(error.what(), "deadlock") && contains(error.what(), "mutex"))
        << error.what();
    EXPECT_EQ(error.goroutines().size(), 2u);
    EXPECT_EQ(lines_with(error.goroutines(), "locks", "mutex lock"), 1u) << error.what();
    EXPECT_EQ(lines_with(error.goroutines(), "root", "mutex lock"), 1u) << error.what();
}

TEST_P(bubble_on_workers, a_mutex_is_a_deadlock_though_a_timer_is_pending_or_somebody_settles) {
    mutex m;
    m.lock();
    bubble b({.workers = static_cast<std::size_t>(GetParam()), .shutdown_limit = 30ms});
    const auto deadlock = [&] {
        go(go_options{.name = "sleeps"}, [] { sleep_for(1h); });
        go(go_options{.name = "locks"}, [&] { m.lock(); });
        b.settle();
    };
    try {
        b.run(deadlock);
        ADD_FAILURE() << "the bubble found nothing wrong";
    } catch (const bubble_error& error) {
        EXPECT_EQ(lines_with(error.goroutines(), "locks", "mutex lock"), 1u) << error.what();
        EXPECT_EQ(lines_with(error.goroutines(), "sleeps", "sleep"), 1u) << error.what();
        EXPECT_EQ(lines_with(error.goroutines(), "root", "settle"), 1u) << error.what();
    }
}

TEST_P(bubble_on_workers, that_has_failed_counts_no_more) {
    const std::size_t goroutines = debug::live_goroutines();
    bubble b(options());
    EXPECT_THROW(b.run([] {
        go([] { chan<int>().recv(); });
        chan<int>().recv();
    }),
                 bubble_error);
    EXPECT_EQ(debug::live_goroutines(), goroutines);
    EXPECT_EQ(lines_with(debug::goroutines(), "root", "chan recv (nil chan)"), 0u);
}

TEST_P(bubble_on_workers, a_blocking_call_keeps_time_from_moving) {
    std::atomic<bool> over = false;
    std::thread outside([&] {
        const auto root_sleeps = [] {
            return lines_with(debug::goroutines(), "root", "sleep") == 1;
        };
        while (!root_sleeps()) {
            std::this_thread::yield();
        }
        for (int i = 0; i < 100; ++i) {
            EXPECT_TRUE(root_sleeps());
            std::this_thread::yield();
        }
        over = true;
    });
    bubble b(options());
    b.run([&] {
        const auto start = clock::now();
        auto called = spawn([&] {
            blocking([&] {
                while (!over) {
                    std::this_thread::yield();
                }
            });
            return clock::now() - start;
        });
        sleep_for(1h);
        EXPECT_EQ(called.join(), 0h);
    });
    outside.join();
}

TEST_P(bubble_on_workers, an_exception_that_leaves_the_root_comes_out_of_run) {
    bubble b(options());
    try {
        b.run([] { throw std::runtime_error("of the root"); });
        ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "of the root");
    }
    bool again = false;
    b.run([&] { again = true; });
    EXPECT_TRUE(again);
}

TEST_P(bubble_on_workers, may_be_run_again_and_its_time_goes_on) {
    bubble b(options());
    clock::time_point end;
    b.run([&] {
        sleep_for(1h);
        end = clock::now();
    });
    b.run([&] { EXPECT_EQ(clock::now(), end); });
}

TEST_P(bubble_on_workers, cannot_be_run_again_after_it_has_failed) {
    bubble b(options());
    EXPECT_THROW(b.run([] { chan<int>().recv(); }), bubble_error);
    EXPECT_THROW(b.run([] {}), std::logic_error);
}

TEST_P(bubble_on_workers, refuses_to_be_run_from_a_goroutine) {
    bubble outer(options());
    bubble inner(options());
    outer.run([&] {
        EXPECT_THROW(inner.run([] {}), std::logic_error);
        EXPECT_THROW(outer.run([] {}), std::logic_error);
    });
    runtime rt{options()};
    rt.run([&] { EXPECT_THROW(inner.run([] {}), std::logic_error); });
    inner.run([] {});  // nothing has been spoilt
}

TEST_P(bubble_on_workers, settle_belongs_to_the_goroutines_of_the_bubble) {
    bubble b(options());
    EXPECT_THROW(b.settle(), std::logic_error);
    runtime rt{options()};
    rt.run([&] { EXPECT_THROW(b.settle(), std::logic_error); });
    b.run([&] { b.settle(); });
}

TEST_P(bubble_on_workers, two_at_once_have_clocks_of_their_own) {
    const auto live = [this](std::chrono::nanoseconds step) {
        bubble b(options());
        b.run([step] {
            const auto start = clock::now();
            for (int i = 1; i <= 200; ++i) {
                wait_group both;
                both.go([step] { sleep_for(step); });
                both.go([step] { sleep_for(step / 2); });
                both.wait();
                EXPECT_EQ(clock::now() - start, i * step);
            }
        });
    };
    std::thread slow([&] { live(2h); });
    live(2ns);
    slow.join();
}

INSTANTIATE_TEST_SUITE_P(workers, bubble_on_workers, test::worker_counts, test::worker_name);

/// The order in which ten sleepers of one time wake, with one worker and this seed.
std::vector<int> order_of_equal_timers(std::uint64_t seed) {
    std::vector<int> order;
    bubble b{{.workers = 1, .seed = seed}};
    b.run([&] {
        for (int i = 0; i < 10; ++i) {
            go([&order, i] {
                sleep_for(1s);
                order.push_back(i);
            });
        }
        sleep_for(2s);
    });
    return order;
}

TEST(bubble, a_seed_replays_the_order_of_timers_of_one_time) {
    std::set<std::vector<int>> seen;
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        const std::vector<int> order = order_of_equal_timers(seed);
        EXPECT_EQ(order.size(), 10u);
        EXPECT_EQ(order_of_equal_timers(seed), order) << "seed " << seed;
        seen.insert(order);
    }
    EXPECT_GT(seen.size(), 1u) << "other seeds, other orders";
}

TEST(bubble, a_seed_replays_what_select_chooses) {
    const auto choices = [](std::uint64_t seed) {
        std::vector<std::size_t> chosen;
        bubble b{{.workers = 1, .seed = seed}};
        b.run([&] {
            auto a = make_chan<int>(100);
            auto c = make_chan<int>(100);
            for (int i = 0; i < 100; ++i) {
                a.send(i);
                c.send(i);
            }
            for (int i = 0; i < 50; ++i) {
                chosen.push_back(select(on_recv(a), on_recv(c)));
            }
        });
        return chosen;
    };
    EXPECT_EQ(choices(42), choices(42));
    EXPECT_NE(choices(42), choices(43));
}

TEST(bubble, refuses_options_that_are_out_of_range) {
    EXPECT_THROW(bubble({.workers = 100'000}), std::invalid_argument);
    EXPECT_THROW(bubble({.stack_size = 1}), std::invalid_argument);
}

}  // namespace
}  // namespace runnel::testing
