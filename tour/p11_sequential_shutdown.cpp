// P11: graceful shutdown one component after another, where order matters: first who takes
// requests, then who answers them, then what they are stored in.
//
// Each is handed what is left of the limit. Who comes after the limit still gets its turn, with
// nothing left: better to let go at once than not at all.
#include <algorithm>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::clock;
using runnel::named;
using runnel::sequential_shutdown;
using runnel::shutdown_report;
using namespace std::chrono_literals;

/// Who was asked, in this order, and whether time was left.
class protocol {
public:
    void note(const std::string& name, clock::duration limit) {
        lines_.push_back(name + (limit > 0ns ? " (time left)" : " (no time left)"));
    }
    [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

private:
    std::vector<std::string> lines_;
};

/// A component that needs some time, and takes no more than it is given.
auto component(const std::string& name, clock::duration needs, protocol& seen) {
    return named(name, [=, &seen](clock::duration limit) {
        seen.note(name, limit);
        runnel::sleep_for(std::min(needs, std::max(limit, clock::duration(0))));
        return needs <= limit || needs == 0ns ? std::error_code()
                                              : std::make_error_code(std::errc::timed_out);
    });
}

void in_order() {
    protocol seen;
    // [in_order]
    const shutdown_report report =
        sequential_shutdown(10s, component("listener", 3ms, seen), component("workers", 2ms, seen),
                            component("database", 1ms, seen));
    // [/in_order]
    for (const std::string& line : seen.lines()) {
        say("  ", line);
    }
    say("shutdown: ", report.error() ? report.error().message() : "ok");
    check(seen.lines() == std::vector<std::string>{"listener (time left)", "workers (time left)",
                                                   "database (time left)"},
          "one after another, in the order given");
    check(!report.error(), "all in time");
}

void limit_that_runs_out() {
    protocol seen;
    // [limit]
    const shutdown_report report =
        sequential_shutdown(20ms, component("listener", 1ms, seen), component("workers", 1h, seen),
                            component("database", 0ms, seen));
    // [/limit]
    static_cast<void>(report.stragglers().recv());
    for (const std::string& line : seen.lines()) {
        say("  ", line);
    }
    say("shutdown: ", report.error() ? report.error().message() : "ok");
    check(report.error() == std::errc::timed_out, "the shutdown says that time ran out");
    check(seen.lines().size() == 3 && seen.lines()[2] == "database (no time left)",
          "who comes after the limit still gets its turn");

    const auto left = goroutines_left();
    say_fixed("the component after the slow one was asked, too; asked: ", seen.lines().size(),
              " of 3, left alive: ", left);
    check(left == 0, "nobody is left");
}

}  // namespace

void p11_sequential_shutdown() {
    in_order();
    limit_that_runs_out();
}

}  // namespace tour
