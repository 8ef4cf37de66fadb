// Every pattern, ended in every way: finished, left early, cancelled in the middle, timed out, with
// a part that throws. No goroutine is left alive after any of them.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "trial.hpp"

namespace runnel::defects {
namespace {

using namespace std::chrono_literals;

struct use {
    const char* name;
    void (*body)();
};

void PrintTo(const use& u, std::ostream* out) { *out << u.name; }

struct broken : std::runtime_error {
    broken() : std::runtime_error("broken") {}
};

/// Runs `f`, which must end by an exception of type E.
template <class E, class F>
void expect_failure(F f) {
    EXPECT_THROW(f(), E);
}

/// All that comes out, however it ends; returns how many values that were.
template <class T>
int drain(const recv_chan<T>& in) {
    int count = 0;
    try {
        while (in.recv()) {
            ++count;
        }
    } catch (const broken&) {
    } catch (const canceled_error&) {
    } catch (const timeout_error&) {
    }
    return count;
}

// --- Pipelines -----------------------------------------------------------------------------------

/// Numbers from 1 on, a millisecond apart; 5 of them, or without end.
recv_chan<int> numbers(const context& ctx, bool endless) {
    return produce<int>(ctx, [=](const context& stop, const send_chan<int>& out) {
        for (int i = 1; (endless || i <= 5) && sleep_for(stop, 1ms) == op_status::ok; ++i) {
            out.send(i);
        }
    });
}

int same(int number) { return number; }
int throws_at_3(int number) { return number == 3 ? throw broken() : number; }

using shape = recv_chan<int> (*)(const context&, recv_chan<int>, int (*)(int));

recv_chan<int> one_stage(const context& ctx, recv_chan<int> in, int (*f)(int)) {
    return stage(ctx, std::move(in), f);
}
recv_chan<int> three_stages(const context& ctx, recv_chan<int> in, int (*f)(int)) {
    return std::move(in) | transform(ctx, same) | transform(ctx, f) |
           filter(ctx, [](int) { return true; });
}
recv_chan<int> fan_out(const context& ctx, recv_chan<int> in, int (*f)(int)) {
    return stage(ctx, std::move(in), f, {.workers = 4});
}
recv_chan<int> ordered_fan_out(const context& ctx, recv_chan<int> in, int (*f)(int)) {
    return stage(ctx, std::move(in), f, {.workers = 4, .ordered = true});
}
recv_chan<int> merged(const context& ctx, recv_chan<int> in, int (*f)(int)) {
    return fan_in(ctx, stage(ctx, std::move(in), f), numbers(ctx, false));
}

template <shape Shape>
void finishes() {
    EXPECT_GE(drain(Shape(background(), numbers(background(), false), same)), 5);
}
template <shape Shape>
void left_early() {
    EXPECT_TRUE(Shape(background(), numbers(background(), true), same).recv());
}
template <shape Shape>
void never_read() {
    static_cast<void>(Shape(background(), numbers(background(), true), same));
}
template <shape Shape>
void cancelled() {
    auto [ctx, cancel] = with_cancel(background());
    const auto out = Shape(ctx, numbers(ctx, true), same);
    EXPECT_TRUE(out.recv());
    cancel();
    drain(out);
}
template <shape Shape>
void timed_out() {
    auto [ctx, cancel] = with_timeout(background(), 10ms);
    EXPECT_LE(drain(Shape(ctx, numbers(ctx, true), same)), 20);
}
template <shape Shape>
void stage_throws() {
    drain(Shape(background(), numbers(background(), true), throws_at_3));
}

void producer_throws() {
    const auto out = produce<int>([](const send_chan<int>& to) {
        to.send(1);
        throw broken();
    });
    EXPECT_EQ(drain(out), 1);
}
void consumer_throws() {
    const auto in = consume<int>([](const recv_chan<int>& from) {
        from.recv();
        throw broken();
    });
    expect_failure<broken>([&] {
        for (;;) {
            in.send(1);  // ends with what the consumer has thrown
        }
    });
}
void consumer_finishes() {
    const auto in = consume<int>([](const recv_chan<int>& from) { EXPECT_EQ(drain(from), 3); });
    for (int i = 0; i < 3; ++i) {
        in.send(i);
    }
    in.close();
}

// --- Goroutines that are asked to end ------------------------------------------------------------

void group_finishes() {
    group g;
    for (int i = 0; i < 5; ++i) {
        g.go([] { sleep_for(1s); });
    }
    g.wait();
}
void group_times_out() {
    group g;
    g.go([ctx = g.context()] { static_cast<void>(sleep_for(ctx, 1h)); });
    auto [limit, cancel] = with_timeout(background(), 1s);
    EXPECT_EQ(g.wait(limit), op_status::timeout);
}
void group_throws() {
    group g;
    g.go([] { throw broken(); });
    g.go([ctx = g.context()] { static_cast<void>(sleep_for(ctx, 1h)); });
    expect_failure<broken>([&] { g.wait(); });
}
void service_stops() {
    service s([](const context& stop) { static_cast<void>(sleep_for(stop, 1h)); });
    EXPECT_EQ(s.stop_and_wait(1s), op_status::ok);
}
void service_times_out() {
    service s([](const context&) { sleep_for(1h); });
    EXPECT_EQ(s.stop_and_wait(1s), op_status::timeout);
}
void service_is_dropped() {
    const service s([](const context& stop) { static_cast<void>(sleep_for(stop, 1h)); });
}
void service_throws() {
    service s([](const context&) { throw broken(); });
    expect_failure<broken>([&] { static_cast<void>(s.stop_and_wait(1s)); });
}
void pool_finishes() {
    worker_pool<int> pool(5, [](int) { sleep_for(1s); });
    for (int i = 0; i < 20; ++i) {
        pool.submit(i);
    }
    EXPECT_EQ(pool.close_and_wait(1h), op_status::ok);
}
void pool_times_out() {
    worker_pool<int> pool(5, [](int) { sleep_for(1h); });
    pool.submit(1);
    EXPECT_EQ(pool.close_and_wait(1s), op_status::timeout);
}
void pool_is_dropped() {
    worker_pool<int> pool(5, [](int) { sleep_for(1s); });
    pool.submit(1);
}
void job_throws() {
    worker_pool<int> pool(5, [](int) { throw broken(); });
    pool.submit(1);
    expect_failure<broken>([&] { static_cast<void>(pool.close_and_wait(1h)); });
}

// --- Shutdown ------------------------------------------------------------------------------------

auto takes(clock::duration time) {
    return [=](clock::duration) {
        sleep_for(time);
        return std::error_code();
    };
}
auto throws() {
    return [](clock::duration) -> std::error_code { throw broken(); };
}
void shutdowns_finish() {
    EXPECT_FALSE(concurrent_shutdown(10s, takes(1s), takes(2s)).error());
    EXPECT_FALSE(sequential_shutdown(10s, takes(1s), takes(2s)).error());
}
void shutdowns_time_out() {
    const auto all_at_once = concurrent_shutdown(1s, takes(1h), takes(500ms));
    const auto in_order = sequential_shutdown(1s, takes(1h), takes(0s));
    EXPECT_TRUE(all_at_once.error());
    EXPECT_TRUE(in_order.error());
    all_at_once.stragglers().recv();
    in_order.stragglers().recv();
}
void components_throw() {
    EXPECT_TRUE(concurrent_shutdown(10s, takes(1s), throws()).error());
    EXPECT_TRUE(sequential_shutdown(10s, throws(), takes(1s)).error());
}

// --- Attempts ------------------------------------------------------------------------------------

auto answers_after(clock::duration time) {
    return [=](const context& ctx) { return sleep_for(ctx, time) == op_status::ok ? 1 : 0; };
}
auto fails() {
    return [](const context&) -> int { throw broken(); };
}
void attempts_finish() {
    EXPECT_EQ(first(background(), answers_after(1s), answers_after(1h), fails()), 1);
    EXPECT_EQ(hedge(background(), 1s, answers_after(10s), answers_after(1h)), 1);
}
void attempts_time_out() {
    auto [ctx, cancel] = with_timeout(background(), 1s);
    const auto deaf = [](const context&) {
        sleep_for(1min);
        return 1;
    };
    expect_failure<timeout_error>([&, &limit = ctx] { first(limit, deaf, deaf); });
    sleep_for(1h);  // those that don't listen end by themselves
}
void attempts_are_cancelled() {
    auto [ctx, cancel] = with_cancel(background());
    go([trigger = cancel.share()] {
        sleep_for(1s);
        trigger();
    });
    expect_failure<canceled_error>([&, &call = ctx] {
        hedge(call, 100ms, [](const context& c) {
            static_cast<void>(sleep_for(c, 1h));
            return c.err() ? throw canceled_error() : 1;
        });
    });
}
void attempts_throw() {
    expect_failure<all_failed>([] { first(background(), fails(), fails()); });
    expect_failure<all_failed>([] { hedge(background(), 1s, fails(), fails()); });
}

/// Each of them on virtual time with 1, 2 and 8 workers.
class pattern_use : public ::testing::TestWithParam<std::tuple<use, int>> {};

TEST_P(pattern_use, leaves_no_goroutine_behind) {
    const auto& [what, workers] = GetParam();
    const std::size_t before = debug::live_goroutines();
    const finding found =
        look({.workers = static_cast<std::size_t>(workers)}, [body = what.body](trial&) {
            body();
            sleep_for(1s);  // a producer is told by its next send
        });
    EXPECT_EQ(found.what, bite::none) << found;
    EXPECT_EQ(debug::live_goroutines(), before);
}

std::string use_name(const ::testing::TestParamInfo<std::tuple<use, int>>& info) {
    return std::string(std::get<0>(info.param).name) + "_workers_" +
           std::to_string(std::get<1>(info.param));
}

/// The ways in which a pipeline of one shape ends.
template <shape Shape>
auto pipeline_uses() {
    return ::testing::Combine(
        ::testing::Values(use{"finishes", finishes<Shape>}, use{"left_early", left_early<Shape>},
                          use{"never_read", never_read<Shape>}, use{"cancelled", cancelled<Shape>},
                          use{"timed_out", timed_out<Shape>},
                          use{"stage_throws", stage_throws<Shape>}),
        ::testing::Values(1, 2, 8));
}

INSTANTIATE_TEST_SUITE_P(stage, pattern_use, pipeline_uses<one_stage>(), use_name);
INSTANTIATE_TEST_SUITE_P(three_stages, pattern_use, pipeline_uses<three_stages>(), use_name);
INSTANTIATE_TEST_SUITE_P(fan_out, pattern_use, pipeline_uses<fan_out>(), use_name);
INSTANTIATE_TEST_SUITE_P(ordered_fan_out, pattern_use, pipeline_uses<ordered_fan_out>(), use_name);
INSTANTIATE_TEST_SUITE_P(fan_in, pattern_use, pipeline_uses<merged>(), use_name);

INSTANTIATE_TEST_SUITE_P(
    ends, pattern_use,
    ::testing::Combine(
        ::testing::Values(
            use{"producer_throws", producer_throws}, use{"consumer_throws", consumer_throws},
            use{"consumer_finishes", consumer_finishes}, use{"group_finishes", group_finishes},
            use{"group_times_out", group_times_out}, use{"group_throws", group_throws},
            use{"service_stops", service_stops}, use{"service_times_out", service_times_out},
            use{"service_is_dropped", service_is_dropped}, use{"service_throws", service_throws},
            use{"pool_finishes", pool_finishes}, use{"pool_times_out", pool_times_out},
            use{"pool_is_dropped", pool_is_dropped}, use{"job_throws", job_throws},
            use{"shutdowns_finish", shutdowns_finish},
            use{"shutdowns_time_out", shutdowns_time_out},
            use{"components_throw", components_throw}, use{"attempts_finish", attempts_finish},
            use{"attempts_time_out", attempts_time_out},
            use{"attempts_are_cancelled", attempts_are_cancelled},
            use{"attempts_throw", attempts_throw}),
        ::testing::Values(1, 2, 8)),
    use_name);

}  // namespace
}  // namespace runnel::defects
