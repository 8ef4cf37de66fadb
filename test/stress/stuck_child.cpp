// test/stress/stuck_child.cpp: one goroutine computes without end and one is stuck in a system call
// that nobody was told of; the argument is how many others exchange messages meanwhile. Prints the
// longest time that any of them went without finishing a round trip.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;
using std::chrono::steady_clock;

namespace {

constexpr auto duration = 5s;

void compute_without_end() {
    go([] {
        for (volatile std::uint64_t x = 1;;) {
            x = x * 3 + 1;
        }
    });
}

void read_without_end() {
    int ends[2];
    if (::pipe(ends) != 0) {
        std::perror("pipe");
        std::exit(test::unknown_scenario);
    }
    go([fd = ends[0]] {
        char c;
        [[maybe_unused]] const auto n = ::read(fd, &c, 1);
    });
}

// What one goroutine has achieved; written by itself, read after it has ended.
struct progress {
    void finished_a_round_trip(steady_clock::time_point now) {
        longest_wait = std::max(longest_wait, now - last);
        last = now;
        ++round_trips;
    }
    steady_clock::time_point last;
    steady_clock::duration longest_wait{};
    std::uint64_t round_trips = 0;
};

// Two goroutines that answer each other: a round trip for either is its send and the answer.
void start_pair(progress& one, progress& two, const std::atomic<bool>& stop, wait_group& all) {
    auto there = make_chan<int>();
    auto back = make_chan<int>();
    all.go([=, &one, &stop] {
        for (int i = 0; !stop; ++i) {
            there.send(i);
            static_cast<void>(back.recv());
            one.finished_a_round_trip(steady_clock::now());
        }
        there.close();
    });
    all.go([=, &two] {
        for (int n : there) {
            back.send(n);
            two.finished_a_round_trip(steady_clock::now());
        }
    });
}

int exchange_beside_stuck_ones(scenario_argument count) {
    std::vector<progress> others(test::number(count));
    return run([&] {
        const auto start = steady_clock::now();
        for (progress& each : others) {
            each.last = start;
        }
        compute_without_end();
        read_without_end();
        std::atomic<bool> stop = false;
        wait_group all;
        for (std::size_t i = 0; i + 1 < others.size(); i += 2) {
            start_pair(others[i], others[i + 1], stop, all);
        }
        sleep_for(duration);
        const auto end = steady_clock::now();
        stop = true;
        all.wait();

        steady_clock::duration longest{};
        std::uint64_t fewest = UINT64_MAX;
        for (const progress& each : others) {
            longest = std::max({longest, each.longest_wait, end - each.last});
            fewest = std::min(fewest, each.round_trips);
        }
        std::printf("longest_ms %lld\n", static_cast<long long>(longest / 1ms));
        std::printf("fewest %llu\n", static_cast<unsigned long long>(fewest));
        std::printf("slept_ms %lld\n", static_cast<long long>((end - start) / 1ms));
        return 0;
    });
}

constexpr test::scenario scenarios[] = {
    {"exchange_beside_stuck_ones", exchange_beside_stuck_ones},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
