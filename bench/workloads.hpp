// bench/workloads.hpp: the workloads, each run as (part of) the main goroutine of its own process.
#pragma once

#include "harness.hpp"

namespace bench {

// goroutines.cpp
void yield(const row& r, const report& out);
void spawn_join(const row& r, const report& out);
void spawn_many(const row& r, const report& out);
void mem(const row& r, const report& out);
void mutex(const row& r, const report& out);
void rwmutex(const row& r, const report& out);

// channels.cpp
void pingpong(const row& r, const report& out);
void one_to_one(const row& r, const report& out);
void mpmc(const row& r, const report& out);
void ring(const row& r, const report& out);

// selects.cpp
void select2(const row& r, const report& out);
void select8(const row& r, const report& out);
void select_default(const row& r, const report& out);

// programs.cpp
void skynet(const row& r, const report& out);
void sieve(const row& r, const report& out);
void pipeline(const row& r, const report& out);

// saturated.cpp
void saturated_sleep(const row& r, const report& out);
void saturated_pipe(const row& r, const report& out);

/// The other end of saturated_pipe, a process of its own without goroutines: writes `count` times
/// of CLOCK_MONOTONIC, in nanoseconds, to standard output, one about every millisecond.
void write_times(std::int64_t count);

// timers.cpp
void timers(const row& r, const report& out);
void timers_gate(const row& r, const report& out);
void after_stop(const row& r, const report& out);

// idle.cpp
void idle(const row& r, const report& out);

}  // namespace bench
