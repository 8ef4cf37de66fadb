// Timers that are created, stopped, reset, dropped and due at the same time. What counts is that
// each tick arrives at most once, no stop is answered wrongly, and nothing is touched that has gone
// (AddressSanitizer, ThreadSanitizer).
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/time.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

class timer_races : public test::on_workers {};

TEST_P(timer_races, stop_or_a_tick_but_never_both) {
    const int rounds = static_cast<int>(test::scaled(4000, 500));
    std::atomic<int> stopped = 0;
    std::atomic<int> ticked = 0;
    run([&] {
        wait_group all;
        for (int g = 0; g < 4; ++g) {
            all.go([&, g] {
                for (int i = 0; i < rounds; ++i) {
                    const timer t(microseconds(i % 7));
                    if ((i + g) % 2 == 0) {
                        yield();
                    } else {
                        sleep_for(microseconds(i % 9));
                    }
                    std::optional<clock::time_point> at;
                    if (t.stop()) {
                        ++stopped;
                        EXPECT_EQ(t.c().try_recv(at), op_status::empty);
                    } else {
                        // It has expired, and nobody has received: stop() would have said so.
                        ADD_FAILURE();
                    }
                    t.reset(1us);
                    EXPECT_TRUE(t.c().recv().has_value());
                    ++ticked;
                    EXPECT_FALSE(t.stop());
                }
            });
        }
        all.wait();
    });
    EXPECT_EQ(stopped, 4 * rounds);
    EXPECT_EQ(ticked, 4 * rounds);
}

TEST_P(timer_races, each_start_gives_one_tick_or_one_true_answer) {
    const int rounds = static_cast<int>(test::scaled(4000, 500));
    run([&] {
        const timer t(1us);
        std::atomic<int> starts = 1;
        std::atomic<int> answers = 0;
        std::atomic<int> ticks = 0;
        wait_group all;
        for (int g = 0; g < 4; ++g) {
            all.go([&, g] {
                for (int i = 0; i < rounds; ++i) {
                    switch ((i + g) % 4) {
                        case 0:
                            answers += t.stop() ? 1 : 0;
                            break;
                        case 1:
                        case 2:
                            ++starts;
                            answers += t.reset(microseconds(i % 5)) ? 1 : 0;
                            break;
                        default:
                            ticks += select(on_recv(t.c()), on_timeout(2us)) == 0 ? 1 : 0;
                    }
                }
            });
        }
        all.wait();
        answers += t.stop() ? 1 : 0;
        EXPECT_EQ(starts, answers + ticks);
    });
}

TEST_P(timer_races, functions_run_once_for_each_start_that_no_stop_took_back) {
    const int rounds = static_cast<int>(test::scaled(4000, 500));
    std::atomic<int> runs = 0;
    int starts = 0;
    int taken_back = 0;
    run([&] {
        const auto counted = [&runs] { ++runs; };
        for (int i = 0; i < rounds; ++i) {
            const timer t = after_func(microseconds(i % 4), counted);
            ++starts;
            for (int k = 0; k < 3; ++k) {
                yield();
                taken_back += t.reset(microseconds(k)) ? 1 : 0;
                ++starts;
            }
            if (i % 2 == 0) {
                taken_back += t.stop() ? 1 : 0;
            }
        }
        while (runs != starts - taken_back) {
            sleep_for(10us);
        }
        sleep_for(100us);
    });
    EXPECT_EQ(runs, starts - taken_back);
}

TEST_P(timer_races, handles_are_dropped_while_their_timers_fall_due) {
    const int rounds = static_cast<int>(test::scaled(4000, 500));
    const auto alive = std::make_shared<std::atomic<int>>(0);
    run([&] {
        wait_group all;
        for (int g = 0; g < 4; ++g) {
            all.go([&] {
                for (int i = 0; i < rounds; ++i) {
                    std::ignore = after(microseconds(i % 3));
                    const auto ticks = tick(microseconds(1 + i % 3));
                    if (i % 5 == 0) {
                        ticks.recv();
                    }
                    const timer t = after_func(microseconds(i % 3), [alive] { ++*alive; });
                    if (i % 2 == 0) {
                        t.stop();
                    }
                    select(on_recv(after(microseconds(i % 4))), on_recv(after(1us)));
                }
            });
        }
        all.wait();
    });
    EXPECT_EQ(alive.use_count(), 1);
}

INSTANTIATE_TEST_SUITE_P(workers, timer_races, test::worker_counts, test::worker_name);

TEST(timer_races_of_plain_threads, a_ticker_is_drained_and_reset_from_everywhere) {
    const int rounds = static_cast<int>(test::scaled(3000, 300));
    runtime rt{{.workers = 2}};
    const ticker k(3us);
    std::atomic<int> ticks = 0;
    const auto receive = [&] {
        for (int i = 0; i < rounds; ++i) {
            ticks += k.c().recv() ? 1 : 0;
        }
    };
    std::thread a(receive), b(receive);
    std::thread meddler([&] {
        for (int i = 0; i < rounds; ++i) {
            if (i % 2 == 0) {
                k.stop();
            }
            k.reset(microseconds(1 + i % 3));
        }
    });
    rt.run(receive);
    a.join();
    b.join();
    meddler.join();
    EXPECT_EQ(ticks, 3 * rounds);
}

}  // namespace
}  // namespace runnel
