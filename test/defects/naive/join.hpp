// test/defects/naive/join.hpp: wait for one goroutine by a channel on which it sends at its end.
// (Seed: exit patterns, join one; rows 1, 2 and 4 of the table)
#pragma once

#include <any>
#include <chrono>
#include <vector>

#include "go.hpp"

namespace runnel::naive {

/// args ...interface{}
using arguments = std::vector<std::any>;

inline void worker(const arguments& args) {
    if (args.empty()) {
        return;
    }
    const int* const interval = std::any_cast<int>(&args[0]);
    if (interval == nullptr) {
        return;
    }
    sleep_for(std::chrono::seconds(*interval));
}

template <class F>
chan<unit> spawn(F f, arguments args = {}) {
    auto c = make_chan<unit>();
    naive::go([=] {
        f(args);
        c.send();
    });
    return c;
}

}  // namespace runnel::naive
