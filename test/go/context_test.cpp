// test/go/context_test.cpp: cancellation, deadlines, values.
//
// Follows Go's src/context/context_test.go and x_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/context_helpers.hpp"
#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::expect_end;
using test::is_closed;
using test::long_time;
using test::short_time;

class go_context : public test::anywhere {};
INSTANTIATE_TEST_SUITE_P(places, go_context, test::all_places, test::place_name);
class go_context_waits : public test::in_bubble {};
INSTANTIATE_TEST_SUITE_P(workers, go_context_waits, test::worker_counts, test::worker_name);

struct k1 {
    using type = std::string;
};
struct k2 {
    using type = std::string;
};
struct k3 {
    using type = int;
};

// S44
TEST_P(go_context, background_never_ends) {
    run([] {
        EXPECT_FALSE(background().done());
        EXPECT_FALSE(background().deadline());
        EXPECT_EQ(background().value<k1>(), nullptr);
        expect_end(background(), {});
        EXPECT_TRUE(context{} == background());
        EXPECT_EQ(select(on_recv(background().done()), on_done(background()), otherwise()), 2U);
    });
}

// S46, S47
TEST_P(go_context, parent_ends_all_that_are_below_it) {
    run([] {
        auto [parent, cancel] = with_cancel(background());
        auto [cancel_child, stop] = with_cancel(parent);
        const context value_child = with_value<k1>(parent, "value");
        auto [timer_child, stop_timer] = with_timeout(value_child, long_time);
        auto callback = on_cancel(parent, [] {});
        for (const context& ctx : {parent, cancel_child, value_child, timer_child}) {
            expect_end(ctx, {});
        }
        cancel();
        for (const context& ctx : {parent, cancel_child, value_child, timer_child}) {
            expect_end(ctx, errc::canceled);
        }
        expect_end(with_value<k1>(parent, "born late"), errc::canceled);
        cancel();
        cancel(test::because("too late"));
        EXPECT_EQ(test::text_of(parent.cause()), "canceled");
    });
}

// S47
TEST_P(go_context, child_that_ends_first_leaves_its_parent_alone) {
    run([] {
        auto [cancelable, stop] = with_cancel(background());
        for (const context& parent : {background(), cancelable}) {
            auto [child, cancel] = with_cancel(parent);
            expect_end(parent, {});
            expect_end(child, {});
            cancel();
            expect_end(child, errc::canceled);
            expect_end(parent, {});
        }
    });
}

// S50
TEST_P(go_context, ends_at_its_deadline_or_the_parents_if_that_is_sooner) {
    run([] {
        const auto expect_timeout = [](const context& ctx) {
            EXPECT_TRUE(ctx.deadline());
            ctx.done().recv();
            EXPECT_GE(clock::now(), *ctx.deadline());
            expect_end(ctx, errc::deadline_exceeded);
            EXPECT_EQ(test::text_of(ctx.cause()), "deadline");
        };
        auto [simple, c1] = with_deadline(background(), clock::now() + short_time);
        expect_timeout(simple);
        auto [outer, c2] = with_timeout(background(), short_time);
        expect_timeout(with_value<k3>(outer, 1));
        auto [next, c3] = with_timeout(background(), short_time);
        auto [inner, c4] = with_timeout(next, long_time);
        EXPECT_EQ(inner.deadline(), next.deadline());
        expect_timeout(inner);
        auto [past, c5] = with_deadline(background(), clock::now() - short_time);
        expect_end(past, errc::deadline_exceeded);
        auto [at_once, c6] = with_deadline(background(), clock::now());
        expect_end(at_once, errc::deadline_exceeded);
        auto [zero, c7] = with_timeout(background(), 0s);
        expect_end(zero, errc::deadline_exceeded);
    });
}

// S50
TEST_P(go_context, deadline_is_told_down_the_tree) {
    run([] {
        const auto t = clock::now() + 1h;
        auto [outer, c1] = with_deadline(background(), t);
        auto [child, c2] = with_cancel(outer);
        auto [sooner, c3] = with_deadline(child, t - 1min);
        EXPECT_EQ(outer.deadline(), t);
        EXPECT_EQ(child.deadline(), t);
        EXPECT_EQ(with_value<k3>(child, 1).deadline(), t);
        EXPECT_EQ(sooner.deadline(), t - 1min);
        EXPECT_FALSE(without_cancel(outer).deadline());
        auto [endless, c4] = with_timeout(background(), std::chrono::hours::max());
        expect_end(endless, {});  // saturates
    });
}

// S46
TEST_P(go_context, cancel_counts_before_the_deadline) {
    run([] {
        auto [outer, cancel_outer] = with_timeout(background(), 1h);
        auto [ctx, cancel] = with_timeout(outer, long_time);
        cancel();
        expect_end(ctx, errc::canceled);
        expect_end(outer, {});
    });
}

// S49
TEST(go_context_errors, deadline_is_a_timeout_and_cancel_is_not) {
    const std::error_code deadline = errc::deadline_exceeded;
    const std::error_code canceled = errc::canceled;
    EXPECT_EQ(deadline, std::errc::timed_out);
    EXPECT_NE(canceled, std::errc::timed_out);
    EXPECT_EQ(canceled, std::errc::operation_canceled);
    EXPECT_FALSE(deadline.message().empty());
    EXPECT_NE(deadline.message(), canceled.message());
}

// S55
TEST_P(go_context, values_are_found_by_the_type_of_their_key_innermost_first) {
    run([] {
        const auto check = [](const context& ctx, const char* v1, const char* v2, int v3) {
            const auto text = [](const std::string* s) { return s != nullptr ? s->c_str() : ""; };
            EXPECT_STREQ(text(ctx.value<k1>()), v1);
            EXPECT_STREQ(text(ctx.value<k2>()), v2);
            EXPECT_EQ(ctx.value<k3>() != nullptr ? *ctx.value<k3>() : 0, v3);
        };
        check(background(), "", "", 0);
        const context c1 = with_value<k1>(background(), "c1k1");
        check(c1, "c1k1", "", 0);
        const context c2 = with_value<k2>(c1, "c2k2");
        check(c2, "c1k1", "c2k2", 0);
        const context c3 = with_value<k3>(c2, 3);
        check(c3, "c1k1", "c2k2", 3);
        const context c4 = with_value<k1>(c3, "");
        check(c4, "", "c2k2", 3);
        auto [c5, cancel] = with_timeout(c4, long_time);
        check(without_cancel(c5), "", "c2k2", 3);
        check(c1, "c1k1", "", 0);
        static_assert(std::is_same_v<decltype(c1.value<k3>()), const int*>);
    });
}

// S46
TEST_P(go_context, hundred_contexts_of_a_tree_are_cancelled_at_the_same_time) {
    run([] {
        std::vector<context> all;
        std::vector<cancel_func> cancels;
        {
            auto [root, cancel] = with_cancel(background());
            all.push_back(root);
            cancels.push_back(std::move(cancel));
        }
        for (std::size_t parent = 0; all.size() < 100; ++parent) {
            for (int i = 0; i < 4; ++i) {
                auto [ctx, cancel] = with_cancel(all[parent]);
                all.push_back(ctx);
                cancels.push_back(std::move(cancel));
            }
        }
        std::shuffle(cancels.begin(), cancels.end(), std::minstd_rand(7));
        wait_group ended;
        for (const cancel_func& cancel : cancels) {
            ended.go([trigger = cancel.share()] { trigger(); });
        }
        for (const context& ctx : all) {
            ctx.done().recv();
        }
        ended.wait();
        for (const context& ctx : all) {
            expect_end(ctx, errc::canceled);
        }
    });
}

TEST_P(go_context, child_may_be_cancelled_because_its_parent_was) {
    run([] {
        auto [parent, cancel_parent] = with_cancel(background());
        auto [child, cancel_child] = with_cancel(parent);
        wait_group helper;
        helper.go([&] {
            parent.done().recv();
            cancel_child();
        });
        cancel_parent();
        child.done().recv();
        helper.wait();
    });
}

/// Thirty random layers and more, with values to find at every depth.
void layers(unsigned seed, bool by_timeout) {
    std::minstd_rand random(seed);
    std::vector<cancel_func> cancels;
    context ctx = background();
    int values = 0;
    int timers = 0;
    for (int i = 0; i < 30 || timers == 0 || cancels.empty() || values == 0; ++i) {
        switch (random() % 3) {
            case 0:
                ctx = with_value<k3>(ctx, ++values);
                break;
            case 1: {
                auto [next, cancel] = with_cancel(ctx);
                ctx = next;
                cancels.push_back(std::move(cancel));
                break;
            }
            default: {
                auto [next, cancel] =
                    with_timeout(ctx, by_timeout ? clock::duration(short_time) : long_time);
                ctx = next;
                cancels.push_back(std::move(cancel));
                ++timers;
            }
        }
    }
    EXPECT_EQ(*ctx.value<k3>(), values);
    if (by_timeout) {
        ctx.done().recv();
        expect_end(ctx, errc::deadline_exceeded);
    } else {
        expect_end(ctx, {});
        cancels[random() % cancels.size()]();
        expect_end(ctx, errc::canceled);
    }
    EXPECT_EQ(*ctx.value<k3>(), values);
}

TEST_P(go_context, any_layers_end_by_any_of_their_cancels) {
    run([] {
        for (unsigned seed = 1; seed <= 50; ++seed) {
            layers(seed, false);
        }
    });
}

TEST_P(go_context, any_layers_end_by_any_of_their_deadlines) {
    run([] {
        for (unsigned seed = 1; seed <= 20; ++seed) {
            layers(seed, true);
        }
    });
}

TEST_P(go_context, child_of_one_that_has_ended_has_ended) {
    run([] {
        auto [parent, cancel] = with_cancel(background());
        cancel(test::because("why"));
        auto [child, cancel_child] = with_cancel(parent);
        expect_end(child, errc::canceled);
        EXPECT_EQ(test::text_of(child.cause()), "why");
        auto [timed, cancel_timed] = with_timeout(parent, -1s);
        expect_end(timed, errc::canceled);
    });
}

TEST_P(go_context, child_that_is_born_while_its_parent_ends_ends) {
    run([] {
        for (int i = 0; i < 100; ++i) {
            auto [parent, cancel] = with_cancel(background());
            wait_group canceller;
            canceller.go([&] { cancel(test::because("why")); });
            auto [child, cancel_child] = with_cancel(parent);
            child.done().recv();
            expect_end(child, errc::canceled);
            EXPECT_EQ(test::text_of(child.cause()), "why");
            canceller.wait();
        }
    });
}

// S48
TEST_P(go_context, done_is_closed_when_err_tells) {
    run([] {
        for (int i = 0; i < 10; ++i) {
            auto [ctx, cancel] = with_cancel(background());
            const auto done = ctx.done();
            std::thread canceller([&] { cancel(); });
            while (!ctx.err()) {
                yield();
            }
            EXPECT_TRUE(is_closed(done));
            canceller.join();
        }
    });
}

// S52
TEST_P(go_context, without_cancel_keeps_the_values_only) {
    run([] {
        auto [parent, cancel] = with_timeout(with_value<k1>(background(), "value"), 1h);
        const context ctx = without_cancel(parent);
        auto [below, cancel_below] = with_cancel(ctx);
        cancel(test::because("why"));
        EXPECT_FALSE(ctx.deadline());
        EXPECT_FALSE(ctx.done());
        expect_end(ctx, {});
        EXPECT_EQ(*ctx.value<k1>(), "value");
        expect_end(below, {});
        cancel_below();
        expect_end(below, errc::canceled);
        expect_end(without_cancel(background()), {});
    });
}

// S56
TEST_P(go_context, done_is_one_channel_for_all_who_ask) {
    run([] {
        auto [ctx, cancel] = with_cancel(background());
        EXPECT_TRUE(ctx.done() == ctx.done());
        const auto before = ctx.done();
        cancel();
        EXPECT_TRUE(ctx.done() == before);
        auto [late, cancel_late] = with_cancel(ctx);
        EXPECT_TRUE(is_closed(late.done()));
    });
}

TEST_P(go_context, cancel_func_cancels_when_it_goes_unless_released) {
    run([] {
        std::optional<context> kept;
        {
            auto [ctx, cancel] = with_cancel(background());
            kept = ctx;
        }
        expect_end(*kept, errc::canceled);
        {
            auto [ctx, cancel] = with_cancel(background());
            kept = ctx;
            std::move(cancel).release();
            cancel();
        }
        expect_end(*kept, {});
        std::optional<cancel_trigger> trigger;
        {
            auto [ctx, cancel] = with_cancel(background());
            kept = ctx;
            trigger = cancel.share();
            std::move(cancel).release();
        }
        expect_end(*kept, {});
        (*trigger)(test::because("triggered"));
        expect_end(*kept, errc::canceled);
        EXPECT_EQ(test::text_of(kept->cause()), "triggered");
    });
}

TEST_P(go_context, assigning_a_cancel_func_cancels_what_it_had) {
    run([] {
        auto [a, cancel_a] = with_cancel(background());
        auto [b, cancel_b] = with_cancel(background());
        cancel_a = std::move(cancel_b);
        expect_end(a, errc::canceled);
        expect_end(b, {});
        cancel_a();
        expect_end(b, errc::canceled);
    });
}

TEST_P(go_context_waits, many_waiters_of_every_kind_end_with_the_context) {
    run([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        auto [child, cancel_child] = with_timeout(ctx, 1h);
        const chan<int> nothing = make_chan<int>();
        std::atomic<int> ended = 0;
        wait_group waiters;
        for (int i = 0; i < 50; ++i) {
            waiters.go([&] {
                int v = 0;
                ended += nothing.recv(child, v) == op_status::canceled;
            });
            waiters.go([&] { ended += sleep_for(child, 2h) == op_status::canceled; });
            waiters.go([&] { ended += select(on_recv(nothing), on_done(child)) == 1; });
            waiters.go([&] { ended += !child.done().recv(); });
        }
        world.settle();
        EXPECT_EQ(ended, 0);
        cancel();
        waiters.wait();
        EXPECT_EQ(ended, 200);
    });
}

TEST_P(go_context_waits, deadlines_come_in_their_order_and_at_their_time) {
    run([](testing::bubble&) {
        const auto start = clock::now();
        std::vector<clock::duration> ends;
        mutex lock;
        wait_group waiters;
        for (const auto d : {5s, 1s, 3s, 2s, 4s}) {
            waiters.go([&, d] {
                auto [ctx, cancel] = with_timeout(background(), d);
                int v = 0;
                EXPECT_EQ(chan<int>().recv(ctx, v), op_status::timeout);
                const std::lock_guard hold(lock);
                ends.push_back(clock::now() - start);
            });
        }
        waiters.wait();
        EXPECT_EQ(ends, (std::vector<clock::duration>{1s, 2s, 3s, 4s, 5s}));
    });
}

// S45: what panics in Go does not compile here.
static_assert(!std::is_copy_constructible_v<cancel_func>);
static_assert(!std::is_copy_constructible_v<cancel_scope>);
static_assert(std::is_copy_constructible_v<cancel_trigger>);
static_assert(std::is_nothrow_copy_constructible_v<context>);
template <class Scope>
concept cancels_unseen = requires(Scope&& s) { std::forward<Scope>(s).ctx(); };
static_assert(!cancels_unseen<cancel_scope>);
static_assert(cancels_unseen<cancel_scope&>);

}  // namespace
}  // namespace runnel
