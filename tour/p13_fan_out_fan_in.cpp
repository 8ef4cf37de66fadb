// P13: fan-out: several workers take from one channel, which balances the work. Fan-in: their
// results come together in one channel, which closes when all workers are done.
//
// The results have no order: they are sorted here before they are printed. P17 shows how to keep
// it.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::fan_in;
using runnel::make_chan;
using runnel::produce;
using runnel::recv_chan;
using runnel::send_chan;
using runnel::stage;
using runnel::unit;

recv_chan<int> generate(int start, int count) {
    return produce<int>([=](const send_chan<int>& out) {
        for (int i = start; i < start + count; ++i) {
            out.send(i);
        }
    });
}

std::optional<int> drop_odd(int number) {
    return number % 2 == 0 ? std::optional(number) : std::nullopt;
}
int square(int number) { return number * number; }

std::vector<int> sorted(const recv_chan<int>& numbers) {
    std::vector<int> all;
    for (const int number : numbers) {
        all.push_back(number);
    }
    std::sort(all.begin(), all.end());
    return all;
}

void squares_by_five_workers() {
    // [fan_out]
    auto even = stage(generate(1, 20), drop_odd, {.workers = 3});
    auto squares = stage(std::move(even), square, {.workers = 2});
    // [/fan_out]
    const auto all = sorted(squares);
    say("squares, sorted: ", list(all));
    check(all == std::vector{4, 16, 36, 64, 100, 144, 196, 256, 324, 400},
          "every square once, whichever worker made it");
}

/// Two numbers meet: one worker has the first in hand while another takes the second.
void workers_work_at_once() {
    auto first_is_taken = make_chan<unit>();
    auto second_is_taken = make_chan<unit>();
    const auto meet = [=](int number) {
        (number == 1 ? first_is_taken : second_is_taken).close();
        static_cast<void>((number == 1 ? second_is_taken : first_is_taken).recv());
        return number;
    };
    const auto both = sorted(stage(generate(1, 2), meet, {.workers = 2}));
    say("two workers, each waits for the other's number: ", list(both));
    check(both == std::vector{1, 2}, "two numbers are under way at one time");
}

void merge_two_generators() {
    // [fan_in]
    auto merged = fan_in(generate(1, 5), generate(6, 5));
    // [/fan_in]
    const auto all = sorted(merged);
    say("merged, sorted: ", list(all));
    check(all == std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, "every number of both inputs once");
}

/// The consumer leaves after one result: every worker of every stage ends.
bool consumer_that_leaves_early() {
    auto even = stage(generate(1, 1'000'000), drop_odd, {.workers = 3});
    return stage(std::move(even), square, {.workers = 2}).recv().has_value();
}

}  // namespace

void p13_fan_out_fan_in() {
    squares_by_five_workers();
    workers_work_at_once();
    merge_two_generators();
    check(consumer_that_leaves_early(), "one result is there");
    const auto left = goroutines_left();
    say_fixed("one result is enough: the consumer left, and six goroutines with it; left alive: ",
              left);
    check(left == 0, "every worker has ended");
}

}  // namespace tour
