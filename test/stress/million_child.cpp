// test/stress/million_child.cpp: very many goroutines blocked on one channel, and what becomes of
// them: a census of `count` of them measures and joins them all; an overflow, `count:victim`, lets
// one of them run out of its stack.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;

namespace {

constexpr int survived = 65;
constexpr int not_supported = 77;

// The number in kB after `key` in /proc/self/status.
long status_kib(std::string_view key) {
    std::ifstream file("/proc/self/status");
    for (std::string line; std::getline(file, line);) {
        if (line.compare(0, key.size(), key) == 0) {
            return std::stol(line.substr(key.size() + 1));
        }
    }
    return -1;
}

long count_mappings() {
    std::ifstream file("/proc/self/maps");
    long lines = 0;
    for (std::string line; std::getline(file, line);) {
        ++lines;
    }
    return lines;
}

// Goroutines that all wait on one channel until it closes.
class crowd {
public:
    explicit crowd(std::size_t count) { left_.add(static_cast<int>(count)); }

    void add() {
        go([this] {
            ++arrived_;
            static_cast<void>(gate_.recv());
            left_.done();
        });
    }

    // One that waits with the others, and overflows its stack when it is ordered to.
    void add_victim(std::size_t number) {
        go(go_options{.name = "victim-" + std::to_string(number)}, [this] {
            ++arrived_;
            std::optional<unit> order;
            select(on_recv(order_, order), on_recv(gate_));
            if (order) {
                test::overflow_the_stack(0);
            }
            left_.done();
        });
    }

    // Until as many as `count` stand before the gate.
    void wait_for(std::size_t count) {
        while (arrived_ < count) {
            yield();
        }
    }

    void kill_the_victim() { order_.send(); }

    void open_the_gate() { gate_.close(); }

    void join() { left_.wait(); }

private:
    std::atomic<std::size_t> arrived_ = 0;
    chan<unit> gate_ = make_chan<unit>();
    chan<unit> order_ = make_chan<unit>();
    wait_group left_;
};

// Waits until goroutines that have done their work are gone, too; false if they don't go.
bool back_to(std::size_t live) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (debug::live_goroutines() > live) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        yield();
    }
    return true;
}

int census(std::size_t count) {
    const long rss_before = status_kib("VmRSS:");
    const long pte_before = status_kib("VmPTE:");
    const std::size_t live_before = debug::live_goroutines();
    crowd all(count);
    for (std::size_t i = 0; i < count; ++i) {
        all.add();
    }
    all.wait_for(count);
    std::printf("live %zu\n", debug::live_goroutines() - live_before);
    std::printf("rss_kib %ld\n", status_kib("VmRSS:") - rss_before);
    std::printf("pte_kib %ld\n", status_kib("VmPTE:") - pte_before);
    std::printf("mappings %ld\n", count_mappings());
    std::fflush(stdout);
    all.open_the_gate();
    all.join();
    if (!back_to(live_before)) {
        std::printf("live %zu after all were joined\n", debug::live_goroutines());
        return survived;
    }
    std::printf("joined %zu\n", count);
    return 0;
}

int overflow(std::size_t count, std::size_t victim) {
    crowd all(count);
    for (std::size_t i = 0; i < count; ++i) {
        if (i == victim) {
            all.add_victim(i);
        } else {
            all.add();
        }
    }
    all.wait_for(count);
    all.kill_the_victim();
    all.join();  // never: the others stay parked, and the victim dies
    return survived;
}

// Runs `body` on a runtime of its own with guarded stacks.
template <class F>
int run_guarded(guard_policy guards, F body) {
    try {
        runtime rt{{.guards = guards}};
        return rt.run([&] {
            try {
                return body();
            } catch (const std::exception& e) {  // the system allows no more guards
                std::fprintf(stderr, "%s\n", e.what());
                std::_Exit(not_supported);
            }
        });
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return not_supported;
    }
}

// "count" or "count:victim".
struct numbers {
    explicit numbers(test::scenario_argument text)
        : count(test::number(text.substr(0, text.find(':')))) {
        if (const std::size_t colon = text.find(':'); colon != text.npos) {
            victim = test::number(text.substr(colon + 1));
        }
    }
    std::size_t count;
    std::size_t victim = 0;
};

template <guard_policy Guards>
int run_census(test::scenario_argument argument) {
    const numbers n(argument);
    return run_guarded(Guards, [n] { return census(n.count); });
}

template <guard_policy Guards>
int run_overflow(test::scenario_argument argument) {
    const numbers n(argument);
    return run_guarded(Guards, [n] { return overflow(n.count, n.victim); });
}

constexpr test::scenario scenarios[] = {
    {"census_required", run_census<guard_policy::required>},
    {"census_mprotect", run_census<guard_policy::mprotect_only>},
    {"overflow_required", run_overflow<guard_policy::required>},
    {"overflow_mprotect", run_overflow<guard_policy::mprotect_only>},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv, 300); }
