// test/go/scheduling_test.cpp: channels between goroutines that never rest.
//
// Follows the channel programs of Go's src/runtime/proc_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using go_scheduling = test::on_workers;

TEST_P(go_scheduling, goroutine_that_polls_and_yields_lets_the_others_run) {
    run([] {
        auto stop = make_chan<bool>();
        auto stopped = make_chan<bool>();
        go([=] {
            while (select(on_recv(stop), otherwise()) == 1) {
                yield();
            }
            stopped.send(true);
        });
        for (int i = 0; i < 1000; ++i) {
            yield();
        }
        stop.send(true);
        EXPECT_EQ(stopped.recv(), true);
    });
}

TEST_P(go_scheduling, timeout_comes_although_another_case_is_always_ready) {
    run([] {
        auto c = make_chan<bool>();
        auto done = make_chan<unit>();
        wait_group senders;
        for (int i = 0; i < 2; ++i) {
            senders.go([=] {
                while (select(on_send(c, true), on_recv(done)) == 0) {
                }
            });
        }
        const auto deadline = clock::now() + 20ms;
        while (select(on_recv(c), on_deadline(deadline)) == 0) {
        }
        done.close();
        senders.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_scheduling, test::worker_counts, test::worker_name);

// Each of four goroutines waits, without giving way, for the one before it.
TEST(go_scheduling_parallel, as_many_goroutines_as_workers_run_at_the_same_time) {
    constexpr std::uint32_t parties = 4;
    runtime rt{{.workers = parties}};
    rt.run([] {
        for (int tries = 0; tries < 3; ++tries) {
            std::atomic<std::uint32_t> x = 0;
            wait_group all;
            for (std::uint32_t p = 0; p < parties; ++p) {
                all.go([&x, p] {
                    for (std::uint32_t i = 0; i < 3; ++i) {
                        const std::uint32_t turn = parties * i + p;
                        while (x != turn) {
                        }
                        x = turn + 1;
                    }
                });
            }
            all.wait();
        }
    });
}

// How much work a goroutine has done. `random` is what it computed, so that it has to.
struct progress {
    std::int64_t steps = 0;
    std::uint64_t random = 88172645463325252;

    void work(std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
        }
        steps += n;
    }
};

// Hands the turn to its partner after `turn_steps` steps; returns how many steps it has made.
std::int64_t play(const chan<bool>& turn, const chan<unit>& done, std::int64_t turn_steps) {
    progress made;
    while (select(on_recv(turn), on_recv(done)) == 0) {
        made.work(turn_steps);
        if (select(on_send(turn, true), on_recv(done)) == 1) {
            break;
        }
    }
    EXPECT_NE(made.random, 0U);
    return made.steps;
}

// Two pairs share one worker. Both must get about as much time, although one pair hands over a
// thousand times as often: partners share a time slice.
TEST(go_scheduling_fair, pair_with_short_turns_gets_as_much_time_as_one_with_long_turns) {
    runtime rt{{.workers = 1}};
    rt.run([] {
        auto done = make_chan<unit>();
        auto hog_turn = make_chan<bool>();
        auto light_turn = make_chan<bool>();
        std::atomic<std::int64_t> hog_steps = 0;
        std::atomic<std::int64_t> light_steps = 0;
        // A hand-over costs a sanitizer a few microseconds, and the steps are what is compared.
        const std::int64_t light_work = test::under_sanitizer() ? 20'000 : 1'000;
        wait_group all;
        for (int i = 0; i < 2; ++i) {
            all.go([&, hog_turn, done] { hog_steps += play(hog_turn, done, 1'000'000); });
        }
        for (int i = 0; i < 2; ++i) {
            all.go([&, light_turn, done] { light_steps += play(light_turn, done, light_work); });
        }
        hog_turn.send(true);
        light_turn.send(true);
        sleep_for(200ms);
        done.close();
        all.wait();
        constexpr std::int64_t factor = 20;
        EXPECT_LT(hog_steps / factor, light_steps);
        EXPECT_LT(light_steps / factor, hog_steps);
    });
}

}  // namespace
}  // namespace runnel
