// P10: graceful shutdown of everything at once, within one limit.
//
// Whatever can be shut down is a component: an object with shutdown(limit), or a function of that
// shape. The report says of each how it went; the limit holds whatever a component does.
#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::clock;
using runnel::concurrent_shutdown;
using runnel::make_chan;
using runnel::named;
using runnel::shutdown_report;
using runnel::unit;
using namespace std::chrono_literals;

// [component]
/// Writes what it holds, and watches the time that it is given.
class database {
public:
    explicit database(clock::duration needs) : needs_(needs) {}

    [[nodiscard]] std::string name() const { return "database"; }
    [[nodiscard]] std::error_code shutdown(clock::duration limit) const {
        runnel::sleep_for(std::min(needs_, limit));
        return needs_ <= limit ? std::error_code() : std::make_error_code(std::errc::io_error);
    }

private:
    clock::duration needs_;
};

/// The seed's shutdownMaker: a function that is a component.
auto shutdown_maker(clock::duration needs) {
    return [=](clock::duration) {
        runnel::sleep_for(needs);
        return std::error_code();
    };
}
// [/component]

void show(const shutdown_report& report) {
    for (const auto& component : report.components()) {
        say("  ", component.name, ": ",
            !component.finished ? "late"
            : component.error   ? component.error.message()
                                : "done");
    }
    say("shutdown: ", report.error() ? report.error().message() : "ok");
}

void everything_in_time() {
    // [in_time]
    const shutdown_report report =
        concurrent_shutdown(10s, database(2ms), named("cache", shutdown_maker(6ms)));
    // [/in_time]
    show(report);
    check(!report.error() && report.components().size() == 2, "both finish in time");
}

void one_is_late_and_one_fails() {
    auto let_go = make_chan<unit>();
    // [late]
    const shutdown_report report = concurrent_shutdown(
        20ms,
        named("stuck",
              [=](clock::duration) {
                  static_cast<void>(let_go.recv());  // listens to no limit
                  return std::error_code();
              }),
        named("disk",
              [](clock::duration) { return std::make_error_code(std::errc::no_space_on_device); }),
        named("broken",
              [](clock::duration) -> std::error_code { throw std::runtime_error("cannot stop"); }));
    // [/late]
    show(report);
    check(bool(report.error()), "the shutdown says that something went wrong");
    check(!report.components()[0].finished, "the report names who is late");
    check(report.components()[1].error == std::errc::no_space_on_device, "and who failed");
    check(bool(report.components()[2].error), "and who threw");

    let_go.close();
    static_cast<void>(report.stragglers().recv());  // closes when the last one has returned
    const auto left = goroutines_left();
    say_fixed("every error is named, and after the timeout nothing is stranded; left alive: ",
              left);
    check(left == 0, "no collector stays");
}

}  // namespace

void p10_concurrent_shutdown() {
    everything_in_time();
    one_is_late_and_one_fails();
}

}  // namespace tour
