// test/go/select_test.cpp: Go's select programs.
//
// Follows Go's test/chan/select.go, select2.go, select4.go, select6.go, select7.go, select8.go
// and doubleselect.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <tuple>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_select = test::on_workers;

// Sends a bit on each of two channels, whichever is ready, and then makes that channel nil.
class bit_sender {
public:
    int send(chan<unsigned> a, chan<unsigned> b) {
        int sent = 0;
        for (bool done = false; !done; ++shift_) {
            select(on_send(a, next(),
                           [&] {
                               ++sent;
                               a = {};
                           }),
                   on_send(b, next(),
                           [&] {
                               ++sent;
                               b = {};
                           }),
                   otherwise([&] {
                       done = true;
                       --shift_;
                   }));
        }
        return sent;
    }

    [[nodiscard]] int values_made() const { return values_made_; }

private:
    unsigned next() {
        ++values_made_;
        return 1U << shift_;
    }

    unsigned shift_ = 0;
    int values_made_ = 0;
};

TEST_P(go_select, nil_disables_a_case_and_every_value_is_computed_once) {  // S17, S19, S20
    run([] {
        auto a = make_chan<unsigned>(1);
        auto b = make_chan<unsigned>(1);
        bit_sender sender;
        EXPECT_EQ(sender.send(a, b), 2);
        EXPECT_EQ(a.recv().value() | b.recv().value(), 3U);
        EXPECT_EQ(sender.send(a, {}), 1);
        // Three selects and then two, with two values each, nil channel or not.
        EXPECT_EQ(sender.values_made(), 10);
    });
}

// 100,000 values from one goroutine to a select in another; the growth of the heap.
std::size_t grow_by_selects() {
    const std::size_t n = test::scaled(100'000, 10'000);
    const std::size_t before = ::mallinfo2().uordblks;
    auto c = make_chan<int>();
    auto never = make_chan<int>();
    go([=] {
        for (std::size_t i = 0; i < n; ++i) {
            c.send(1);
        }
    });
    for (std::size_t i = 0; i < n; ++i) {
        EXPECT_EQ(select(on_recv(c), on_recv(never)), 0U);
    }
    const std::size_t after = ::mallinfo2().uordblks;
    return after > before ? after - before : 0;
}

TEST_P(go_select, leaves_nothing_behind_in_a_quiet_channel) {  // S23
    run([] {
        grow_by_selects();  // warm up
        EXPECT_LE(grow_by_selects(), 110'000U);
    });
}

TEST_P(go_select, proceeds_with_the_value_that_is_ready) {
    run([] {
        auto c = make_chan<int>(1);
        auto never = make_chan<int>();
        c.send(42);
        int assigned = 0;
        select(on_recv(never, [](std::optional<int>) { FAIL() << "this case was not chosen"; }),
               on_recv(c, [&](std::optional<int> v) { assigned = v.value(); }));
        EXPECT_EQ(assigned, 42);
    });
}

// A handler is left by return, a select by its end; with slots, break and return are the caller's.
TEST_P(go_select, return_leaves_the_handler_and_break_the_loop_around) {  // S28
    run([] {
        auto ch = make_chan<int>();
        test::crew crew;
        crew.go([&crew, ch] {
            for (;;) {
                crew.send(ch, 5);
            }
        });
        int handled = 0;
        const auto leave = [&] {
            if (++handled > 0) {
                return;
            }
            FAIL() << "unreachable";
        };
        select(on_recv(ch, leave));
        select(otherwise(leave));
        select(on_recv(ch, leave), otherwise(leave));
        // The producer cannot receive, so no send case is ever ready.
        select(on_recv(ch, leave), on_send(ch, 10, [] { FAIL() << "unreachable"; }),
               otherwise(leave));
        EXPECT_EQ(handled, 4);

        int rounds = 0;
        for (std::optional<int> v;; ++rounds) {
            if (select(on_recv(ch, v)) == 0 && rounds == 3) {
                break;
            }
        }
        EXPECT_EQ(rounds, 3);
    });
}

// A value sent on one of four channels must arrive on that one alone.
TEST_P(go_select, runs_one_case_and_never_two) {  // S23
    run([] {
        const std::size_t n = test::scaled(100'000, 5'000);
        std::array<chan<std::size_t>, 4> c;
        std::ranges::generate(c, [] { return make_chan<std::size_t>(); });
        auto merged = make_chan<std::size_t>();
        go([=] {
            for (std::size_t i = 0; i < n; ++i) {
                select(on_send(c[0], i), on_send(c[1], i), on_send(c[2], i), on_send(c[3], i));
            }
            for (const auto& ch : c) {
                ch.close();
            }
        });
        wait_group forwarders;
        for (const auto& in : c) {
            forwarders.go([=] {
                for (const std::size_t v : in) {
                    merged.send(v);
                }
            });
        }
        go([merged, &forwarders] {
            forwarders.wait();
            merged.close();
        });
        std::vector<bool> seen(n);
        std::size_t count = 0;
        for (const std::size_t v : merged) {
            EXPECT_FALSE(seen.at(v)) << v << " arrived twice";
            seen.at(v) = true;
            ++count;
        }
        EXPECT_EQ(count, n);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_select, test::worker_counts, test::worker_name);

using go_select_blocking = test::in_bubble;

// A select that is last in the queue of c1 and is woken through c2 must not break that queue.
TEST_P(go_select_blocking, leaving_a_queue_keeps_those_before_and_after) {  // S23
    run([](testing::bubble& world) {
        auto c1 = make_chan<bool>();
        auto c2 = make_chan<bool>();
        auto c3 = make_chan<bool>();
        go([=] { test::drop(c1); });
        world.settle();
        go([=] {
            EXPECT_EQ(select(on_recv(c1), on_recv(c2)), 1U);
            c3.send(true);
            test::drop(c1);
        });
        world.settle();
        go([=] { c2.send(true); });
        test::drop(c3);
        world.settle();
        c1.send(true);
        c1.send(true);
        world.settle();
    });
}

using transfer = std::function<void(const chan<int>&)>;

void receive_plainly(const chan<int>& c) { test::drop(c); }

void receive_by_select(const chan<int>& c) { select(on_recv(c)); }

void receive_by_select_of_two(const chan<int>& c) {
    auto c2 = make_chan<int>();
    select(on_recv(c), on_recv(c2));
}

void send_by_select_of_two(const chan<int>& c) {
    auto c2 = make_chan<int>();
    select(on_send(c, 1), on_send(c2, 1));
}

// Every way to send meets every way to receive a value that nobody keeps.
TEST_P(go_select_blocking, discards_a_value_in_every_pairing) {  // S26
    run([](testing::bubble& world) {
        const std::array<transfer, 3> receivers{receive_plainly, receive_by_select,
                                                receive_by_select_of_two};
        const std::array<transfer, 3> senders{[](const chan<int>& c) { c.send(1); },
                                              [](const chan<int>& c) { select(on_send(c, 1)); },
                                              send_by_select_of_two};
        for (const auto& receive : receivers) {
            for (const auto& send : senders) {
                auto sender_waits = make_chan<int>();
                go(send, sender_waits);
                world.settle();
                receive(sender_waits);

                auto receiver_waits = make_chan<int>();
                go(receive, receiver_waits);
                world.settle();
                send(receiver_waits);
            }
        }
        world.settle();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_select_blocking, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
