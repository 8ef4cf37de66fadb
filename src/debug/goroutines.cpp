#include <runnel/debug/goroutines.hpp>

#include <unistd.h>

#include "src/sched/registry.hpp"
#include "src/sched/report.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::debug {

std::size_t live_goroutines() { return stats().goroutines; }

std::vector<std::string> goroutines() {
    std::vector<std::string> lines;
    detail::for_each_scheduler([&](detail::scheduler& s) {
        for (std::string& line : detail::describe_all(s)) {
            lines.push_back(std::move(line));
        }
    });
    return lines;
}

void dump(int fd) {
    for (std::string line : goroutines()) {
        line += '\n';
        for (std::size_t written = 0; written < line.size();) {
            const auto n = ::write(fd, line.data() + written, line.size() - written);
            if (n <= 0) {
                return;
            }
            written += static_cast<std::size_t>(n);
        }
    }
}

runtime_stats stats() {
    runtime_stats sum;
    detail::for_each_scheduler([&](detail::scheduler& s) {
        sum.goroutines += s.live();
        sum.unguarded_stacks += s.unguarded_stacks();
        sum.workers_added += s.extra_workers_added();
    });
    return sum;
}

}  // namespace runnel::debug
