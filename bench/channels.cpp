// Workloads on plain channel operations.
#include <vector>

#include <runnel/runnel.hpp>

#include "workloads.hpp"

namespace bench {
namespace {

using numbers = runnel::chan<std::int64_t>;

// Sends first, first + 1, ... and `count` values in all.
void send_range(const numbers& to, std::int64_t first, std::int64_t count) {
    for (std::int64_t i = first; i < first + count; ++i) {
        to.send(i);
    }
}

std::int64_t sum_of(const numbers& from) {
    std::int64_t sum = 0;
    for (const std::int64_t value : from) {
        sum += value;
    }
    return sum;
}

// One node of the ring: hands on what is left of the hops; who gets none left says so.
void pass_on(std::int64_t self, const numbers& in, const numbers& out, const numbers& last) {
    for (const std::int64_t left : in) {
        if (left == 0) {
            last.send(self);
            break;
        }
        out.send(left - 1);
    }
    out.close();
}

}  // namespace

void pingpong(const row& r, const report& out) {
    const auto ping = runnel::make_chan<std::int64_t>();
    const auto pong = runnel::make_chan<std::int64_t>();
    runnel::go([ping, pong] {
        for (const std::int64_t value : ping) {
            pong.send(value + 1);
        }
        pong.close();
    });
    std::int64_t sum = 0;
    const stopwatch watch;
    for (std::int64_t i = 0; i < r.count; ++i) {
        ping.send(i);
        sum += *pong.recv();
    }
    const auto time = watch.elapsed();
    ping.close();
    check("sum of answers", sum, sum_below(r.count) + r.count);
    check("answers left over", pong.recv().has_value(), false);
    out.ns_each(time, r.count);
}

void one_to_one(const row& r, const report& out) {
    const auto values = runnel::make_chan<std::int64_t>(r.size("buffer", 0));
    const stopwatch watch;
    runnel::go([values, count = r.count] {
        send_range(values, 0, count);
        values.close();
    });
    const std::int64_t sum = sum_of(values);
    const auto time = watch.elapsed();
    check("sum received", sum, sum_below(r.count));
    out.ns_each(time, r.count);
}

void mpmc(const row& r, const report& out) {
    const std::int64_t producers = r.size("producers");
    const std::int64_t consumers = r.size("consumers");
    const std::int64_t each = r.share(producers);
    const auto values = runnel::make_chan<std::int64_t>(r.size("buffer", 0));
    const auto sums = runnel::make_chan<std::int64_t>(consumers);
    runnel::wait_group sending;
    sending.add(producers);
    const stopwatch watch;
    for (std::int64_t p = 0; p < producers; ++p) {
        runnel::go([values, &sending, p, each] {
            send_range(values, p * each, each);
            sending.done();
        });
    }
    for (std::int64_t c = 0; c < consumers; ++c) {
        runnel::go([values, sums] { sums.send(sum_of(values)); });
    }
    sending.wait();
    values.close();
    std::int64_t sum = 0;
    for (std::int64_t c = 0; c < consumers; ++c) {
        sum += *sums.recv();
    }
    const auto time = watch.elapsed();
    check("sum received", sum, sum_below(r.count));
    out.ns_each(time, r.count);
}

void ring(const row& r, const report& out) {
    const std::int64_t nodes = r.size("nodes");
    std::vector<numbers> links;
    links.reserve(static_cast<std::size_t>(nodes));
    for (std::int64_t n = 0; n < nodes; ++n) {
        links.push_back(runnel::make_chan<std::int64_t>());
    }
    const auto last = runnel::make_chan<std::int64_t>();
    runnel::wait_group ended;
    ended.add(nodes);
    const stopwatch watch;
    for (std::int64_t n = 0; n < nodes; ++n) {
        const auto& in = links[static_cast<std::size_t>(n)];
        const auto& next = links[static_cast<std::size_t>((n + 1) % nodes)];
        runnel::go([n, in, next, last, &ended] {
            pass_on(n, in, next, last);
            ended.done();
        });
    }
    links[0].send(r.count);
    const std::int64_t reached = *last.recv();
    const auto time = watch.elapsed();
    ended.wait();
    check("node reached", reached, r.count % nodes);
    out.ns_each(time, r.count);
}

}  // namespace bench
