// P9: a pool of workers on one channel of jobs. Closing it tells all of them; what was accepted
// before is done first.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::channel_closed;
using runnel::make_chan;
using runnel::op_status;
using runnel::unit;
using runnel::worker_pool;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

constexpr int pool_size = 5;
constexpr int job_count = 20;

int accepted_jobs_are_done() {
    // [pool]
    std::atomic<int> done = 0;
    worker_pool<milliseconds> pool(pool_size, [&](milliseconds job) {
        runnel::sleep_for(job);
        ++done;
    });
    say("spawn a group of workers");
    for (int i = 0; i < job_count; ++i) {
        pool.submit(1ms);
    }

    say("notify the worker group to exit...");
    const op_status status = pool.close_and_wait(10s);
    say(status == op_status::ok ? "group workers done" : "wait group workers exit timeout!");
    // [/pool]
    say("jobs submitted: ", job_count, ", done: ", done);
    check(status == op_status::ok && done == job_count, "every accepted job is done");
    return done;
}

/// A wait that times out leaves nothing behind, and another one may follow.
void wait_that_times_out() {
    auto let_go = make_chan<unit>();
    worker_pool<int> pool(pool_size, [=](int) { static_cast<void>(let_go.recv()); });
    pool.submit(1);
    const op_status first = pool.close_and_wait(5ms);
    say(first == op_status::timeout ? "wait group workers exit timeout!" : "group workers done");
    let_go.close();
    const op_status second = pool.close_and_wait(10s);
    say(second == op_status::ok ? "group workers done" : "wait group workers exit timeout!");
    check(first == op_status::timeout && second == op_status::ok, "one may wait again");
}

/// The producer is told that the pool takes no more; the job that fails ends alone.
void late_producer_and_failing_job(bool& refused, std::string& failure) {
    // [close]
    worker_pool<int> pool(pool_size, [](int job) {
        if (job == 3) {
            throw std::runtime_error("job 3 failed");
        }
    });
    for (int job = 0; job < 10; ++job) {
        pool.submit(job);
    }
    pool.close();
    try {
        pool.submit(10);
    } catch (const channel_closed&) {
        refused = true;
    }
    try {
        static_cast<void>(pool.close_and_wait(10s));
    } catch (const std::runtime_error& error) {
        failure = error.what();
    }
    // [/close]
}

}  // namespace

void p09_notify_many() {
    accepted_jobs_are_done();
    wait_that_times_out();

    bool refused = false;
    std::string failure = "none";
    late_producer_and_failing_job(refused, failure);
    say("a late producer is told: ", refused ? "closed" : "nothing", "; who waits: ", failure);
    check(refused && failure == "job 3 failed", "no job and no error is lost");

    const auto left = goroutines_left();
    say_fixed("after a timeout one may wait again, and no monitor is stranded; left alive: ", left);
    check(left == 0, "the pools have ended");
}

}  // namespace tour
