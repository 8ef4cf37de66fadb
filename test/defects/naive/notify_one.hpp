// test/defects/naive/notify_one.hpp: one channel that carries the request to end and its reply.
// (Seed: notify and wait, one; rows 9 to 12)
#pragma once

#include <chrono>
#include <string>

#include "go.hpp"

namespace runnel::naive {

/// The sample has `var job chan int` in the goroutine, which is nil (row 12). Here the channel is
/// handed in, so that the worker can be busy.
template <class F>
chan<std::string> spawn_notified(F f, chan<int> job = {}) {
    auto quit = make_chan<std::string>();
    naive::go([=] {
        for (std::optional<int> j;;) {
            switch (select(on_recv(job, j), on_recv(quit))) {
                case 0:
                    f(*j);
                    break;
                case 1:
                    quit.send("ok");
                    break;
            }
        }
    });
    return quit;
}

/// What main does; an empty string is "wait worker exit timeout".
template <class Duration>
std::string notify_and_wait(const chan<std::string>& quit, Duration limit) {
    quit.send("exit");
    std::optional<std::string> status;
    select(on_recv(quit, status), on_timeout(limit));
    return status.value_or("");
}

}  // namespace runnel::naive
