// test/go/time_semantics_test.cpp: the rules S58 to S64 that no test of Go's covers.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/time.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using tick_chan = recv_chan<clock::time_point>;

using semantics_time = test::on_workers;
using semantics_time_virtual = test::in_bubble;

bool has_tick(const tick_chan& c) {
    std::optional<clock::time_point> ignored;
    return c.try_recv(ignored) == op_status::ok;
}

TEST_P(semantics_time, nothing_fires_before_its_time) {  // S58
    run([] {
        wait_group all;
        for (int i = 0; i < 50; ++i) {
            all.go([i] {
                const auto start = clock::now();
                const auto d = std::chrono::microseconds(20 * i);
                const auto due = after(d).recv().value();
                EXPECT_GE(due - start, d);
                EXPECT_GE(clock::now(), due);
                auto done = make_chan<clock::time_point>();
                const auto again = clock::now();
                after_func(d, [done] { done.send(clock::now()); });
                EXPECT_GE(done.recv().value() - again, d);
            });
        }
        all.wait();
    });
}

TEST_P(semantics_time_virtual, a_tick_from_before_is_not_received_by_one_who_waits_since) {  // S59
    run([](testing::bubble& b) {
        const timer t(1s);
        sleep_for(2s);  // the tick is there
        EXPECT_TRUE(t.reset(1h));
        const auto start = clock::now();
        auto got = make_chan<clock::time_point>(1);
        go([&, c = t.c()] { got.send(c.recv().value()); });
        b.settle();
        EXPECT_EQ(got.len(), 0u);
        EXPECT_EQ(got.recv(), start + 1h);
    });
}

TEST_P(semantics_time_virtual, len_and_cap_are_zero_with_a_tick_inside) {  // S12, S59
    run([](testing::bubble&) {
        const timer t(1s);
        const auto c = after(1s);
        const auto k = tick(1s);
        sleep_for(2s);
        for (const auto& ch : {t.c(), c, k}) {
            EXPECT_EQ(ch.len(), 0u);
            EXPECT_EQ(ch.cap(), 0u);
            EXPECT_TRUE(has_tick(ch));
        }
    });
}

TEST_P(semantics_time_virtual, stop_is_true_once) {  // S60
    run([](testing::bubble&) {
        const timer running(1h);
        EXPECT_TRUE(running.stop());
        EXPECT_FALSE(running.stop());
        const timer expired(1s);
        sleep_for(2s);
        EXPECT_TRUE(expired.stop()) << "its tick had not been received";
        EXPECT_FALSE(expired.stop());
        const timer received(1s);
        test::drop(received.c());
        EXPECT_FALSE(received.stop());
    });
}

TEST_P(semantics_time_virtual, stop_of_a_function_that_runs_is_false_and_does_not_wait) {  // S60
    run([](testing::bubble&) {
        auto started = make_chan<unit>();
        auto finish = make_chan<unit>();
        const timer t = after_func(1s, [&] {
            started.send();
            finish.recv();
        });
        started.recv();
        EXPECT_FALSE(t.stop());
        finish.send();
    });
}

TEST_P(semantics_time_virtual, the_old_and_the_new_function_may_overlap) {  // S61
    run([](testing::bubble&) {
        std::atomic<int> running = 0;
        auto both = make_chan<unit>();
        auto finish = make_chan<unit>();
        const timer t = after_func(1s, [&running, both, finish] {
            if (++running == 2) {
                both.close();
            }
            finish.recv();  // a handle of its own: the functions outlive the test's frame
        });
        sleep_for(2s);
        EXPECT_FALSE(t.reset(1s));
        both.recv();
        EXPECT_EQ(running, 2);
        finish.close();
    });
}

TEST_P(semantics_time_virtual, reset_of_a_stopped_timer_starts_it) {  // S61
    run([](testing::bubble&) {
        const timer t(1h);
        t.stop();
        const auto start = clock::now();
        EXPECT_FALSE(t.reset(1s));
        EXPECT_TRUE(t.reset(2s));
        EXPECT_EQ(t.c().recv(), start + 2s);
    });
}

TEST_P(semantics_time_virtual, a_ticker_drops_what_a_slow_receiver_misses) {  // S62
    run([](testing::bubble&) {
        const auto start = clock::now();
        const ticker k(1s);
        sleep_for(4500ms);
        EXPECT_EQ(k.c().recv(), start + 1s);
        EXPECT_FALSE(has_tick(k.c())) << "more than one was kept";
        EXPECT_EQ(k.c().recv(), start + 5s);
    });
}

TEST_P(semantics_time_virtual, stop_does_not_close_the_channel) {  // S62
    run([](testing::bubble& b) {
        const ticker k(1s);
        auto stop = make_chan<unit>();
        auto outcome = make_chan<std::size_t>(1);
        go([&, c = k.c()] { outcome.send(select(on_recv(c), on_recv(stop))); });
        b.settle();
        EXPECT_TRUE(k.stop());
        sleep_for(10s);
        EXPECT_EQ(outcome.len(), 0u);
        std::optional<clock::time_point> at;
        EXPECT_EQ(k.c().try_recv(at), op_status::empty);
        stop.close();
        EXPECT_EQ(outcome.recv(), 1u);
    });
}

TEST_P(semantics_time_virtual, what_was_dropped_is_not_waited_for) {  // S63
    // If the timers were still somewhere, time would go on to them before the deadlock is seen.
    EXPECT_TRUE(blocks_for_ever([] {
        for (int i = 0; i < 1000; ++i) {
            std::ignore = after(1h);
            std::ignore = tick(1h);
        }
        const auto start = clock::now();
        auto gate = make_chan<unit>();
        go([=] {
            sleep_for(1s);
            EXPECT_EQ(clock::now(), start + 1s);
        });
        gate.recv();
    }));
}

TEST_P(semantics_time, the_caller_never_runs_the_function) {  // S64
    run([] {
        const auto self = this_goroutine::id();
        wait_group all;
        all.add(3);
        const auto f = [&] {
            EXPECT_NE(this_goroutine::id(), self);
            EXPECT_NE(this_goroutine::id(), 0u);
            all.done();
        };
        after_func(-1s, f);
        after_func(0s, f);
        after_func(1us, f);
        all.wait();
        std::thread([&] {
            all.add(1);
            after_func(0s, [&] {
                EXPECT_NE(this_goroutine::id(), 0u);
                all.done();
            });
        }).join();
        all.wait();
    });
}

TEST_P(semantics_time_virtual, a_slow_function_delays_no_other_timer) {  // S64
    run([](testing::bubble&) {
        const auto start = clock::now();
        auto release = make_chan<unit>();
        wait_group slow;
        slow.add(3);
        for (int i = 0; i < 3; ++i) {
            after_func(1s, [&] {
                release.recv();
                slow.done();
            });
        }
        EXPECT_EQ(after(1s).recv(), start + 1s);
        EXPECT_EQ(after(1s).recv(), start + 2s);
        release.close();
        slow.wait();
    });
}

TEST_P(semantics_time, arming_happens_before_the_function_and_the_tick) {  // S33
    run([] {
        for (int i = 0; i < 100; ++i) {
            int written = 0;  // plain: ThreadSanitizer sees whether it is ordered
            auto done = make_chan<int>();
            written = 1;
            const timer t = after_func(1us, [&] { done.send(written); });
            EXPECT_EQ(done.recv(), 1);
            written = 2;
            t.reset(0s);
            EXPECT_EQ(done.recv(), 2);
            const timer tick_once(1h);
            go([&] {
                test::drop(tick_once.c());
                done.send(written);
            });
            written = 3;
            tick_once.reset(1us);
            EXPECT_EQ(done.recv(), 3);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, semantics_time, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(workers, semantics_time_virtual, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
