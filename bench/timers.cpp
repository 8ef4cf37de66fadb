// Workloads on time: many sleepers, and timers that are stopped before they fire.
#include <atomic>
#include <chrono>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/time.hpp>

#include "proc.hpp"
#include "workloads.hpp"

namespace bench {
namespace {

using std::chrono::nanoseconds;

// A time below `longest` for each sleeper, the same on every side.
nanoseconds time_of(std::int64_t sleeper, nanoseconds longest) {
    const std::uint64_t mixed = static_cast<std::uint64_t>(sleeper) * 0x9e3779b97f4a7c15U >> 33U;
    return nanoseconds(mixed % static_cast<std::uint64_t>(longest.count()));
}

nanoseconds longest_of(const row& r) { return std::chrono::milliseconds(r.size("longest_ms")); }

// Sleeps for `d`; returns how much longer it took.
nanoseconds sleep_late(nanoseconds d) {
    const stopwatch watch;
    runnel::sleep_for(d);
    return watch.elapsed() - d;
}

void check_none_early(const std::vector<nanoseconds>& late) {
    std::int64_t early = 0;
    for (const nanoseconds l : late) {
        early += l.count() < 0 ? 1 : 0;
    }
    check("sleeps that ended early", early, 0);
}

}  // namespace

void timers(const row& r, const report& out) {
    const nanoseconds longest = longest_of(r);
    std::vector<nanoseconds> late(static_cast<std::size_t>(r.count));
    runnel::wait_group running;
    running.add(r.count);
    const consumption before = consumed();
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::go([&running, &mine = late[static_cast<std::size_t>(i)], i, longest] {
            mine = sleep_late(time_of(i, longest));
            running.done();
        });
    }
    running.wait();
    const consumption after = consumed();
    check_none_early(late);
    out.ms("cpu", after.cpu - before.cpu);
}

void timers_gate(const row& r, const report& out) {
    const nanoseconds longest = longest_of(r);
    std::vector<nanoseconds> late(static_cast<std::size_t>(r.count));
    const auto gate = runnel::make_chan<runnel::unit>();
    runnel::wait_group waiting;
    runnel::wait_group running;
    waiting.add(r.count);
    running.add(r.count);
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::go([&, &mine = late[static_cast<std::size_t>(i)], i] {
            waiting.done();
            static_cast<void>(gate.recv());
            mine = sleep_late(time_of(i, longest));
            running.done();
        });
    }
    waiting.wait();
    const consumption before = consumed();
    gate.close();
    running.wait();
    const consumption after = consumed();
    check_none_early(late);
    out.ms("cpu", after.cpu - before.cpu);
    out.latencies(std::move(late));
}

void after_stop(const row& r, const report& out) {
    std::int64_t stopped = 0;
    const stopwatch watch;
    for (std::int64_t i = 0; i < r.count; ++i) {
        stopped += runnel::timer(std::chrono::hours(1)).stop() ? 1 : 0;
    }
    const auto time = watch.elapsed();
    check("timers stopped", stopped, r.count);
    out.ns_each(time, r.count);
}

}  // namespace bench
