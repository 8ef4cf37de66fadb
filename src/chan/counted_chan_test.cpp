// Channels that count their receive handles: when the last one is dropped, the sending side is told
// and what is on its way is destroyed, whoever was faster.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using counted_chan_on_workers = test::on_workers;
using counted_chan_in_bubble = test::in_bubble;

INSTANTIATE_TEST_SUITE_P(, counted_chan_on_workers, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(, counted_chan_in_bubble, test::worker_counts, test::worker_name);

/// Counts how many of them there are.
struct tracked {
    explicit tracked(int n = 0) : value(n) { ++alive; }
    tracked(tracked&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    tracked& operator=(tracked&&) noexcept = default;
    ~tracked() { --alive; }

    int value;
    inline static std::atomic<int> alive = 0;
};

template <class T>
auto counted(std::ptrdiff_t capacity = 0) {
    return detail::make_counted_chan<T>(capacity);
}

TEST(counted_chan, delivers_as_any_channel_while_somebody_can_receive) {
    auto [out, in] = counted<int>(2);
    out.send(1);
    out.send(2);
    EXPECT_EQ(in.len(), 2U);
    EXPECT_EQ(in.cap(), 2U);
    EXPECT_TRUE(out == in);
    EXPECT_EQ(in.recv(), 1);
    out.close();
    EXPECT_EQ(in.recv(), 2);
    EXPECT_EQ(in.recv(), std::nullopt);
    EXPECT_THROW(out.close(), channel_closed);
    EXPECT_THROW(out.send(3), channel_closed);
}

TEST(counted_chan, every_send_ends_as_canceled_once_the_last_receive_handle_is_gone) {
    auto [out, in] = counted<std::string>(1);
    in = {};
    std::string value = "mine";
    EXPECT_THROW(out.send("x"), canceled_error);
    EXPECT_EQ(out.try_send(std::move(value)), op_status::canceled);
    EXPECT_EQ(out.send_for(1h, std::move(value)), op_status::canceled);
    EXPECT_EQ(out.send_for(0s, std::move(value)), op_status::canceled);
    EXPECT_EQ(out.send(background(), std::move(value)), op_status::canceled);
    EXPECT_THROW(select(on_send(out, std::move(value))), canceled_error);
    EXPECT_THROW(select(on_send(out, std::move(value)), otherwise()), canceled_error);
    EXPECT_EQ(value, "mine") << "what was not sent is still its owner's";

    selector s;
    const std::size_t i = s.add_send(out, "kept");
    EXPECT_THROW(s.wait(), canceled_error);
    EXPECT_EQ(s.take<std::string>(i), "kept");
}

TEST(counted_chan, the_producers_close_after_that_is_no_error_but_a_second_one_is) {
    auto [out, in] = counted<int>(1);
    in = {};
    EXPECT_NO_THROW(out.close(std::make_exception_ptr(std::runtime_error("nobody cares"))));
    EXPECT_THROW(out.close(), channel_closed);
    EXPECT_THROW(out.send(1), canceled_error);
}

TEST(counted_chan, a_drop_after_the_close_leaves_the_channel_closed) {
    auto [out, in] = counted<int>(1);
    out.close();
    in = {};
    EXPECT_THROW(out.send(1), channel_closed);
    EXPECT_EQ(out.try_send(1), op_status::closed);
    EXPECT_THROW(out.close(), channel_closed);
}

TEST(counted_chan, what_is_buffered_is_destroyed_with_the_last_receive_handle) {
    for (const bool close : {false, true}) {
        auto [out, in] = counted<tracked>(3);
        for (int i = 0; i < 3; ++i) {
            out.send(tracked(i));
        }
        EXPECT_EQ(in.recv()->value, 0);
        EXPECT_EQ(tracked::alive, 2);
        if (close) {
            out.close();
        }
        in = {};
        EXPECT_EQ(tracked::alive, 0);
        EXPECT_EQ(out.len(), 0U);
    }
}

TEST(counted_chan, a_value_may_hold_the_last_receive_handle_of_another) {
    auto [inner_out, inner_in] = counted<int>();
    auto [out, in] = counted<recv_chan<int>>(1);
    out.send(std::move(inner_in));
    in = {};
    EXPECT_EQ(inner_out.try_send(1), op_status::canceled);
}

TEST(counted_chan, copies_keep_it_alive_and_moves_do_not_count) {
    auto [out, in] = counted<int>(1);
    auto copy = std::make_optional(in);
    recv_chan<int> moved = std::move(in);
    in = moved;
    moved = recv_chan<int>(std::move(*copy));
    copy.reset();
    in = {};
    EXPECT_EQ(out.try_send(1), op_status::ok) << "moved still receives";
    moved = {};
    EXPECT_EQ(out.try_send(1), op_status::canceled);
}

TEST(counted_chan, a_selector_that_may_receive_counts_as_a_receiver) {
    auto [out, in] = counted<int>(1);
    std::optional<int> slot;
    auto s = std::make_unique<selector>();
    s->add_recv(in, slot);
    in = {};
    EXPECT_EQ(out.try_send(1), op_status::ok);
    EXPECT_EQ(s->wait(), 0U);
    EXPECT_EQ(slot, 1);
    s.reset();
    EXPECT_EQ(out.try_send(1), op_status::canceled);
}

TEST(counted_chan, the_channels_of_make_chan_do_not_count) {
    auto ch = make_chan<int>(1);
    send_chan<int> out = ch;
    auto in = std::make_optional<recv_chan<int>>(ch);
    ch = {};
    in.reset();
    EXPECT_EQ(out.try_send(1), op_status::ok);
    EXPECT_EQ(out.try_send(2), op_status::full);
}

TEST_P(counted_chan_on_workers, a_loop_over_a_temporary_handle_holds_it_until_the_loop_is_left) {
    run([] {
        std::atomic<int> sent = 0;
        std::optional<join_handle<void>> producer;
        const auto produce = [&] {
            auto [out, in] = counted<int>();
            producer.emplace(spawn([&sent, to = out] {
                for (int i = 0;; ++i) {
                    to.send(i);
                    sent = i + 1;
                }
            }));
            return in;
        };
        int received = 0;
        for (const int value : produce()) {
            EXPECT_EQ(value, received++);
            if (received == 10) {
                break;
            }
        }
        EXPECT_THROW(producer->join(), canceled_error);
        EXPECT_EQ(sent, 10);
    });
}

TEST_P(counted_chan_in_bubble, the_last_drop_ends_every_send_that_waits) {
    run([](testing::bubble& world) {
        auto [out, in] = counted<tracked>();
        std::atomic<int> canceled = 0;
        wait_group senders;
        for (int i = 0; i < 3; ++i) {
            senders.go([&, to = out] {
                EXPECT_THROW(to.send(tracked(1)), canceled_error);
                ++canceled;
            });
            senders.go([&, to = out] {
                tracked mine(7);
                EXPECT_EQ(to.send_for(1h, std::move(mine)), op_status::canceled);
                EXPECT_EQ(mine.value, 7);
                ++canceled;
            });
            senders.go([&, to = out] {
                tracked mine(7);
                EXPECT_EQ(to.send(background(), std::move(mine)), op_status::canceled);
                EXPECT_EQ(mine.value, 7);
                ++canceled;
            });
            senders.go([&, to = out] {
                tracked mine(7);
                EXPECT_THROW(select(on_send(to, std::move(mine)), on_timeout(1h)), canceled_error);
                EXPECT_EQ(mine.value, 7);
                ++canceled;
            });
        }
        world.settle();
        EXPECT_EQ(canceled, 0);
        auto second = std::make_optional(in);
        in = {};
        world.settle();
        EXPECT_EQ(canceled, 0) << "one receive handle is left";
        second.reset();
        senders.wait();
        EXPECT_EQ(canceled, 12);
        EXPECT_EQ(tracked::alive, 0);
    });
}

TEST_P(counted_chan_on_workers,
       every_value_is_accounted_for_when_receivers_go_while_senders_are_at_it) {
    run([] {
        const std::size_t rounds = test::scaled(3000, 300);
        for (std::size_t round = 0; round < rounds; ++round) {
            auto [out, in] = counted<tracked>(static_cast<std::ptrdiff_t>(round % 3));
            wait_group all;
            for (std::size_t s = 0; s < 3; ++s) {
                all.go([to = out, s] {
                    for (int i = 0;; ++i) {
                        tracked value(i);
                        op_status status = op_status::ok;
                        if (s == 0) {
                            status = to.send_for(1us * (i % 7), std::move(value));
                        } else if (s == 1) {
                            status = to.send(background(), std::move(value));
                        } else {
                            try {
                                select(on_send(to, std::move(value)), on_timeout(5us));
                            } catch (const canceled_error&) {
                                status = op_status::canceled;
                            }
                        }
                        if (status == op_status::canceled) {
                            break;
                        }
                        ASSERT_TRUE(status == op_status::ok || status == op_status::timeout);
                    }
                });
            }
            for (std::size_t r = 0; r < 2; ++r) {
                all.go([from = in, n = (round + r) % 17]() mutable {
                    for (std::size_t i = 0; i < n; ++i) {
                        const auto value = from.recv();
                        ASSERT_TRUE(value.has_value());
                    }
                    const recv_chan<tracked> last = std::move(from);
                });
            }
            in = {};
            out = {};
            all.wait();
            ASSERT_EQ(tracked::alive, 0) << "round " << round;
        }
    });
}

TEST_P(counted_chan_on_workers, a_send_that_does_not_wait_may_meet_the_last_drop) {
    run([] {
        const std::size_t rounds = test::scaled(2'000, 300);
        for (std::size_t round = 0; round < rounds; ++round) {
            auto [out, in] = detail::make_counted_chan<int>(1);
            wait_group sender;
            sender.go([to = out] {
                while (to.try_send(1) != op_status::canceled) {
                    yield();
                }
            });
            yield();
            in = {};
            sender.wait();
        }
    });
}

TEST_P(counted_chan_on_workers, a_close_and_the_last_drop_may_come_at_the_same_time) {
    run([] {
        const std::size_t rounds = test::scaled(20000, 2000);
        for (std::size_t round = 0; round < rounds; ++round) {
            auto [out, in] = counted<tracked>(1);
            wait_group all;
            all.go([to = out] {
                try {
                    to.send(tracked(1));
                    to.send(tracked(2));
                } catch (const canceled_error&) {  // they have gone already
                }
                to.close();
            });
            all.go([from = in, take = round % 3] {
                for (std::size_t i = 0; i < take; ++i) {
                    static_cast<void>(from.recv());
                }
            });
            in = {};
            all.wait();
            ASSERT_THROW(out.close(), channel_closed) << "close() was called once";
            ASSERT_EQ(tracked::alive, 0);
        }
    });
}

}  // namespace
}  // namespace runnel
