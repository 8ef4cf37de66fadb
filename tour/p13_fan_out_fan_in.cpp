// P13: fan-out: several workers take from one channel, which balances the work. Fan-in: their
// results come together in one channel, which closes when all workers are done.
//
// A channel takes any number of senders, so n workers share one output: fan-in for nothing. Only
// channels that exist already need a goroutine each to be merged. The results have no order: they
// are sorted here before they are printed.
#include <algorithm>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "stages.hpp"
#include "tour.hpp"

namespace tour {
namespace {

using runnel::go;
using runnel::join_handle;
using runnel::make_chan;
using runnel::send_chan;
using runnel::spawn;

using crew = std::vector<join_handle<void>>;

/// Waits for all of the crew, then closes `out`, with the first exception if there was one.
void close_after(const std::string& name, crew workers, const send_chan<int>& out) {
    std::exception_ptr error = nullptr;
    for (std::size_t i = 0; i < workers.size(); ++i) {
        try {
            workers[i].join();
        } catch (...) {
            if (!error) {
                error = std::current_exception();
            }
        }
        say(name, '-', i, ": work done");
    }
    if (error) {
        out.close(error);
    } else {
        out.close();
    }
}

}  // namespace

numbers fan_out(const std::string& name, int workers, const step& f, const numbers& in,
                const stop_signal& stop) {
    auto out = make_chan<int>();
    crew all;
    for (int i = 0; i < workers; ++i) {
        say(name, '-', i, ": begin to work...");
        all.push_back(spawn(work_through, f, in, out, stop));
    }
    go(close_after, name, std::move(all), out);
    return out;
}

namespace {

/// Merges channels that exist already: a forwarder for each.
numbers fan_in(const std::vector<numbers>& inputs, const stop_signal& stop) {
    const step unchanged = [](int number) { return number; };
    auto out = make_chan<int>();
    crew all;
    for (const numbers& in : inputs) {
        say("forwarder-", all.size(), ": begin to work...");
        all.push_back(spawn(work_through, unchanged, in, out, stop));
    }
    go(close_after, "forwarder", std::move(all), out);
    return out;
}

std::vector<int> sorted(std::vector<int> all) {
    std::sort(all.begin(), all.end());
    return all;
}

void squares_by_five_workers() {
    const stopper stop;
    const stop_signal s = stop.channel();
    auto even = fan_out("drop_odd", 3, drop_odd, generate(1, 20, s), s);
    const auto all = sorted(drain(fan_out("square", 2, square, even, s)));
    say("squares, sorted: ", list(all));
    check(all == std::vector{4, 16, 36, 64, 100, 144, 196, 256, 324, 400},
          "every square once, whichever worker made it");
}

void merge_two_generators() {
    const stopper stop;
    const stop_signal s = stop.channel();
    const auto all = sorted(drain(fan_in({generate(1, 5, s), generate(6, 5, s)}, s)));
    say("merged, sorted: ", list(all));
    check(all == std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "every number of both inputs once");
}

/// The consumer leaves after one result; the stopper ends every worker of every stage.
void consumer_that_leaves_early() {
    numbers out;
    {
        const stopper stop;
        const stop_signal s = stop.channel();
        out = fan_out("square", 2, square, generate(1, 1'000'000, s), s);
        check(out.recv().has_value(), "one result is there");
        say("one result is enough");
    }
    drain(out);  // until it closes: only so that the lines of the workers come before the next
}

}  // namespace

void p13_fan_out_fan_in() {
    squares_by_five_workers();
    merge_two_generators();
    consumer_that_leaves_early();
}

}  // namespace tour
