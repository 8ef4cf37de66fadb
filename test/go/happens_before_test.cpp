// test/go/happens_before_test.cpp: what channels and select put in order.
//
// The plain variables below are written by several goroutines, and nothing but the operation under
// test orders the accesses. A missing edge shows under ThreadSanitizer; some show as wrong values.
//
// Follows the NoRace tests of Go's src/runtime/race/testdata/chan_test.go and select_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

class go_happens_before : public test::on_workers {
protected:
    // Runs the body often, since one run of a race proves nothing.
    template <class F>
    void run_often(F body) {
        run([&] {
            for (std::size_t i = test::scaled(300, 100); i > 0; --i) {
                body();
            }
        });
    }
};

// Runs `writer` as a goroutine beside `reader`, and waits for both.
template <class F, class G>
void side_by_side(F writer, G reader) {
    wait_group both;
    both.go(std::move(writer));
    reader();
    both.wait();
}

TEST_P(go_happens_before, go_statement_before_the_goroutine) {  // S29
    run_often([] {
        int v = 1;
        auto seen = spawn([&v] { return v; });
        EXPECT_EQ(seen.join(), 1);
    });
}

TEST_P(go_happens_before, send_before_its_receive) {  // S30
    run_often([] {
        for (const std::ptrdiff_t capacity : {0, 10}) {
            int v = 0;
            auto c = make_chan<int>(capacity);
            side_by_side(
                [&] {
                    v = 1;
                    c.send(0);
                },
                [&] {
                    test::drop(c);
                    EXPECT_EQ(std::exchange(v, 2), 1);
                });
        }
    });
}

TEST_P(go_happens_before, receive_before_the_end_of_an_unbuffered_send) {  // S30
    run_often([] {
        int v = 0;
        auto c = make_chan<int>();
        side_by_side(
            [&] {
                c.send(0);
                EXPECT_EQ(std::exchange(v, 2), 1);
            },
            [&] {
                v = 1;
                test::drop(c);
            });
    });
}

TEST_P(go_happens_before, close_before_the_receive_that_sees_it) {  // S30
    const std::array<void (*)(const chan<int>&), 3> receives{
        [](const chan<int>& c) { test::drop(c); },
        [](const chan<int>& c) {
            for (const int v : c) {
                ADD_FAILURE() << v;
            }
        },
        [](const chan<int>& c) { select(on_recv(c), on_recv(chan<int>{})); }};
    run_often([&] {
        for (const std::ptrdiff_t capacity : {0, 10}) {
            for (const auto& receive : receives) {
                int v = 0;
                auto c = make_chan<int>(capacity);
                side_by_side(
                    [&] {
                        v = 1;
                        c.close();
                    },
                    [&] {
                        receive(c);
                        EXPECT_EQ(std::exchange(v, 2), 1);
                    });
            }
        }
    });
}

TEST_P(go_happens_before, close_before_a_receive_that_does_not_block_and_sees_it) {  // S13, S30
    run_often([] {
        int written = 0;
        auto closed = make_chan<unit>();
        side_by_side(
            [&] {
                written = 1;
                closed.close();
            },
            [&] {
                if (select(on_recv(closed), otherwise()) == 0) {
                    EXPECT_EQ(written, 1);
                }
                while (closed.recv()) {
                }
            });
    });
}

// A channel of capacity one is a mutex, one of capacity n a semaphore: the k-th receive is before
// the end of the (k + n)-th send.
TEST_P(go_happens_before, receive_before_the_send_that_needs_its_place) {  // S30
    run_often([] {
        int data = 0;
        auto mtx = make_chan<unit>(1);
        const auto add = [&] {
            mtx.send();
            ++data;
            test::drop(mtx);
        };
        side_by_side(add, add);
        EXPECT_EQ(data, 2);
    });
}

TEST_P(go_happens_before, receive_in_a_select_before_the_send_that_needs_its_place) {
    run_often([] {
        int data = 0;
        auto mtx = make_chan<unit>(1);
        auto never = make_chan<bool>();
        const auto add = [&] {
            select(on_send(mtx, unit{}), on_recv(never));
            ++data;
            select(on_recv(mtx), on_recv(never));
        };
        side_by_side(add, add);
        EXPECT_EQ(data, 2);
    });
}

TEST_P(go_happens_before, work_before_the_end_of_a_channel_used_as_a_wait_group) {
    run_often([] {
        constexpr std::size_t n = 10;
        std::array<int, n> data{};
        auto places = make_chan<bool>(n / 2);
        for (std::size_t i = 0; i < n; ++i) {
            places.send(true);
            go([&data, i, places] {
                data.at(i) = 42;
                test::drop(places);
            });
        }
        for (std::size_t i = 0; i < n / 2; ++i) {
            places.send(true);  // with all places taken by us, every goroutine has given its back
        }
        for (const int v : data) {
            EXPECT_EQ(v, 42);
        }
    });
}

TEST_P(go_happens_before, values_without_state_carry_order_too) {
    run_often([] {
        int x = 0;
        int y = 0;
        auto c = make_chan<unit>(2);
        c.send();
        c.send();
        go([&x, c] {
            ++x;
            test::drop(c);
        });
        go([&y, c] {
            ++y;
            test::drop(c);
        });
        c.send();
        c.send();
        EXPECT_EQ(std::pair(x, y), std::pair(1, 1));
    });
}

TEST_P(go_happens_before, object_before_the_receive_of_its_pointer) {
    run_often([] {
        struct message {
            int x;
        };
        auto c = make_chan<message*>();
        message m{0};
        side_by_side(
            [&] {
                m.x = 1;
                c.send(&m);
            },
            [&] { EXPECT_EQ(std::exchange(c.recv().value()->x, 2), 1); });
    });
}

// The same when the sender had to wait for a place in the buffer, taken by a receive or a select.
TEST_P(go_happens_before, blocked_send_before_its_receive) {
    run_often([] {
        for (const bool by_select : {false, true}) {
            auto c = make_chan<std::unique_ptr<int>>(1);
            c.send(nullptr);
            go([c] { c.send(std::make_unique<int>(42)); });
            yield();
            test::drop(c);
            std::optional<std::unique_ptr<int>> p;
            if (by_select) {
                select(on_recv(c, p), on_recv(make_chan<int>()));
            } else {
                p = c.recv();
            }
            EXPECT_EQ(**p, 42);
        }
    });
}

TEST_P(go_happens_before, value_is_read_before_the_receiver_may_change_its_source) {
    run_often([] {
        for (const std::ptrdiff_t capacity : {0, 10}) {
            int x = 1;
            auto c = make_chan<int>(capacity);
            side_by_side([&] { c.send(x); }, [&] { x = c.recv().value() + 1; });
            EXPECT_EQ(x, 2);
        }
    });
}

TEST_P(go_happens_before, value_is_read_by_a_select_before_the_receiver_may_change_its_source) {
    run_often([] {
        int x = 1;
        auto c = make_chan<int>();
        auto never = make_chan<int>();
        side_by_side([&] { select(on_send(c, x), on_recv(never)); },
                     [&] {
                         std::optional<int> slot;
                         select(on_recv(c, slot), on_recv(never));
                         x = *slot + 1;
                     });
        EXPECT_EQ(x, 2);
    });
}

struct task {
    std::function<void()> work;
    chan<bool> done;
};

TEST_P(go_happens_before, task_before_the_answer_of_a_server) {
    run_often([] {
        for (const bool by_select : {false, true}) {
            auto queue = make_chan<task>();
            auto never = make_chan<bool>();
            go([queue, by_select] {
                std::optional<task> t;
                if (by_select) {
                    select(on_recv(queue, t));
                } else {
                    t = queue.recv();
                }
                t->work();
                t->done.send(true);
            });
            int x = 0;
            auto done = make_chan<bool>(1);
            select(on_send(queue, task{.work = [&x] { x = 1; }, .done = done}), on_recv(never));
            select(on_recv(done), on_recv(never));
            EXPECT_EQ(x, 1);
        }
    });
}

TEST_P(go_happens_before, send_in_a_select_before_its_receive_in_a_select) {
    run_often([] {
        int x = 0;
        auto c = make_chan<bool>();
        auto c1 = make_chan<bool>();
        // Either side may be the one whose send is taken.
        side_by_side(
            [&] {
                x = 1;
                select(on_send(c, true), on_send(c1, true));
            },
            [&] {
                select(on_recv(c), on_recv(c1));
                EXPECT_EQ(std::exchange(x, 2), 1);
            });
    });
}

TEST_P(go_happens_before, close_before_the_select_that_sees_it) {
    run_often([] {
        int x = 0;
        auto c = make_chan<bool>();
        auto c1 = make_chan<bool>();
        side_by_side(
            [&] {
                select(on_recv(c), on_recv(c1));
                EXPECT_EQ(std::exchange(x, 1), 2);
            },
            [&] {
                x = 2;
                c.close();
                yield();
            });
    });
}

TEST_P(go_happens_before, send_in_a_select_before_its_receive_from_a_buffer) {
    run_often([] {
        int x = 0;
        auto c = make_chan<bool>(10);
        auto c1 = make_chan<bool>();
        side_by_side(
            [&] {
                x = 1;
                select(on_send(c, true), on_recv(c1));
            },
            [&] {
                test::drop(c);
                EXPECT_EQ(std::exchange(x, 2), 1);
            });
    });
}

TEST_P(go_happens_before, one_write_before_the_other_whichever_side_starts_late) {
    run_often([] {
        for (const bool by_select : {false, true}) {
            for (const bool late : {false, true}) {
                int x = 0;
                auto ch = make_chan<bool>();
                auto c1 = make_chan<bool>();
                side_by_side(
                    [&] {
                        if (late) {
                            yield();
                        }
                        x = 1;
                        if (by_select) {
                            select(on_send(ch, true), on_recv(c1));
                        } else {
                            ch.send(true);
                        }
                    },
                    [&] {
                        if (by_select) {
                            select(on_recv(ch), on_recv(c1));
                        } else {
                            test::drop(ch);
                        }
                        EXPECT_EQ(std::exchange(x, 2), 1);
                    });
            }
        }
    });
}

// len and cap order nothing, and race with nothing.
TEST_P(go_happens_before, len_and_cap_may_be_asked_while_the_channel_is_closed) {  // S12
    run_often([] {
        auto c = make_chan<int>(10);
        c.send(1);
        side_by_side([&] { c.close(); },
                     [&] {
                         EXPECT_EQ(c.len(), 1U);
                         EXPECT_EQ(c.cap(), 10U);
                     });
    });
}

// Two flags, each set before the other is looked at: one goroutine at least sees the other's.
TEST_P(go_happens_before, atomics_have_one_order) {  // S33
    run_often([] {
        std::atomic<bool> a = false;
        std::atomic<bool> b = false;
        bool saw_a = false;
        bool saw_b = false;
        side_by_side(
            [&] {
                a = true;
                saw_b = b;
            },
            [&] {
                b = true;
                saw_a = a;
            });
        EXPECT_TRUE(saw_a || saw_b);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_happens_before, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
