#include <runnel/sync/once.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/blocked.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

const std::string waits = "call_once";

TEST(call_once, takes_any_callable_with_its_arguments) {
    once_flag flag;
    auto value = std::make_unique<int>(7);
    int sum = 0;
    call_once(
        flag,
        [](int& into, std::unique_ptr<int> given) {
            into += *given;
            return into;
        },
        std::ref(sum), std::move(value));
    call_once(flag, [&] { sum += 100; });
    EXPECT_EQ(sum, 7);
}

// Static, because whoever is left behind waits for it to the end.
constinit once_flag called_again;

TEST(call_once, from_within_itself_deadlocks_and_a_bubble_says_so) {
    testing::bubble bubble{{.shutdown_limit = 100ms}};
    EXPECT_THROW(
        bubble.run([] { call_once(called_again, [] { call_once(called_again, [] {}); }); }),
        testing::bubble_error);
}

using once_on_workers = test::on_workers;

TEST_P(once_on_workers, others_wait_until_the_call_is_done_and_see_what_it_did) {
    run([] {
        once_flag flag;
        int calls = 0;
        auto gate = make_chan<unit>();
        auto first = spawn([&] {
            call_once(flag, [&] {
                std::ignore = gate.recv();
                ++calls;
            });
        });
        test::until_waiting("chan recv", 1);
        wait_group others;
        for (int i = 0; i < 5; ++i) {
            others.go([&] {
                call_once(flag, [&] { ++calls; });
                EXPECT_EQ(calls, 1);
            });
        }
        test::until_waiting(waits, 5);
        gate.send();
        others.wait();
        first.join();
    });
}

TEST_P(once_on_workers, an_exception_reaches_its_caller_and_the_next_one_tries) {
    run([] {
        once_flag flag;
        int tries = 0;
        auto gate = make_chan<unit>();
        auto fails = spawn([&] {
            EXPECT_THROW(call_once(flag,
                                   [&] {
                                       std::ignore = gate.recv();
                                       ++tries;
                                       throw std::runtime_error("not yet");
                                   }),
                         std::runtime_error);
        });
        test::until_waiting("chan recv", 1);
        wait_group others;
        for (int i = 0; i < 4; ++i) {
            others.go([&] {
                call_once(flag, [&] { ++tries; });
                EXPECT_EQ(tries, 2);
            });
        }
        test::until_waiting(waits, 4);
        gate.close();
        fails.join();
        others.wait();
        EXPECT_THROW(
            {
                once_flag fresh;
                call_once(fresh, [] { throw std::runtime_error("alone"); });
            },
            std::runtime_error);
    });
}

TEST_P(once_on_workers, a_context_ends_the_wait_and_not_the_call) {
    run([] {
        once_flag flag;
        auto gate = make_chan<unit>();
        auto first = spawn([&] { call_once(flag, [&] { std::ignore = gate.recv(); }); });
        test::until_waiting("chan recv", 1);
        bool called = false;
        const auto call = [&](const context& ctx) {
            return call_once(ctx, flag, [&] { called = true; });
        };
        auto [ctx, cancel] = with_cancel(background());
        auto waiter = spawn([&, ctx] { return call(ctx); });
        test::until_waiting(waits, 1);
        cancel();
        EXPECT_EQ(waiter.join(), op_status::canceled);
        auto [late, cancel_late] = with_timeout(background(), 1ms);
        EXPECT_EQ(call(late), op_status::timeout);
        gate.send();
        first.join();
        EXPECT_EQ(call(ctx), op_status::ok) << "it is done, whatever the context";
        EXPECT_FALSE(called);
        once_flag fresh;
        EXPECT_EQ(call_once(ctx, fresh, [&] { called = true; }), op_status::canceled);
        EXPECT_FALSE(called);
        EXPECT_EQ(call_once(background(), fresh, [&] { called = true; }), op_status::ok);
        EXPECT_TRUE(called);
    });
}

TEST_P(once_on_workers, the_turn_is_not_lost_when_those_in_line_give_up) {
    const std::size_t rounds = test::scaled(2'000, 200);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            once_flag flag;
            std::atomic<int> done = 0;
            wait_group all;
            for (std::size_t g = 0; g < 4; ++g) {
                all.go([&, g] {
                    const auto call = [&] {
                        yield();
                        if (g != 3) {
                            throw std::runtime_error("not me");
                        }
                        ++done;
                    };
                    try {
                        if (g % 2 == 0) {
                            auto [ctx, cancel] =
                                with_timeout(background(), std::chrono::microseconds(i % 20));
                            static_cast<void>(call_once(ctx, flag, call));
                        } else {
                            call_once(flag, call);
                        }
                    } catch (const std::runtime_error&) {  // another one tries
                    }
                });
            }
            all.wait();
            ASSERT_EQ(done, 1);
        }
    });
}

TEST_P(once_on_workers, threads_and_goroutines_call_once) {
    const std::size_t rounds = test::scaled(500, 50);
    for (std::size_t i = 0; i < rounds; ++i) {
        once_flag flag;
        int calls = 0;
        const auto call = [&] {
            call_once(flag, [&] { ++calls; });
            EXPECT_EQ(calls, 1);
        };
        std::thread first(call), second(call);
        run([&] {
            wait_group all;
            all.go(call);
            all.go(call);
            all.wait();
        });
        first.join();
        second.join();
    }
}

INSTANTIATE_TEST_SUITE_P(workers, once_on_workers, test::worker_counts, test::worker_name);

TEST(once_death, destroyed_during_a_call_is_fatal) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_DEATH(
        {
            const rlimit none{};
            ::setrlimit(RLIMIT_CORE, &none);
            run([] {
                auto* const flag = new once_flag;
                auto gate = make_chan<unit>();
                go([=] { call_once(*flag, [&] { std::ignore = gate.recv(); }); });
                test::until_waiting("chan recv", 1);
                delete flag;
            });
        },
        "once_flag was destroyed during a call_once");
}

}  // namespace
}  // namespace runnel
