// test/defects/naive/join_many.hpp: wait for a group by a monitor that sends on a channel.
// (Seed: exit patterns, join many and join with timeout; rows 5 to 8)
#pragma once

#include <memory>

#include "go.hpp"
#include "join.hpp"

namespace runnel::naive {

template <class F>
chan<unit> spawn_group(int n, F f, arguments args = {}) {
    auto c = make_chan<unit>();
    auto wg = std::make_shared<wait_group>();
    for (int i = 0; i < n; ++i) {
        wg->add(1);
        naive::go([=] {
            f(args);
            wg->done();
        });
    }
    naive::go([=] {
        wg->wait();
        c.send();
    });
    return c;
}

/// The end of main in the sample with the timeout.
template <class Timer>
bool wait_or_time_out(const chan<unit>& done, const Timer& timer) {
    return select(on_recv(timer), on_recv(done)) == 1;
}

}  // namespace runnel::naive
