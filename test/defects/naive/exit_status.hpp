// test/defects/naive/exit_status.hpp: the end of a goroutine as an error, where success is one too.
// (Seed: exit patterns, exit status; row 3)
#pragma once

#include <any>
#include <chrono>

#include "go.hpp"
#include "join.hpp"

namespace runnel::naive {

inline const error ok_status{"ok"};

inline error status_worker(const arguments& args) {
    if (args.empty()) {
        return error("invalid args");
    }
    const int* const interval = std::any_cast<int>(&args[0]);
    if (interval == nullptr) {
        return error("invalid interval arg");
    }
    sleep_for(std::chrono::seconds(*interval));
    return ok_status;
}

template <class F>
chan<error> spawn_with_status(F f, arguments args) {
    auto c = make_chan<error>();
    naive::go([=] { c.send(f(args)); });
    return c;
}

}  // namespace runnel::naive
