#include <runnel/join_handle.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/slow_to_go.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<join_handle<int>>);
static_assert(!std::is_copy_assignable_v<join_handle<int>>);
static_assert(std::is_nothrow_move_constructible_v<join_handle<int>>);
static_assert(std::is_nothrow_move_assignable_v<join_handle<int>>);
static_assert(std::is_same_v<decltype(spawn([] { return 1; })), join_handle<int>>);
static_assert(std::is_same_v<decltype(spawn([] {})), join_handle<void>>);

using join_handle_on_workers = test::on_workers;

TEST_P(join_handle_on_workers, join_returns_the_result) {
    run([] {
        EXPECT_EQ(spawn([] { return 42; }).join(), 42);
        EXPECT_EQ(*spawn([] { return std::make_unique<int>(7); }).join(), 7);
        spawn([] {}).join();
    });
}

TEST_P(join_handle_on_workers, join_returns_a_reference_to_the_object_itself) {
    run([] {
        int object = 1;
        auto h = spawn([&]() -> int& { return object; });
        static_assert(std::is_same_v<decltype(h.join()), int&>);
        EXPECT_EQ(&h.join(), &object);
    });
}

TEST_P(join_handle_on_workers, arguments_are_copied_or_moved_to_the_goroutine) {
    run([] {
        auto owned = std::make_unique<int>(3);
        int by_reference = 0;
        auto h = spawn(
            [](std::unique_ptr<int> p, const std::string& s, int& out) {
                out = *p;
                return s.size();
            },
            std::move(owned), "text", std::ref(by_reference));
        EXPECT_EQ(h.join(), 4u);
        EXPECT_EQ(by_reference, 3);
        EXPECT_EQ(owned, nullptr);
    });
}

TEST_P(join_handle_on_workers, function_and_arguments_are_destroyed_before_the_exit) {
    run([] {
        std::atomic<bool> function_gone = false;
        std::atomic<bool> argument_gone = false;
        spawn([guard = test::slow_to_go(function_gone)](const test::slow_to_go&) {},
              test::slow_to_go(argument_gone))
            .join();
        EXPECT_TRUE(function_gone);
        EXPECT_TRUE(argument_gone);
    });
}

TEST_P(join_handle_on_workers, a_name_and_a_stack_size_may_be_given) {
    run([] {
        const go_options options{.name = "worker bee", .stack_size = 1 << 20};
        EXPECT_EQ(spawn(options, [] { return this_goroutine::name(); }).join(), "worker bee");
        EXPECT_EQ(spawn(options, [](int n) { return n; }, 5).join(), 5);
        EXPECT_THROW(static_cast<void>(spawn(go_options{.stack_size = 1}, [] {})),
                     std::invalid_argument);
    });
}

TEST_P(join_handle_on_workers, join_rethrows_the_exception) {
    run([] {
        auto h = spawn([]() -> int { throw std::out_of_range("far"); });
        try {
            h.join();
            ADD_FAILURE() << "nothing was thrown";
        } catch (const std::out_of_range& error) {
            EXPECT_STREQ(error.what(), "far");
        }
        EXPECT_FALSE(h.joinable());
        EXPECT_THROW(spawn([] { throw 5; }).join(), int);
    });
}

TEST_P(join_handle_on_workers, join_happens_after_all_that_the_goroutine_did) {
    run([] {
        for (int i = 0; i < 100; ++i) {
            int plain = 0;
            spawn([&] {
                yield();
                plain = i;
            }).join();
            ASSERT_EQ(plain, i);
        }
    });
}

TEST_P(join_handle_on_workers, is_joinable_until_it_is_joined_detached_or_moved_from) {
    run([] {
        join_handle<int> empty;
        EXPECT_FALSE(empty.joinable());
        auto h = spawn([] { return 1; });
        EXPECT_TRUE(h.joinable());
        join_handle<int> moved = std::move(h);
        EXPECT_FALSE(h.joinable());
        EXPECT_TRUE(moved.joinable());
        EXPECT_EQ(moved.join(), 1);
        EXPECT_FALSE(moved.joinable());
        auto other = spawn([] {});
        other.detach();
        other.detach();
        EXPECT_FALSE(other.joinable());
    });
}

TEST_P(join_handle_on_workers, without_a_goroutine_its_operations_throw) {
    run([] {
        auto h = spawn([] { return 1; });
        EXPECT_EQ(h.join(), 1);
        EXPECT_THROW(h.join(), std::logic_error);
        EXPECT_THROW(static_cast<void>(h.done()), std::logic_error);
        EXPECT_THROW(h.wait_for(1s), std::logic_error);
        EXPECT_THROW(h.wait_until(clock::now()), std::logic_error);
        EXPECT_THROW(join_handle<void>().join(), std::logic_error);
    });
}

TEST_P(join_handle_on_workers, assignment_detaches_what_was_there) {
    run([] {
        auto release = make_chan<unit>();
        auto ended = make_chan<unit>();
        auto h = spawn([&] {
            release.recv();
            ended.send();
            return 1;
        });
        h = spawn([] { return 2; });
        auto& self = h;
        h = std::move(self);
        EXPECT_EQ(h.join(), 2);
        release.send();
        ended.recv();
    });
}

TEST_P(join_handle_on_workers, a_dropped_handle_lets_the_goroutine_go_on) {
    run([] {
        auto release = make_chan<unit>();
        auto ended = make_chan<unit>();
        {
            auto h = spawn([=] {
                release.recv();
                ended.send();
            });
        }
        release.send();
        ended.recv();
    });
}

TEST_P(join_handle_on_workers, the_result_of_a_dropped_handle_is_destroyed) {
    auto object = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = object;
    run([&] { spawn([mine = std::move(object)] { return mine; }).detach(); });
    EXPECT_TRUE(watched.expired());  // the runtime has ended, so the goroutine has
}

TEST_P(join_handle_on_workers, a_plain_thread_may_join_too) {
    join_handle<int> h;
    run([&] { h = spawn([] { return 6; }); });
    EXPECT_EQ(h.join(), 6);
}

INSTANTIATE_TEST_SUITE_P(workers, join_handle_on_workers, test::worker_counts, test::worker_name);

class join_handle_in_a_bubble : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        testing::bubble bubble{{.workers = static_cast<std::size_t>(GetParam())}};
        bubble.run([&] { body(bubble); });
    }
};

TEST_P(join_handle_in_a_bubble, done_stands_in_a_select) {
    run([](testing::bubble&) {
        auto h = spawn([] { sleep_for(3s); });
        const recv_chan<unit> done = h.done();
        EXPECT_EQ(select(on_recv(done), on_timeout(2s)), 1u);
        EXPECT_EQ(select(on_recv(done), on_timeout(2s)), 0u);
        EXPECT_FALSE(done.recv());
        EXPECT_EQ(h.done(), done) << "it is the same channel each time";
        h.join();
        EXPECT_FALSE(done.recv()) << "it outlives the handle";
    });
}

TEST_P(join_handle_in_a_bubble, done_is_closed_when_it_is_first_asked_for_after_the_exit) {
    run([](testing::bubble& b) {
        auto h = spawn([] { return 4; });
        b.settle();
        unit u;
        EXPECT_EQ(h.done().try_recv(u), op_status::closed);
        EXPECT_EQ(h.join(), 4);
    });
}

TEST_P(join_handle_in_a_bubble, done_closes_although_the_handle_has_gone) {
    run([](testing::bubble&) {
        recv_chan<unit> done;
        {
            auto h = spawn([] { sleep_for(1s); });
            done = h.done();
        }
        EXPECT_FALSE(done.recv());
    });
}

TEST_P(join_handle_in_a_bubble, wait_for_gives_up_after_its_time_and_stays_joinable) {
    run([](testing::bubble&) {
        const auto start = clock::now();
        auto h = spawn([] {
            sleep_for(3s);
            return 8;
        });
        EXPECT_FALSE(h.wait_for(-1s));
        EXPECT_FALSE(h.wait_for(0s));
        EXPECT_EQ(clock::now(), start);
        EXPECT_FALSE(h.wait_for(1s));
        EXPECT_EQ(clock::now() - start, 1s);
        EXPECT_FALSE(h.wait_until(start + 2s));
        EXPECT_EQ(clock::now() - start, 2s);
        EXPECT_TRUE(h.wait_until(start + 4s));
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_TRUE(h.wait_for(0s));
        EXPECT_TRUE(h.wait_until(clock::time_point::min())) << "it has exited";
        EXPECT_TRUE(h.joinable());
        EXPECT_EQ(h.join(), 8);
    });
}

TEST_P(join_handle_in_a_bubble, wait_for_reports_an_exit_by_exception_and_join_throws_it) {
    run([](testing::bubble&) {
        auto h = spawn([] { throw std::runtime_error("ended"); });
        EXPECT_TRUE(h.wait_for(1s));
        EXPECT_THROW(h.join(), std::runtime_error);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, join_handle_in_a_bubble, test::worker_counts, test::worker_name);

using join_handle_races = test::on_workers;

TEST_P(join_handle_races, waits_that_give_up_while_the_goroutine_exits_leave_nothing_behind) {
    const std::size_t rounds = test::scaled(5'000, 500);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto h = spawn([i] {
                for (std::size_t k = 0; k < i % 7; ++k) {
                    yield();
                }
                return i;
            });
            const bool ended = h.wait_for(std::chrono::microseconds(i % 20));
            if (i % 3 == 0) {
                h.detach();
            } else if (i % 3 == 1) {
                ASSERT_EQ(h.join(), i);
            } else {
                ASSERT_TRUE(ended || select(on_recv(h.done())) == 0);
            }
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, join_handle_races, test::worker_counts, test::worker_name);

// An exception that nobody takes.

void no_core() {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

class join_handle_death : public ::testing::Test {
protected:
    void SetUp() override {
        GTEST_FLAG_SET(death_test_style, "threadsafe");
        if (!test::can_start_programs()) {
            GTEST_SKIP() << test::needs_programs;
        }
    }
};

TEST_F(join_handle_death, an_exception_whose_handle_was_dropped_ends_the_process) {
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                auto release = make_chan<unit>();
                spawn([release] {
                    release.recv();
                    throw std::runtime_error("nobody took me");
                }).detach();
                release.send();
                make_chan<unit>().recv();
            });
        },
        "never joined for.*nobody took me");
}

TEST_F(join_handle_death, a_handle_dropped_after_the_exception_ends_the_process_too) {
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                auto h = spawn([] { throw std::runtime_error("nobody took me"); });
                while (!h.wait_for(1s)) {
                }
                {
                    auto dropped = std::move(h);
                }
                make_chan<unit>().recv();
            });
        },
        "never joined for.*nobody took me");
}

TEST_F(join_handle_death, an_exception_dropped_by_unwinding_does_not_end_the_process) {
    EXPECT_EXIT(
        {
            no_core();
            run([] {
                try {
                    auto h = spawn([] { throw std::runtime_error("inner"); });
                    auto exit = h.done();
                    exit.recv();
                    while (debug::live_goroutines() > 1) {  // its own share goes with it
                        yield();
                    }
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
