// P6: start a group of workers and wait for all of them.
//
// wait_group::go counts the worker and counts it down when it ends, however it ends: nobody can
// forget the done(). The workers end in any order, so each reports in a place of its own and the
// report is printed in the order of the names.
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::go;
using runnel::make_chan;
using runnel::recv_chan;
using runnel::unit;
using runnel::wait_group;
using namespace std::chrono_literals;

constexpr int group_size = 5;

std::string worker(int number) {
    runnel::sleep_for(1ms);
    return "worker-" + std::to_string(number) + ": done";
}

/// Starts f(0) ... f(n - 1) and returns a channel that closes when all have returned, so that the
/// wait can stand in a select.
template <class F>
recv_chan<unit> spawn_group(int n, const F& f) {
    auto done = make_chan<unit>();
    go([=] {
        wait_group workers;
        for (int i = 0; i < n; ++i) {
            workers.go([=] { f(i); });
        }
        workers.wait();
        done.close();  // not a send: whoever stopped waiting cannot strand us
    });
    return done;
}

void wait_with_wait_group() {
    std::vector<std::string> reports(group_size);
    wait_group workers;
    say("spawn a group of workers");
    for (int i = 0; i < group_size; ++i) {
        // Each worker writes its own element; wait() orders those writes before its return.
        workers.go([&reports, i] { reports[static_cast<std::size_t>(i)] = worker(i); });
    }
    workers.wait();
    for (int i = 0; i < group_size; ++i) {
        const std::string& report = reports[static_cast<std::size_t>(i)];
        say(report);
        check(report == "worker-" + std::to_string(i) + ": done", "each worker reports its end");
    }
    say("group workers done");
}

void wait_with_channel() {
    auto finished = make_chan<int>(group_size);  // a place for each: no worker waits
    auto done = spawn_group(group_size, [=](int number) { finished.send(number); });
    say("spawn another group");
    check(!done.recv(), "the channel closes when all workers have ended");
    check(finished.len() == group_size, "all workers of the group have run");
    say("group workers done: ", finished.len());
}

}  // namespace

void p06_join_many() {
    wait_with_wait_group();
    wait_with_channel();
}

}  // namespace tour
