#include "proc.hpp"

#include <sys/resource.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include "harness.hpp"

namespace bench {
namespace {

// The number after "Key:" in this process's status file; 0 if there is none.
std::int64_t status_number(std::string_view key) {
    std::ifstream file("/proc/self/status");
    std::int64_t number = 0;
    for (std::string word; file >> word;) {
        if (word.size() == key.size() + 1 && word.starts_with(key) && word.ends_with(':')) {
            file >> number;
            break;
        }
    }
    return number;
}

}  // namespace

memory memory_now() {
    constexpr std::int64_t kib = 1024;
    const memory now{status_number("VmRSS") * kib, status_number("VmPTE") * kib};
    if (now.resident == 0) {
        throw std::runtime_error("cannot read VmRSS from /proc/self/status");
    }
    return now;
}

consumption consumed() {
    rusage used{};
    if (getrusage(RUSAGE_SELF, &used) != 0) {
        throw std::runtime_error("getrusage failed");
    }
    const auto time = [](const timeval& t) {
        return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
    };
    return {time(used.ru_utime) + time(used.ru_stime), used.ru_nvcsw + used.ru_nivcsw};
}

std::int64_t workers() {
    if (const char* given = std::getenv("RUNNEL_MAXPROCS")) {
        return parse_number(given, 1);
    }
    return static_cast<std::int64_t>(std::thread::hardware_concurrency());
}

}  // namespace bench
