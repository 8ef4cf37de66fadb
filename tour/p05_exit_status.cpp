// P5: the goroutine's result or its error reaches who waits for it.
//
// join() returns what the function returned and rethrows what it threw. Where failure is ordinary,
// return std::error_code: success is the one that converts to false.
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::spawn;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

// [worker]
/// Sleeps through the intervals and returns how long that should take.
/// Throws std::invalid_argument if there is none.
milliseconds worker(const std::vector<milliseconds>& intervals) {
    if (intervals.empty()) {
        throw std::invalid_argument("invalid args");
    }
    milliseconds total = 0ms;
    for (const milliseconds interval : intervals) {
        runnel::sleep_for(interval);
        total += interval;
    }
    return total;
}

/// The same with an error code.
std::error_code quiet_worker(milliseconds interval) {
    if (interval < 0ms) {
        return std::make_error_code(std::errc::invalid_argument);
    }
    runnel::sleep_for(interval);
    return {};
}
// [/worker]

std::string status_of(runnel::join_handle<milliseconds> job) {
    try {
        return job.join() > 0ms ? "ok" : "nothing to do";
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
}

}  // namespace

void p05_exit_status() {
    auto job1 = spawn(worker, std::vector{2ms, 3ms});
    say("spawn worker1");
    const std::string status1 = status_of(std::move(job1));
    say("worker1 done: ", status1);
    check(status1 == "ok", "worker1 succeeds");

    auto job2 = spawn(worker, std::vector<milliseconds>{});
    say("spawn worker2");
    const std::string status2 = status_of(std::move(job2));
    say("worker2 done: ", status2);
    check(status2 == "invalid args", "worker2's exception reaches who joins it");

    // [status]
    const std::error_code good = spawn(quiet_worker, 1ms).join();
    const std::error_code bad = spawn(quiet_worker, -1ms).join();
    say("worker3 done: ", good ? "failed" : "ok");
    say("worker4 done: ", bad ? "failed" : "ok");
    // [/status]
    check(!good, "worker3 succeeds");
    check(bad == std::errc::invalid_argument, "worker4's error code reaches who joins it");

    say_fixed("success is no error: 'if (error)' says ", good ? "failed" : "ok",
              " for the worker that succeeded");
}

}  // namespace tour
