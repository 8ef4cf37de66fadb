// test/support/support.hpp: what the suites share: sizes that scale under sanitizers, and worker
// counts.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <runnel/runtime.hpp>

namespace runnel::test {

/// True in a build whose instrumentation makes everything several times slower.
consteval bool under_sanitizer() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

/// The size a test runs at, or the limit that it holds: `full`, or another one under a sanitizer,
/// which it then says on stdout.
inline std::size_t scaled(std::size_t full, std::size_t reduced) {
    if constexpr (under_sanitizer()) {
        std::printf("[ scaled   ] %zu instead of %zu under a sanitizer\n", reduced, full);
        return reduced;
    }
    return full;
}

/// False under the emulator of a cross build: a program there cannot start its like, as a death
/// test of the "threadsafe" style does with itself.
inline bool can_start_programs() { return std::getenv("RUNNEL_TEST_EMULATED") == nullptr; }
inline constexpr const char* needs_programs = "starts its own program again, under an emulator";

/// Runs a test body as the main goroutine of a runtime with 1, 2 and 8 workers.
class on_workers : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        runtime rt{{.workers = static_cast<std::size_t>(GetParam())}};
        rt.run(std::move(body));
    }
};

inline const auto worker_counts = ::testing::Values(1, 2, 8);

inline std::string worker_name(const ::testing::TestParamInfo<int>& info) {
    return "workers_" + std::to_string(info.param);
}

}  // namespace runnel::test
