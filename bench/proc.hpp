// bench/proc.hpp: what the kernel says about this process.
#pragma once

#include <chrono>
#include <cstdint>

namespace bench {

/// Bytes.
struct memory {
    std::int64_t resident = 0;
    std::int64_t page_tables = 0;
};

memory memory_now();

/// What all threads of this process have used so far, those that have ended included.
struct consumption {
    std::chrono::nanoseconds cpu{};  // user and system
    std::int64_t switches = 0;       // voluntary or not
};

consumption consumed();

/// The number of workers: RUNNEL_MAXPROCS, else the number of processors.
std::int64_t workers();

}  // namespace bench
