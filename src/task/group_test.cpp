#include <runnel/task/group.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<group>);
static_assert(!std::is_move_constructible_v<group>);

std::string message_of(const std::exception_ptr& error) {
    return error ? detail::text_of(error) : "none";
}

using group_in_a_bubble = test::clean_bubble;

TEST_P(group_in_a_bubble, wait_returns_when_every_task_has_ended) {
    run_clean([](testing::bubble&) {
        group g;
        std::atomic<int> ended = 0;
        for (int i = 1; i <= 5; ++i) {
            g.go([&ended, i] {
                sleep_for(i * 1s);
                ++ended;
            });
        }
        const auto start = clock::now();
        g.wait();
        EXPECT_EQ(clock::now() - start, 5s);
        EXPECT_EQ(ended, 5);
    });
}

TEST_P(group_in_a_bubble, first_exception_cancels_the_others_and_is_the_one_rethrown) {
    run_clean([](testing::bubble&) {
        group g;
        const context ctx = g.context();
        std::atomic<int> canceled = 0;
        for (int i = 0; i < 3; ++i) {
            g.go([&, ctx] {
                if (sleep_for(ctx, 1h) == op_status::canceled) {
                    ++canceled;
                    throw std::logic_error("a consequence");
                }
            });
        }
        g.go([] {
            sleep_for(1s);
            throw std::runtime_error("the first");
        });
        EXPECT_THROW(g.wait(), std::runtime_error);
        EXPECT_EQ(canceled, 3);
        EXPECT_EQ(message_of(ctx.cause()), "the first");
        EXPECT_EQ(ctx.err(), errc::canceled);
    });
}

TEST_P(group_in_a_bubble, cancelling_the_parent_reaches_the_tasks) {
    run_clean([](testing::bubble& world) {
        auto [parent, cancel] = with_cancel(background());
        group g(parent);
        std::atomic<int> told = 0;
        for (int i = 0; i < 4; ++i) {
            g.go([&told, ctx = g.context()] {
                told += sleep_for(ctx, 1h) == op_status::canceled ? 1 : 0;
            });
        }
        world.settle();
        cancel();
        g.wait();
        EXPECT_EQ(told, 4);
    });
}

TEST_P(group_in_a_bubble, destructor_cancels_and_waits) {
    run_clean([](testing::bubble&) {
        std::atomic<int> ended = 0;
        {
            group g;
            for (int i = 0; i < 3; ++i) {
                g.go([&ended, ctx = g.context()] {
                    EXPECT_EQ(sleep_for(ctx, 1h), op_status::canceled);
                    sleep_for(2s);
                    ++ended;
                });
            }
        }
        EXPECT_EQ(ended, 3);
    });
}

TEST_P(group_in_a_bubble, task_that_reports_the_cancellation_of_a_dropped_group_is_no_error) {
    run_clean([](testing::bubble& world) {
        auto [parent, cancel] = with_cancel(background());
        group g(parent);
        g.go([ctx = g.context()] {
            if (sleep_for(ctx, 1h) != op_status::ok) {
                throw canceled_error();
            }
        });
        group h(parent);
        h.go([ctx = h.context()] {
            if (sleep_for(ctx, 1h) != op_status::ok) {
                std::rethrow_exception(ctx.cause());
            }
        });
        world.settle();
        cancel(std::make_exception_ptr(std::runtime_error("shut down")));
    });
}

TEST_P(group_in_a_bubble, wait_rethrows_the_cancellation_to_whoever_asks) {
    run_clean([](testing::bubble&) {
        auto [parent, cancel] = with_timeout(background(), 1s);
        group g(parent);
        g.go([ctx = g.context()] {
            if (sleep_for(ctx, 1h) == op_status::timeout) {
                throw timeout_error(errc::deadline_exceeded);
            }
        });
        EXPECT_THROW(g.wait(), timeout_error);
    });
}

TEST_P(group_in_a_bubble, failure_is_not_hidden_by_a_task_that_repeats_the_cancellation) {
    run_clean([](testing::bubble&) {
        auto [parent, cancel] = with_cancel(background());
        group g(parent);
        g.go([ctx = g.context()] {
            ctx.done().recv();
            throw canceled_error();
        });
        g.go([ctx = g.context()] {
            ctx.done().recv();
            sleep_for(1s);
            throw std::runtime_error("could not be saved");
        });
        cancel();
        EXPECT_THROW(g.wait(), std::runtime_error);
    });
}

TEST_P(group_in_a_bubble, limit_makes_go_block_and_is_never_exceeded) {
    run_clean([](testing::bubble&) {
        group g;
        g.set_limit(3);
        std::atomic<int> active = 0;
        std::atomic<int> most = 0;
        const auto start = clock::now();
        for (int i = 0; i < 9; ++i) {
            g.go([&] {
                const int now_active = ++active;
                int seen = most;
                while (seen < now_active && !most.compare_exchange_weak(seen, now_active)) {
                }
                sleep_for(1s);
                --active;
            });
        }
        EXPECT_EQ(clock::now() - start, 2s) << "the last three start when the second three end";
        g.wait();
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_EQ(most, 3);
    });
}

TEST_P(group_in_a_bubble, those_who_wait_for_a_place_are_served_in_order) {
    run_clean([](testing::bubble& world) {
        group g;
        g.set_limit(1);
        std::vector<int> order;
        wait_group starters;
        g.go([] { sleep_for(1s); });
        for (int i = 0; i < 4; ++i) {
            starters.go([&, i] { g.go([&, i] { order.push_back(i); }); });
            world.settle();
        }
        starters.wait();
        g.wait();
        EXPECT_EQ(order, (std::vector{0, 1, 2, 3}));
    });
}

TEST_P(group_in_a_bubble, go_with_a_context_gives_up_and_starts_nothing) {
    run_clean([](testing::bubble&) {
        group g;
        g.set_limit(1);
        g.go([] { sleep_for(10s); });
        auto [ctx, cancel] = with_timeout(background(), 2s);
        bool ran = false;
        const auto start = clock::now();
        EXPECT_EQ(g.go(ctx, [&] { ran = true; }), op_status::timeout);
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_EQ(g.go(background(), [] {}), op_status::ok);
        EXPECT_EQ(clock::now() - start, 10s);
        g.wait();
        EXPECT_EQ(g.go(ctx, [&] { ran = true; }), op_status::timeout) << "it had ended before";
        g.wait();
        EXPECT_FALSE(ran);
    });
}

TEST_P(group_in_a_bubble, place_is_not_lost_to_a_starter_that_gave_up) {
    run_clean([](testing::bubble&) {
        for (int i = 0; i < 50; ++i) {
            group g;
            g.set_limit(1);
            auto [ctx, cancel] = with_timeout(background(), 1s);
            g.go([] { sleep_for(1s); });  // ends at the moment the context does
            wait_group starters;
            std::atomic<int> ran = 0;
            std::atomic<int> started = 0;
            starters.go([&] { started += g.go(ctx, [&] { ++ran; }) == op_status::ok ? 1 : 0; });
            starters.go([&] {
                g.go([&] { ++ran; });
                ++started;
            });
            starters.wait();
            g.wait();
            ASSERT_EQ(ran, started);
        }
    });
}

TEST_P(group_in_a_bubble, set_limit_while_tasks_are_active_throws) {
    run_clean([](testing::bubble&) {
        group g;
        g.go([] { sleep_for(1s); });
        EXPECT_THROW(g.set_limit(2), std::logic_error);
        g.wait();
        g.set_limit(2);
        g.set_limit(-1);
    });
}

TEST_P(group_in_a_bubble, limit_of_zero_admits_nobody_until_it_is_raised) {
    run_clean([](testing::bubble& world) {
        group g;
        g.set_limit(0);
        EXPECT_FALSE(g.try_go([] {}));
        bool ran = false;
        wait_group starter;
        starter.go([&] { g.go([&] { ran = true; }); });
        world.settle();
        EXPECT_FALSE(ran);
        g.set_limit(1);
        starter.wait();
        g.wait();
        EXPECT_TRUE(ran);
    });
}

TEST_P(group_in_a_bubble, wait_with_a_context_gives_up_and_may_be_repeated) {
    run_clean([](testing::bubble&) {
        group g;
        g.go([] {
            sleep_for(3s);
            throw std::runtime_error("late");
        });
        {
            auto [ctx, cancel] = with_timeout(background(), 1s);
            EXPECT_EQ(g.wait(ctx), op_status::timeout);
            EXPECT_FALSE(g.context().err()) << "the tasks go on";
            cancel();
            EXPECT_EQ(g.wait(ctx), op_status::timeout);
        }
        auto [ctx, cancel] = with_cancel(background());
        EXPECT_THROW(static_cast<void>(g.wait(ctx)), std::runtime_error);
        cancel();
        EXPECT_THROW(static_cast<void>(g.wait(ctx)), std::runtime_error)
            << "all have ended: that the context has, too, is no matter";
    });
}

TEST_P(group_in_a_bubble, tasks_may_start_tasks) {
    run_clean([](testing::bubble&) {
        group g;
        std::atomic<int> ran = 0;
        g.go([&] {
            for (int i = 0; i < 10; ++i) {
                g.go([&] {
                    sleep_for(1s);
                    ++ran;
                });
            }
        });
        g.wait();
        EXPECT_EQ(ran, 10);
    });
}

TEST_P(group_in_a_bubble, callable_is_moved_in_and_destroyed_before_its_task_counts_as_ended) {
    run_clean([](testing::bubble&) {
        auto owned = std::make_shared<int>(1);
        const std::weak_ptr<int> watched = owned;
        group g;
        auto only_movable = std::make_unique<int>(2);
        g.go([o = std::move(owned), p = std::move(only_movable)] { sleep_for(1s); });
        EXPECT_FALSE(watched.expired());
        g.wait();
        EXPECT_TRUE(watched.expired());
    });
}

TEST_P(group_in_a_bubble, wait_cancels_the_context) {
    run_clean([](testing::bubble&) {
        group g;
        const context ctx = g.context();
        g.go([] {});
        EXPECT_FALSE(ctx.err());
        g.wait();
        EXPECT_EQ(ctx.err(), errc::canceled);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, group_in_a_bubble, test::worker_counts, test::worker_name);

using group_on_workers = test::on_workers;

TEST_P(group_on_workers, may_be_destroyed_as_soon_as_wait_has_returned) {
    const std::size_t before = debug::live_goroutines();
    run([] {
        for (std::size_t i = test::scaled(3'000, 300); i > 0; --i) {
            auto g = std::make_unique<group>();
            std::atomic<int> n = 0;
            for (int k = 0; k < 3; ++k) {
                g->go([&n] { ++n; });
            }
            g->wait();
            g.reset();
            ASSERT_EQ(n, 3);
        }
    });
    EXPECT_EQ(debug::live_goroutines(), before);
}

TEST_P(group_on_workers, many_starters_and_failures_lose_no_task) {
    run([] {
        for (std::size_t round = test::scaled(50, 10); round > 0; --round) {
            group g;
            g.set_limit(4);
            std::atomic<int> ran = 0;
            wait_group starters;
            for (int s = 0; s < 4; ++s) {
                starters.go([&] {
                    for (int i = 0; i < 50; ++i) {
                        g.go([&ran] {
                            if (++ran % 10 == 0) {
                                throw std::runtime_error("tenth");
                            }
                        });
                    }
                });
            }
            starters.wait();
            EXPECT_THROW(g.wait(), std::runtime_error);
            ASSERT_EQ(ran, 200);
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, group_on_workers, test::worker_counts, test::worker_name);

TEST(group, works_from_a_plain_thread) {
    group g;
    std::atomic<int> ran = 0;
    for (int i = 0; i < 3; ++i) {
        g.go([&ran] { ++ran; });
    }
    g.wait();
    EXPECT_EQ(ran, 3);
}

// An exception that nobody takes.

void no_core() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

class group_death : public ::testing::Test {
protected:
    group_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(group_death, exception_of_a_group_that_nobody_waited_for_ends_the_process) {
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                group g;
                g.go([] { throw std::runtime_error("nobody took me"); });
            });
        },
        "nobody waited for.*nobody took me");
}

TEST_F(group_death, failure_during_the_cancellation_of_a_dropped_group_ends_the_process) {
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                group g;
                const auto end_with = [ctx = g.context()](auto error) {
                    return [ctx, error] {
                        ctx.done().recv();
                        throw error;
                    };
                };
                g.go(end_with(canceled_error()));
                g.go(end_with(std::runtime_error("could not be saved")));
            });
        },
        "nobody waited for.*could not be saved");
}

TEST_F(group_death, exception_dropped_by_unwinding_does_not_end_the_process) {
    EXPECT_EXIT(
        {
            no_core();
            run([] {
                try {
                    group g;
                    g.go([] { throw std::runtime_error("inner"); });
                    throw std::runtime_error("outer");
                } catch (const std::runtime_error& error) {
                    std::fprintf(stderr, "caught %s", error.what());
                }
            });
            std::_Exit(0);
        },
        ::testing::ExitedWithCode(0), "caught outer");
}

}  // namespace
}  // namespace runnel
