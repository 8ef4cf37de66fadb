// tour: runs the concurrency patterns one after another.
//
//   tour             all of them
//   tour list        their names and titles
//   tour P4 P12      only these
//
// Ends with status 0, 1 if a result was wrong, 2 if it was asked for a pattern that does not exist.
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

struct pattern {
    const char* name;
    const char* title;
    void (*run)();
};

constexpr std::array patterns{
    pattern{"P1", "Share by communicating: goroutine, channel, select; and the locks",
            p01_communicating},
    pattern{"P2", "Creation: start a goroutine and keep a channel to it", p02_creation},
    pattern{"P3", "Exit, detached: a task for once, and workers that stay", p03_detached},
    pattern{"P4", "Exit: wait for one goroutine", p04_join_one},
    pattern{"P5", "Exit: the goroutine's result or error reaches who waits", p05_exit_status},
    pattern{"P6", "Exit: wait for a group", p06_join_many},
    pattern{"P7", "Exit: wait for a group, but not for ever", p07_join_with_timeout},
    pattern{"P8", "Notify and wait: one worker", p08_notify_one},
    pattern{"P9", "Notify and wait: a pool of workers", p09_notify_many},
    pattern{"P10", "Graceful shutdown: all components at once", p10_concurrent_shutdown},
    pattern{"P11", "Graceful shutdown: one component after another", p11_sequential_shutdown},
    pattern{"P12", "Pipeline: generate, filter, square, in order", p12_pipeline},
    pattern{"P13", "Fan-out, fan-in: several workers on one channel", p13_fan_out_fan_in},
    pattern{"P14", "The first of several answers", p14_first},
    pattern{"P15", "The first of several answers, within a limit", p15_first_with_limit},
    pattern{"P16", "The first of several answers cancels the others", p16_first_cancels},
    pattern{"P17", "Why a pipeline keeps order, when it does not, how to keep it", p17_order},
};

std::atomic<int> wrong_results = 0;

void list_patterns() {
    for (const pattern& p : patterns) {
        std::printf("%-4s %s\n", p.name, p.title);
    }
}

const pattern* find(std::string_view name) {
    for (const pattern& p : patterns) {
        if (name == p.name) {
            return &p;
        }
    }
    return nullptr;
}

void report_unknown(const std::string& name) {
    std::fprintf(stderr, "tour: there is no pattern '%s'; there are:", name.c_str());
    for (const pattern& p : patterns) {
        std::fprintf(stderr, " %s", p.name);
    }
    std::fputs("\nusage: tour [list | NAME...]\n", stderr);
}

/// The patterns to run, or nothing after a name that does not exist.
std::optional<std::vector<const pattern*>> choose(const std::vector<std::string>& names) {
    std::vector<const pattern*> chosen;
    for (const std::string& name : names) {
        const pattern* p = find(name);
        if (p == nullptr) {
            report_unknown(name);
            return std::nullopt;
        }
        chosen.push_back(p);
    }
    if (names.empty()) {
        for (const pattern& p : patterns) {
            chosen.push_back(&p);
        }
    }
    return chosen;
}

/// Goroutines that were alive when the pattern that runs now began.
std::atomic<std::size_t> alive_before = 0;

/// False if a result was wrong or a goroutine stayed behind.
bool run_one(const pattern& p) {
    const int wrong_before = wrong_results;
    alive_before = runnel::debug::live_goroutines();
    say("== ", p.name, "  ", p.title);
    try {
        p.run();
    } catch (const std::exception& e) {
        check(false, std::string("an exception ended the pattern: ") + e.what());
    }
    check(goroutines_left() == 0, "the pattern leaves no goroutine behind");
    return wrong_results == wrong_before;
}

int run_all(const std::vector<const pattern*>& chosen) {
    std::string wrong;
    for (const pattern* p : chosen) {
        if (!run_one(*p)) {
            wrong.append(" ").append(p->name);
        }
    }
    if (!wrong.empty()) {
        std::fprintf(stderr, "tour: wrong results in:%s\n", wrong.c_str());
        return 1;
    }
    say("== ", chosen.size(), chosen.size() == 1 ? " pattern" : " patterns",
        ", every result as it should be");
    return 0;
}

}  // namespace

void check(bool ok, std::string_view what) {
    if (ok) {
        return;
    }
    ++wrong_results;
    const std::string line = "wrong: " + std::string(what) + '\n';
    std::fputs(line.c_str(), stderr);
}

// What a goroutine does last, giving back its stack, comes after everything that a join can see.
std::size_t goroutines_left() {
    using namespace std::chrono_literals;
    const auto limit = runnel::clock::now() + 2s;
    for (;;) {
        const std::size_t alive = runnel::debug::live_goroutines();
        if (alive <= alive_before) {
            return 0;
        }
        if (runnel::clock::now() > limit) {
            return alive - alive_before;
        }
        runnel::sleep_for(100us);
    }
}

void print_line(const std::string& line) {
    std::fputs((line + '\n').c_str(), stdout);
    std::fflush(stdout);  // the line is seen even if the next step ends the process
}

}  // namespace tour

int main(int argc, char** argv) {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 1 && arguments.front() == "list") {
        tour::list_patterns();
        return 0;
    }
    const auto chosen = tour::choose(arguments);
    if (!chosen) {
        return 2;
    }
    return runnel::run([&] { return tour::run_all(*chosen); });
}
