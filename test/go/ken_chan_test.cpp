// test/go/ken_chan_test.cpp: plain operations and selects, mixed in every way, keep order.
//
// Follows Go's test/ken/chan.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

constexpr int values_each = 76;

// A channel on which 0, 1, ... 75 are sent. Each side belongs to one goroutine, and its handle
// becomes nil when that side is done.
struct stream {
    explicit stream(std::ptrdiff_t capacity)
        : send_side(make_chan<int>(capacity)), recv_side(send_side) {}
    stream() = default;

    // After a send of `next_sent`; true if it was the last.
    bool sent() {
        if (++next_sent < values_each) {
            return false;
        }
        send_side = {};
        return true;
    }

    // After a receive of `value`; true if it was the last.
    bool received(std::optional<int> value) {
        EXPECT_EQ(value, next_received);
        if (++next_received < values_each) {
            return false;
        }
        recv_side = {};
        return true;
    }

    chan<int> send_side;
    chan<int> recv_side;
    int next_sent = 0;
    int next_received = 0;
};

using stream_ptr = std::shared_ptr<stream>;
using four = std::array<stream_ptr, 4>;

// Yields a few times, another number at each call, so that the goroutines change places.
class jitter {
public:
    explicit jitter(unsigned limit) : limit_(limit) {}

    void operator()() {
        state_ = (state_ + 10'007) % 1'000'000;
        for (unsigned n = state_ % limit_; n > 0; --n) {
            yield();
        }
    }

private:
    unsigned limit_;
    unsigned state_ = 0;
};

void send_all(const stream_ptr& s) {
    jitter pause(10);
    do {
        pause();
        s->send_side.send(s->next_sent);
    } while (!s->sent());
}

void receive_all(const stream_ptr& s) {
    jitter pause(10);
    std::optional<int> v;
    do {
        pause();
        v = s->recv_side.recv();
    } while (!s->received(v));
}

int sides(const four& in, const four& out) {
    int n = 0;
    for (const auto& s : in) {
        n += s->recv_side ? 1 : 0;
    }
    for (const auto& s : out) {
        n += s->send_side ? 1 : 0;
    }
    return n;
}

// Receives from four streams and sends on four others until all are done.
void select_all(const four& in, const four& out) {
    jitter pause(5);
    std::optional<int> v;
    for (int active = sides(in, out); active > 0;) {
        pause();
        const std::size_t k = select(on_recv(in[0]->recv_side, v), on_recv(in[1]->recv_side, v),
                                     on_recv(in[2]->recv_side, v), on_recv(in[3]->recv_side, v),
                                     on_send(out[0]->send_side, out[0]->next_sent),
                                     on_send(out[1]->send_side, out[1]->next_sent),
                                     on_send(out[2]->send_side, out[2]->next_sent),
                                     on_send(out[3]->send_side, out[3]->next_sent));
        const bool last = k < 4 ? in.at(k)->received(v) : out.at(k - 4)->sent();
        active -= last ? 1 : 0;
    }
}

four make_four(std::ptrdiff_t capacity) {
    four streams;
    for (auto& s : streams) {
        s = std::make_shared<stream>(capacity);
    }
    return streams;
}

// Streams without a channel: their cases are never ready.
four no_streams() {
    four streams;
    for (auto& s : streams) {
        s = std::make_shared<stream>();
    }
    return streams;
}

void start(wait_group& all, void (*side)(const stream_ptr&), const four& streams) {
    for (const auto& s : streams) {
        all.go([=] { side(s); });
    }
}

class go_ken_chan : public test::on_workers {
protected:
    // Runs `f(all, capacity)` at four capacities; f waits for all that it starts.
    template <class F>
    void run_at_each_capacity(F f) {
        run([&] {
            for (const std::ptrdiff_t capacity : {0, 1, 10, 100}) {
                wait_group all;
                f(all, capacity);
            }
        });
    }

    static void expect_done(const four& streams) {
        for (const auto& s : streams) {
            EXPECT_EQ(s->next_sent, values_each);
            EXPECT_EQ(s->next_received, values_each);
        }
    }
};

TEST_P(go_ken_chan, direct_send_to_direct_receive) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        start(all, send_all, a);
        start(all, receive_all, a);
        all.wait();
        expect_done(a);
    });
}

TEST_P(go_ken_chan, direct_send_to_select) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        start(all, send_all, a);
        all.go([=] { select_all(a, no_streams()); });
        all.wait();
        expect_done(a);
    });
}

TEST_P(go_ken_chan, select_to_direct_receive) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        start(all, receive_all, a);
        all.go([=] { select_all(no_streams(), a); });
        all.wait();
        expect_done(a);
    });
}

TEST_P(go_ken_chan, select_to_select) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        all.go([=] { select_all(no_streams(), a); });
        all.go([=] { select_all(a, no_streams()); });
        all.wait();
        expect_done(a);
    });
}

TEST_P(go_ken_chan, selects_that_send_to_each_other) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        const four b = make_four(capacity);
        all.go([=] { select_all(b, a); });
        all.go([=] { select_all(a, b); });
        all.wait();
        expect_done(a);
        expect_done(b);
    });
}

TEST_P(go_ken_chan, chain_of_two_selects_between_direct_sides) {
    run_at_each_capacity([](wait_group& all, std::ptrdiff_t capacity) {
        const four a = make_four(capacity);
        const four b = make_four(capacity);
        const four c = make_four(capacity);
        start(all, send_all, b);
        start(all, receive_all, c);
        all.go([=] { select_all(b, a); });
        all.go([=] { select_all(a, c); });
        all.wait();
        expect_done(a);
        expect_done(b);
        expect_done(c);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_ken_chan, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
