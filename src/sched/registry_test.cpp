#include "src/sched/registry.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

std::set<scheduler*> all_schedulers() {
    std::set<scheduler*> all;
    for_each_scheduler([&](scheduler& s) { all.insert(&s); });
    return all;
}

TEST(registry, knows_each_runtime_while_it_exists) {
    const std::size_t before = scheduler_count();
    const std::set<scheduler*> others = all_schedulers();
    {
        const runtime a{{.workers = 1}};
        EXPECT_EQ(scheduler_count(), before + 1);
        const runtime b{{.workers = 1}};
        EXPECT_EQ(scheduler_count(), before + 2);
        EXPECT_EQ(all_schedulers().size(), before + 2);
    }
    EXPECT_EQ(scheduler_count(), before);
    EXPECT_EQ(all_schedulers(), others);
}

TEST(registry, a_runtime_that_could_not_be_made_leaves_nothing_behind) {
    const std::size_t before = scheduler_count();
    EXPECT_THROW(runtime({.workers = scheduler::max_workers + 1}), std::invalid_argument);
    EXPECT_THROW(runtime({.workers = 1, .stack_size = min_stack_size - 1}), std::invalid_argument);
    EXPECT_THROW(runtime({.workers = 1, .stack_size = max_stack_size + 1}), std::invalid_argument);
    EXPECT_EQ(scheduler_count(), before);
}

TEST(registry, the_current_runtime_is_that_of_the_goroutine_else_the_process_wide_one) {
    EXPECT_EQ(&current_scheduler(), &process_scheduler());
    runtime outer{{.workers = 1}};
    runtime inner{{.workers = 1}};
    outer.run([&] {
        scheduler* const mine = &current_scheduler();
        EXPECT_NE(mine, &process_scheduler());
        inner.run([&] {
            EXPECT_NE(&current_scheduler(), mine);
            EXPECT_NE(&current_scheduler(), &process_scheduler());
        });
        EXPECT_EQ(&current_scheduler(), mine);
        blocking([] { EXPECT_EQ(&current_scheduler(), &process_scheduler()); });
    });
    EXPECT_FALSE(process_is_ending());
}

TEST(registry, the_process_wide_runtime_is_made_once) {
    scheduler* const first = &process_scheduler();
    run([&] { EXPECT_EQ(&current_scheduler(), first); });
    EXPECT_EQ(&process_scheduler(), first);
}

TEST(registry, a_goroutine_is_started_in_the_runtime_of_its_starter) {
    runtime rt{{.workers = 2}};
    rt.run([] {
        scheduler* const mine = &current_scheduler();
        EXPECT_EQ(spawn([] { return &current_scheduler(); }).join(), mine);
    });
    EXPECT_EQ(spawn([] { return &current_scheduler(); }).join(), &process_scheduler());
}

/// In a process of its own: this one's runtime has long started.
[[noreturn]] void configure_and_look() {
    const auto refused = [](const runtime_options& options) {
        try {
            configure(options);
        } catch (const std::invalid_argument& error) {
            return std::string(error.what()).find("runtime_options") != std::string::npos;
        }
        return false;
    };
    configure({.workers = 3});
    if (!refused({.workers = 5000}) || !refused({.workers = 2, .stack_size = 1}) ||
        !refused({.workers = 2, .stack_size = SIZE_MAX})) {
        std::fprintf(stderr, "bad options were taken");
        std::_Exit(1);
    }
    const int result = run([] { return 5; });
    std::fprintf(stderr, "workers %zu result %d", process_scheduler().base_workers(), result);
    try {
        configure({.workers = 1});
    } catch (const std::logic_error&) {
        std::_Exit(0);
    }
    std::_Exit(2);
}

TEST(configure_death, options_hold_until_first_use_and_bad_ones_change_nothing) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(configure_and_look(), ::testing::ExitedWithCode(0), "workers 3 result 5");
}

TEST(live_goroutines, counts_those_of_all_runtimes) {
    runtime a{{.workers = 1}};
    runtime b{{.workers = 2}};
    auto gate = make_chan<unit>();
    const std::size_t before = debug::live_goroutines();
    for (runtime* rt : {&a, &b}) {
        rt->run([&] {
            go([gate] { gate.recv(); });
            go([gate] { gate.recv(); });
        });
    }
    EXPECT_GE(debug::live_goroutines(), before + 4);
    EXPECT_GE(debug::goroutines().size(), 4u);
    gate.close();
}

}  // namespace
}  // namespace runnel::detail
