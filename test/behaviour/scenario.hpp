// test/behaviour/scenario.hpp: the main function of a child program: `program scenario [argument]`.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

namespace runnel::test {

/// The argument after the scenario's name, or "".
using scenario_argument = std::string_view;

struct scenario {
    std::string_view name;
    int (*run)(scenario_argument);  ///< its result is the exit status of the process
};

/// What a child that does not know its scenario, or was wrongly started, exits with.
inline constexpr int unknown_scenario = 64;

/// Runs the scenario named on the command line. A child that hangs ends by itself after `limit`
/// seconds, whatever became of the test that started it, and a crash leaves no core file.
inline int run_scenario(std::span<const scenario> all, int argc, char** argv,
                        unsigned limit = 120) {
    ::alarm(limit);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    const std::string_view name = argc > 1 ? argv[1] : "";
    for (const scenario& each : all) {
        if (each.name == name) {
            return each.run(argc > 2 ? argv[2] : "");
        }
    }
    std::fprintf(stderr, "no scenario called '%.*s'\n", static_cast<int>(name.size()), name.data());
    return unknown_scenario;
}

/// The argument as a number; ends the child when it is none.
inline unsigned long long number(scenario_argument text) {
    char* end = nullptr;
    const std::string copy(text);
    const unsigned long long value = std::strtoull(copy.c_str(), &end, 0);
    if (text.empty() || *end != '\0') {
        std::fprintf(stderr, "not a number: '%s'\n", copy.c_str());
        std::exit(unknown_scenario);
    }
    return value;
}

/// Makes the compiler believe that `value` is looked at.
template <class T>
inline void keep(T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

/// Never set; the compiler must not know.
inline volatile bool deep_enough = false;

/// Uses up the stack it stands on, in steps smaller than a page.
[[gnu::noinline]] inline int overflow_the_stack(int depth) {
    if (deep_enough) {
        return depth;
    }
    char frame[512];
    frame[0] = static_cast<char>(depth);
    keep(frame);
    const int below = overflow_the_stack(depth + 1);
    keep(frame);  // and after the call, so that it is no tail call
    return below + frame[0];
}

}  // namespace runnel::test
