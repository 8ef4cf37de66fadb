// Workloads on select: as many senders as cases, one goroutine that selects.
#include <optional>
#include <vector>

#include <runnel/runnel.hpp>

#include "workloads.hpp"

namespace bench {
namespace {

using numbers = runnel::chan<std::int64_t>;

// `cases` channels, each with a goroutine that sends its share of 0, 1, ... count - 1.
std::vector<numbers> start_senders(const row& r, std::int64_t cases) {
    const std::int64_t each = r.share(cases);
    std::vector<numbers> channels;
    for (std::int64_t c = 0; c < cases; ++c) {
        const auto to = runnel::make_chan<std::int64_t>(r.size("buffer", 0));
        channels.push_back(to);
        runnel::go([to, first = c * each, each] {
            for (std::int64_t i = first; i < first + each; ++i) {
                to.send(i);
            }
        });
    }
    return channels;
}

}  // namespace

void select2(const row& r, const report& out) {
    using runnel::on_recv;
    std::int64_t sum = 0;
    const auto take = [&sum](std::optional<std::int64_t> value) { sum += *value; };
    const stopwatch watch;
    const auto from = start_senders(r, 2);
    const numbers& a = from[0];
    const numbers& b = from[1];
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::select(on_recv(a, take), on_recv(b, take));
    }
    const auto time = watch.elapsed();
    check("sum received", sum, sum_below(r.count));
    out.ns_each(time, r.count);
}

void select8(const row& r, const report& out) {
    using runnel::on_recv;
    std::int64_t sum = 0;
    const auto take = [&sum](std::optional<std::int64_t> value) { sum += *value; };
    const stopwatch watch;
    const auto from = start_senders(r, 8);
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::select(on_recv(from[0], take), on_recv(from[1], take), on_recv(from[2], take),
                       on_recv(from[3], take), on_recv(from[4], take), on_recv(from[5], take),
                       on_recv(from[6], take), on_recv(from[7], take));
    }
    const auto time = watch.elapsed();
    check("sum received", sum, sum_below(r.count));
    out.ns_each(time, r.count);
}

void select_default(const row& r, const report& out) {
    const auto empty = runnel::make_chan<std::int64_t>();
    std::int64_t received = 0;
    std::int64_t defaults = 0;
    const stopwatch watch;
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::select(runnel::on_recv(empty, [&] { ++received; }),
                       runnel::otherwise([&] { ++defaults; }));
    }
    const auto time = watch.elapsed();
    check("received", received, 0);
    check("defaults", defaults, r.count);
    out.ns_each(time, r.count);
}

}  // namespace bench
