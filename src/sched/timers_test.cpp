#include "src/sched/timers.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/goroutine.hpp>
#include <runnel/sync/wait_group.hpp>
#include <runnel/testing/bubble.hpp>
#include <runnel/time.hpp>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

using namespace std::chrono_literals;

/// What a timer test watches.
struct outcome {
    one_time_event over;
    std::atomic<int> fired = 0;
    std::atomic<int> abandoned = 0;
    std::atomic<int> freed = 0;
    std::atomic<ticks> at = 0;
};

/// A timer that counts its references, as those of contexts and channels do: one for each handle,
/// and one between claim() and the end of fire() or abandon().
class counted_timer : public timer_node {
public:
    explicit counted_timer(outcome& o) : out_(o) { ops = &counted_ops; }

    bool retain_if_alive() noexcept {
        int seen = references_.load();
        while (seen != 0 && !references_.compare_exchange_weak(seen, seen + 1)) {
        }
        return seen != 0;
    }

    void release() noexcept {
        if (references_.fetch_sub(1) == 1) {
            disarm_timer(*this);
            ++out_.freed;
            delete this;
        }
    }

private:
    static counted_timer& from(timer_node& node) noexcept {
        return static_cast<counted_timer&>(node);
    }

    static bool claim(timer_node& node) noexcept { return from(node).retain_if_alive(); }
    static void fire(timer_node& node) noexcept {
        counted_timer& self = from(node);
        self.out_.at = detail::now();
        ++self.out_.fired;
        self.out_.over.set();
        self.release();
    }
    static void abandon(timer_node& node) noexcept {
        counted_timer& self = from(node);
        ++self.out_.abandoned;
        self.release();
    }
    static constexpr timer_ops counted_ops{.claim = &claim, .fire = &fire, .abandon = &abandon};

    outcome& out_;
    std::atomic<int> references_ = 1;
};

/// Drops the test's handle and waits until whoever fired the timer has dropped its own.
void let_go(counted_timer* timer, outcome& o) {
    timer->release();
    while (o.freed != 1) {
        yield();
    }
}

counted_timer* arm_in(std::chrono::nanoseconds d, outcome& o) {
    auto* const timer = new counted_timer(o);
    timer->when = deadline_after(d);
    arm_timer(*timer);
    return timer;
}

using timers_on_workers = test::on_workers;

TEST_P(timers_on_workers, a_timer_fires_after_the_goroutine_that_armed_it_has_ended) {
    run([] {
        outcome o;
        counted_timer* timer = nullptr;
        const ticks start = now();
        wait_group armed;
        armed.go([&] { timer = arm_in(2ms, o); });
        armed.wait();
        o.over.wait({}, wait_kind::join, nullptr);
        EXPECT_GE(o.at - start, 2'000'000);
        EXPECT_EQ(o.fired, 1);
        EXPECT_FALSE(disarm_timer(*timer));
        let_go(timer, o);
    });
}

TEST_P(timers_on_workers, a_timer_that_was_disarmed_in_time_does_not_fire) {
    outcome o;
    counted_timer* timer = nullptr;
    run([&] {
        timer = arm_in(1h, o);
        EXPECT_TRUE(disarm_timer(*timer));
        EXPECT_FALSE(disarm_timer(*timer));
        arm_timer(*timer);  // it may be armed again
        std::thread([&] { EXPECT_TRUE(disarm_timer(*timer)); }).join();
    });
    EXPECT_EQ(o.fired + o.abandoned, 0);
    timer->release();
    EXPECT_EQ(o.freed, 1);
}

TEST_P(timers_on_workers, a_timer_outlives_its_runtime_which_abandons_it) {
    outcome o;
    counted_timer* timer = nullptr;
    run([&] { timer = arm_in(1h, o); });
    EXPECT_EQ(o.abandoned, 1);
    EXPECT_EQ(o.fired, 0);
    EXPECT_FALSE(disarm_timer(*timer));
    run([&] {  // and may be used in another
        timer->when = deadline_after(1us);
        arm_timer(*timer);
        o.over.wait({}, wait_kind::join, nullptr);
    });
    timer->release();
    EXPECT_EQ(o.fired, 1);
    EXPECT_EQ(o.freed, 1);
}

TEST_P(timers_on_workers, a_timer_whose_last_owner_goes_first_does_not_fire) {
    outcome o;
    run([&] {
        arm_in(1h, o)->release();
        EXPECT_EQ(o.freed, 1);
    });
    EXPECT_EQ(o.fired + o.abandoned, 0);
}

TEST_P(timers_on_workers, an_owner_that_dies_while_its_timer_falls_due_is_freed_once) {
    const int rounds = static_cast<int>(test::scaled(3000, 500));
    outcome o;
    run([&] {
        wait_group all;
        for (int i = 0; i < rounds; ++i) {
            all.go([&o, i] {
                counted_timer* const timer = arm_in(std::chrono::microseconds(i % 50), o);
                if (i % 3 == 0) {
                    yield();
                } else {
                    sleep_for(std::chrono::microseconds(i % 50));
                }
                timer->release();
            });
        }
        all.wait();
    });
    EXPECT_EQ(o.freed, rounds);
    EXPECT_LE(o.fired, rounds);
}

INSTANTIATE_TEST_SUITE_P(workers, timers_on_workers, test::worker_counts, test::worker_name);

TEST(timers, of_plain_threads_fire_while_everybody_sleeps) {
    const int rounds = static_cast<int>(test::scaled(300, 50));
    outcome far;
    counted_timer* const beyond = arm_in(1h, far);
    for (int i = 0; i < rounds; ++i) {
        outcome o;
        const auto d = std::chrono::microseconds(20 * (i % 30));
        const ticks start = now();
        counted_timer* const timer = arm_in(d, o);
        o.over.wait({}, wait_kind::join, nullptr);
        EXPECT_GE(o.at - start, std::chrono::nanoseconds(d).count());
        EXPECT_EQ(o.fired, 1);
        let_go(timer, o);
    }
    EXPECT_TRUE(disarm_timer(*beyond));
    beyond->release();
}

TEST(timers, of_many_plain_threads_each_fire_once) {
    const int each = static_cast<int>(test::scaled(2000, 200));
    std::atomic<int> fired = 0;
    auto body = [&] {
        for (int i = 0; i < each; ++i) {
            outcome o;
            counted_timer* const timer = arm_in(std::chrono::microseconds(i % 5), o);
            if (i % 2 == 0 && disarm_timer(*timer)) {
                ++fired;
            } else {
                o.over.wait({}, wait_kind::join, nullptr);
                fired += o.fired;
            }
            let_go(timer, o);
        }
    };
    std::thread a(body), b(body), c(body);
    a.join();
    b.join();
    c.join();
    EXPECT_EQ(fired, 3 * each);
}

TEST(timers, in_a_bubble_fire_at_their_time_to_the_nanosecond) {
    for (const std::size_t workers : {1, 2, 8}) {
        testing::bubble bubble{{.workers = workers}};
        bubble.run([] {
            outcome o;
            const ticks start = now();
            counted_timer* const timer = arm_in(1h, o);
            o.over.wait({}, wait_kind::join, nullptr);
            EXPECT_EQ(o.at - start, std::chrono::nanoseconds(1h).count());
            let_go(timer, o);
        });
    }
}

TEST(timers, left_in_a_bubble_are_abandoned_with_it) {
    outcome o;
    counted_timer* timer = nullptr;
    {
        testing::bubble bubble;
        bubble.run([&] { timer = arm_in(1h, o); });
        EXPECT_EQ(o.abandoned, 0);
    }
    EXPECT_EQ(o.abandoned, 1);
    timer->release();
    EXPECT_EQ(o.freed, 1);
}

}  // namespace
}  // namespace runnel::detail
