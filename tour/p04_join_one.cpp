// P4: wait for one goroutine to end.
//
// spawn() returns a handle; join() waits. By hand one would return a channel and send on it at the
// end, and get two things wrong: the send strands the goroutine when nobody waits any more, and
// waits for ever when the goroutine leaves another way. The handle does neither.
#include <chrono>
#include <cstddef>
#include <functional>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::make_chan;
using runnel::spawn;
using runnel::unit;
using namespace std::chrono_literals;

// Typed arguments: a wrong one does not compile, instead of looking like success.
void worker(std::chrono::milliseconds interval, int& jobs_done) {
    runnel::sleep_for(interval);
    ++jobs_done;
}

}  // namespace

void p04_join_one() {
    int jobs_done = 0;
    auto first = spawn(worker, 2ms, std::ref(jobs_done));
    say("spawn a worker goroutine");
    first.join();
    say("worker done");
    check(jobs_done == 1, "what the worker wrote is seen after join");

    // done() closes at the end, so that waiting can stand in a select beside other events.
    auto never = make_chan<unit>();
    auto second = spawn(worker, 1ms, std::ref(jobs_done));
    const std::size_t event =
        runnel::select(runnel::on_recv(second.done()), runnel::on_recv(never));
    say("select: worker done");
    check(event == 0 && jobs_done == 2, "done() tells the end of the worker");

    // Nobody has to wait: without its handle the worker still runs to its end, and strands nobody.
    auto ended = make_chan<unit>();
    spawn([=] { ended.close(); }).detach();
    check(!ended.recv(), "a detached worker runs to its end");
    say("detached worker done");
}

}  // namespace tour
