// P7: wait for a group of workers, but not for ever.
//
// Giving up the wait is half of it: the workers must hear of it, or they run on with nobody who
// wants their results. A group's context tells them, and its destructor waits until they have gone.
#include <chrono>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::group;
using runnel::op_status;
using runnel::spawn;
using namespace std::chrono_literals;

constexpr int group_size = 5;

op_status wait_for_slow_workers() {
    // [group]
    group workers(background());
    for (int i = 0; i < group_size; ++i) {
        // Work that takes 30 s, and listens.
        workers.go([ctx = workers.context()] { static_cast<void>(sleep_for(ctx, 30s)); });
    }
    say("spawn a group of workers");

    auto [limit, cancel] = with_timeout(background(), 20ms);
    const op_status status = workers.wait(limit);
    say(status == op_status::ok ? "group workers done" : "wait group workers exit timeout!");
    return status;  // leaving cancels the workers and waits for their end
    // [/group]
}

/// Work and limit are both over when the waiter looks: it is told that the work is done.
bool wait_that_begins_late() {
    // [late]
    auto worker = spawn([] {});
    const auto limit = runnel::clock::now() + 1ms;
    runnel::sleep_for(5ms);  // busy with something else
    return worker.wait_until(limit);
    // [/late]
}

}  // namespace

void p07_join_with_timeout() {
    check(wait_for_slow_workers() == op_status::timeout, "the wait gives up");
    const auto left = goroutines_left();
    const bool late = wait_that_begins_late();
    say_fixed("after the timeout the workers were told to stop; left alive: ", left,
              "; work done and limit over: ", late ? "done" : "timeout");
    check(left == 0, "no worker runs on");
    check(late, "done wins over the limit");
}

}  // namespace tour
