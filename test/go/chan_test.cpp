// test/go/chan_test.cpp: what a channel does at every capacity.
//
// Follows TestChan, TestNonblockRecvRace and TestMultiConsumer of Go's src/runtime/chan_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

template <class F>
void at_each_capacity(F f) {
    const auto capacities = static_cast<std::ptrdiff_t>(test::scaled(200, 20));
    for (std::ptrdiff_t capacity = 0; capacity < capacities; ++capacity) {
        f(capacity);
    }
}

using go_chan_blocking = test::in_bubble;

TEST_P(go_chan_blocking, receive_from_an_empty_channel_blocks) {
    run([](testing::bubble& world) {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            std::atomic<int> received = 0;
            wait_group receivers;
            for (int i = 0; i < 2; ++i) {
                receivers.go([&] {
                    test::drop(c);
                    ++received;
                });
            }
            world.settle();
            EXPECT_EQ(received, 0) << "capacity " << capacity;
            EXPECT_EQ(select(on_recv(c), otherwise()), 1U) << "capacity " << capacity;

            c.send(0);
            c.send(0);
            receivers.wait();
            EXPECT_EQ(received, 2);
        });
    });
}

TEST_P(go_chan_blocking, send_to_a_full_channel_blocks) {
    run([](testing::bubble& world) {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            for (int i = 0; i < capacity; ++i) {
                c.send(i);
            }
            std::atomic<bool> sent = false;
            wait_group sender;
            sender.go([&] {
                c.send(0);
                sent = true;
            });
            world.settle();
            EXPECT_FALSE(sent) << "capacity " << capacity;
            EXPECT_EQ(select(on_send(c, 0), otherwise()), 1U) << "capacity " << capacity;

            test::drop(c);
            sender.wait();
            EXPECT_TRUE(sent);
        });
    });
}

TEST_P(go_chan_blocking, close_ends_a_blocked_receive_without_a_value) {
    run([](testing::bubble& world) {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            auto ended = make_chan<bool>();
            go([=] { ended.send(!c.recv().has_value()); });
            world.settle();

            c.close();
            EXPECT_EQ(ended.recv(), true) << "capacity " << capacity;
        });
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_chan_blocking, test::worker_counts, test::worker_name);

using go_chan = test::on_workers;

TEST_P(go_chan, closed_channel_yields_its_buffer_and_then_nothing_for_ever) {
    run([] {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            for (int i = 0; i < capacity; ++i) {
                c.send(i);
            }
            c.close();
            for (int i = 0; i < capacity; ++i) {
                EXPECT_EQ(c.recv(), i) << "capacity " << capacity;
            }
            for (int i = 0; i < 3; ++i) {
                EXPECT_FALSE(c.recv().has_value()) << "capacity " << capacity;
            }
        });
    });
}

TEST_P(go_chan, values_of_one_sender_arrive_in_order) {
    run([] {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            go([=] {
                for (int i = 0; i < 100; ++i) {
                    c.send(i);
                }
            });
            for (int i = 0; i < 100; ++i) {
                EXPECT_EQ(c.recv(), i) << "capacity " << capacity;
            }
        });
    });
}

constexpr int sender_count = 4;
constexpr std::size_t values_each = 1000;
using tally = std::array<int, values_each>;

// How often each value was received by one of the receivers.
tally count_values(const chan<std::size_t>& c) {
    tally seen{};
    for (std::size_t i = 0; i < values_each; ++i) {
        ++seen.at(c.recv().value());
    }
    return seen;
}

TEST_P(go_chan, four_receivers_get_what_four_senders_sent) {
    run([] {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<std::size_t>(capacity);
            auto done = make_chan<tally>();
            for (int p = 0; p < sender_count; ++p) {
                go([=] {
                    for (std::size_t i = 0; i < values_each; ++i) {
                        c.send(i);
                    }
                });
                go([=] { done.send(count_values(c)); });
            }
            tally total{};
            for (int p = 0; p < sender_count; ++p) {
                const tally part = done.recv().value();
                for (std::size_t i = 0; i < values_each; ++i) {
                    total.at(i) += part.at(i);
                }
            }
            for (std::size_t i = 0; i < values_each; ++i) {
                ASSERT_EQ(total.at(i), sender_count) << "value " << i << ", capacity " << capacity;
            }
        });
    });
}

TEST_P(go_chan, len_counts_the_buffer_and_cap_is_the_capacity) {
    run([] {
        at_each_capacity([&](std::ptrdiff_t capacity) {
            auto c = make_chan<int>(capacity);
            const auto size = static_cast<std::size_t>(capacity);
            EXPECT_EQ(c.len(), 0U);
            EXPECT_EQ(c.cap(), size);
            for (int i = 0; i < capacity; ++i) {
                c.send(i);
            }
            EXPECT_EQ(c.len(), size);
            EXPECT_EQ(c.cap(), size);
        });
    });
}

// A value, and then a close: at no moment is there nothing to receive.
TEST_P(go_chan, receive_that_must_not_block_finds_the_value_or_the_close) {  // S13
    run([] {
        const std::size_t rounds = test::scaled(10'000, 1'000);
        std::atomic<int> not_ready = 0;
        wait_group receivers;
        for (std::size_t i = 0; i < rounds; ++i) {
            auto c = make_chan<int>(1);
            c.send(1);
            receivers.go([&not_ready, c] {
                if (select(on_recv(c), otherwise()) == 1) {
                    ++not_ready;
                }
            });
            c.close();
            test::drop(c);
        }
        receivers.wait();
        EXPECT_EQ(not_ready, 0);
    });
}

TEST_P(go_chan, many_consumers_pass_every_value_on) {
    run([] {
        constexpr std::size_t worker_goroutines = 23;
        constexpr std::array primes{2, 3, 7, 11, 13, 17, 19, 23, 27, 31};
        const std::size_t values = test::scaled(271'828, 20'000);
        auto queue = make_chan<int>(worker_goroutines * 3);
        auto results = make_chan<int>(worker_goroutines * 3);

        wait_group workers;
        for (std::size_t w = 0; w < worker_goroutines; ++w) {
            workers.go([=] {
                for (const int v : queue) {
                    if (v == primes.at(w % primes.size())) {
                        yield();  // so that values overtake each other
                    }
                    results.send(v);
                }
            });
        }
        std::int64_t expected = 0;
        go([&expected, &workers, queue, results, values, &primes] {
            for (std::size_t i = 0; i < values; ++i) {
                const int v = primes.at(i % primes.size());
                expected += v;
                queue.send(v);
            }
            queue.close();
            workers.wait();
            results.close();  // the receiver below may read `expected` from here on
        });

        std::size_t received = 0;
        std::int64_t sum = 0;
        for (const int v : results) {
            ++received;
            sum += v;
        }
        EXPECT_EQ(received, values);
        EXPECT_EQ(sum, expected);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_chan, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
