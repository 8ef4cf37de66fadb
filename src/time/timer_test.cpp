#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>
#include <runnel/time.hpp>

#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

static_assert(std::movable<timer> && !std::copy_constructible<timer>);
static_assert(std::movable<ticker> && !std::copy_constructible<ticker>);
static_assert(std::same_as<decltype(after(1s)), recv_chan<clock::time_point>>);

/// On virtual time, with 1, 2 and 8 workers.
class timers_in_a_bubble : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        testing::bubble bubble{{.workers = static_cast<std::size_t>(GetParam())}};
        bubble.run(body);
    }
};

/// When the calling goroutine's runtime has something to do next, at the latest.
std::optional<clock::time_point> next_in_heap() {
    const detail::ticks at = detail::current_scheduler().earliest_timer();
    return at == detail::never ? std::nullopt
                               : std::optional(clock::time_point(clock::duration(at)));
}

bool has_tick(const recv_chan<clock::time_point>& c) {
    std::optional<clock::time_point> ignored;
    return c.try_recv(ignored) == op_status::ok;
}

TEST_P(timers_in_a_bubble, after_gives_the_time_at_which_it_was_due) {
    run([] {
        const auto start = clock::now();
        const auto c = after(1s);
        EXPECT_EQ(c.recv(), start + 1s);
        EXPECT_EQ(clock::now(), start + 1s);
        const auto late = after(1s);
        sleep_for(1h);
        EXPECT_EQ(late.recv(), start + 2s);
    });
}

TEST_P(timers_in_a_bubble, after_zero_or_less_is_ready_at_once) {
    run([] {
        EXPECT_TRUE(has_tick(after(0s)));
        EXPECT_TRUE(has_tick(after(-1s)));
        EXPECT_TRUE(has_tick(after(std::chrono::nanoseconds::min())));
        EXPECT_TRUE(has_tick(after(std::chrono::hours::min())));
        EXPECT_EQ(after(-1h).recv(), clock::now());
    });
}

TEST_P(timers_in_a_bubble, after_in_a_select_need_not_be_kept) {
    run([] {
        const auto start = clock::now();
        auto quiet = make_chan<int>();
        EXPECT_EQ(select(on_recv(quiet), on_recv(after(1s))), 1u);
        EXPECT_EQ(clock::now(), start + 1s);
        auto now_ready = make_chan<int>(1);
        now_ready.send(1);
        EXPECT_EQ(select(on_recv(now_ready), on_recv(after(1h))), 0u);
        EXPECT_EQ(next_in_heap(), std::nullopt);
        EXPECT_EQ(clock::now(), start + 1s);
    });
}

TEST_P(timers_in_a_bubble, what_is_dropped_leaves_the_heap) {
    run([] {
        std::ignore = after(1h);
        std::ignore = tick(1h);
        {
            const timer t(1h);
        }
        {
            const ticker t(1h);
        }
        {
            const auto f = after_func(1h, [] { ADD_FAILURE(); });
            EXPECT_TRUE(f.stop());
        }
        EXPECT_EQ(next_in_heap(), std::nullopt);
        std::optional<timer> t(1h);
        std::optional<recv_chan<clock::time_point>> c(t->c());
        t.reset();
        EXPECT_NE(next_in_heap(), std::nullopt);
        c.reset();
        EXPECT_EQ(next_in_heap(), std::nullopt);
    });
}

TEST_P(timers_in_a_bubble, a_copy_of_the_channel_keeps_a_timer) {
    run([] {
        const auto start = clock::now();
        const auto c = timer(1s).c();
        EXPECT_EQ(c.recv(), start + 1s);
        const auto ticks = ticker(1s).c();
        EXPECT_EQ(ticks.recv(), start + 2s);
        EXPECT_EQ(ticks.recv(), start + 3s);
    });
}

TEST_P(timers_in_a_bubble, handles_move) {
    run([] {
        timer t;
        EXPECT_FALSE(t.c());
        t = timer(1s);
        timer moved(std::move(t));
        t = timer(2s);
        EXPECT_TRUE(moved.stop());
        EXPECT_TRUE(t.stop());
        ticker k(1s);
        const ticker other(std::move(k));
        EXPECT_TRUE(other.stop());
        EXPECT_FALSE(other.stop());
    });
}

TEST_P(timers_in_a_bubble, default_constructed_ones_refuse_to_stop_and_reset) {
    run([] {
        const timer t;
        EXPECT_THROW(t.stop(), std::logic_error);
        EXPECT_THROW(t.reset(1s), std::logic_error);
        const ticker k;
        EXPECT_THROW(k.stop(), std::logic_error);
        EXPECT_THROW(k.reset(1s), std::logic_error);
        EXPECT_FALSE(k.c());
    });
}

TEST_P(timers_in_a_bubble, a_period_must_be_positive) {
    run([] {
        EXPECT_THROW(ticker(0s), std::invalid_argument);
        try {
            const ticker k(-5ns);
            ADD_FAILURE();
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find("-5 ns"), std::string::npos);
        }
        const ticker k(1s);
        EXPECT_THROW(k.reset(0s), std::invalid_argument);
        const auto start = clock::now();
        EXPECT_EQ(k.c().recv(), start + 1s);  // it ticks on
        EXPECT_FALSE(tick(0s));
        EXPECT_FALSE(tick(-1s));
    });
}

TEST_P(timers_in_a_bubble, a_ticker_that_nobody_receives_from_rests_after_one_tick) {
    run([] {
        const ticker k(1s);
        const auto start = clock::now();
        sleep_for(1ms);
        EXPECT_EQ(next_in_heap(), start + 1s);
        sleep_for(10s);
        EXPECT_EQ(next_in_heap(), std::nullopt);
        EXPECT_EQ(k.c().recv(), start + 1s);
        EXPECT_EQ(next_in_heap(), start + 11s);  // in step
        EXPECT_EQ(k.c().recv(), start + 11s);
        EXPECT_TRUE(k.stop());
        EXPECT_EQ(next_in_heap(), std::nullopt);
    });
}

TEST_P(timers_in_a_bubble, a_forgotten_ticker_does_not_hide_a_deadlock) {
    testing::bubble bubble{{.workers = static_cast<std::size_t>(GetParam())}};
    static const ticker forgotten(1s);  // a plain thread's
    EXPECT_THROW(bubble.run([] {
        const ticker k(1s);
        make_chan<int>().recv();
    }),
                 testing::bubble_error);
}

TEST_P(timers_in_a_bubble, a_ticker_stays_in_step_for_each_way_of_receiving) {
    run([] {
        const ticker k(10s);
        const auto c = k.c();
        const auto start = clock::now();
        auto expect = [&](std::optional<clock::time_point> got, int n) {
            EXPECT_EQ(got, start + n * 10s);
            sleep_for(13s);
        };
        std::optional<clock::time_point> value;
        expect(c.recv(), 1);  // waited for; the next has come while we slept
        expect(c.recv(), 2);  // at 36
        EXPECT_EQ(c.recv_for(1s, value), op_status::ok);
        EXPECT_EQ(value, start + 30s);
        EXPECT_EQ(c.recv_for(1s, value), op_status::timeout);  // 37
        EXPECT_EQ(c.recv_for(5s, value), op_status::ok);
        expect(value, 4);  // 53
        EXPECT_EQ(c.try_recv(value), op_status::ok);
        expect(value, 5);  // 66
        select(on_recv(c, value));
        expect(value, 6);  // 79
        select(on_recv(c, value), otherwise());
        expect(value, 7);  // 92
        auto other = make_chan<int>();
        select(on_recv(c, value), on_recv(other));
        expect(value, 8);  // 105
        selector s;
        s.add_recv(c, value);
        EXPECT_EQ(s.wait(), 0u);
        expect(value, 10);
        for (const auto t : c) {
            expect(t, 11);
            break;
        }
    });
}

TEST_P(timers_in_a_bubble, durations_that_do_not_fit_never_come) {
    run([] {
        const timer big(std::chrono::hours::max());
        const timer bigger(std::chrono::duration<double>(1e300));
        const ticker slow(std::chrono::nanoseconds::max());
        auto f = after_func(std::chrono::nanoseconds::max(), [] { ADD_FAILURE(); });
        sleep_for(1h);
        EXPECT_TRUE(big.stop());
        EXPECT_TRUE(bigger.reset(1s));
        EXPECT_TRUE(slow.stop());
        EXPECT_TRUE(f.stop());
        EXPECT_TRUE(bigger.c().recv().has_value());
    });
}

TEST_P(timers_in_a_bubble, a_period_near_the_end_of_time_does_not_overflow) {
    run([] {
        const auto start = clock::now();
        const auto all = std::chrono::nanoseconds::max() - start.time_since_epoch();
        const ticker k(all - 1ns);
        EXPECT_EQ(k.c().recv(), start + all - 1ns);
        EXPECT_TRUE(k.stop());
    });
}

TEST_P(timers_in_a_bubble, after_func_runs_in_a_goroutine_of_its_own) {
    run([] {
        const auto self = this_goroutine::id();
        const auto start = clock::now();
        auto done = make_chan<clock::time_point>();
        const auto t = after_func(1s, [&] {
            EXPECT_NE(this_goroutine::id(), self);
            EXPECT_NE(this_goroutine::id(), 0u);
            done.send(clock::now());
        });
        EXPECT_FALSE(t.c());
        EXPECT_EQ(done.recv(), start + 1s);
        EXPECT_FALSE(t.stop());
        EXPECT_FALSE(t.reset(1s));
        EXPECT_EQ(done.recv(), start + 2s);
        after_func(1s, [&] { done.send(clock::now()); });  // its handle is dropped
        EXPECT_EQ(done.recv(), start + 3s);
    });
}

TEST_P(timers_in_a_bubble, the_function_is_destroyed_when_it_cannot_run_any_more) {
    run([] {
        auto alive = std::make_shared<int>(0);
        const auto is_held = [&] { return alive.use_count() != 1; };
        {
            const auto t = after_func(1s, [alive] {});
            t.stop();
            EXPECT_TRUE(is_held());  // it may be reset
        }
        EXPECT_FALSE(is_held());
        after_func(1s, [alive] {});
        EXPECT_TRUE(is_held());
        sleep_for(2s);
        EXPECT_FALSE(is_held());
        struct alignas(128) wide {
            std::shared_ptr<int> held;
            void operator()() const {
                EXPECT_EQ(reinterpret_cast<std::uintptr_t>(this) % 128, 0u);
                ++*held;
            }
        };
        after_func(1s, wide{alive});
        sleep_for(2s);
        EXPECT_FALSE(is_held());
        EXPECT_EQ(*alive, 1);
    });
}

TEST_P(timers_in_a_bubble, a_function_that_cannot_be_copied_in_leaves_nothing_behind) {
    struct thrower {
        thrower() = default;
        thrower(const thrower&) { throw std::runtime_error("copy"); }
        void operator()() const {}
    };
    run([] {
        const thrower f;
        EXPECT_THROW(after_func(1s, f), std::runtime_error);
        EXPECT_EQ(next_in_heap(), std::nullopt);
    });
}

TEST_P(timers_in_a_bubble, timers_left_behind_are_abandoned_and_their_functions_destroyed) {
    auto alive = std::make_shared<int>(0);
    std::optional<timer> escaped;
    std::optional<ticker> ticking;
    run([&] {
        after_func(1h, [alive] { ADD_FAILURE(); });
        escaped.emplace(1h);
        ticking.emplace(1h);
    });
    EXPECT_EQ(alive.use_count(), 1);
    EXPECT_FALSE(has_tick(escaped->c()));
    EXPECT_FALSE(escaped->stop());
    EXPECT_FALSE(ticking->stop());
    EXPECT_FALSE(escaped->reset(1us));  // from here on in the process-wide runtime
    EXPECT_TRUE(escaped->c().recv().has_value());
}

INSTANTIATE_TEST_SUITE_P(workers, timers_in_a_bubble, test::worker_counts, test::worker_name);

TEST(timers_on_plain_threads, work_without_run) {
    const auto start = clock::now();
    const auto first = after(1ms).recv();
    EXPECT_GE(first, start + 1ms);
    EXPECT_GE(clock::now(), first);
    const ticker k(200us);
    for (int i = 0; i < 20; ++i) {
        const auto at = k.c().recv();
        EXPECT_EQ((*at - start) % 1ns, 0ns);
        EXPECT_LE(*at, clock::now());
        if (i % 3 == 0) {
            std::this_thread::sleep_for(500us);
        }
    }
    EXPECT_TRUE(k.stop());
    auto done = make_chan<unit>();
    after_func(1ms, [&] { done.send(); });
    done.recv();
    after_func(0ms, [&] { done.send(); });
    done.recv();
    EXPECT_EQ(select(on_recv(done), on_recv(after(1ms))), 1u);
}

TEST(timers_on_plain_threads, are_shared_with_goroutines_of_a_runtime) {
    runtime rt{{.workers = 2}};
    const timer mine(1h);
    std::optional<timer> theirs;
    rt.run([&] {
        EXPECT_TRUE(mine.reset(1ms));
        mine.c().recv();
        theirs.emplace(1h);
    });
    EXPECT_TRUE(theirs->reset(1ms));
    theirs->c().recv();
}

}  // namespace
}  // namespace runnel
