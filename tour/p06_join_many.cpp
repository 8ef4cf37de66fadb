// P6: start a group of workers and wait for all of them.
//
// wait_group::go counts the worker and counts it down when it ends: nobody can forget the done().
// Where workers may fail, a group hands the first failure to who waits, and cancels the others. The
// workers end in any order, so each reports in a place of its own and the report is printed in the
// order of the names.
#include <array>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::context;
using runnel::group;
using runnel::wait_group;
using namespace std::chrono_literals;

constexpr std::size_t group_size = 5;

std::string worker(std::size_t number) {
    runnel::sleep_for(3ms);
    return "worker-" + std::to_string(number) + ": done";
}

void workers_that_cannot_fail() {
    // [wait_group]
    std::array<std::string, group_size> reports;
    wait_group workers;
    for (std::size_t i = 0; i < group_size; ++i) {
        // Each worker writes its own element; wait() orders those writes before its return.
        workers.go([&reports, i] { reports[i] = worker(i); });
    }
    say("spawn a group of workers");
    workers.wait();
    for (const std::string& report : reports) {
        say(report);
    }
    say("group workers done");
    // [/wait_group]
    check(reports.front() == "worker-0: done" && reports.back() == "worker-4: done",
          "each worker reports its end");
}

void workers_that_may_fail() {
    std::array<bool, group_size> cancelled{};
    std::string failure = "none";
    // [group]
    group workers(runnel::background());
    for (std::size_t i = 0; i < group_size; ++i) {
        workers.go([&cancelled, i, ctx = workers.context()] {
            if (i == 2) {
                throw std::runtime_error("worker-2: no space left");
            }
            // Work that would take an hour; a failure of another worker ends it.
            cancelled[i] = sleep_for(ctx, 1h) == runnel::op_status::canceled;
        });
    }
    try {
        workers.wait();  // for all of them; rethrows the first failure
    } catch (const std::runtime_error& error) {
        failure = error.what();
    }
    // [/group]
    std::size_t stopped = 0;
    for (const bool each : cancelled) {
        stopped += each ? 1 : 0;
    }
    say("group: ", failure, "; the other ", stopped, " were cancelled");
    check(failure == "worker-2: no space left" && stopped == group_size - 1,
          "the first failure reaches who waits, and ends the others");
}

}  // namespace

void p06_join_many() {
    workers_that_cannot_fail();
    workers_that_may_fail();
    const auto left = goroutines_left();
    say_fixed("a worker that fails hangs nobody, and no monitor is needed; left alive: ", left);
    check(left == 0, "the groups have ended");
}

}  // namespace tour
