// test/support/blocked.hpp: who waits for what, for tests of waits during which a bubble's time
// stands still.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include <runnel/debug/goroutines.hpp>
#include <runnel/go.hpp>

namespace runnel::test {

/// How many goroutines wait for what reports call `kind`, such as "mutex lock".
inline std::size_t waiting_for(const std::string& kind) {
    const auto lines = debug::goroutines();
    return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const std::string& line) {
        return line.find("[" + kind + "]") != std::string::npos;
    }));
}

/// Returns once `n` goroutines do.
inline void until_waiting(const std::string& kind, std::size_t n) {
    while (waiting_for(kind) != n) {
        yield();
    }
}

}  // namespace runnel::test
