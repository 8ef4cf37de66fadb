// test/defects/naive/fan_out.hpp: several workers on one channel, their outputs merged again.
// (Seed: pipeline, fan-out and fan-in; rows 29 and 30)
#pragma once

#include <memory>
#include <vector>

#include "go.hpp"

namespace runnel::naive {

template <class F>
recv_chan<int> spawn_fan_out(int num, F f, recv_chan<int> in) {
    auto group_out = make_chan<int>();
    std::vector<chan<int>> outs;
    for (int i = 0; i < num; ++i) {
        auto out = make_chan<int>();
        naive::go([=] {
            for (const int v : in) {
                const auto [r, ok] = f(v);
                if (ok) {
                    out.send(r);
                }
            }
            out.close();
        });
        outs.push_back(out);
    }
    naive::go([=] {
        auto wg = std::make_shared<wait_group>();
        for (const chan<int>& out : outs) {
            wg->add(1);
            naive::go([=] {
                for (const int v : out) {
                    group_out.send(v);
                }
                wg->done();
            });
        }
        wg->wait();
        group_out.close();
    });
    return group_out;
}

}  // namespace runnel::naive
