// P8: ask a worker to stop, and wait until it has, with a limit.
//
// A service is a worker with a context that asks it to stop. The request is not a message on a
// channel: it cannot be sent too late, it reaches a worker that is busy, and any number of callers
// may ask.
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::chan;
using runnel::context;
using runnel::make_chan;
using runnel::on_done;
using runnel::on_recv;
using runnel::op_status;
using runnel::select;
using runnel::service;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

/// What a caller prints who asked the worker to stop.
std::string name_of(op_status status) {
    return status == op_status::ok ? "ok" : "wait worker exit timeout";
}

// [worker]
/// Does the jobs until it is asked to stop. A job listens, too: it may be a long one.
void work(const context& stop, const chan<milliseconds>& jobs) {
    std::optional<milliseconds> job;
    while (select(on_recv(jobs, job), on_done(stop)) == 0 && job) {
        static_cast<void>(sleep_for(stop, *job));
    }
}
// [/worker]

op_status idle_worker() {
    // [service]
    auto jobs = make_chan<milliseconds>();
    service worker([=](const context& stop) { work(stop, jobs); });
    say("spawn a worker goroutine");
    jobs.send(1ms);

    say("notify the worker to exit...");
    const op_status status = worker.stop_and_wait(10s);
    say("worker done: ", name_of(status));
    // [/service]
    return status;
}

/// A job of an hour is under way: the worker ends at once all the same.
op_status busy_worker() {
    auto jobs = make_chan<milliseconds>();
    service worker([=](const context& stop) { work(stop, jobs); });
    jobs.send(1h);
    return worker.stop_and_wait(10s);
}

/// What the worker throws reaches who waits for it.
std::string failing_worker() {
    service worker([](const context&) { throw std::runtime_error("worker: out of paper"); });
    try {
        return name_of(worker.stop_and_wait(10s));
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

}  // namespace

void p08_notify_one() {
    check(idle_worker() == op_status::ok, "the worker acknowledges its end");
    const op_status busy = busy_worker();
    say("worker in the middle of a long job: ", name_of(busy));
    check(busy == op_status::ok, "a busy worker hears it, too");
    const std::string failure = failing_worker();
    say("worker that failed: ", failure);
    check(failure == "worker: out of paper", "its failure reaches who waits");

    const auto left = goroutines_left();
    say_fixed("a worker that says it ends has ended, however busy it was; left alive: ", left);
    check(left == 0, "the workers have ended");
}

}  // namespace tour
