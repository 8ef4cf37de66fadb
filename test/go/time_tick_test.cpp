// test/go/time_tick_test.cpp: tickers, and what stop and reset do to a channel.
//
// Follows Go's src/time/tick_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <queue>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/time.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using tick_chan = recv_chan<clock::time_point>;

bool has_tick(const tick_chan& c) {
    std::optional<clock::time_point> ignored;
    return c.try_recv(ignored) == op_status::ok;
}

using go_tick = test::on_workers;
using go_tick_virtual = test::in_bubble;

TEST_P(go_tick_virtual, ticker_ticks_on_time_and_goes_on_with_a_new_period) {
    run([](testing::bubble&) {
        constexpr int count = 10;
        constexpr auto delta = 20ms;
        const ticker k(delta);
        const auto start = clock::now();
        for (int i = 0; i < count / 2; ++i) {
            test::drop(k.c());
        }
        EXPECT_TRUE(k.reset(delta * 2));
        for (int i = 0; i < count / 2; ++i) {
            test::drop(k.c());
        }
        EXPECT_TRUE(k.stop());
        EXPECT_EQ(clock::now() - start, 3 * delta * (count / 2));
        sleep_for(2 * delta);
        EXPECT_FALSE(has_tick(k.c())) << "it did not stop";
        EXPECT_FALSE(k.reset(delta));  // and can be started again
        test::drop(k.c());
    });
}

TEST_P(go_tick, tickers_are_stopped_after_their_first_tick) {
    run([] {
        for (int i = 0; i < 3; ++i) {
            const ticker k(1ms);
            test::drop(k.c());
            k.stop();
        }
    });
}

TEST(go_tick, of_a_period_that_is_not_positive_is_refused) {  // S62
    EXPECT_FALSE(tick(-1ns));
    EXPECT_THROW(ticker(-1ns), std::invalid_argument);
    const ticker k(1s);
    EXPECT_THROW(k.reset(0s), std::invalid_argument);
}

TEST_P(go_tick, timeouts_beside_a_long_heap_do_not_slow_a_queue_down) {
    const int rounds = static_cast<int>(test::scaled(5000, 500));
    run([rounds] {
        wait_group sleepers;
        for (int i = 0; i < 5000; ++i) {
            sleepers.go([] { sleep_for(10us); });
        }
        for (int i = 0; i < 5000; ++i) {
            sleep_for(1us);
        }
        auto in = make_chan<std::function<void()>>();
        auto out = make_chan<std::function<void()>>();
        wait_group queue;
        queue.go([&] {
            std::queue<std::function<void()>> waiting;
            for (std::optional<std::function<void()>> next;;) {
                const auto to = waiting.empty() ? chan<std::function<void()>>() : out;
                std::function<void()> first = waiting.empty() ? nullptr : waiting.front();
                if (select(on_send(to, std::move(first)), on_recv(in, next)) == 0) {
                    waiting.pop();
                } else if (next) {
                    waiting.push(std::move(*next));
                } else {
                    return;
                }
            }
        });
        for (int i = 0; i < rounds; ++i) {
            for (int k = 0; k < 20; ++k) {
                in.send([] {});
            }
            for (int k = 0; k < 20; ++k) {
                ASSERT_EQ(select(on_recv(out), on_recv(after(60s))), 0u);
            }
        }
        in.close();
        queue.wait();
        sleepers.wait();
    });
}

/// The long walk through all that stop and reset may meet. `Clock` is timer or ticker.
template <class Source>
class chan_walk {
public:
    void through_it() {
        before_anybody_waits();
        while_one_waits();
        while_two_select();
        while_it_is_stopped();
        with_a_tick_that_nobody_took();
    }

private:
    static constexpr bool ticks_on = std::same_as<Source, ticker>;
    static constexpr auto moment = 10ms;

    void expect_no_tick() { EXPECT_FALSE(has_tick(source_.c())); }
    void expect_tick() { EXPECT_TRUE(has_tick(source_.c())); }

    void before_anybody_waits() {
        EXPECT_TRUE(source_.stop());
        expect_no_tick();
        EXPECT_FALSE(source_.reset(10000s));
        expect_no_tick();
        EXPECT_TRUE(source_.reset(1ns));
        sleep_for(moment);
        EXPECT_EQ(source_.c().len(), 0u);  // S12
        EXPECT_EQ(source_.c().cap(), 0u);
        expect_tick();
        sleep_for(moment);
        EXPECT_EQ(source_.reset(10000s), ticks_on);
        expect_no_tick();
    }

    void while_one_waits() {
        auto done = make_chan<bool>();
        go([c = source_.c(), done] {
            test::drop(c);
            done.close();
        });
        sleep_for(moment);
        EXPECT_TRUE(source_.reset(20000s));
        sleep_for(moment);
        bool ignored = false;
        EXPECT_EQ(done.try_recv(ignored), op_status::empty);
        EXPECT_TRUE(source_.reset(1ns));
        test::drop(done);
        sleep_for(moment);
        EXPECT_EQ(has_tick(source_.c()), ticks_on);
        EXPECT_EQ(source_.stop(), ticks_on);
        expect_no_tick();
    }

    void while_two_select() {
        EXPECT_FALSE(source_.reset(10000s));
        auto got = make_chan<bool>(2);
        auto stop = make_chan<unit>();
        wait_group both;
        for (int i = 0; i < 2; ++i) {
            both.go([&] { select(on_recv(source_.c(), [&] { got.send(true); }), on_recv(stop)); });
        }
        sleep_for(moment);
        EXPECT_EQ(got.len(), 0u);
        source_.reset(moment / 2);
        test::drop(got);
        source_.stop();
        stop.close();
        both.wait();
        EXPECT_EQ(got.len(), 0u);
        expect_no_tick();
    }

    void while_it_is_stopped() {
        auto stop = make_chan<unit>();
        wait_group both;
        for (int i = 0; i < 2; ++i) {
            both.go([&] { EXPECT_EQ(select(on_recv(source_.c()), on_recv(stop)), 1u); });
        }
        sleep_for(moment);
        stop.close();
        both.wait();
    }

    void with_a_tick_that_nobody_took() {
        EXPECT_FALSE(source_.reset(1ns));
        sleep_for(moment);
        EXPECT_TRUE(source_.stop());
        expect_no_tick();
        EXPECT_FALSE(source_.reset(1h));
        expect_no_tick();
        EXPECT_TRUE(source_.reset(1ns));
        sleep_for(moment);
        expect_tick();
        sleep_for(moment);
        EXPECT_EQ(has_tick(source_.c()), ticks_on);
        sleep_for(moment);
        EXPECT_EQ(source_.reset(1h), ticks_on);
        expect_no_tick();
    }

    Source source_{10000s};
};

TEST_P(go_tick_virtual, after_stop_and_reset_no_old_tick_is_received_from_a_timer) {  // S59
    run([](testing::bubble&) { chan_walk<timer>().through_it(); });
}

TEST_P(go_tick_virtual, after_stop_and_reset_no_old_tick_is_received_from_a_ticker) {  // S59
    run([](testing::bubble&) { chan_walk<ticker>().through_it(); });
}

TEST_P(go_tick_virtual, a_tick_that_is_received_late_says_when_it_was_due) {
    run([](testing::bubble&) {
        const auto start = clock::now();
        const auto once = after(10ms);
        const auto many = tick(10ms);
        sleep_for(500ms);
        EXPECT_EQ(once.recv(), start + 10ms);
        EXPECT_EQ(many.recv(), start + 10ms);
        EXPECT_EQ(many.recv(), start + 510ms);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_tick, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(workers, go_tick_virtual, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
