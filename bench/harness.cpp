#include "harness.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace bench {
namespace {

std::filesystem::path workloads_path() {
    if (const char* path = std::getenv("RUNNEL_BENCH_WORKLOADS")) {
        return path;
    }
    return std::filesystem::path(__FILE__).parent_path() / "workloads.txt";
}

// The row on this line, or nothing if it is a comment or another row.
std::optional<row> parse_line(const std::string& line, const std::string& name) {
    std::istringstream words(line);
    row parsed;
    std::string count;
    if (!(words >> parsed.name >> count) || parsed.name != name) {
        return std::nullopt;
    }
    parsed.count = parse_number(count, 1);
    for (std::string size; words >> size;) {
        const auto equals = size.find('=');
        if (equals == std::string::npos) {
            throw bad_row(name + ": '" + size + "' is not key=number");
        }
        parsed.sizes[size.substr(0, equals)] = parse_number(size.substr(equals + 1), 0);
    }
    return parsed;
}

std::chrono::nanoseconds quantile(const std::vector<std::chrono::nanoseconds>& sorted, double q) {
    const auto rank = std::ceil(q * static_cast<double>(sorted.size()));
    return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace

std::int64_t parse_number(const std::string& text, std::int64_t least) {
    std::int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || rest != end || number < least) {
        throw bad_row("'" + text + "' is not a whole number of at least " + std::to_string(least));
    }
    return number;
}

std::int64_t row::size(std::string_view key, std::int64_t least) const {
    const auto found = sizes.find(key);
    if (found == sizes.end() || found->second < least) {
        throw bad_row("needs " + std::string(key) + "=N, N at least " + std::to_string(least));
    }
    return found->second;
}

std::int64_t row::share(std::int64_t parts) const {
    if (count % parts != 0) {
        throw bad_row(std::to_string(count) + " does not divide by " + std::to_string(parts));
    }
    return count / parts;
}

row find_row(const std::string& name) {
    const auto path = workloads_path();
    std::ifstream file(path);
    if (!file) {
        throw bad_row("cannot read " + path.string() + "; RUNNEL_BENCH_WORKLOADS names the file");
    }
    for (std::string line; std::getline(file, line);) {
        if (auto found = parse_line(line, name)) {
            return *found;
        }
    }
    throw bad_row("no row '" + name + "' in " + path.string());
}

void check(const char* what, std::int64_t got, std::int64_t want) {
    if (got != want) {
        throw wrong_result(std::string(what) + ": got " + std::to_string(got) + ", want " +
                           std::to_string(want));
    }
}

void report::ns_each(std::chrono::nanoseconds total, std::int64_t count) const {
    figure("", static_cast<double>(total.count()) / static_cast<double>(count), "ns");
}

void report::ms(std::string_view part, std::chrono::nanoseconds total) const {
    figure(part, static_cast<double>(total.count()) / 1e6, "ms");
}

void report::figure(std::string_view part, double value, std::string_view unit) const {
    const std::string name = part.empty() ? name_ : name_ + "." + std::string(part);
    std::printf("%s %.3f %.*s\n", name.c_str(), value, static_cast<int>(unit.size()), unit.data());
}

void report::latencies(std::vector<std::chrono::nanoseconds> samples) const {
    std::sort(samples.begin(), samples.end());
    const auto us = [](std::chrono::nanoseconds time) {
        return static_cast<double>(time.count()) / 1e3;
    };
    figure("p50", us(quantile(samples, 0.50)), "us");
    figure("p99", us(quantile(samples, 0.99)), "us");
    figure("max", us(samples.back()), "us");
}

}  // namespace bench
