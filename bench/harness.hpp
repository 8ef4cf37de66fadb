// bench/harness.hpp: what a workload is given, and how it answers.
//
// A workload is a function of a row. It does what the row counts, checks its own result, and only
// then reports: a wrong result is a failure, never a figure.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// The row asks for something that its workload cannot do.
class bad_row : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The workload ran and its result was wrong.
class wrong_result : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// One line of workloads.txt.
struct row {
    std::string name;
    std::int64_t count = 0;
    std::map<std::string, std::int64_t, std::less<>> sizes;

    /// The size called `key`. Throws bad_row if the line has none, or one below `least`.
    [[nodiscard]] std::int64_t size(std::string_view key, std::int64_t least = 1) const;

    /// count / parts. Throws bad_row unless it divides evenly.
    [[nodiscard]] std::int64_t share(std::int64_t parts) const;
};

/// The row called `name` in workloads.txt, whose path is in RUNNEL_BENCH_WORKLOADS, else beside
/// the sources. Throws bad_row if it is not there.
row find_row(const std::string& name);

/// Reads a count or size of at least `least`. Throws bad_row for anything else.
std::int64_t parse_number(const std::string& text, std::int64_t least);

/// Throws wrong_result unless `got` is `want`.
void check(const char* what, std::int64_t got, std::int64_t want);

/// 0 + 1 + ... + (count - 1): what a receiver of the first `count` numbers adds up to.
constexpr std::int64_t sum_below(std::int64_t count) { return count * (count - 1) / 2; }

/// Runs from its construction.
class stopwatch {
public:
    [[nodiscard]] std::chrono::nanoseconds elapsed() const { return clock::now() - start_; }

private:
    using clock = std::chrono::steady_clock;
    clock::time_point start_ = clock::now();
};

/// Prints a workload's figures, one line each: `row value unit`, or `row.part value unit`.
class report {
public:
    explicit report(std::string name) : name_(std::move(name)) {}

    void ns_each(std::chrono::nanoseconds total, std::int64_t count) const;
    void ms(std::string_view part, std::chrono::nanoseconds total) const;
    void figure(std::string_view part, double value, std::string_view unit) const;

    /// The median, the 99th percentile and the largest of `samples`, in microseconds.
    void latencies(std::vector<std::chrono::nanoseconds> samples) const;

private:
    std::string name_;
};

}  // namespace bench
