// runnel_bench: runs one workload and prints what it measured.
//
// usage: runnel_bench NAME [COUNT]      the row of that name in workloads.txt
//        runnel_bench list              the names
//        runnel_bench about             how it was built
#include <array>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include <runnel/runnel.hpp>

#include "workloads.hpp"

namespace {

struct workload {
    std::string_view name;
    void (*run)(const bench::row&, const bench::report&);
};

constexpr auto workloads = std::to_array<workload>({
    {"yield", bench::yield},
    {"pingpong", bench::pingpong},
    {"chan_buf128", bench::one_to_one},
    {"chan_buf1", bench::one_to_one},
    {"chan_unbuf", bench::one_to_one},
    {"mpmc", bench::mpmc},
    {"spawn_join", bench::spawn_join},
    {"spawn_many", bench::spawn_many},
    {"select2_unbuf", bench::select2},
    {"select2_buf16", bench::select2},
    {"select8_unbuf", bench::select8},
    {"select8_buf16", bench::select8},
    {"select_default", bench::select_default},
    {"ring", bench::ring},
    {"skynet", bench::skynet},
    {"sieve", bench::sieve},
    {"mem", bench::mem},
    {"mutex", bench::mutex},
    {"rwmutex", bench::rwmutex},
    {"pipeline", bench::pipeline},
    {"saturated_sleep", bench::saturated_sleep},
    {"saturated_pipe", bench::saturated_pipe},
    {"timers", bench::timers},
    {"timers_gate", bench::timers_gate},
    {"after_stop", bench::after_stop},
    {"idle", bench::idle},
});

int usage() {
    std::fputs("usage: runnel_bench NAME [COUNT] | list | about\n", stderr);
    return 2;
}

int list() {
    for (const workload& w : workloads) {
        std::printf("%.*s\n", static_cast<int>(w.name.size()), w.name.data());
    }
    return 0;
}

int about() {
#ifdef __clang__
    std::printf("compiler clang++ %s\n", __clang_version__);
#else
    std::printf("compiler g++ %s\n", __VERSION__);
#endif
#ifdef __OPTIMIZE__
    std::puts("optimised yes");
#else
    std::puts("optimised no");
#endif
    return 0;
}

int run_workload(const workload& chosen, const bench::row& row) {
    return runnel::run([&] {
        try {
            chosen.run(row, bench::report(row.name));
            return 0;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s: %s\n", row.name.c_str(), error.what());
            return 1;
        }
    });
}

int run_named(const std::vector<std::string>& words) {
    for (const workload& w : workloads) {
        if (w.name == words[0]) {
            bench::row row = bench::find_row(words[0]);
            if (words.size() == 2) {
                row.count = bench::parse_number(words[1], 1);
            }
            return run_workload(w, row);
        }
    }
    std::fprintf(stderr, "runnel_bench: no workload '%s'\n", words[0].c_str());
    return usage();
}

int dispatch(const std::vector<std::string>& words) {
    if (words.empty() || words.size() > 2) {
        return usage();
    }
    if (words[0] == "list") {
        return list();
    }
    if (words[0] == "about") {
        return about();
    }
    if (words[0] == "write_times" && words.size() == 2) {
        bench::write_times(bench::parse_number(words[1], 1));
        return 0;
    }
    return run_named(words);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return dispatch({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "runnel_bench: %s\n", error.what());
        return 2;
    }
}
