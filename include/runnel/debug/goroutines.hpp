// runnel/debug/goroutines.hpp: which goroutines there are, and what the runtimes have done.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace runnel::debug {

/// How many goroutines have been started and have not ended, in all runtimes of the process. Exact
/// when none starts or ends meanwhile.
[[nodiscard]] std::size_t live_goroutines();

/// One line for each goroutine: id, name, what it waits for and where, and where it was started. A
/// moment old when it returns.
[[nodiscard]] std::vector<std::string> goroutines();

/// Writes goroutines() to a descriptor, a line each.
void dump(int fd);

/// Figures of all runtimes together.
struct runtime_stats {
    std::size_t goroutines = 0;
    std::size_t unguarded_stacks =
        0;                          ///< stacks without a guard, because the system allowed no more
    std::size_t workers_added = 0;  ///< because all others were stuck in one goroutine
};
[[nodiscard]] runtime_stats stats();

}  // namespace runnel::debug
