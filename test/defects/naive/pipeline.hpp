// test/defects/naive/pipeline.hpp: a generator and stages that nobody can stop.
// (Seed: pipeline; rows 26 and 27)
#pragma once

#include <utility>

#include "go.hpp"

namespace runnel::naive {

inline recv_chan<int> new_num_generator(int start, int count) {
    auto c = make_chan<int>();
    naive::go([=] {
        for (int i = start; i < start + count; ++i) {
            c.send(i);
        }
        c.close();
    });
    return c;
}

/// Drops the odd ones, whatever its name says (row 28).
inline std::pair<int, bool> filter_odd(int in) {
    return in % 2 != 0 ? std::pair(0, false) : std::pair(in, true);
}
inline std::pair<int, bool> square(int in) { return {in * in, true}; }

template <class F>
recv_chan<int> spawn_stage(F f, recv_chan<int> in) {
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
    return out;
}

}  // namespace runnel::naive
