// test/go/chan_select_test.cpp: select under races, against itself, and at random.
//
// Follows the select tests of Go's src/runtime/chan_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <any>
#include <array>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_chan_select = test::on_workers;

// One of two channels is ready at every moment: c1 at first, c2 before c1 is drained. A select
// that looked at one channel after the other could miss both.
template <class MakeReady>
void select_sees_one_moment(std::ptrdiff_t capacity2, MakeReady make_ready) {
    const std::size_t rounds = test::scaled(100'000, 1'000);
    auto found_ready = make_chan<bool>(1);
    for (std::size_t i = 0; i < rounds; ++i) {
        auto c1 = make_chan<int>(1);
        auto c2 = make_chan<int>(capacity2);
        c1.send(1);
        go([=] { found_ready.send(select(on_recv(c1), on_recv(c2), otherwise()) != 2); });
        make_ready(c2);
        select(on_recv(c1), otherwise());
        ASSERT_EQ(found_ready.recv(), true) << "round " << i;
    }
}

TEST_P(go_chan_select, sees_the_state_of_all_channels_at_one_moment_when_one_is_sent_to) {
    run([] { select_sees_one_moment(1, [](const chan<int>& c2) { c2.send(1); }); });
}

TEST_P(go_chan_select, sees_the_state_of_all_channels_at_one_moment_when_one_is_closed) {
    run([] { select_sees_one_moment(0, [](const chan<int>& c2) { c2.close(); }); });
}

// Sends and receives on one channel in one select, in either order of the cases.
void send_or_receive(const chan<int>& c, int self, std::atomic<int>& self_receives) {
    for (int i = 0; i < 1000; ++i) {
        std::optional<int> got;
        if (self == 0 || i % 2 == 0) {
            select(on_send(c, self), on_recv(c, got));
        } else {
            select(on_recv(c, got), on_send(c, self));
        }
        if (got == self) {
            ++self_receives;
        }
    }
}

TEST_P(go_chan_select, never_receives_what_it_sends_itself) {  // S7, S22
    run([] {
        for (const std::ptrdiff_t capacity : {0, 10}) {
            auto c = make_chan<int>(capacity);
            std::atomic<int> self_receives = 0;
            wait_group both;
            for (int self = 0; self < 2; ++self) {
                both.go([&, self] { send_or_receive(c, self, self_receives); });
            }
            both.wait();
            if (capacity == 0) {  // through a buffer, a goroutine may meet its own value
                EXPECT_EQ(self_receives, 0);
            }
        }
    });
}

using four_channels = std::array<chan<int>, 4>;

// Sends `n` values on each channel, whichever is ready. A channel that is done becomes nil.
void send_on_all(four_channels c, std::size_t n) {
    std::array<std::size_t, 4> sent{};
    const auto count = [&](std::size_t k) {
        return [&, k] {
            if (++sent.at(k) == n) {
                c.at(k) = {};
            }
        };
    };
    for (std::size_t i = 0; i < 4 * n; ++i) {
        select(on_send(c[3], 0, count(3)), on_send(c[2], 0, count(2)), on_send(c[0], 0, count(0)),
               on_send(c[1], 0, count(1)));
    }
}

void receive_from_all(four_channels c, std::size_t n) {
    std::array<std::size_t, 4> received{};
    for (std::size_t i = 0; i < 4 * n; ++i) {
        const std::size_t k = select(on_recv(c[0]), on_recv(c[1]), on_recv(c[2]), on_recv(c[3]));
        if (++received.at(k) == n) {
            c.at(k) = {};
        }
    }
}

// Four plain senders, four plain receivers, one select that sends and one that receives: the
// numbers of sends and receives on each channel agree, so all come to an end.
TEST_P(go_chan_select, mixes_with_plain_operations_and_loses_nothing) {  // S25
    run([] {
        const std::size_t n = test::scaled(100'000, 2'000);
        const four_channels c{make_chan<int>(), make_chan<int>(), make_chan<int>(2),
                              make_chan<int>(3)};
        wait_group all;
        for (const auto& ch : c) {
            all.go([=] {
                for (std::size_t i = 0; i < n; ++i) {
                    ch.send(0);
                }
            });
            all.go([=] {
                for (std::size_t i = 0; i < n; ++i) {
                    test::drop(ch);
                }
            });
        }
        all.go([=] { send_on_all(c, n); });
        all.go([=] { receive_from_all(c, n); });
        all.wait();
        for (const auto& ch : c) {
            EXPECT_EQ(ch.len(), 0U);
        }
    });
}

TEST_P(go_chan_select, chooses_evenly_between_ready_cases) {  // S18
    run([] {
        constexpr int trials = 10'000;
        auto ones = make_chan<char>(trials + 1);
        auto twos = make_chan<char>(trials + 1);
        for (int i = 0; i < trials + 1; ++i) {
            ones.send(1);
            twos.send(2);
        }
        auto never1 = make_chan<char>();
        auto never2 = make_chan<char>();
        auto out = make_chan<char>();
        auto done = make_chan<unit>();
        wait_group chooser;
        chooser.go([=] {
            for (std::optional<char> b;;) {
                select(on_recv(never1, b), on_recv(never2, b), on_recv(ones, b), on_recv(twos, b));
                if (select(on_send(out, *b), on_recv(done)) == 1) {
                    return;
                }
            }
        });
        std::array<int, 3> count{};
        for (int i = 0; i < trials; ++i) {
            ++count.at(static_cast<std::size_t>(out.recv().value()));
        }
        done.close();
        chooser.wait();

        // Ten sigma: a systematic bias fails, luck does not.
        const double sigma = std::sqrt(trials * 0.5 * 0.5);
        EXPECT_EQ(count[0], 0);
        EXPECT_LE(std::abs(count[1] - trials * 0.5), 10 * sigma) << count[1] << " ones";
    });
}

// Both cases send on one channel: which value goes is chosen anew each time, also when the select
// had to wait.
TEST_P(go_chan_select, chooses_at_random_between_two_sends_on_one_channel) {  // S18, S22
    run([] {
        constexpr int n = 100;
        for (const std::ptrdiff_t capacity : {0, n}) {
            auto c = make_chan<int>(capacity);
            auto received = spawn([=] {
                int ones = 0;
                for (int i = 0; i < n; ++i) {
                    yield();
                    ones += c.recv().value();
                }
                return ones;
            });
            for (int i = 0; i < n; ++i) {
                select(on_send(c, 1), on_send(c, 0));
            }
            const int ones = received.join();
            EXPECT_GT(ones, n / 10) << "capacity " << capacity;
            EXPECT_LT(ones, n - n / 10) << "capacity " << capacity;
        }
    });
}

TEST_P(go_chan_select, sends_type_erased_values) {
    run([] {
        struct marker {};
        const auto m = std::make_shared<marker>();
        auto c = make_chan<std::any>(1);
        c.send(m);
        EXPECT_EQ(select(on_send(c, std::any(m)), otherwise()), 1U);
        EXPECT_EQ(select(on_send(c, std::any(m)), on_send(c, std::any(marker{})), otherwise()), 2U);
        EXPECT_EQ(m.use_count(), 2);  // ours and the channel's
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_chan_select, test::worker_counts, test::worker_name);

using go_chan_select_blocking = test::in_bubble;

// A select that waits twice on one channel leaves both places when another case wakes it.
TEST_P(go_chan_select_blocking, leaves_every_place_it_holds_in_a_queue) {  // S22, S23
    run([](testing::bubble& world) {
        auto c = make_chan<int>();
        auto d = make_chan<int>();
        auto e = make_chan<int>();
        go([=] {
            select(on_recv(c), on_recv(c), on_recv(d));
            e.send(9);
        });
        world.settle();  // the select is first in the queue of c
        go([=] { test::drop(c); });
        world.settle();  // and the plain receiver behind it

        d.send(7);
        EXPECT_EQ(e.recv(), 9);
        c.send(8);  // must find the plain receiver
        world.settle();
    });
}

// What TestSelectStackAdjust looks at besides moving stacks: slots of cases not chosen.
TEST_P(go_chan_select_blocking, writes_only_to_the_slot_of_the_chosen_case) {  // S17
    run([](testing::bubble& world) {
        auto c = make_chan<int>();
        auto d = make_chan<int>();
        for (const bool twice : {false, true}) {
            const auto c2 = twice ? c : chan<int>{};
            const auto d2 = twice ? d : chan<int>{};
            go([=] {
                std::optional<int> slot = 42;
                select(on_recv(c, slot), on_recv(c2), on_recv(d), on_recv(d2));
                EXPECT_EQ(slot, 42);
            });
        }
        world.settle();
        d.close();
        world.settle();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_chan_select_blocking, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
