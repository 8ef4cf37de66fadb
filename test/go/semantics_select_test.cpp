// test/go/semantics_select_test.cpp: rules of select that no Go test pins down on its own.
//
// Each test names its rule, S17 to S28, as Go's runtime/select.go and its specification have it.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using semantics_select = test::on_workers;
using semantics_select_blocking = test::in_bubble;

// Counts its copies and moves.
struct counted {
    static inline std::atomic<int> copies = 0;
    static inline std::atomic<int> moves = 0;
    static void reset() { copies = moves = 0; }

    counted() = default;
    counted(const counted&) { ++copies; }
    counted(counted&&) noexcept { ++moves; }
    counted& operator=(const counted&) {
        ++copies;
        return *this;
    }
    counted& operator=(counted&&) noexcept {
        ++moves;
        return *this;
    }
    ~counted() = default;
};

TEST_P(semantics_select, value_of_a_case_that_is_not_chosen_is_neither_copied_nor_moved) {  // S17
    run([] {
        auto never = make_chan<counted>();
        auto ready = make_chan<int>(1);
        counted value;
        counted::reset();
        ready.send(1);
        EXPECT_EQ(select(on_send(never, value), on_recv(ready)), 1U);
        EXPECT_EQ(select(on_send(never, std::move(value)), otherwise()), 1U);
        EXPECT_EQ(counted::copies, 0);
        EXPECT_EQ(counted::moves, 0);

        auto open = make_chan<counted>(1);
        EXPECT_EQ(select(on_send(open, std::move(value)), on_recv(ready)), 0U);
        EXPECT_EQ(counted::copies, 0);
        EXPECT_GE(counted::moves, 1);
    });
}

TEST_P(semantics_select, every_one_of_four_ready_cases_is_chosen_as_often) {  // S18
    run([] {
        constexpr int trials = 8'000;
        std::array<chan<int>, 4> c;
        for (auto& ch : c) {
            ch = make_chan<int>();
            ch.close();
        }
        std::array<int, 4> by_select{};
        std::array<int, 4> by_selector{};
        std::optional<int> slot;
        selector s;
        for (const auto& ch : c) {
            s.add_recv(ch, slot);
        }
        for (int i = 0; i < trials; ++i) {
            ++by_select.at(select(on_recv(c[0]), on_recv(c[1]), on_recv(c[2]), on_recv(c[3])));
            ++by_selector.at(s.wait());
        }
        const double sigma = std::sqrt(trials * 0.25 * 0.75);
        for (std::size_t k = 0; k < 4; ++k) {
            EXPECT_LE(std::abs(by_select.at(k) - trials * 0.25), 10 * sigma) << "case " << k;
            EXPECT_LE(std::abs(by_selector.at(k) - trials * 0.25), 10 * sigma) << "case " << k;
        }
    });
}

TEST_P(semantics_select, send_on_a_closed_channel_throws_only_when_it_is_chosen) {  // S21
    run([] {
        auto closed = make_chan<int>();
        closed.close();
        auto open = make_chan<int>(1);
        int thrown = 0;
        int sent = 0;
        for (int i = 0; i < 1000; ++i) {
            try {
                EXPECT_EQ(select(on_send(closed, 1), on_send(open, 2)), 1U);
                ++sent;
                EXPECT_EQ(open.recv(), 2);
            } catch (const channel_closed&) {
                ++thrown;
            }
        }
        EXPECT_GT(thrown, 300);
        EXPECT_GT(sent, 300);
    });
}

TEST_P(semantics_select, closed_channel_does_not_shut_out_the_others) {  // S18, S21
    run([] {
        auto closed = make_chan<int>();
        closed.close();
        auto open = make_chan<int>(1000);
        for (int i = 0; i < 1000; ++i) {
            open.send(i);
        }
        while (open.len() > 0) {
            std::optional<int> v;
            select(on_recv(closed), on_recv(open, v));
        }
    });
}

// Each goroutine names the channels in another order.
TEST_P(semantics_select, order_of_channels_in_several_selects_cannot_deadlock) {  // S24
    run([] {
        const std::size_t n = test::scaled(3'000, 500);
        auto a = make_chan<int>();
        auto b = make_chan<int>();
        auto d = make_chan<int>();
        wait_group all;
        const auto send_in_order = [&](const chan<int>& x, const chan<int>& y, const chan<int>& z) {
            all.go([=] {
                for (std::size_t i = 0; i < n; ++i) {
                    select(on_send(x, 1), on_send(y, 1), on_send(z, 1));
                }
            });
        };
        const auto receive_in_order = [&](const chan<int>& x, const chan<int>& y,
                                          const chan<int>& z) {
            all.go([=] {
                for (std::size_t i = 0; i < n; ++i) {
                    select(on_recv(x), on_recv(y), on_recv(z));
                }
            });
        };
        send_in_order(a, b, d);
        send_in_order(d, b, a);
        send_in_order(b, a, d);
        receive_in_order(d, a, b);
        receive_in_order(a, d, b);
        receive_in_order(b, d, a);
        all.wait();
    });
}

// Selects on both sides, values that own memory, channels with and without a buffer.
TEST_P(semantics_select, value_between_two_selects_arrives_exactly_once) {  // S25
    run([] {
        constexpr std::size_t sides = 4;
        const std::size_t n = test::scaled(5'000, 1'000);
        auto a = make_chan<std::unique_ptr<std::size_t>>();
        auto b = make_chan<std::unique_ptr<std::size_t>>(2);
        auto no_more = make_chan<unit>();
        std::vector<std::atomic<int>> seen(sides * n);
        wait_group senders;
        wait_group receivers;
        for (std::size_t s = 0; s < sides; ++s) {
            senders.go([=] {
                for (std::size_t i = 0; i < n; ++i) {
                    auto value = std::make_unique<std::size_t>(s * n + i);
                    select(on_send(a, std::move(value)), on_send(b, std::move(value)));
                    EXPECT_FALSE(value);
                }
            });
            receivers.go([&seen, a, b, no_more] {
                std::optional<std::unique_ptr<std::size_t>> value;
                while (select(on_recv(a, value), on_recv(b, value), on_recv(no_more)) != 2) {
                    ++seen.at(**value);
                }
            });
        }
        senders.wait();
        while (b.len() > 0) {
            yield();
        }
        no_more.close();
        receivers.wait();
        for (std::size_t v = 0; v < seen.size(); ++v) {
            ASSERT_EQ(seen[v], 1) << "value " << v;
        }
    });
}

TEST_P(semantics_select, result_is_that_of_the_handler_or_the_index) {  // S28
    run([] {
        auto c = make_chan<int>(1);
        auto never = make_chan<int>();
        c.send(20);
        const std::string text =
            select(on_recv(never, [](std::optional<int>) { return std::string("never"); }),
                   on_recv(c, [](std::optional<int> v) { return std::to_string(v.value()); }));
        EXPECT_EQ(text, "20");
        EXPECT_EQ(select(on_recv(never), on_send(c, 1), otherwise()), 1U);
        static_assert(std::is_same_v<decltype(select(on_recv(c))), std::size_t>);
        EXPECT_THROW(select(on_recv(c, [](std::optional<int> v) { throw v.value(); })), int);
        EXPECT_EQ(c.len(), 0U);  // the handler ran after the receive
    });
}

// No lock is held while a handler runs: it may use the very channel it was called for.
TEST_P(semantics_select, handler_may_use_the_channels_of_its_select) {
    run([] {
        auto c = make_chan<int>(1);
        c.send(1);
        select(on_recv(c, [&](std::optional<int> v) {
            c.send(v.value() + 1);
            select(on_recv(c, [&](std::optional<int> w) {
                EXPECT_EQ(w, 2);
                c.close();
            }));
        }));
        EXPECT_FALSE(c.recv().has_value());
    });
}

TEST_P(semantics_select, selector_keeps_receives_and_spends_sends) {
    run([] {
        auto in = make_chan<int>(2);
        auto out = make_chan<int>(2);
        std::optional<int> slot;
        selector s;
        const std::size_t receive = s.add_recv(in, slot);
        const std::size_t send = s.add_send(out, 5);
        EXPECT_EQ(s.wait(), send);
        EXPECT_EQ(s.try_wait(), std::nullopt) << "the send is spent, the receive is not ready";
        EXPECT_EQ(out.len(), 1U);
        for (int i = 0; i < 3; ++i) {
            in.send(i);
            EXPECT_EQ(s.wait(), receive);
            EXPECT_EQ(slot, i);
        }
        in.close();
        s.disable(receive);
        EXPECT_EQ(s.try_wait(), std::nullopt);
    });
}

TEST_P(semantics_select, selector_gives_back_what_it_could_not_send) {
    run([] {
        auto never = make_chan<std::unique_ptr<int>>();
        auto closed = make_chan<std::unique_ptr<int>>();
        closed.close();
        selector s;
        const std::size_t unsent = s.add_send(never, std::make_unique<int>(1));
        EXPECT_EQ(s.try_wait(), std::nullopt);
        const std::size_t refused = s.add_send(closed, std::make_unique<int>(2));
        EXPECT_THROW(s.wait(), channel_closed);
        EXPECT_EQ(*s.take<std::unique_ptr<int>>(unsent), 1);
        EXPECT_EQ(*s.take<std::unique_ptr<int>>(refused), 2);
        EXPECT_EQ(s.try_wait(), std::nullopt);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, semantics_select, test::worker_counts, test::worker_name);

TEST_P(semantics_select_blocking, two_selects_with_both_directions_meet_once) {  // S7
    run([](testing::bubble& world) {
        auto c = make_chan<int>();
        std::atomic<int> received = 0;
        std::atomic<int> finished = 0;
        const auto meet = [&received, &finished, c](int self) {
            std::optional<int> v;
            select(on_send(c, self), on_recv(c, v));
            received += v.value_or(0);
            ++finished;
        };
        go(meet, 1);
        world.settle();
        EXPECT_EQ(finished, 0);
        go(meet, 2);
        world.settle();
        EXPECT_EQ(finished, 2);
        EXPECT_TRUE(received == 1 || received == 2) << received;
    });
}

TEST_P(semantics_select_blocking, otherwise_is_not_taken_when_a_peer_waits) {  // S19
    run([](testing::bubble& world) {
        auto c = make_chan<int>();
        go([=] { c.send(1); });
        world.settle();
        EXPECT_EQ(select(on_recv(c), otherwise()), 0U);
        go([=] { select(on_recv(c), on_recv(chan<int>{})); });
        world.settle();
        EXPECT_EQ(select(on_send(c, 2), otherwise()), 0U);
        world.settle();
        EXPECT_EQ(select(on_send(c, 2), on_recv(c), otherwise()), 2U);
    });
}

TEST_P(semantics_select_blocking, channel_set_to_nil_takes_no_part_any_more) {  // S20
    run([](testing::bubble& world) {
        auto a = make_chan<int>();
        auto b = make_chan<int>();
        auto total = spawn([a, b]() mutable {
            int sum = 0;
            for (std::optional<int> v; a || b;) {
                chan<int>& from = select(on_recv(a, v), on_recv(b, v)) == 0 ? a : b;
                if (v) {
                    sum += *v;
                } else {
                    from = {};
                }
            }
            return sum;
        });
        a.send(1);
        a.close();
        world.settle();  // asleep: a closed channel that was not disabled would keep it busy
        b.send(2);
        b.send(3);
        b.close();
        EXPECT_EQ(total.join(), 6);
    });
}

// Three peers race for one select; the two that lose find that nobody takes their value.
TEST_P(semantics_select_blocking,
       one_peer_of_several_is_taken_and_the_others_go_on_waiting) {  // S23
    run([](testing::bubble& world) {
        const std::array c{make_chan<int>(), make_chan<int>(), make_chan<int>()};
        for (int round = 0; round < 50; ++round) {
            std::atomic<int> selected = 0;
            wait_group peers;
            go([&] {
                select(on_recv(c[0]), on_recv(c[1]), on_recv(c[2]));
                ++selected;
            });
            world.settle();
            std::atomic<int> sent = 0;
            for (const auto& ch : c) {
                peers.go([&sent, ch] {
                    ch.send(1);
                    ++sent;
                });
            }
            world.settle();
            EXPECT_EQ(selected, 1);
            EXPECT_EQ(sent, 1);
            for (int left = 2; left > 0; --left) {
                select(on_recv(c[0]), on_recv(c[1]), on_recv(c[2]));
            }
            peers.wait();
            EXPECT_EQ(sent, 3);
        }
    });
}

TEST_P(semantics_select_blocking, timeout_is_taken_when_its_time_has_come_and_not_before) {
    run([](testing::bubble&) {
        auto c = make_chan<int>();
        const auto start = clock::now();
        EXPECT_EQ(select(on_recv(c), on_timeout(1h)), 1U);
        EXPECT_EQ(clock::now() - start, 1h);
        EXPECT_EQ(select(on_send(c, 1), on_deadline(start + 90min)), 1U);
        EXPECT_EQ(clock::now() - start, 90min);
        go([c] {
            sleep_for(10min);
            c.send(1);
        });
        EXPECT_EQ(select(on_recv(c), on_timeout(1h)), 0U);
        EXPECT_EQ(clock::now() - start, 100min);
    });
}

TEST_P(semantics_select_blocking, selector_gives_up_after_its_time) {
    run([](testing::bubble&) {
        auto c = make_chan<int>();
        std::optional<int> slot = 7;
        selector s;
        const std::size_t receive = s.add_recv(c, slot);
        const auto start = clock::now();
        EXPECT_EQ(s.wait_for(1h), std::nullopt);
        EXPECT_EQ(clock::now() - start, 1h);
        EXPECT_EQ(slot, 7);
        go([c] { c.send(8); });
        EXPECT_EQ(s.wait_for(1h), receive);
        EXPECT_EQ(slot, 8);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, semantics_select_blocking, test::worker_counts,
                         test::worker_name);

}  // namespace
}  // namespace runnel
