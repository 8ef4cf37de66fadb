#include <runnel/patterns/service.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<service>);
static_assert(std::is_nothrow_move_constructible_v<service>);

using service_in_a_bubble = test::clean_bubble;

// Ends some time after it is told to.
auto leaves_after(std::chrono::nanoseconds d) {
    return [d](const context& stop) {
        stop.done().recv();
        sleep_for(d);
    };
}

TEST_P(service_in_a_bubble, stop_and_wait_returns_when_it_has_ended) {
    run_clean([](testing::bubble&) {
        service s(leaves_after(3s));
        sleep_for(5s);
        const auto start = clock::now();
        EXPECT_EQ(s.stop_and_wait(10s), op_status::ok);
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_EQ(s.stop_and_wait(0s), op_status::ok) << "it has ended";
    });
}

TEST_P(service_in_a_bubble, busy_one_hears_the_request_in_whatever_it_waits_for) {
    run_clean([](testing::bubble& world) {
        auto jobs = make_chan<int>();
        std::atomic<int> done = 0;
        service s([&, jobs](const context& stop) {
            for (int j = 0; jobs.recv(stop, j) == op_status::ok;) {
                if (sleep_for(stop, std::chrono::seconds(j)) != op_status::ok) {
                    return;  // in the middle of a job
                }
                ++done;
            }
        });
        jobs.send(1);
        jobs.send(3600);
        world.settle();
        const auto start = clock::now();
        EXPECT_EQ(s.stop_and_wait(10s), op_status::ok);
        EXPECT_EQ(clock::now() - start, 0s);
        EXPECT_EQ(done, 1);
    });
}

TEST_P(service_in_a_bubble, after_a_timeout_it_may_be_waited_for_again) {
    run_clean([](testing::bubble&) {
        service s(leaves_after(3s));
        EXPECT_EQ(s.stop_and_wait(1s), op_status::timeout);
        EXPECT_EQ(s.stop_and_wait(-1s), op_status::timeout);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        EXPECT_EQ(s.stop_and_wait(ctx), op_status::timeout);
        auto [ended, cancel_now] = with_cancel(background());
        cancel_now();
        EXPECT_EQ(s.stop_and_wait(ended), op_status::canceled);
        EXPECT_EQ(s.stop_and_wait(2s), op_status::ok);
    });
}

TEST_P(service_in_a_bubble, every_notifier_gets_the_reply) {
    run_clean([](testing::bubble&) {
        service s(leaves_after(1s));
        std::atomic<int> replies = 0;
        wait_group notifiers;
        for (int i = 0; i < 5; ++i) {
            notifiers.go([&] { replies += s.stop_and_wait(2s) == op_status::ok ? 1 : 0; });
        }
        notifiers.wait();
        EXPECT_EQ(replies, 5);
    });
}

TEST_P(service_in_a_bubble, exception_is_rethrown_to_every_notifier) {
    run_clean([](testing::bubble&) {
        service s([](const context& stop) {
            stop.done().recv();
            throw std::runtime_error("broken");
        });
        std::atomic<int> caught = 0;
        wait_group notifiers;
        for (int i = 0; i < 5; ++i) {
            notifiers.go([&] {
                try {
                    static_cast<void>(s.stop_and_wait(2s));
                } catch (const std::runtime_error&) {
                    ++caught;
                }
            });
        }
        notifiers.wait();
        EXPECT_EQ(caught, 5);
    });
}

TEST_P(service_in_a_bubble, exception_that_ended_it_early_is_kept) {
    run_clean([](testing::bubble&) {
        service s([](const context&) { throw std::runtime_error("at once"); });
        EXPECT_FALSE(s.done().recv());
        EXPECT_THROW(static_cast<void>(s.stop_and_wait(1s)), std::runtime_error);
    });
}

TEST_P(service_in_a_bubble, done_closes_at_the_end_asked_or_not) {
    run_clean([](testing::bubble&) {
        service s([](const context& stop) { static_cast<void>(sleep_for(stop, 2s)); });
        EXPECT_EQ(select(on_recv(s.done()), on_timeout(1s)), 1U);
        EXPECT_EQ(select(on_recv(s.done()), on_timeout(2s)), 0U);
    });
}

TEST_P(service_in_a_bubble, destructor_stops_and_waits) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        {
            service s(leaves_after(2s));
        }
        EXPECT_EQ(clock::now() - start, 2s);
    });
}

TEST_P(service_in_a_bubble, end_of_its_parent_stops_it) {
    run_clean([](testing::bubble&) {
        auto [parent, cancel] = with_timeout(background(), 2s);
        service s(parent, [](const context& stop) {
            if (sleep_for(stop, 1h) != op_status::ok) {
                throw timeout_error(errc::deadline_exceeded);  // no failure when it is dropped
            }
        });
        const auto start = clock::now();
        s.done().recv();
        EXPECT_EQ(clock::now() - start, 2s);
    });
}

TEST_P(service_in_a_bubble, moves_and_replaces) {
    run_clean([](testing::bubble&) {
        auto only_movable = std::make_unique<int>(1);
        service a([p = std::move(only_movable)](const context& stop) { stop.done().recv(); });
        service b(std::move(a));
        EXPECT_THROW(static_cast<void>(a.stop_and_wait(1s)), std::logic_error);
        const recv_chan<unit> first_done = b.done();
        b = service(leaves_after(1s));
        unit u;
        EXPECT_EQ(first_done.try_recv(u), op_status::closed);
        std::optional<service> c(std::move(b));
        c.reset();
    });
}

TEST_P(service_in_a_bubble, callable_is_destroyed_before_the_end_is_reported) {
    run_clean([](testing::bubble&) {
        auto owned = std::make_shared<int>(1);
        const std::weak_ptr<int> watched = owned;
        service s([o = std::move(owned)](const context& stop) { stop.done().recv(); });
        EXPECT_EQ(s.stop_and_wait(1s), op_status::ok);
        EXPECT_TRUE(watched.expired());
    });
}

INSTANTIATE_TEST_SUITE_P(workers, service_in_a_bubble, test::worker_counts, test::worker_name);

class service_death : public ::testing::Test {
protected:
    service_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    static void no_core() {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
    }
};

TEST_F(service_death, exception_that_nobody_waited_for_ends_the_process) {
    EXPECT_DEATH(
        {
            no_core();
            run([] {
                service s([](const context&) { throw std::runtime_error("nobody took me"); });
            });
        },
        "service nobody waited for.*nobody took me");
}

TEST_F(service_death, exception_dropped_by_unwinding_does_not_end_the_process) {
    EXPECT_EXIT(
        {
            no_core();
            run([] {
                try {
                    service s([](const context&) { throw std::runtime_error("inner"); });
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
