// P4: wait for one goroutine to end.
//
// spawn() returns a handle; join() waits. By hand one would return a channel and send on it at the
// end, and get two things wrong: the send strands the goroutine when nobody waits any more, and
// waits for ever when the goroutine leaves another way. The handle does neither.
#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::make_chan;
using runnel::on_recv;
using runnel::select;
using runnel::spawn;
using runnel::unit;
using namespace std::chrono_literals;

// [worker]
// Typed arguments: a wrong one does not compile, instead of looking like success.
void worker(std::chrono::milliseconds interval, int& jobs_done) {
    runnel::sleep_for(interval);
    ++jobs_done;
}
// [/worker]

void wait_for_a_worker() {
    // [join]
    int jobs_done = 0;
    auto done = spawn(worker, 5ms, std::ref(jobs_done));
    say("spawn a worker goroutine");
    done.join();
    say("worker done");
    // [/join]
    check(jobs_done == 1, "what the worker wrote is seen after join");
}

/// done() closes at the end, so that waiting can stand in a select beside other events.
void wait_beside_other_events() {
    // [select]
    int jobs_done = 0;
    auto never = make_chan<unit>();
    auto handle = spawn(worker, 1ms, std::ref(jobs_done));
    const std::size_t event = select(on_recv(handle.done()), on_recv(never));
    // [/select]
    say("select: worker done");
    check(event == 0 && jobs_done == 1, "done() tells the end of the worker");
}

/// What the seed's channel gets wrong: who stops waiting, and a worker that leaves another way.
void what_a_channel_gets_wrong() {
    auto ended = make_chan<unit>();
    {
        auto given_up = spawn([=] { ended.close(); });  // nobody joins it
    }
    static_cast<void>(ended.recv());

    auto fails = spawn([] { throw std::runtime_error("cannot work"); });
    bool told = false;
    try {
        fails.join();
    } catch (const std::runtime_error&) {
        told = true;
    }
    const auto left = goroutines_left();
    say_fixed("nobody waits for a worker, another one throws: left alive: ", left,
              ", told of the exception: ", told ? "yes" : "no");
    check(told && left == 0, "a handle strands nobody and hides nothing");
}

}  // namespace

void p04_join_one() {
    wait_for_a_worker();
    wait_beside_other_events();
    what_a_channel_gets_wrong();
}

}  // namespace tour
