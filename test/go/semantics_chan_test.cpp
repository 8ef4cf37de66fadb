// test/go/semantics_chan_test.cpp: rules of channels that no Go test pins down on its own.
//
// Each test names its rule, S1 to S16, as Go's runtime/chan.go and its specification have it.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using semantics_chan = test::on_workers;
using semantics_chan_blocking = test::in_bubble;

TEST_P(semantics_chan, nil_channel_refuses_at_once_what_must_not_block) {  // S2
    run([] {
        const chan<int> nil;
        std::optional<int> slot = 7;
        EXPECT_EQ(nil.try_send(1), op_status::full);
        EXPECT_EQ(nil.try_recv(slot), op_status::empty);
        EXPECT_EQ(nil.send_for(0ms, 1), op_status::timeout);
        EXPECT_EQ(nil.recv_for(-1ms, slot), op_status::timeout);
        EXPECT_EQ(slot, 7);
        EXPECT_EQ(nil.len(), 0U);
        EXPECT_EQ(nil.cap(), 0U);
    });
}

TEST_P(semantics_chan_blocking, nil_channel_lets_a_timed_operation_wait_its_time) {  // S2
    run([](testing::bubble&) {
        const chan<int> nil;
        int v = 7;
        const auto start = clock::now();
        EXPECT_EQ(nil.recv_for(1h, v), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 1h);
        EXPECT_EQ(nil.send_for(1h, 1), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 2h);
        EXPECT_EQ(v, 7);
    });
}

TEST_P(semantics_chan_blocking, close_makes_a_waiting_send_throw) {  // S3, S11
    run([](testing::bubble& world) {
        for (const std::ptrdiff_t capacity : {0, 1}) {
            auto c = make_chan<int>(capacity);
            if (capacity == 1) {
                c.send(0);
            }
            std::atomic<int> thrown = 0;
            wait_group senders;
            for (int i = 0; i < 3; ++i) {
                senders.go([&, i] {
                    EXPECT_THROW(c.send(i), channel_closed);
                    ++thrown;
                });
                senders.go([&, i] {
                    EXPECT_THROW(select(on_send(c, i), on_recv(chan<int>{})), channel_closed);
                    ++thrown;
                });
            }
            world.settle();
            EXPECT_EQ(thrown, 0);
            c.close();
            senders.wait();
            EXPECT_EQ(thrown, 6);
            EXPECT_EQ(c.recv().has_value(), capacity == 1);  // what waited has not got in
            EXPECT_FALSE(c.recv().has_value());
        }
    });
}

TEST_P(semantics_chan_blocking, close_wakes_every_waiting_receiver) {  // S11
    run([](testing::bubble& world) {
        auto c = make_chan<int>();
        std::atomic<int> woken = 0;
        for (int i = 0; i < 3; ++i) {
            go([&woken, c] { woken += c.recv() ? 0 : 1; });
            go([&woken, c] {
                std::optional<int> v = 1;
                select(on_recv(c, v), on_recv(chan<int>{}));
                woken += v ? 0 : 1;
            });
        }
        world.settle();
        EXPECT_EQ(woken, 0);
        c.close();
        world.settle();
        EXPECT_EQ(woken, 6);
    });
}

TEST_P(semantics_chan_blocking,
       send_to_a_waiting_receiver_does_not_pass_through_the_buffer) {  // S8
    run([](testing::bubble& world) {
        auto c = make_chan<int>(4);
        auto received = spawn([=] { return c.recv(); });
        world.settle();
        c.send(5);
        EXPECT_EQ(c.len(), 0U);
        EXPECT_EQ(received.join(), 5);
    });
}

TEST_P(semantics_chan_blocking, receive_from_a_full_channel_lets_the_first_sender_in) {  // S8, S9
    run([](testing::bubble& world) {
        auto c = make_chan<int>(2);
        c.send(1);
        c.send(2);
        for (int i = 3; i <= 5; ++i) {
            go([=] { c.send(i); });
            world.settle();
        }
        for (int i = 1; i <= 3; ++i) {
            EXPECT_EQ(c.recv(), i);
            EXPECT_EQ(c.len(), 2U) << "a waiting sender takes the place";
        }
        EXPECT_EQ(c.recv(), 4);
        EXPECT_EQ(c.recv(), 5);
        EXPECT_EQ(c.len(), 0U);
    });
}

TEST_P(semantics_chan_blocking, receivers_are_served_in_the_order_in_which_they_came) {  // S9
    run([](testing::bubble& world) {
        for (const std::ptrdiff_t capacity : {0, 3}) {
            constexpr int n = 6;
            auto c = make_chan<int>(capacity);
            std::vector<join_handle<std::optional<int>>> receivers;
            for (int i = 0; i < n; ++i) {
                if (i % 2 == 0) {
                    receivers.push_back(spawn([=] { return c.recv(); }));
                } else {
                    receivers.push_back(spawn([=] {
                        std::optional<int> v;
                        select(on_recv(chan<int>{}), on_recv(c, v));
                        return v;
                    }));
                }
                world.settle();
            }
            for (int i = 0; i < n; ++i) {
                c.send(i);
            }
            for (int i = 0; i < n; ++i) {
                EXPECT_EQ(receivers[static_cast<std::size_t>(i)].join(), i);
            }
        }
    });
}

TEST_P(semantics_chan_blocking, senders_are_served_in_the_order_in_which_they_came) {  // S9
    run([](testing::bubble& world) {
        constexpr int n = 6;
        auto c = make_chan<int>();
        for (int i = 0; i < n; ++i) {
            if (i % 2 == 0) {
                go([=] { c.send(i); });
            } else {
                go([=] { select(on_send(c, i), on_recv(chan<int>{})); });
            }
            world.settle();
        }
        for (int i = 0; i < n; ++i) {
            EXPECT_EQ(c.recv(), i);
        }
    });
}

TEST_P(semantics_chan_blocking, nobody_gets_past_a_sender_that_waits) {  // S10
    run([](testing::bubble& world) {
        auto c = make_chan<int>(1);
        c.send(1);
        go([=] { c.send(2); });
        world.settle();
        EXPECT_EQ(c.recv(), 1);
        // The place that came free is the waiting sender's already.
        EXPECT_EQ(c.try_send(3), op_status::full);
        EXPECT_EQ(select(on_send(c, 3), otherwise()), 1U);
        EXPECT_EQ(c.recv(), 2);
        EXPECT_EQ(c.try_send(3), op_status::ok);
    });
}

TEST_P(semantics_chan, try_recv_sees_the_value_before_the_close) {  // S13
    run([] {
        for (std::size_t i = test::scaled(3'000, 500); i > 0; --i) {
            auto c = make_chan<int>(1);
            go([c] {
                c.send(1);
                c.close();
            });
            int v = 0;
            op_status status = op_status::empty;
            while ((status = c.try_recv(v)) == op_status::empty) {
                yield();
            }
            ASSERT_EQ(status, op_status::ok);
            ASSERT_EQ(v, 1);
            while ((status = c.try_recv(v)) == op_status::empty) {
                yield();
            }
            ASSERT_EQ(status, op_status::closed);
        }
    });
}

TEST_P(semantics_chan, try_send_into_a_free_place_finds_the_place_or_the_close) {  // S13
    run([] {
        for (std::size_t i = test::scaled(3'000, 500); i > 0; --i) {
            auto c = make_chan<int>(1);
            go([c] { c.close(); });
            EXPECT_NE(c.try_send(1), op_status::full);
        }
    });
}

TEST_P(semantics_chan, received_value_leaves_nothing_behind_in_the_buffer) {  // S15
    run([] {
        auto c = make_chan<std::shared_ptr<int>>(3);
        const auto p = std::make_shared<int>(1);
        c.send(p);
        c.send(p);
        EXPECT_EQ(p.use_count(), 3);
        test::drop(c);
        EXPECT_EQ(p.use_count(), 2);
        test::drop(c);
        EXPECT_EQ(p.use_count(), 1);
    });
}

TEST_P(semantics_chan, values_in_a_channel_that_is_dropped_are_destroyed) {  // S15
    run([] {
        const auto p = std::make_shared<int>(1);
        for (const bool closed : {false, true}) {
            auto c = make_chan<std::shared_ptr<int>>(3);
            c.send(p);
            test::drop(c);
            c.send(p);
            c.send(p);
            if (closed) {
                c.close();
            }
            EXPECT_EQ(p.use_count(), 3);
            c = {};
            EXPECT_EQ(p.use_count(), 1);
        }
    });
}

TEST_P(semantics_chan_blocking, value_of_a_send_that_fails_is_destroyed) {  // S15
    run([](testing::bubble& world) {
        const auto p = std::make_shared<int>(1);
        auto c = make_chan<std::shared_ptr<int>>();
        wait_group sender;
        sender.go([&] { EXPECT_THROW(c.send(p), channel_closed); });
        world.settle();
        EXPECT_EQ(p.use_count(), 2);
        c.close();
        sender.wait();
        EXPECT_EQ(p.use_count(), 1);
    });
}

TEST_P(semantics_chan_blocking, value_that_was_not_sent_stays_with_its_owner) {
    run([](testing::bubble&) {
        auto p = std::make_unique<int>(1);
        const chan<std::unique_ptr<int>> nil;
        auto unbuffered = make_chan<std::unique_ptr<int>>();
        EXPECT_EQ(unbuffered.try_send(std::move(p)), op_status::full);
        EXPECT_TRUE(p);
        EXPECT_EQ(unbuffered.send_for(1h, std::move(p)), op_status::timeout);
        EXPECT_TRUE(p);
        EXPECT_EQ(nil.send_for(1h, std::move(p)), op_status::timeout);
        EXPECT_TRUE(p);
        EXPECT_EQ(select(on_send(unbuffered, std::move(p)), on_timeout(1h)), 1U);
        EXPECT_TRUE(p);
        unbuffered.close();
        EXPECT_EQ(unbuffered.try_send(std::move(p)), op_status::closed);
        EXPECT_TRUE(p);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, semantics_chan, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(workers, semantics_chan_blocking, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
