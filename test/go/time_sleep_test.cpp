// test/go/time_sleep_test.cpp: sleeping, after, after_func, timers that are stopped and reset.
//
// Follows Go's src/time/sleep_test.go. Where Go waits in real time and allows for slop, ours run on
// virtual time and expect the exact moment.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/time.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using tick_chan = recv_chan<clock::time_point>;

/// What the tests of both kinds of timer need.
class event {
public:
    virtual ~event() = default;
    [[nodiscard]] virtual tick_chan c() const = 0;
    virtual bool stop() = 0;
    virtual bool reset(nanoseconds d) = 0;
};

class channel_event : public event {
public:
    explicit channel_event(nanoseconds d) : timer_(d) {}
    [[nodiscard]] tick_chan c() const override { return timer_.c(); }
    bool stop() override { return timer_.stop(); }
    bool reset(nanoseconds d) override { return timer_.reset(d); }

private:
    timer timer_;
};

/// A timer made of after_func and a channel of its own.
class function_event : public event {
public:
    explicit function_event(nanoseconds d)
        : timer_(after_func(d, [c = c_] { c.send(clock::now()); })) {}
    [[nodiscard]] tick_chan c() const override { return c_; }
    bool stop() override { return timer_.stop(); }
    bool reset(nanoseconds d) override { return timer_.reset(d); }

private:
    chan<clock::time_point> c_ = make_chan<clock::time_point>(1);
    timer timer_;
};

using make_event = std::function<std::unique_ptr<event>(nanoseconds)>;

template <class Event>
std::unique_ptr<event> make(nanoseconds d) {
    return std::make_unique<Event>(d);
}

bool has_tick(const tick_chan& c) {
    std::optional<clock::time_point> ignored;
    return c.try_recv(ignored) == op_status::ok;
}

using go_sleep = test::on_workers;
using go_sleep_virtual = test::in_bubble;

TEST_P(go_sleep, sleeps_at_least_its_time) {  // S58
    run([] {
        const auto start = clock::now();
        sleep_for(10ms);
        EXPECT_GE(clock::now() - start, 10ms);
    });
}

TEST_P(go_sleep_virtual, after_func_starts_another_of_itself) {
    run([](testing::bubble&) {
        std::atomic<int> left = 10;
        auto done = make_chan<bool>();
        const auto start = clock::now();
        std::function<void()> f = [&] {
            if (--left >= 0) {
                after_func(0s, std::ref(f));
                sleep_for(1s);
            } else {
                done.send(true);
            }
        };
        after_func(0s, std::ref(f));
        test::drop(done);
        EXPECT_EQ(clock::now(), start);  // nobody has waited for a sleeper
        sleep_for(2s);
    });
}

TEST_P(go_sleep, ticker_of_a_nanosecond_ticks_while_another_sleeps_for_one) {
    run([] {
        std::atomic<bool> stop = false;
        wait_group all;
        all.go([&] {
            while (!stop) {
                sleep_for(1ns);
            }
        });
        const ticker k(1ns);
        for (int i = 0; i < 100; ++i) {
            test::drop(k.c());
        }
        k.stop();
        stop = true;
        all.wait();
    });
}

TEST_P(go_sleep, ten_receivers_share_a_ticker_of_a_nanosecond) {
    run([] {
        std::atomic<bool> stop = false;
        wait_group sleeper;
        sleeper.go([&] {
            while (!stop) {
                sleep_for(1ns);
            }
        });
        const ticker k(1ns);
        wait_group all;
        for (int g = 0; g < 10; ++g) {
            all.go([&] {
                for (int i = 0; i < 100; ++i) {
                    test::drop(k.c());
                }
            });
        }
        all.wait();
        k.stop();
        stop = true;
        sleeper.wait();
    });
}

TEST_P(go_sleep, after_func_runs_although_two_others_never_stop_talking) {  // S64
    run([] {
        std::atomic<bool> stop = false;
        auto c = make_chan<bool>(1);
        wait_group all;
        all.go([&] {
            while (!stop) {
                c.send(true);
            }
            c.close();
        });
        all.go([&] {
            for (auto&& ignored : c) {
                static_cast<void>(ignored);
            }
        });
        after_func(1us, [&] { stop = true; });
        all.wait();
    });
}

TEST_P(go_sleep_virtual, after_takes_its_time_and_says_when_it_was_due) {
    run([](testing::bubble&) {
        const auto start = clock::now();
        EXPECT_EQ(after(100ms).recv(), start + 100ms);
        EXPECT_EQ(clock::now(), start + 100ms);
        for (int i = 0; i < 10; ++i) {
            test::drop(after(10ms));
        }
        EXPECT_EQ(clock::now(), start + 200ms);
    });
}

void expect_stopped_events_stay_away(const make_event& make_one) {
    after_func(100ms, [] {});
    const auto t0 = make_one(50ms);
    auto c1 = make_chan<bool>(1);
    const timer t1 = after_func(150ms, [&] { c1.send(true); });
    const auto c2 = after(200ms);
    EXPECT_TRUE(t0->stop());
    EXPECT_TRUE(t1.stop());
    test::drop(c2);
    EXPECT_FALSE(has_tick(t0->c()));
    EXPECT_EQ(c1.len(), 0u);
    EXPECT_FALSE(t0->stop());
    EXPECT_FALSE(t1.stop());
}

TEST_P(go_sleep_virtual, stopped_timers_do_not_fire) {  // S60
    run([](testing::bubble&) {
        expect_stopped_events_stay_away(make<channel_event>);
        expect_stopped_events_stay_away(make<function_event>);
    });
}

void expect_events_in_order(const make_event& make_one) {
    struct result {
        int slot;
        clock::time_point at;
    };
    constexpr auto delta = 20ms;
    const std::vector<int> slots = {5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0};
    auto results = make_chan<result>(static_cast<std::ptrdiff_t>(slots.size()));
    const auto start = clock::now();
    for (const int slot : slots) {
        go([&results, slot, e = std::shared_ptr<event>(make_one(slot * delta))] {
            results.send({slot, e->c().recv().value()});
        });
    }
    int before = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const result r = results.recv().value();
        EXPECT_LE(before, r.slot);
        before = r.slot;
        EXPECT_EQ(r.at, start + r.slot * delta);
    }
}

TEST_P(go_sleep_virtual, timers_come_in_the_order_of_their_times) {
    run([](testing::bubble&) {
        expect_events_in_order(make<channel_event>);
        expect_events_in_order(make<function_event>);
    });
}

TEST_P(go_sleep_virtual, a_hundred_goroutines_stop_their_timers_in_time) {
    run([](testing::bubble&) {
        wait_group all;
        for (int i = 0; i < 100; ++i) {
            all.go([] {
                const timer t = after_func(2s, [] { ADD_FAILURE() << "it was not stopped"; });
                sleep_for(1s);
                EXPECT_TRUE(t.stop());
            });
        }
        all.wait();
        sleep_for(3s);
    });
}

TEST_P(go_sleep, sleep_of_zero_leaves_the_goroutine_able_to_block) {
    run([] {
        for (int i = 0; i < 100; ++i) {
            sleep_for(0s);
            auto c = make_chan<bool>(1);
            c.send(true);
            test::drop(c);
        }
    });
}

TEST_P(go_sleep_virtual, reset_moves_a_timer_and_tells_whether_it_was_active) {  // S61
    run([](testing::bubble&) {
        constexpr auto d = 1ms;
        const timer t(2 * d);
        sleep_for(d);
        EXPECT_TRUE(t.reset(3 * d));
        sleep_for(2 * d);
        EXPECT_FALSE(has_tick(t.c())) << "it fired early";
        sleep_for(2 * d);
        EXPECT_TRUE(has_tick(t.c()));
        EXPECT_FALSE(t.reset(50ms));
    });
}

TEST_P(go_sleep_virtual, durations_at_the_ends_of_their_range_are_far_away_or_over) {  // S58
    run([](testing::bubble&) {
        constexpr auto big = nanoseconds::max();
        const auto start = clock::now();
        EXPECT_EQ(select(on_recv(after(big)), on_recv(after(25ms))), 1u);
        EXPECT_EQ(clock::now(), start + 25ms);
        constexpr auto negative = nanoseconds::min();
        sleep_for(negative);
        EXPECT_EQ(select(on_recv(after(negative)), on_recv(after(1s))), 0u);
        EXPECT_EQ(clock::now(), start + 25ms);
    });
}

TEST_P(go_sleep_virtual, periods_at_the_end_of_their_range_do_not_come_around) {
    run([](testing::bubble&) {
        const auto left = nanoseconds::max() - clock::now().time_since_epoch();
        const ticker longest(nanoseconds::max());
        const ticker long_one(left - 1h);
        const auto start = clock::now();
        EXPECT_EQ(long_one.c().recv(), start + (left - 1h));
        std::optional<clock::time_point> at;
        EXPECT_EQ(long_one.c().recv_for(1min, at), op_status::timeout);
        EXPECT_FALSE(has_tick(longest.c()));
    });
}

TEST(go_timer, without_a_timer_behind_it_throws) {  // S62
    const ticker k(1h);
    const timer t;
    EXPECT_THROW(t.stop(), std::logic_error);
    EXPECT_THROW(t.reset(1ns), std::logic_error);
    EXPECT_TRUE(k.stop());  // nothing is held locked by the failure
}

void expect_zero_timers_to_fire(int count, const make_event& make_one) {
    for (int i = 0; i < count; ++i) {
        const auto e = make_one(0ns);
        test::drop(e->c());
    }
}

TEST_P(go_sleep, timers_of_zero_are_not_missed) {
    const int count = static_cast<int>(test::scaled(30000, 2000));
    run([count] {
        expect_zero_timers_to_fire(count, make<channel_event>);
        expect_zero_timers_to_fire(count, make<function_event>);
        function_event cached(1h);
        cached.reset(0ns);
        test::drop(cached.c());
        for (int i = 0; i < count; ++i) {
            EXPECT_FALSE(cached.reset(0ns));
            test::drop(cached.c());
        }
    });
}

TEST_P(go_sleep, timers_moved_earlier_again_and_again_are_not_lost) {
    const int count = static_cast<int>(test::scaled(1000, 200));
    run([count] {
        const auto past = -clock::now().time_since_epoch();
        for (int i = 0; i < count; ++i) {
            function_event e(1h);
            for (int j = 0; j < 10; ++j) {
                if (!e.stop()) {
                    test::drop(e.c());
                }
                e.reset(past);
            }
            EXPECT_EQ(select(on_recv(e.c()), on_recv(after(60s))), 0u);
        }
    });
}

TEST_P(go_sleep_virtual, timers_moved_earlier_and_later_keep_their_times) {
    run([](testing::bubble&) {
        std::mt19937 random(1);
        std::vector<std::unique_ptr<function_event>> events(100);
        std::vector<int> states(events.size());
        std::vector<std::size_t> left(events.size());
        std::iota(left.begin(), left.end(), 0);
        const auto start = clock::now();
        while (!left.empty()) {
            const std::size_t at = random() % left.size();
            auto& e = events[left[at]];
            switch (states[left[at]]++) {
                case 0:
                    e = std::make_unique<function_event>(0ns);
                    break;
                case 1:
                case 9:
                    test::drop(e->c());
                    break;
                case 2:
                case 4:
                case 6:
                    EXPECT_FALSE(e->reset(std::chrono::minutes(1 + random() % 3)));
                    break;
                case 3:
                case 5:
                case 7:
                    EXPECT_TRUE(e->stop());
                    break;
                case 8:
                    EXPECT_FALSE(e->reset(0ns));
                    break;
                default:
                    left[at] = left.back();
                    left.pop_back();
            }
        }
        EXPECT_EQ(clock::now(), start);
    });
}

template <class StopOrReset>
void race_two_timers(StopOrReset stop_or_reset) {
    const int goroutines = static_cast<int>(test::scaled(300, 50));
    wait_group all;
    for (int g = 0; g < goroutines; ++g) {
        all.go([&] {
            for (int i = 0; i < 50; ++i) {
                const timer a(1ms);
                const timer b(1ms);
                const timer& other = select(on_recv(a.c()), on_recv(b.c())) == 0 ? b : a;
                // Nobody has received from the other: whether it has expired or not, it is stopped.
                EXPECT_TRUE(stop_or_reset(other));
                EXPECT_FALSE(has_tick(other.c()));
            }
        });
    }
    all.wait();
}

TEST_P(go_sleep, stop_tells_whether_a_tick_can_be_received) {  // S60
    run([] { race_two_timers([](const timer& t) { return t.stop(); }); });
}

TEST_P(go_sleep, reset_tells_whether_a_tick_could_be_received) {  // S61
    run([] { race_two_timers([](const timer& t) { return t.reset(1h); }); });
}

TEST_P(go_sleep, many_goroutines_are_woken_by_one_ticker) {
    const int rounds = static_cast<int>(test::scaled(10000, 1000));
    run([rounds] {
        const ticker k(1us);
        wait_group all;
        for (int g = 0; g < GetParam(); ++g) {
            all.go([&] {
                for (int i = 0; i < rounds; ++i) {
                    select(on_recv(k.c()), on_recv(after(1ms)));
                }
            });
        }
        all.wait();
    });
}

TEST_P(go_sleep, many_goroutines_reset_one_timer) {
    const int rounds = static_cast<int>(test::scaled(10000, 1000));
    run([rounds] {
        const timer t(1ns);
        wait_group all;
        for (int g = 0; g < GetParam(); ++g) {
            all.go([&] {
                for (int i = 0; i < rounds; ++i) {
                    select(on_recv(t.c()), otherwise());
                    t.reset(1ns);
                }
            });
        }
        all.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_sleep, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(workers, go_sleep_virtual, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
