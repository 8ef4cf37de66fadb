// test/defects/naive/notify_many.hpp: a pool that ends when somebody closes its channel of jobs.
// (Seed: notify and wait, many; rows 13 to 15)
#pragma once

#include <chrono>
#include <memory>

#include "go.hpp"

namespace runnel::naive {

/// The global function of the sample.
inline void sleeping_worker(int j) { sleep_for(std::chrono::seconds(j)); }

/// The sample makes `job` inside and gives it to nobody (row 13). Here it is handed in, so that a
/// test can submit jobs. `f` is ignored, as there.
template <class F>
chan<unit> spawn_pool(int n, [[maybe_unused]] F f, chan<int> job = make_chan<int>()) {
    auto quit = make_chan<unit>();
    auto wg = std::make_shared<wait_group>();
    for (int i = 0; i < n; ++i) {
        wg->add(1);
        naive::go([=] {
            const defer done([=] { wg->done(); });
            while (const auto j = job.recv()) {
                sleeping_worker(*j);
            }
        });
    }
    naive::go([=] {
        quit.recv();
        job.close();  // tells all of them
        wg->wait();
        quit.send();
    });
    return quit;
}

/// What main does: false is "wait group workers exit timeout!".
template <class Duration>
bool notify_pool_and_wait(const chan<unit>& quit, Duration limit) {
    quit.send();
    return select(on_timeout(limit), on_recv(quit)) == 1;
}

}  // namespace runnel::naive
