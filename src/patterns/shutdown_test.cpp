#include <runnel/patterns/shutdown.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/patterns/service.hpp>
#include <runnel/patterns/worker_pool.hpp>
#include <runnel/runnel.hpp>

#include "test/support/clean.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using function = std::function<std::error_code(clock::duration)>;

// Takes `d`, whatever it is handed.
auto takes(clock::duration d, std::error_code result = {}) {
    return [d, result](clock::duration) {
        sleep_for(d);
        return result;
    };
}

// Gives up when what it is handed is over.
auto keeps_its_limit(clock::duration needed) {
    return [needed](clock::duration left) {
        if (left < needed) {
            sleep_for(left);
            return std::make_error_code(std::errc::timed_out);
        }
        sleep_for(needed);
        return std::error_code();
    };
}

struct database {
    std::error_code shutdown(clock::duration d) {
        handed = d;
        sleep_for(needed);
        return {};
    }
    [[nodiscard]] std::string name() const { return "database"; }

    clock::duration needed{};
    clock::duration handed{-1};
};

static_assert(shutdowner<database>);
static_assert(shutdowner<function>);
static_assert(shutdowner<decltype(takes(1s))>);
static_assert(shutdowner<std::error_code (*)(clock::duration)>);
static_assert(shutdowner<any_shutdowner>);
static_assert(shutdowner<service>);
static_assert(shutdowner<worker_pool<int>>);
static_assert(!shutdowner<int>);
static_assert(!shutdowner<std::function<void(clock::duration)>>);

std::error_code plain_function(clock::duration) { return {}; }

class shutdown_in_a_bubble : public test::clean_bubble {};

TEST_P(shutdown_in_a_bubble, concurrent_takes_as_long_as_the_slowest) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        const auto report = concurrent_shutdown(10s, takes(2s), takes(6s));
        EXPECT_EQ(clock::now() - start, 6s);
        EXPECT_FALSE(report.error());
        ASSERT_EQ(report.components().size(), 2U);
        EXPECT_EQ(report.components()[0].taken, 2s);
        EXPECT_EQ(report.components()[1].taken, 6s);
        EXPECT_TRUE(report.components()[1].finished);
        unit u;
        EXPECT_EQ(report.stragglers().try_recv(u), op_status::closed);
    });
}

TEST_P(shutdown_in_a_bubble, concurrent_returns_at_its_limit_and_tells_who_is_late) {
    run_clean([](testing::bubble&) {
        const auto start = clock::now();
        const auto report =
            concurrent_shutdown(4s, named("quick", takes(2s)), named("slow", takes(6s)), takes(1s));
        EXPECT_EQ(clock::now() - start, 4s);
        EXPECT_EQ(report.error(), errc::timed_out);
        EXPECT_EQ(report.error(), std::errc::timed_out);
        const auto& all = report.components();
        ASSERT_EQ(all.size(), 3U);
        EXPECT_EQ(all[0].name, "quick");
        EXPECT_TRUE(all[0].finished);
        EXPECT_FALSE(all[0].error);
        EXPECT_EQ(all[1].name, "slow");
        EXPECT_FALSE(all[1].finished);
        EXPECT_EQ(all[1].error, errc::timed_out);
        EXPECT_EQ(all[1].taken, 4s);
        EXPECT_EQ(all[2].name, "2");
        EXPECT_TRUE(all[2].finished);
        EXPECT_FALSE(report.stragglers().recv());
        EXPECT_EQ(clock::now() - start, 6s);
    });
}

TEST_P(shutdown_in_a_bubble, error_of_a_component_is_reported_and_comes_before_the_time_out) {
    run_clean([](testing::bubble&) {
        const auto broken = std::make_error_code(std::errc::io_error);
        const auto report =
            concurrent_shutdown(4s, takes(6s), takes(1s), takes(2s, broken), takes(1s, broken));
        EXPECT_EQ(report.error(), std::errc::io_error);
        EXPECT_EQ(report.components()[2].error, std::errc::io_error);
        EXPECT_EQ(report.components()[3].error, std::errc::io_error);
        report.stragglers().recv();
    });
}

TEST_P(shutdown_in_a_bubble, exception_is_the_error_of_its_component_alone) {
    run_clean([](testing::bubble&) {
        const auto report = concurrent_shutdown(
            4s,
            [](clock::duration) -> std::error_code {
                throw std::system_error(std::make_error_code(std::errc::broken_pipe));
            },
            [](clock::duration) -> std::error_code { throw std::runtime_error("odd"); }, takes(1s));
        const auto& all = report.components();
        EXPECT_EQ(report.error(), std::errc::broken_pipe);
        EXPECT_EQ(all[1].error, errc::exception_thrown);
        EXPECT_EQ(all[1].error.message(), "an exception was thrown");
        EXPECT_THROW(std::rethrow_exception(all[1].exception), std::runtime_error);
        EXPECT_TRUE(all[1].finished);
        EXPECT_TRUE(all[2].finished);
        EXPECT_EQ(all[2].exception, nullptr);
    });
}

TEST_P(shutdown_in_a_bubble, null_component_is_an_error) {
    run_clean([](testing::bubble&) {
        std::error_code (*no_function)(clock::duration) = nullptr;
        const std::shared_ptr<database> none;
        const auto report =
            concurrent_shutdown(1s, function(), no_function, none, any_shutdowner(), takes(0s));
        for (std::size_t i = 0; i < 4; ++i) {
            const auto& each = report.components()[i];
            EXPECT_EQ(each.error, std::errc::invalid_argument);
            EXPECT_TRUE(each.finished);
            EXPECT_NE(each.exception, nullptr);
        }
        EXPECT_FALSE(report.components()[4].error);
    });
}

TEST_P(shutdown_in_a_bubble, components_come_as_references_shared_pointers_rvalues_or_callables) {
    run_clean([](testing::bubble&) {
        database mine;
        database another;
        const auto shared = std::make_shared<database>();
        const auto callable = takes(0s);
        const function erased = takes(0s);
        const any_shutdowner any = named("any", takes(0s));
        auto only_movable = [p = std::make_unique<int>(1)](clock::duration) {
            return *p == 1 ? std::error_code() : errc::canceled;
        };
        const auto report = concurrent_shutdown(
            1s, std::ref(mine), shared, database(), callable, erased, any, plain_function,
            &plain_function, std::move(only_movable), named("other", std::ref(another)));
        EXPECT_FALSE(report.error());
        EXPECT_EQ(mine.handed, 1s);
        EXPECT_EQ(shared->handed, 1s);
        std::vector<std::string> names;
        for (const auto& each : report.components()) {
            names.push_back(each.name);
        }
        EXPECT_EQ(names, (std::vector<std::string>{"database", "database", "database", "3", "4",
                                                   "any", "6", "7", "8", "other"}));
    });
}

TEST_P(shutdown_in_a_bubble, range_of_components) {
    run_clean([](testing::bubble&) {
        std::vector<any_shutdowner> all;
        all.emplace_back(takes(1s));
        all.push_back(named("b", takes(2s)));
        EXPECT_EQ(concurrent_shutdown(5s, all).components()[1].name, "b");
        EXPECT_EQ(sequential_shutdown(background(), 5s, all).components()[1].taken, 2s);
        EXPECT_FALSE(sequential_shutdown(5s, std::move(all)).error());
        EXPECT_TRUE(concurrent_shutdown(5s).components().empty());
        EXPECT_FALSE(sequential_shutdown(5s, std::vector<any_shutdowner>()).error());
        unit u;
        EXPECT_EQ(concurrent_shutdown(5s).stragglers().try_recv(u), op_status::closed);
    });
}

TEST_P(shutdown_in_a_bubble, sequential_keeps_order_and_hands_each_what_is_left) {
    run_clean([](testing::bubble&) {
        std::vector<clock::duration> handed;
        const auto component = [&](clock::duration d) {
            return [&handed, d](clock::duration left) {
                handed.push_back(left);
                sleep_for(d);
                return std::error_code();
            };
        };
        const auto start = clock::now();
        const auto report = sequential_shutdown(10s, component(2s), component(3s), component(4s));
        EXPECT_EQ(clock::now() - start, 9s);
        EXPECT_EQ(handed, (std::vector<clock::duration>{10s, 8s, 5s}));
        EXPECT_FALSE(report.error());
    });
}

TEST_P(shutdown_in_a_bubble, sequential_goes_on_after_an_error) {
    run_clean([](testing::bubble&) {
        const auto broken = std::make_error_code(std::errc::io_error);
        const auto report = sequential_shutdown(
            10s, takes(1s, broken),
            [](clock::duration) -> std::error_code { throw std::runtime_error("odd"); }, takes(1s));
        EXPECT_EQ(report.error(), std::errc::io_error);
        EXPECT_TRUE(report.components()[2].finished);
        EXPECT_FALSE(report.components()[2].error);
    });
}

TEST_P(shutdown_in_a_bubble, sequential_offers_the_later_ones_their_turn_with_an_expired_limit) {
    run_clean([](testing::bubble&) {
        std::vector<std::string> turns;
        const auto quick = [&](const char* name) {
            return named(name, [&turns, name](clock::duration left) {
                turns.push_back(std::string(name) + (left == 0s ? " in none" : " in time"));
                return std::error_code();
            });
        };
        const auto start = clock::now();
        const auto report =
            sequential_shutdown(3s, quick("a"), named("hangs", takes(10s)), quick("b"), quick("c"));
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_EQ(turns, (std::vector<std::string>{"a in time", "b in none", "c in none"}));
        EXPECT_EQ(report.error(), errc::timed_out);
        const auto& all = report.components();
        EXPECT_FALSE(all[1].finished);
        EXPECT_EQ(all[1].error, errc::timed_out);
        EXPECT_TRUE(all[2].finished);
        EXPECT_FALSE(all[2].error);
        EXPECT_TRUE(all[3].finished);
        report.stragglers().recv();
        EXPECT_EQ(clock::now() - start, 10s);
    });
}

TEST_P(shutdown_in_a_bubble, sequential_is_not_held_up_by_later_ones_that_hang_too) {
    run_clean([](testing::bubble&) {
        std::atomic<int> called = 0;
        const auto hangs = [&](clock::duration) {
            ++called;
            sleep_for(1h);
            return std::error_code();
        };
        const auto start = clock::now();
        const auto report = sequential_shutdown(3s, hangs, hangs, hangs, hangs);
        EXPECT_EQ(clock::now() - start, 3s);
        EXPECT_EQ(called, 4);
        EXPECT_EQ(std::count_if(report.components().begin(), report.components().end(),
                                [](const auto& each) { return each.finished; }),
                  0);
        report.stragglers().recv();
    });
}

TEST_P(shutdown_in_a_bubble, component_that_keeps_its_own_limit_gives_one_answer_every_time) {
    run_clean([](testing::bubble&) {
        for (int i = 0; i < 20; ++i) {
            auto report = concurrent_shutdown(2s, keeps_its_limit(1s), keeps_its_limit(5s));
            ASSERT_EQ(report.error(), std::errc::timed_out);
            ASSERT_FALSE(report.components()[0].error);
            ASSERT_EQ(report.components()[1].error, std::errc::timed_out);
            report.stragglers().recv();
            report = sequential_shutdown(2s, keeps_its_limit(5s), keeps_its_limit(0s));
            ASSERT_EQ(report.error(), std::errc::timed_out);
            ASSERT_FALSE(report.components()[1].error);
            report.stragglers().recv();
        }
    });
}

TEST_P(shutdown_in_a_bubble, end_of_the_context_ends_the_call) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_cancel(background());
        wait_group canceler;
        canceler.go([&] {
            sleep_for(1s);
            cancel();
        });
        const auto start = clock::now();
        const auto report = concurrent_shutdown(ctx, 10s, takes(3s), takes(0s));
        EXPECT_EQ(clock::now() - start, 1s);
        EXPECT_EQ(report.error(), errc::canceled);
        EXPECT_EQ(report.components()[0].error, errc::canceled);
        EXPECT_TRUE(report.components()[1].finished);
        report.stragglers().recv();
        canceler.wait();
    });
}

TEST_P(shutdown_in_a_bubble, deadline_of_the_context_shortens_what_is_handed) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_timeout(background(), 3s);
        std::vector<clock::duration> handed;
        const auto component = [&](clock::duration left) {
            handed.push_back(left);
            sleep_for(2s);
            return std::error_code();
        };
        const auto report =
            sequential_shutdown(ctx, 10s, component, component, [&](clock::duration left) {
                handed.push_back(left);
                return std::error_code();
            });
        EXPECT_EQ(handed, (std::vector<clock::duration>{3s, 1s, 0s}));
        EXPECT_EQ(report.error(), errc::deadline_exceeded);
        EXPECT_EQ(concurrent_shutdown(ctx, 10s, takes(0s)).components()[0].name, "0");
        report.stragglers().recv();
    });
}

TEST_P(shutdown_in_a_bubble, without_a_limit_it_waits_for_all) {
    run_clean([](testing::bubble&) {
        clock::duration handed{};
        const auto report = concurrent_shutdown(clock::duration::max(), [&](clock::duration d) {
            handed = d;
            sleep_for(100h);
            return std::error_code();
        });
        EXPECT_FALSE(report.error());
        EXPECT_EQ(handed, clock::duration::max());
    });
}

TEST_P(shutdown_in_a_bubble, no_time_at_all_still_calls_everybody) {
    run_clean([](testing::bubble&) {
        for (const auto limit : {0s, -5s}) {
            database a;
            database b;
            const auto report = concurrent_shutdown(limit, std::ref(a), std::ref(b));
            report.stragglers().recv();  // both have been called; whether they are back is chance
            EXPECT_TRUE(!report.error() || report.error() == errc::timed_out);
            EXPECT_EQ(a.handed, 0s);
            EXPECT_EQ(b.handed, 0s);
        }
    });
}

TEST_P(shutdown_in_a_bubble, services_and_pools_are_components) {
    run_clean([](testing::bubble&) {
        service poller([](const context& stop) { stop.done().recv(); });
        auto pool = std::make_shared<worker_pool<int>>(2, [](int) { sleep_for(2s); });
        service broken([](const context&) { throw std::runtime_error("broken"); });
        pool->submit(1);
        const auto report = sequential_shutdown(5s, named("poller", std::ref(poller)),
                                                named("pool", pool), std::ref(broken));
        EXPECT_EQ(report.error(), errc::exception_thrown);
        EXPECT_EQ(report.components()[1].taken, 2s);
    });
}

TEST_P(shutdown_in_a_bubble, what_was_moved_in_is_released_when_its_component_has_returned) {
    run_clean([](testing::bubble&) {
        auto quick = std::make_shared<int>(1);
        auto slow = std::make_shared<int>(2);
        const std::weak_ptr<int> watch_quick = quick;
        const std::weak_ptr<int> watch_slow = slow;
        const auto report = concurrent_shutdown(
            1s, [q = std::move(quick)](clock::duration) { return std::error_code(); },
            [s = std::move(slow)](clock::duration) {
                sleep_for(5s);
                return std::error_code();
            });
        EXPECT_TRUE(watch_quick.expired());
        EXPECT_FALSE(watch_slow.expired());
        report.stragglers().recv();
        EXPECT_TRUE(watch_slow.expired());
    });
}

// 1,000 components, of which 10 hang and 10 fail.
TEST_P(shutdown_in_a_bubble, thousand_components_of_which_ten_hang_and_ten_fail) {
    run_clean([](testing::bubble& world) {
        const std::size_t before = debug::live_goroutines();
        auto release = make_chan<unit>();
        std::vector<any_shutdowner> all;
        for (int i = 0; i < 1000; ++i) {
            if (i % 100 == 7) {
                all.push_back(named("hangs " + std::to_string(i), [release](clock::duration) {
                    release.recv();
                    return std::error_code();
                }));
            } else if (i % 100 == 50) {
                all.push_back(named("fails " + std::to_string(i),
                                    takes(1s, std::make_error_code(std::errc::io_error))));
            } else {
                all.emplace_back(takes(1s));
            }
        }
        const auto start = clock::now();
        const auto report = concurrent_shutdown(5s, std::move(all));
        EXPECT_EQ(clock::now() - start, 5s);
        EXPECT_EQ(report.error(), std::errc::io_error);
        int hanging = 0;
        int failed = 0;
        for (const auto& each : report.components()) {
            if (each.error) {
                const bool hangs = each.name.starts_with("hangs ");
                hanging += hangs ? 1 : 0;
                failed += each.name.starts_with("fails ") ? 1 : 0;
                EXPECT_EQ(each.error, hangs ? make_error_code(errc::timed_out)
                                            : std::make_error_code(std::errc::io_error));
            }
        }
        EXPECT_EQ(hanging, 10);
        EXPECT_EQ(failed, 10);
        world.settle();
        EXPECT_EQ(debug::live_goroutines(), before + 10) << "only those that hang are left";
        release.close();
        report.stragglers().recv();
        world.settle();
        EXPECT_EQ(debug::live_goroutines(), before);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, shutdown_in_a_bubble, test::worker_counts, test::worker_name);

TEST(shutdown, works_from_a_plain_thread) {
    const std::size_t before = debug::live_goroutines();
    std::atomic<bool> called = false;
    auto release = make_chan<unit>();
    const auto start = std::chrono::steady_clock::now();
    const auto report = sequential_shutdown(
        20ms,
        [&](clock::duration) {
            release.recv();
            return std::error_code();
        },
        [&](clock::duration left) {
            called = left == 0s;
            return std::error_code();
        });
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    EXPECT_EQ(report.error(), errc::timed_out);
    EXPECT_TRUE(called);
    release.close();
    report.stragglers().recv();
    while (debug::live_goroutines() != before) {
        yield();
    }
}

}  // namespace
}  // namespace runnel
