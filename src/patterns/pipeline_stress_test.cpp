// A pipeline of four stages with eight workers each that is ended in the middle, again and again:
// no goroutine is left and every value is accounted for.
//
// By default each round has 10,000 values and there are 120 rounds; the environment variables
// RUNNEL_PIPELINE_ITEMS and RUNNEL_PIPELINE_ROUNDS set other sizes (in full: 1000000 and 1000).
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <runnel/debug/goroutines.hpp>

#include "src/patterns/flow_test.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::tracked;
using pipeline_stress = test::on_workers;

INSTANTIATE_TEST_SUITE_P(, pipeline_stress, test::worker_counts, test::worker_name);

std::size_t size_from(const char* variable, std::size_t otherwise) {
    const char* const text = std::getenv(variable);
    return text == nullptr ? otherwise : std::stoul(text);
}

enum class ending { cancel, deadline, walk_away, stage_throws, all_received };
constexpr int endings = 5;

/// Ends of goroutines and destructors of what they hold come a moment after the end of the output.
void expect_all_gone(std::size_t goroutines_before) {
    for (int i = 0; i < 60'000; ++i) {
        if (debug::live_goroutines() == goroutines_before && tracked::alive == 0) {
            return;
        }
        sleep_for(1ms);
    }
    debug::dump(2);
    FAIL() << debug::live_goroutines() - goroutines_before << " goroutines and "
           << tracked::alive.load() << " values are left";
}

recv_chan<tracked> make_pipeline(const context& ctx, int items, int throw_at,
                                 const stage_options& shape) {
    return produce<tracked>(ctx,
                            [items](const context& under, const send_chan<tracked>& out) {
                                for (int i = 0; i < items; ++i) {
                                    if (out.send(under, tracked(i)) != op_status::ok) {
                                        return;
                                    }
                                }
                            }) |
           transform(
               ctx, [](tracked t) { return t; }, shape) |
           filter(
               ctx, [](const tracked& t) { return t.value % 10 != 9; }, shape) |
           transform(
               ctx,
               [throw_at](tracked t) {
                   if (t.value == throw_at) {
                       throw std::runtime_error("in the middle");
                   }
                   return t;
               },
               shape) |
           transform(ctx, [](tracked t) { return t; }, shape);
}

/// Receives up to `point` values, ends the pipeline, and receives what still comes.
void consume_until(const recv_chan<tracked>& out, int point, ending how,
                   const cancel_func& cancel) {
    int received = 0;
    for (auto&& value : out) {
        static_cast<void>(value);
        if (++received == point) {
            if (how == ending::cancel) {
                cancel();
            } else if (how == ending::walk_away) {
                return;
            }
        }
    }
}

void one_round(std::mt19937& random, int items, ending how, bool ordered) {
    const std::size_t before = debug::live_goroutines();
    const auto below = [&random](int n) { return std::uniform_int_distribution(0, n - 1)(random); };
    const int point = below(items * 9 / 10) + 1;
    auto [ctx, cancel] = how == ending::deadline
                             ? with_timeout(background(), std::chrono::microseconds(below(20'000)))
                             : with_cancel(background());
    // Not one that the filter drops.
    const int throw_at = how == ending::stage_throws ? point / 10 * 10 : -1;
    bool failed = false;
    try {
        consume_until(make_pipeline(ctx, items, throw_at, {.workers = 8, .ordered = ordered}),
                      point, how, cancel);
    } catch (const std::system_error& e) {
        failed = true;
        ASSERT_TRUE(how == ending::cancel || how == ending::deadline) << e.what();
    } catch (const std::runtime_error&) {
        failed = true;
        ASSERT_EQ(how, ending::stage_throws);
    }
    ASSERT_TRUE(failed || how != ending::stage_throws);
    expect_all_gone(before);
}

TEST_P(pipeline_stress, a_pipeline_that_ends_at_a_random_point_leaves_nothing) {
    const std::size_t rounds = size_from("RUNNEL_PIPELINE_ROUNDS", test::scaled(120, 20));
    const std::size_t items = size_from("RUNNEL_PIPELINE_ITEMS", test::scaled(10'000, 2'000));
    std::printf("[ size     ] %zu rounds of %zu values\n", rounds, items);
    run([&] {
        std::mt19937 random(static_cast<unsigned>(GetParam()));
        for (std::size_t i = 0; i < rounds && !HasFatalFailure(); ++i) {
            one_round(random, static_cast<int>(items), static_cast<ending>(i % endings),
                      i % 2 == 1);
        }
    });
}

TEST_P(pipeline_stress, many_values_pass_eight_workers_in_order) {
    const int items = static_cast<int>(test::scaled(300'000, 20'000));
    run([&] {
        const std::size_t before = debug::live_goroutines();
        int received = 0;
        for (const int value : produce<int>(test::numbers(0, items), 64) |
                                   transform([](int n) { return n + 1; },
                                             {.workers = 8, .ordered = true, .capacity = 64}) |
                                   transform([](int n) { return n - 1; })) {
            ASSERT_EQ(value, received++);
        }
        EXPECT_EQ(received, items);
        expect_all_gone(before);
    });
}

}  // namespace
}  // namespace runnel
