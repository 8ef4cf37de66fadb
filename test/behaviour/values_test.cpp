// test/behaviour/values_test.cpp: a value that goes into a channel is destroyed exactly once,
// whatever becomes of it: received, refused, timed out, drained, or left in a dropped channel.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/behaviour/tracked.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::copy_failed;
using test::ledger;
using test::offer;

// A typed suite; each test runs with 1, 2 and 8 workers, and a ledger must balance after each.
template <class T>
class values : public ::testing::Test {
protected:
    template <class F>
    void on_every_worker_count(F body) {
        for (const std::size_t workers : {1, 2, 8}) {
            SCOPED_TRACE(workers);
            ledger book;
            {
                runtime rt{{.workers = workers}};
                rt.run([&] { body(book); });
            }
            book.expect_balanced();
        }
    }

    // The same in virtual time, where settle() tells that everybody is blocked.
    template <class F>
    void in_a_bubble(F body) {
        for (const std::size_t workers : {1, 2}) {
            SCOPED_TRACE(workers);
            ledger book;
            {
                testing::bubble bubble{{.workers = workers}};
                bubble.run([&] { body(book, bubble); });
            }
            book.expect_balanced();
        }
    }
};

using kinds = ::testing::Types<test::copyable_value, test::move_only, test::over_aligned,
                               test::one_kibibyte, test::throwing_copy, test::throwing_move>;
TYPED_TEST_SUITE(values, kinds);

constexpr int count = 500;

// ---- sent and received

TYPED_TEST(values, sent_and_received_arrive_whole_at_every_capacity) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        for (const std::ptrdiff_t capacity : {0, 1, 3, 100}) {
            auto ch = make_chan<T>(capacity);
            go([ch, &book] {
                for (int i = 0; i < count; ++i) {
                    ch.send(T(book, i));
                }
                ch.close();
            });
            int next = 0;
            for (auto&& value : ch) {
                EXPECT_EQ(value.number(), next++);
            }
            EXPECT_EQ(next, count);
        }
    });
}

TYPED_TEST(values, through_every_kind_of_receive_arrive_whole) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto ch = make_chan<T>(8);
        auto send = [&](int i) { ch.send(T(book, i)); };
        T target(book, 1000);
        std::optional<T> slot;

        send(1);
        EXPECT_EQ(ch.try_recv(target), op_status::ok);
        EXPECT_EQ(target.number(), 1);
        EXPECT_EQ(ch.try_recv(target), op_status::empty);
        EXPECT_EQ(target.number(), 1);

        send(2);
        EXPECT_EQ(ch.try_recv(slot), op_status::ok);
        EXPECT_EQ(slot->number(), 2);

        send(3);
        EXPECT_EQ(ch.recv_for(1ms, target), op_status::ok);
        EXPECT_EQ(target.number(), 3);
        EXPECT_EQ(ch.recv_for(1ms, target), op_status::timeout);
        EXPECT_EQ(target.number(), 3);

        send(4);
        EXPECT_EQ(ch.recv_until(clock::now() + 1ms, slot), op_status::ok);
        EXPECT_EQ(slot->number(), 4);

        send(5);
        EXPECT_EQ(select(on_recv(ch, slot), on_timeout(1s)), 0U);
        EXPECT_EQ(slot->number(), 5);

        send(6);
        select(on_recv(ch, [](std::optional<T> v) { EXPECT_EQ(v->number(), 6); }));

        send(7);
        selector cases;
        cases.add_recv(ch, slot);
        EXPECT_EQ(cases.wait(), 0U);
        EXPECT_EQ(slot->number(), 7);

        ch.close();
        EXPECT_EQ(ch.try_recv(target), op_status::closed);
        EXPECT_EQ(target.number(), 3);
    });
}

TYPED_TEST(values, between_selects_arrive_once) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto left = make_chan<T>();
        auto right = make_chan<T>();
        go([=, &book] {
            for (int i = 0; i < count; ++i) {
                T value(book, i);
                select(on_send(left, offer(value)), on_send(right, offer(value)));
                if constexpr (std::is_nothrow_move_constructible_v<T>) {  // else it may be copied
                    EXPECT_EQ(value.number(), -1);
                }
            }
        });
        for (int i = 0; i < count; ++i) {
            std::optional<T> from_left, from_right;
            const auto chosen = select(on_recv(left, from_left), on_recv(right, from_right));
            EXPECT_EQ((chosen == 0 ? from_left : from_right)->number(), i);
            EXPECT_FALSE((chosen == 0 ? from_right : from_left).has_value());
        }
    });
}

// ---- not sent

TYPED_TEST(values, that_were_not_sent_stay_with_the_caller) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto full = make_chan<T>(1);
        full.send(T(book, 0));
        auto closed = make_chan<T>(1);
        closed.close();
        T value(book, 7);

        EXPECT_EQ(full.try_send(offer(value)), op_status::full);
        EXPECT_EQ(full.send_for(1ms, offer(value)), op_status::timeout);
        EXPECT_EQ(full.send_for(-1ms, offer(value)), op_status::timeout);
        EXPECT_EQ(full.send_until(clock::now() + 1ms, offer(value)), op_status::timeout);
        EXPECT_EQ(closed.try_send(offer(value)), op_status::closed);
        EXPECT_EQ(closed.send_for(1ms, offer(value)), op_status::closed);
        EXPECT_EQ(select(on_send(full, offer(value)), on_timeout(1ms)), 1U);
        EXPECT_EQ(select(on_send(full, offer(value)), otherwise()), 1U);
        EXPECT_EQ(select(on_send(chan<T>{}, offer(value)), otherwise()), 1U);
        EXPECT_THROW(select(on_send(closed, offer(value))), channel_closed);
        EXPECT_EQ(value.number(), 7);

        EXPECT_THROW(closed.send(offer(value)), channel_closed);  // by value: gone
    });
}

TYPED_TEST(values, of_senders_that_a_close_surprises_are_destroyed) {
    using T = TypeParam;
    this->in_a_bubble([](ledger& book, testing::bubble& bubble) {
        auto ch = make_chan<T>();
        wait_group senders;
        std::atomic<int> surprised = 0;
        for (int i = 0; i < 3; ++i) {
            senders.go([&, i] {
                try {
                    ch.send(T(book, i));
                } catch (const channel_closed&) {
                    ++surprised;
                }
            });
            senders.go([&, i] {
                T mine(book, i);
                surprised += ch.send_for(1h, offer(mine)) == op_status::closed ? 1 : 0;
                EXPECT_EQ(mine.number(), i);
            });
            senders.go([&, i] {
                T mine(book, i);
                try {
                    select(on_send(ch, offer(mine)), on_timeout(1h));
                } catch (const channel_closed&) {
                    ++surprised;
                }
                EXPECT_EQ(mine.number(), i);
            });
        }
        bubble.settle();
        ch.close();
        senders.wait();
        EXPECT_EQ(surprised, 9);
        EXPECT_FALSE(ch.recv());
    });
}

TYPED_TEST(values, of_senders_whose_time_runs_out_stay_with_them) {
    using T = TypeParam;
    this->in_a_bubble([](ledger& book, testing::bubble&) {
        auto ch = make_chan<T>();
        wait_group senders;
        for (int i = 0; i < 5; ++i) {
            senders.go([&, i] {
                T mine(book, i);
                EXPECT_EQ(ch.send_for(i * 1h, offer(mine)), op_status::timeout);
                EXPECT_EQ(mine.number(), i);
            });
        }
        senders.wait();
        EXPECT_EQ(ch.len(), 0U);
    });
}

// ---- left behind

TYPED_TEST(values, left_in_a_dropped_channel_are_destroyed) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        for (int shift = 0; shift < 5; ++shift) {  // wherever the ring begins
            auto ch = make_chan<T>(4);
            for (int i = 0; i < shift; ++i) {
                ch.send(T(book, i));
                EXPECT_EQ(ch.recv()->number(), i);
            }
            for (int i = 0; i < 4; ++i) {
                ch.send(T(book, i));
            }
            if (shift % 2 == 0) {
                ch.close();
            }
        }
    });
}

TYPED_TEST(values, are_destroyed_when_received_and_not_when_overwritten) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto ch = make_chan<T>(4);
        ch.send(T(book, 1));
        EXPECT_EQ(book.contents, 1);
        static_cast<void>(ch.recv());
        EXPECT_EQ(book.contents, 0);
        EXPECT_EQ(book.objects, 0);
    });
}

TYPED_TEST(values, in_a_channel_that_waits_in_a_channel_are_destroyed) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto outer = make_chan<chan<T>>(2);
        auto inner = make_chan<T>(2);
        inner.send(T(book, 1));
        outer.send(std::move(inner));
    });
}

TYPED_TEST(values, in_a_selector_are_given_back_or_destroyed) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        auto full = make_chan<T>(1);
        full.send(T(book, 0));
        selector cases;
        const auto first = cases.add_send(full, T(book, 1));
        cases.add_send(full, T(book, 2));
        EXPECT_EQ(cases.try_wait(), std::nullopt);
        EXPECT_EQ(cases.wait_for(1ms), std::nullopt);
        EXPECT_EQ(cases.template take<T>(first).number(), 1);
    });  // 2 goes with the selector
}

// ---- goroutines' arguments and results

TYPED_TEST(values, given_to_goroutines_are_destroyed_when_they_end) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        wait_group all;
        for (int i = 0; i < 50; ++i) {
            all.add(1);
            go(
                [&all, i](T value) {
                    EXPECT_EQ(value.number(), i);
                    all.done();
                },
                T(book, i));
        }
        all.wait();
    });
}

TYPED_TEST(values, returned_by_goroutines_are_joined_or_dropped) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        for (int i = 0; i < 50; ++i) {
            auto joined = spawn([&book, i] { return T(book, i); });
            EXPECT_EQ(joined.join().number(), i);
            auto dropped = spawn([&book, i] { return T(book, i); });
            auto waited_for = spawn([&book, i] { return T(book, i); });
            static_cast<void>(waited_for.done().recv());
        }
    });
}

TYPED_TEST(values, returned_by_blocking_calls_are_moved_out) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        for (int i = 0; i < 20; ++i) {
            EXPECT_EQ(blocking([&] { return T(book, i); }).number(), i);
        }
    });
}

// ---- copies and moves that throw

// Lets the first, the second, ... copy or move in `body` throw, until none is left to throw. What
// `body` leaves in `ch` must still be whole.
template <class T, class F>
void with_every_copy_throwing(ledger& book, F body) {
    for (int nth = 0;; ++nth) {
        ASSERT_LT(nth, 100) << "no end of copies";
        bool thrown = false;
        {
            auto ch = make_chan<T>(2);
            book.throw_after = nth;
            try {
                body(ch);
            } catch (const copy_failed&) {
                thrown = true;
            }
            book.throw_after = -1;
            ch.send(T(book, 99));  // the channel still works
            std::optional<T> last;
            do {
                ASSERT_EQ(ch.try_recv(last), op_status::ok);
            } while (last->number() != 99);
        }
        if (!thrown) {
            return;
        }
    }
}

template <class T>
class throwing_values : public values<T> {};

using throwing_kinds = ::testing::Types<test::throwing_copy, test::throwing_move>;
TYPED_TEST_SUITE(throwing_values, throwing_kinds);

TYPED_TEST(throwing_values, that_throw_when_sent_leave_the_channel_whole) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        const T value(book, 7);
        with_every_copy_throwing<T>(book, [&](chan<T>& ch) { ch.send(value); });
        with_every_copy_throwing<T>(book, [&](chan<T>& ch) { ch.send(T(book, 8)); });
        with_every_copy_throwing<T>(
            book, [&](chan<T>& ch) { EXPECT_EQ(ch.try_send(value), op_status::ok); });
        with_every_copy_throwing<T>(
            book, [&](chan<T>& ch) { EXPECT_EQ(ch.send_for(1s, value), op_status::ok); });
        with_every_copy_throwing<T>(book, [&](chan<T>& ch) { select(on_send(ch, value)); });
        EXPECT_EQ(value.number(), 7);
    });
}

TYPED_TEST(throwing_values, that_throw_when_received_are_destroyed_once) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        const auto filled_then = [&](auto receive) {
            return [&book, receive](chan<T>& ch) {
                const long armed = book.throw_after.exchange(-1);
                ch.send(T(book, 1));
                book.throw_after = armed;
                receive(ch);
            };
        };
        std::optional<T> slot;
        T target(book, 0);
        with_every_copy_throwing<T>(book,
                                    filled_then([](chan<T>& ch) { static_cast<void>(ch.recv()); }));
        with_every_copy_throwing<T>(
            book, filled_then([&](chan<T>& ch) { EXPECT_EQ(ch.try_recv(target), op_status::ok); }));
        with_every_copy_throwing<T>(book, filled_then([&](chan<T>& ch) {
                                        EXPECT_EQ(ch.recv_for(1s, slot), op_status::ok);
                                    }));
        with_every_copy_throwing<T>(book,
                                    filled_then([&](chan<T>& ch) { select(on_recv(ch, slot)); }));
    });
}

TYPED_TEST(throwing_values, that_throw_between_two_goroutines_hurt_only_one_of_them) {
    using T = TypeParam;
    this->on_every_worker_count([](ledger& book) {
        for (int nth = 0; nth < 12; ++nth) {
            auto ch = make_chan<T>();
            book.throw_after = nth;
            std::atomic<int> hurt = 0;
            auto sender = spawn([&] {
                try {
                    ch.send(T(book, 5));
                } catch (const copy_failed&) {
                    ++hurt;
                }
                ch.close();
            });
            try {
                if (const std::optional<T> got = ch.recv()) {
                    EXPECT_EQ(got->number(), 5);
                } else {
                    EXPECT_EQ(hurt, 1);
                }
            } catch (const copy_failed&) {
                ++hurt;
            }
            sender.join();
            book.throw_after = -1;
            EXPECT_LE(hurt, 1);
        }
    });
}

// ---- values that a select has moved out, and then cannot send

// A send has to be prepared in a box, outside the channel's lock, if its move may throw. The first
// `good` moves succeed, the next one throws.
template <class F>
void expect_copy_failed(ledger& book, long good, F body) {
    book.throw_after = good;
    EXPECT_THROW(body(), copy_failed);
    book.throw_after = -1;
}

// Runs `body` in virtual time; the values that it makes must all be gone at its end.
template <class F>
void with_ledger(F body) {
    ledger book;
    {
        testing::bubble bubble;
        bubble.run([&] { body(book, bubble); });
    }
    book.expect_balanced();
}

TEST(select_of_values_whose_move_throws, gives_every_unsent_value_back) {
    with_ledger([](ledger& book, testing::bubble&) {
        const auto full = make_chan<test::move_only_throwing>();
        test::move_only_throwing first(book, 1);
        test::move_only_throwing second(book, 2);
        test::move_only_throwing third(book, 3);
        expect_copy_failed(book, 2, [&] {
            select(on_send(full, offer(first)), on_send(full, offer(second)),
                   on_send(full, offer(third)));
        });
        EXPECT_EQ(first.number(), 1);
        EXPECT_EQ(second.number(), 2);
        EXPECT_EQ(third.number(), 3);
    });
}

TEST(select_of_values_whose_move_throws, loses_no_other_value_when_one_cannot_go_back) {
    with_ledger([](ledger& book, testing::bubble&) {
        const auto full = make_chan<test::move_only_throwing>();
        test::move_only_throwing first(book, 1);
        test::move_only_throwing second(book, 2);
        // Two moves out, then time is up; the move of `first` back throws.
        expect_copy_failed(book, 2, [&] {
            select(on_send(full, offer(first)), on_send(full, offer(second)), on_timeout(1ms));
        });
        EXPECT_EQ(first.number(), -1);
        EXPECT_EQ(second.number(), 2);
    });
}

TEST(select_of_values_whose_move_throws, destroys_what_has_arrived_when_giving_back_throws) {
    with_ledger([](ledger& book, testing::bubble& bubble) {
        const auto full = make_chan<test::move_only_throwing>();
        const auto in = make_chan<test::move_only>();
        test::move_only_throwing unsent(book, 1);
        go([&] {
            bubble.settle();
            in.send(test::move_only(book, 2));
        });
        expect_copy_failed(book, 1, [&] {
            select(on_send(full, offer(unsent)), on_recv(in, [](auto) { FAIL(); }));
        });
    });
}

TEST(selector_of_values_whose_move_throws, keeps_every_unsent_value) {
    with_ledger([](ledger& book, testing::bubble&) {
        const auto full = make_chan<test::move_only_throwing>();
        selector cases;
        const std::size_t first = cases.add_send(full, test::move_only_throwing(book, 1));
        const std::size_t second = cases.add_send(full, test::move_only_throwing(book, 2));
        expect_copy_failed(book, 1, [&] { cases.wait(); });      // the second cannot be moved out
        expect_copy_failed(book, 2, [&] { cases.try_wait(); });  // the first cannot go back
        EXPECT_EQ(cases.try_wait(), std::nullopt);
        EXPECT_EQ(cases.take<test::move_only_throwing>(first).number(), 1);
        EXPECT_EQ(cases.take<test::move_only_throwing>(second).number(), 2);
    });
}

TEST(select_of_converted_values, leaves_an_rvalue_alone_that_is_not_sent) {
    const auto full = make_chan<std::optional<std::string>>();
    std::string text = "a text that is too long to be stored in place";
    EXPECT_EQ(select(on_send(full, offer(text)), on_timeout(1ms)), 1U);
    EXPECT_EQ(text, "a text that is too long to be stored in place");
}

}  // namespace
}  // namespace runnel
