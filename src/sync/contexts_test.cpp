// sync/contexts_test.cpp: how a context ends the waits of mutex, condition_variable and wait_group,
// and the one rule that all primitives follow.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <mutex>
#include <system_error>
#include <thread>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/blocked.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

TEST(sync_context, one_that_has_ended_acquires_nothing_not_even_what_is_free) {  // S43
    const auto acquire_all = [](const context& ctx, op_status expected) {
        mutex m;
        EXPECT_EQ(m.lock(ctx), expected);
        EXPECT_TRUE(m.try_lock());
        m.unlock();
        shared_mutex s;
        EXPECT_EQ(s.lock(ctx), expected);
        EXPECT_EQ(s.lock_shared(ctx), expected);
        EXPECT_TRUE(s.try_lock());
        s.unlock();
        semaphore units(1);
        EXPECT_EQ(units.acquire(ctx), expected);
        EXPECT_TRUE(units.try_acquire());
    };
    auto [ctx, cancel] = with_cancel(background());
    cancel();
    acquire_all(ctx, op_status::canceled);
    auto [late, cancel_late] = with_timeout(background(), -1s);
    acquire_all(late, op_status::timeout);
}

TEST(sync_context, one_that_has_ended_does_not_hide_a_state_that_is_reached) {
    auto [ctx, cancel] = with_cancel(background());
    cancel();
    wait_group g;
    EXPECT_EQ(g.wait(ctx), op_status::ok);
    g.add(1);
    EXPECT_EQ(g.wait(ctx), op_status::canceled);
    g.done();
    mutex m;
    condition_variable cv;
    std::unique_lock lock(m);
    EXPECT_EQ(cv.wait(ctx, lock, [] { return true; }), op_status::ok);
    EXPECT_EQ(cv.wait(ctx, lock, [] { return false; }), op_status::canceled);
    EXPECT_EQ(cv.wait(ctx, lock), op_status::canceled);
    EXPECT_TRUE(lock.owns_lock());
    lock.unlock();
    EXPECT_THROW(static_cast<void>(cv.wait(ctx, lock)), std::system_error);
}

TEST(sync_context, background_never_ends_a_wait) {
    mutex m;
    EXPECT_EQ(m.lock(background()), op_status::ok);
    m.unlock();
    shared_mutex s;
    EXPECT_EQ(s.lock_shared(background()), op_status::ok);
    s.unlock_shared();
    semaphore units(1);
    EXPECT_EQ(units.acquire(background()), op_status::ok);
}

TEST(sync_context, a_deadline_ends_waits_at_its_time) {
    testing::bubble bubble;
    bubble.run([] {
        const auto start = clock::now();
        wait_group g;
        g.add(1);
        auto [first, cancel_first] = with_timeout(background(), 1s);
        EXPECT_EQ(g.wait(first), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 1s);
        g.done();
        mutex m;
        condition_variable cv;
        std::unique_lock lock(m);
        auto [second, cancel_second] = with_timeout(background(), 1s);
        EXPECT_EQ(cv.wait(second, lock), op_status::timeout);
        EXPECT_TRUE(lock.owns_lock());
        EXPECT_EQ(clock::now() - start, 2s);
        int looked = 0;
        auto [third, cancel_third] = with_timeout(background(), 1s);
        EXPECT_EQ(cv.wait(third, lock, [&] { return ++looked == 2; }), op_status::ok)
            << "the last look counts";
        EXPECT_EQ(clock::now() - start, 3s);
    });
}

TEST(sync_context, cancel_ends_waits_and_a_notification_is_ok) {
    testing::bubble bubble;
    bubble.run([&] {
        wait_group g;
        g.add(1);
        mutex m;
        condition_variable cv;
        auto [ctx, cancel] = with_cancel(background());
        auto counts = spawn([&g, ctx] { return g.wait(ctx); });
        const auto wait = [&](const context& until) {
            std::unique_lock lock(m);
            return cv.wait(until, lock);
        };
        auto notified = spawn([&, ctx] { return wait(ctx); });
        bubble.settle();
        auto waits = spawn([&, ctx] { return wait(ctx); });
        bubble.settle();
        cv.notify_one();
        EXPECT_EQ(notified.join(), op_status::ok);
        bubble.settle();
        cancel();
        EXPECT_EQ(waits.join(), op_status::canceled);
        EXPECT_EQ(counts.join(), op_status::canceled);
        g.done();
        EXPECT_EQ(g.wait(ctx), op_status::ok);
    });
}

// With one worker a waiter runs only after both the cancel and what it waits for have come.
TEST(sync_context, what_is_reached_when_a_wait_returns_is_not_hidden_by_its_cancellation) {
    testing::bubble bubble{{.workers = 1}};
    bubble.run([&] {
        const auto expect_ok = [&bubble](auto wait, auto reach) {
            auto [ctx, cancel] = with_cancel(background());
            auto waiter = spawn([wait, ctx = ctx] { return wait(ctx); });
            bubble.settle();
            reach(cancel.share());
            EXPECT_EQ(waiter.join(), op_status::ok);
        };
        wait_group g;
        g.add(1);
        expect_ok([&](const context& ctx) { return g.wait(ctx); },
                  [&](const cancel_trigger& cancel) {
                      cancel();
                      g.done();
                  });
        latch l(1);
        expect_ok([&](const context& ctx) { return l.wait(ctx); },
                  [&](const cancel_trigger& cancel) {
                      cancel();
                      l.count_down();
                  });
        barrier b(2);
        const auto first = b.arrive();
        expect_ok([&](const context& ctx) { return b.wait(ctx, first); },
                  [&](const cancel_trigger& cancel) {
                      cancel();
                      b.arrive_and_drop();
                  });
        const auto ends_after_cancel = make_chan<cancel_trigger>(1);
        const auto body = [ends_after_cancel] { (*ends_after_cancel.recv())(); };
        const auto end = [&](const cancel_trigger& cancel) { ends_after_cancel.send(cancel); };
        group tasks;
        tasks.go(body);
        expect_ok([&](const context& ctx) { return tasks.wait(ctx); }, end);
        auto task = spawn(body);
        expect_ok([&](const context& ctx) { return task.wait(ctx); }, end);
    });
}

using sync_context_on_workers = test::on_workers;

TEST_P(sync_context_on_workers, cancel_and_deadline_end_the_wait_for_a_mutex) {
    run([] {
        mutex m;
        const std::lock_guard hold(m);
        auto [ctx, cancel] = with_cancel(background());
        auto waits = spawn([&m, ctx] { return m.lock(ctx); });
        test::until_waiting("mutex lock", 1);
        cancel();
        EXPECT_EQ(waits.join(), op_status::canceled);
        const auto start = clock::now();
        auto [late, cancel_late] = with_timeout(background(), 2ms);
        EXPECT_EQ(m.lock(late), op_status::timeout);
        EXPECT_GE(clock::now() - start, 2ms);
    });
}

TEST_P(sync_context_on_workers, a_mutex_handed_over_during_a_cancel_is_kept_or_passed_on) {
    const std::size_t rounds = test::scaled(2'000, 300);
    run([rounds] {
        mutex m;
        std::size_t got = 0;
        for (std::size_t i = 0; i < rounds; ++i) {
            m.lock();
            auto [ctx, cancel] = with_cancel(background());
            auto hasty = spawn([&m, ctx] { return m.lock(ctx); });
            auto patient = spawn([&] {
                m.lock();  // for ever, if the wake-up goes to one that has given up
                m.unlock();
            });
            test::until_waiting("mutex lock", 2);
            auto canceler = spawn([trigger = cancel.share()] { trigger(); });
            for (std::size_t k = 0; k < i % 3; ++k) {
                yield();
            }
            m.unlock();
            canceler.join();
            if (hasty.join() == op_status::ok) {
                ++got;
                m.unlock();
            }
            patient.join();
            ASSERT_TRUE(m.try_lock());
            m.unlock();
        }
        std::printf("[ note     ] %zu of %zu locked\n", got, rounds);
    });
}

TEST_P(sync_context_on_workers, many_that_give_up_in_every_way_exclude_each_other) {
    const std::size_t rounds = test::scaled(2'000, 200);
    mutex m;
    std::size_t plain = 0;
    std::atomic<std::size_t> expected = 0;
    const auto use = [&](std::size_t g) {
        for (std::size_t i = 0; i < rounds; ++i) {
            const auto limit = std::chrono::nanoseconds((i + g) % 50 * 1000);
            if (g % 3 == 0) {
                m.lock();
            } else if (g % 3 == 1) {
                if (!m.try_lock_for(limit)) {
                    continue;
                }
            } else {
                auto [ctx, cancel] = with_timeout(background(), limit);
                if (m.lock(ctx) != op_status::ok) {
                    continue;
                }
            }
            ++plain;
            ++expected;
            m.unlock();
        }
    };
    std::thread first([&] { use(0); }), second([&] { use(2); });
    run([&] {
        wait_group all;
        for (std::size_t g = 0; g < 6; ++g) {
            all.go([&, g] { use(g); });
        }
        all.wait();
    });
    first.join();
    second.join();
    EXPECT_EQ(plain, expected);
    EXPECT_TRUE(m.try_lock());
    m.unlock();
}

TEST_P(sync_context_on_workers, a_notification_goes_past_one_that_is_cancelled_meanwhile) {
    const std::size_t rounds = test::scaled(2'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            mutex m;
            condition_variable cv;
            int waiting = 0;
            auto [ctx, cancel] = with_cancel(background());
            const auto wait = [&](const context& until) {
                std::unique_lock lock(m);
                ++waiting;
                return cv.wait(until, lock);
            };
            auto hasty = spawn([&, ctx] { return wait(ctx); });
            auto patient = spawn([&] { return wait(background()); });
            for (bool both = false; !both; yield()) {
                const std::lock_guard hold(m);
                both = waiting == 2;
            }
            auto canceler = spawn([trigger = cancel.share()] { trigger(); });
            cv.notify_one();
            canceler.join();
            const bool for_hasty = hasty.join() == op_status::ok;
            if (!for_hasty) {
                EXPECT_EQ(patient.join(), op_status::ok);  // for ever, if it is lost
                continue;
            }
            EXPECT_FALSE(patient.wait_for(0s)) << "one notification, one wake-up";
            cv.notify_one();
            EXPECT_EQ(patient.join(), op_status::ok);
        }
    });
}

TEST_P(sync_context_on_workers, a_wait_group_is_destroyed_after_a_cancelled_and_a_second_wait) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto* const g = new wait_group;
            g->add(1);
            auto [ctx, cancel] = with_cancel(background());
            auto worker = spawn([g, i] {
                for (std::size_t k = 0; k < i % 3; ++k) {
                    yield();
                }
                g->done();
            });
            auto canceler = spawn([trigger = cancel.share()] { trigger(); });
            if (g->wait(ctx) != op_status::ok) {
                g->wait();
            }
            delete g;  // done() may not have returned yet
            worker.join();
            canceler.join();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, sync_context_on_workers, test::worker_counts, test::worker_name);

TEST(sync_context, ends_the_wait_of_a_plain_thread) {
    auto [ctx, cancel] = with_cancel(background());
    mutex m;
    shared_mutex s;
    semaphore units(1);
    units.acquire();
    latch l(1);
    wait_group g;
    m.lock();
    s.lock();
    g.add(1);
    const auto expect_canceled = [](auto wait) {
        return std::thread([wait] { EXPECT_EQ(wait(), op_status::canceled); });
    };
    std::array threads{
        expect_canceled([&m, ctx] { return m.lock(ctx); }),
        expect_canceled([&s, ctx] { return s.lock(ctx); }),
        expect_canceled([&s, ctx] { return s.lock_shared(ctx); }),
        expect_canceled([&units, ctx] { return units.acquire(ctx); }),
        expect_canceled([&l, ctx] { return l.wait(ctx); }),
        expect_canceled([&g, ctx] { return g.wait(ctx); }),
    };
    std::this_thread::sleep_for(5ms);  // most of them wait by then; right in any case
    cancel();
    for (std::thread& t : threads) {
        t.join();
    }
    g.done();
    m.unlock();
    s.unlock();
}

}  // namespace
}  // namespace runnel
