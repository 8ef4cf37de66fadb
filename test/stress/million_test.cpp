// test/stress/million_test.cpp: a million goroutines blocked on one channel, every stack guarded.
//
// Each run is a child program: the memory is measured from a fresh start, and the victims of an
// overflow take their process with them. A hundred victims are drawn at random. To keep the suite
// short, two of them stand among a million others and the rest among 20,000.
#include <gtest/gtest.h>

#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include "test/behaviour/child.hpp"
#include "test/stress/random.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_result;
using test::describe;

// At most 4.8 KiB of resident memory for each parked goroutine, stack, record and closure together.
constexpr double most_kib_each = 4.8;

// Why guards cannot be required here; empty if they can.
std::string why_no_required_guards() {
    utsname name{};
    int major = 0;
    int minor = 0;
    if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) {
        return "the version of the kernel is unknown";
    }
    if (major < 6 || (major == 6 && minor < 13)) {
        return "guards without mappings need Linux 6.13; this is " + std::string(name.release);
    }
    return {};
}

// The number in the line of `file` that starts with `key`.
long number_in(const std::string& file, const std::string& key) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        if (line.compare(0, key.size(), key) == 0) {
            return std::stol(line.substr(key.size()));
        }
    }
    return -1;
}

std::string why_too_large(std::size_t goroutines) {
    const long needed_kib = static_cast<long>(goroutines / 1000 * 6000);
    const long free_kib = number_in("/proc/meminfo", "MemAvailable:");
    return free_kib >= needed_kib ? ""
                                  : std::to_string(goroutines) + " goroutines need about " +
                                        std::to_string(needed_kib / 1024) + " MiB, and " +
                                        std::to_string(free_kib / 1024) + " are free";
}

child_result run_million(const std::string& scenario, const std::string& argument) {
    return test::run_child("million_child", {scenario, argument}, {}, 300s);
}

// The number after `label ` in what the child printed.
long printed(const child_result& r, const std::string& label) {
    const std::size_t at = r.out.find(label + " ");
    return at == std::string::npos ? -1 : std::stol(r.out.substr(at + label.size()));
}

// Prints what the census of `count` goroutines measured; returns the resident KiB of each.
double report_census(const child_result& r, std::size_t count) {
    const double each = static_cast<double>(printed(r, "rss_kib")) / static_cast<double>(count);
    const double tables = static_cast<double>(printed(r, "pte_kib")) / static_cast<double>(count);
    std::printf("[ measured ] %zu goroutines: %.2f KiB VmRSS and %.2f KiB VmPTE each, %ld mappings "
                "(vm.max_map_count %ld)\n",
                count, each, tables, printed(r, "mappings"),
                number_in("/proc/sys/vm/max_map_count", ""));
    return each;
}

TEST(million, blocked_goroutines_with_guards_take_little_memory_and_all_end) {
    const std::size_t count = test::scaled(1'000'000, 5'000);
    if (const std::string why = why_no_required_guards() + why_too_large(count); !why.empty()) {
        GTEST_SKIP() << why;
    }
    const child_result r = run_million("census_required", std::to_string(count));
    ASSERT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_EQ(r.err, "");
    EXPECT_EQ(printed(r, "live"), static_cast<long>(count));
    EXPECT_EQ(printed(r, "joined"), static_cast<long>(count));
    const double each = report_census(r, count);
    EXPECT_LT(printed(r, "mappings"), 65'530) << "the default of vm.max_map_count";
    if (!test::under_sanitizer()) {  // which adds memory of its own to each stack
        EXPECT_LE(each, most_kib_each);
    }
}

void expect_death_by_name(const std::string& scenario, std::size_t count, std::size_t victim) {
    SCOPED_TRACE(scenario + " " + std::to_string(count) + ":" + std::to_string(victim));
    const child_result r =
        run_million(scenario, std::to_string(count) + ":" + std::to_string(victim));
    EXPECT_NE(r.signal, 0) << describe(r);
    EXPECT_TRUE(r.wrote("victim-" + std::to_string(victim))) << describe(r);
    EXPECT_TRUE(r.wrote("overflow")) << describe(r);
}

TEST(million, each_of_a_hundred_random_victims_dies_with_its_name) {
    const std::size_t all = test::scaled(1'000'000, 5'000);
    const std::size_t crowd = test::scaled(20'000, 1'000);
    const std::size_t in_a_million = 2;
    const std::size_t in_a_crowd = test::scaled(98, 8);
    if (const std::string why = why_no_required_guards() + why_too_large(all); !why.empty()) {
        GTEST_SKIP() << why;
    }
    test::random_source random(test::chosen_seed());
    for (std::size_t i = 0; i < in_a_million; ++i) {
        expect_death_by_name("overflow_required", all, random.below(all));
    }
    for (std::size_t i = 0; i < in_a_crowd; ++i) {
        expect_death_by_name("overflow_required", crowd, random.below(crowd));
    }
}

// ---- the guards of older kernels

TEST(million, with_mprotect_victims_die_with_their_names) {
    test::random_source random(test::chosen_seed());
    const std::size_t victims = test::scaled(20, 5);
    const std::size_t crowd = test::scaled(5'000, 1'000);
    for (std::size_t i = 0; i < victims; ++i) {
        expect_death_by_name("overflow_mprotect", crowd, random.below(crowd));
    }
}

TEST(million, with_mprotect_beyond_the_mapping_budget_goes_on_unguarded_with_one_warning) {
    if (test::under_sanitizer()) {
        GTEST_SKIP() << "needs more live goroutines than a sanitizer build may have";
    }
    const std::size_t count = 100'000;
    if (const std::string why = why_too_large(count); !why.empty()) {
        GTEST_SKIP() << why;
    }
    if (number_in("/proc/sys/vm/max_map_count", "") > 131'072) {
        GTEST_SKIP() << "vm.max_map_count has been raised: this many guards fit";
    }
    const child_result r = run_million("census_mprotect", std::to_string(count));
    ASSERT_EQ(r.exit_status, 0) << describe(r);
    EXPECT_EQ(printed(r, "joined"), static_cast<long>(count));
    report_census(r, count);
    EXPECT_TRUE(r.wrote("guard")) << describe(r);
    EXPECT_EQ(std::count(r.err.begin(), r.err.end(), '\n'), 1) << describe(r);
}

}  // namespace
}  // namespace runnel
