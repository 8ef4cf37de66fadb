// P17: why does a pipeline keep its order?
//
// Not because its stages are fast. A channel is first in, first out, and a stage of one goroutine
// finishes a number before it takes the next: nothing can overtake, however slow a number is. With
// several workers in a stage a number can be overtaken while its worker is busy with it. An ordered
// fan-out lets the work overtake, and takes the results in the order in which it was handed out.
#include <atomic>
#include <chrono>
#include <exception>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "stages.hpp"
#include "tour.hpp"

namespace tour {
namespace {

using runnel::chan;
using runnel::go;
using runnel::make_chan;
using runnel::send_chan;
using runnel::unit;
using namespace std::chrono_literals;

constexpr int count = 20;

std::vector<int> in_order() {
    std::vector<int> all(count);
    std::iota(all.begin(), all.end(), 1);
    return all;
}

/// One goroutine a stage: the first number is slow, and all the others wait behind it.
void one_goroutine_a_stage() {
    const stopper stop;
    const stop_signal s = stop.channel();
    const step slow_first = [](int number) {
        if (number == 1) {
            runnel::sleep_for(3ms);
        }
        return number;
    };
    const auto seen = drain(stage(slow_first, generate(1, count, s), s));
    say("one goroutine, slow first: ", list(seen));
    check(seen == in_order(), "one goroutine keeps the order, slow or not");
}

/// Two workers: one holds the first number until the other has taken all the rest past it.
void fan_out_loses_order() {
    const stopper stop;
    const stop_signal s = stop.channel();
    auto others_are_through = make_chan<unit>();
    const step slow_first = [=](int number) {
        if (number == 1) {
            static_cast<void>(others_are_through.recv());  // returns when it closes
        }
        return number;
    };
    std::vector<int> seen;
    for (const int number : fan_out("worker", 2, slow_first, generate(1, count, s), s)) {
        seen.push_back(number);
        if (seen.size() == count - 1) {
            others_are_through.close();
        }
    }
    say("two workers, slow first: ", list(seen));
    check(!seen.empty() && seen.back() == 1, "the slow number comes out last");
}

/// Computes f(number) into its slot; a failure travels in the slot as well.
void fill(const send_chan<int>& slot, const step& f, int number) {
    try {
        if (const std::optional<int> result = f(number)) {
            slot.send(*result);  // one slot for one result: never waits
        }
        slot.close();
    } catch (...) {
        slot.close(std::current_exception());
    }
}

/// Takes `in` through `f`, up to `width` numbers at a time, and keeps the order. Every number gets
/// a channel with one slot for its result; `slots` holds these in the order of the numbers.
numbers ordered_fan_out(int width, const step& f, const numbers& in, const stop_signal& stop) {
    auto slots = make_chan<numbers>(width - 1);  // and one is in the collector's hands
    auto out = make_chan<int>();
    go([=] {  // hands the work out; a goroutine costs little, so each number gets its own
        for (const int number : in) {
            auto slot = make_chan<int>(1);
            if (!send_or_stop(slots, numbers(slot), stop)) {
                break;
            }
            go(fill, slot, f, number);
        }
        slots.close();
    });
    go([=] {  // collects: waits for the oldest slot, however many younger ones are ready
        try {
            for (const numbers& slot : slots) {
                const std::optional<int> result = slot.recv();
                if (result && !send_or_stop(out, *result, stop)) {
                    break;
                }
            }
            out.close();
        } catch (...) {
            out.close(std::current_exception());
        }
    });
    return out;
}

/// The first number is finished only after the second, and still comes out first.
void ordered_fan_out_keeps_order() {
    const stopper stop;
    const stop_signal s = stop.channel();
    auto second_is_finished = make_chan<unit>();
    std::atomic<bool> overtaken = false;
    const step slow_first = [&, second_is_finished](int number) {
        if (number == 1) {
            overtaken = !second_is_finished.recv();  // waits for the close
        } else if (number == 2) {
            second_is_finished.close();
        }
        return number;
    };
    const auto seen = drain(ordered_fan_out(4, slow_first, generate(1, count, s), s));
    say("ordered fan-out, slow first: ", list(seen));
    check(overtaken, "2 is finished before 1");
    check(seen == in_order(), "the ordered fan-out keeps the order");
}

/// The pipeline of P12 with its squares made four at a time.
void ordered_squares() {
    const stopper stop;
    const stop_signal s = stop.channel();
    auto even = ordered_fan_out(4, drop_odd, generate(1, count, s), s);
    const auto seen = drain(ordered_fan_out(4, square, even, s));
    say("squares by an ordered fan-out: ", list(seen));
    check(seen == std::vector{4, 16, 36, 64, 100, 144, 196, 256, 324, 400},
          "ordered fan-outs make an ordered pipeline");
}

}  // namespace

void p17_order() {
    one_goroutine_a_stage();
    fan_out_loses_order();
    ordered_fan_out_keeps_order();
    ordered_squares();
}

}  // namespace tour
