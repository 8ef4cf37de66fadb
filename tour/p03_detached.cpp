// P3: goroutines that nobody waits for. They end when their function does, so the function needs a
// way to end: every wait in it listens to a context or to the end of its work.
//
// Two uses: a task for once (here it links two ways to cancel a call), and workers that stay,
// driven by a ticker and by events. Detached is not forgotten: whoever starts a worker that stays
// keeps what ends it.
#include <chrono>
#include <optional>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::context;
using runnel::go;
using runnel::make_chan;
using runnel::on_done;
using runnel::on_recv;
using runnel::op_status;
using runnel::recv_chan;
using runnel::select;
using runnel::send_chan;
using runnel::unit;
using namespace std::chrono_literals;

// [once]
/// Waits for `connected`, until `ctx` ends or `old_cancel` closes.
op_status dial(const context& ctx, const recv_chan<unit>& old_cancel,
               const recv_chan<unit>& connected) {
    auto [dialing, cancel] = with_cancel(ctx);  // cancels on every way out of here
    go([old_cancel, dialing, stop = cancel.share()] {
        select(on_recv(old_cancel, [&] { stop(); }), on_done(dialing));  // whatever comes first
    });
    unit done;
    return connected.recv(dialing, done);
}

/// The same where the old way to cancel is a context as well: no goroutine, unless it is cancelled.
op_status dial(const context& ctx, const context& old, const recv_chan<unit>& connected) {
    auto [dialing, cancel] = with_cancel(ctx);
    auto link = on_cancel(old, [stop = cancel.share()] { stop(); });
    unit done;
    const op_status status = connected.recv(dialing, done);
    link.stop();
    return status;
}
// [/once]

// [resident]
/// Stays until `ctx` ends; closes `ended` then. Says how the heart beats, and what happens.
void watch(const context& ctx, const recv_chan<std::string>& events, const send_chan<int>& beats,
           const send_chan<unit>& ended) {
    const runnel::ticker heart(1ms);
    std::optional<std::string> event;
    int beat = 0;
    for (bool watching = true; watching;) {
        switch (select(on_recv(heart.c()), on_recv(events, event), on_done(ctx))) {
            case 0:
                static_cast<void>(beats.try_send(++beat));
                break;  // who is slow misses some
            case 1:
                say("watch: ", *event);
                break;
            default:  // ctx has ended
                watching = false;
                break;
        }
    }
    ended.close();
}
// [/resident]

void task_for_once() {
    auto never = make_chan<unit>();
    auto old_cancel = make_chan<unit>();
    old_cancel.close();
    const op_status stopped = dial(runnel::background(), old_cancel, never);
    say("dial: ", stopped == op_status::canceled ? "cancelled the old way" : "?");
    check(stopped == op_status::canceled, "the old way to cancel ends the dial");

    auto connected = make_chan<unit>(1);
    connected.send();
    const op_status reached = dial(runnel::background(), never, connected);
    say("dial: ", reached == op_status::ok ? "connected" : "?");
    check(reached == op_status::ok, "a dial that nobody cancels connects");

    auto [old, cancel_old] = with_cancel(runnel::background());
    cancel_old();
    check(dial(runnel::background(), old, never) == op_status::canceled, "on_cancel links two");
    connected.send();
    check(dial(runnel::background(), runnel::background(), connected) == op_status::ok,
          "the link does no harm");
}

void worker_that_stays() {
    auto [ctx, cancel] = with_cancel(runnel::background());
    auto events = make_chan<std::string>();
    auto beats = make_chan<int>(1);
    auto ended = make_chan<unit>();
    go(watch, ctx, events, beats, ended);

    events.send("a file has changed");
    int beat = 0;
    while (beat < 3) {
        beat = beats.recv().value_or(beat);
    }
    say("watch: three beats of its heart");

    cancel();
    check(!ended.recv(), "the worker ends when its context does");
    say("watch: ended");
}

}  // namespace

void p03_detached() {
    task_for_once();
    worker_that_stays();
    const auto left = goroutines_left();
    say_fixed("a dial with on_cancel starts no goroutine to link two cancels; left alive: ", left);
    check(left == 0, "no detached goroutine stays");
}

}  // namespace tour
