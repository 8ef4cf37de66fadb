// test/go/programs_test.cpp: Go's small channel programs.
//
// Follows Go's test/chan/fifo.go, goroutines.go, zerosize.go and sendstmt.go, test/chancap.go,
// test/chanlinear.go, test/ken/chan1.go, the channel part of test/range.go and the channel
// programs of test/fixedbugs.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_programs = test::on_workers;

constexpr int fifo_length = 10;

TEST_P(go_programs, buffered_channel_is_a_fifo) {
    run([] {
        auto ch = make_chan<int>(fifo_length);
        for (int i = 0; i < fifo_length; ++i) {
            ch.send(i);
        }
        for (int i = 0; i < fifo_length; ++i) {
            EXPECT_EQ(ch.recv(), i);
        }
    });
}

// A daisy chain, in which each goroutine waits for its turn, reads the values in sequence.
TEST_P(go_programs, unbuffered_channel_is_a_fifo) {
    run([] {
        auto ch = make_chan<int>();
        auto in = make_chan<int>();
        auto start = in;
        for (int i = 0; i < fifo_length; ++i) {
            auto out = make_chan<int>();
            go([=] {
                test::drop(in);
                EXPECT_EQ(ch.recv(), i);
                out.send(1);
            });
            in = out;
        }
        start.send(0);
        for (int i = 0; i < fifo_length; ++i) {
            ch.send(i);
        }
        EXPECT_EQ(in.recv(), 1);
    });
}

TEST_P(go_programs, ten_thousand_goroutines_pass_one_value_along) {
    run([] {
        const std::size_t n = test::scaled(10'000, 4'000);
        auto leftmost = make_chan<int>();
        auto left = leftmost;
        for (std::size_t i = 0; i < n; ++i) {
            auto right = make_chan<int>();
            go([](const chan<int>& to, const chan<int>& from) { to.send(from.recv().value()); },
               left, right);
            left = right;
        }
        go([](const chan<int>& c) { c.send(1); }, left);
        EXPECT_EQ(leftmost.recv(), 1);
    });
}

TEST_P(go_programs, values_without_state_are_counted) {  // S14
    run([] {
        std::ignore = make_chan<unit>();
        auto c = make_chan<unit>(2);
        c.send();
        c.send();
        EXPECT_EQ(c.len(), 2U);
        EXPECT_EQ(c.try_send(), op_status::full);
        test::drop(c);
        EXPECT_EQ(c.len(), 1U);
        EXPECT_EQ(c.try_send(), op_status::ok);
        c.close();
        EXPECT_TRUE(c.recv().has_value());
        EXPECT_TRUE(c.recv().has_value());
        EXPECT_FALSE(c.recv().has_value());
    });
}

TEST_P(go_programs, channel_is_sent_through_a_channel_and_used_at_the_other_end) {  // S16
    run([] {
        auto channels = make_chan<chan<int>>(1);
        auto c = make_chan<int>(1);
        channels.send(c);
        EXPECT_EQ(select(on_send(channels.recv().value(), 2), otherwise()), 0U);
        EXPECT_EQ(c.recv(), 2);
    });
}

TEST_P(go_programs, capacity_is_what_make_chan_was_asked_for) {
    run([] {
        auto c = make_chan<int>(10);
        EXPECT_EQ(c.len(), 0U);
        EXPECT_EQ(c.cap(), 10U);
        for (int i = 0; i < 3; ++i) {
            c.send(i);
        }
        EXPECT_EQ(c.len(), 3U);
        EXPECT_EQ(c.cap(), 10U);

        c = make_chan<int>();
        EXPECT_EQ(c.len(), 0U);
        EXPECT_EQ(c.cap(), 0U);
    });
}

TEST_P(go_programs, capacity_that_is_negative_or_cannot_exist_throws) {  // S1
    run([] {
        using limits = std::numeric_limits<std::ptrdiff_t>;
        EXPECT_THROW(std::ignore = make_chan<int>(-1), std::exception);
        EXPECT_THROW(std::ignore = make_chan<int>(limits::min()), std::exception);
        EXPECT_THROW(std::ignore = make_chan<int>(std::ptrdiff_t{1} << 59), std::exception);
        EXPECT_THROW(std::ignore = make_chan<int>(limits::max()), std::exception);
    });
}

using milliseconds = std::chrono::duration<double, std::milli>;

// How long n goroutines take that each queue themselves ten times on one channel and are woken
// through another.
milliseconds time_selects(std::size_t n) {
    constexpr int messages = 10;
    const auto start = std::chrono::steady_clock::now();
    auto shared = make_chan<unit>();
    std::vector<chan<unit>> own(n);
    wait_group all;
    for (auto& d : own) {
        d = make_chan<unit>();
        all.go([shared, d] {
            for (int j = 0; j < messages; ++j) {
                select(on_recv(shared), on_recv(d));
            }
        });
    }
    for (int j = 0; j < messages; ++j) {
        for (const auto& d : own) {
            d.send();
        }
    }
    all.wait();
    return std::chrono::steady_clock::now() - start;
}

// One queue eight times as long costs about as much as eight short ones, and not eight times that.
TEST_P(go_programs, leaving_a_long_queue_takes_no_time_proportional_to_its_length) {  // S23
    run([] {
        const std::size_t n = test::scaled(1000, 100);
        milliseconds eight_short{};
        milliseconds one_long{};
        for (int tries = 0; tries < 10; ++tries) {
            eight_short = {};
            for (int i = 0; i < 8; ++i) {
                eight_short += time_selects(n);
            }
            one_long = time_selects(8 * n);
            if (one_long < 4 * eight_short) {
                return;
            }
        }
        FAIL() << "eight times " << n << " goroutines: " << eight_short.count() << " ms, " << 8 * n
               << " at once: " << one_long.count() << " ms";
    });
}

TEST_P(go_programs, ten_receivers_get_each_message_once) {
    run([] {
        constexpr std::size_t messages = 1000;
        enum class mark : std::uint8_t { none, sent, received };
        std::array<mark, messages> marks{};  // ordered by the channel alone
        auto c = make_chan<std::size_t>(2);
        wait_group receivers;
        for (int m = 0; m < 10; ++m) {
            receivers.go([&marks, c] {
                for (std::optional<std::size_t> r; select(on_recv(c, r)), r;) {
                    EXPECT_EQ(marks.at(*r), mark::sent) << "message " << *r;
                    marks.at(*r) = mark::received;
                }
            });
            yield();
        }
        for (std::size_t r = 0; r < messages; ++r) {
            marks.at(r) = mark::sent;
            c.send(r);
        }
        c.close();
        receivers.wait();
        EXPECT_TRUE(std::ranges::all_of(marks, [](mark m) { return m == mark::received; }));
    });
}

TEST_P(go_programs, range_over_a_channel_ends_when_it_is_closed) {
    run([] {
        auto c = make_chan<char>();
        go([=] {
            for (char letter = 'a'; letter <= 'z'; ++letter) {
                c.send(letter);
            }
            c.close();
        });
        std::string letters;
        for (const char letter : c) {
            letters += letter;
        }
        EXPECT_EQ(letters, "abcdefghijklmnopqrstuvwxyz");
    });
}

TEST_P(go_programs, received_value_and_the_end_are_told_apart) {  // bug234, S6
    run([] {
        auto c = make_chan<int>(1);
        c.send(100);
        EXPECT_EQ(c.recv(), 100);
        c.send(0);
        EXPECT_EQ(c.recv(), 0);
        c.close();
        EXPECT_FALSE(c.recv().has_value());
    });
}

TEST_P(go_programs, go_calls_a_member_function) {  // bug130
    struct sender {
        int v;
        void send(const send_chan<int>& c) const { c.send(v); }
    };
    run([] {
        auto c = make_chan<int>();
        const auto s = std::make_shared<sender>(sender{7});
        go(&sender::send, s, c);
        EXPECT_EQ(c.recv(), 7);
    });
}

TEST_P(go_programs, unbuffered_send_waits_for_the_receiver) {  // bug147, S30
    run([] {
        int count = 0;  // ordered by the channel alone
        auto c = make_chan<int>();
        wait_group receiver;
        receiver.go([&] {
            test::drop(c);
            ++count;
            yield();
            ++count;
            test::drop(c);
        });
        c.send(1);
        c.send(2);
        EXPECT_EQ(count, 2);
        receiver.wait();
    });
}

TEST_P(go_programs, otherwise_gives_way_to_a_value_in_the_buffer) {  // bug225
    run([] {
        auto c = make_chan<bool>(1);
        EXPECT_EQ(select(on_recv(c), otherwise()), 1U);
        c.send(true);
        EXPECT_EQ(select(on_recv(c), otherwise()), 0U);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_programs, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
