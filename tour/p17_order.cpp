// P17: why does a pipeline keep its order?
//
// Not because its stages are fast. A channel is first in, first out, and a stage of one goroutine
// finishes a number before it takes the next: nothing can overtake, however slow a number is. With
// several workers in a stage a number can be overtaken while its worker is busy with it. An ordered
// fan-out lets the work overtake, and gives out the results in the order of the numbers.
#include <atomic>
#include <chrono>
#include <numeric>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::make_chan;
using runnel::produce;
using runnel::recv_chan;
using runnel::send_chan;
using runnel::stage;
using runnel::unit;
using namespace std::chrono_literals;

constexpr int count = 20;

recv_chan<int> generate(int start, int how_many) {
    return produce<int>([=](const send_chan<int>& out) {
        for (int i = start; i < start + how_many; ++i) {
            out.send(i);
        }
    });
}

std::vector<int> drain(const recv_chan<int>& numbers) {
    std::vector<int> all;
    for (const int number : numbers) {
        all.push_back(number);
    }
    return all;
}

std::vector<int> in_order() {
    std::vector<int> all(count);
    std::iota(all.begin(), all.end(), 1);
    return all;
}

/// One goroutine a stage: the first number is slow, and all the others wait behind it.
void one_goroutine_a_stage() {
    // [one]
    const auto slow_first = [](int number) {
        if (number == 1) {
            runnel::sleep_for(3ms);
        }
        return number;
    };
    const auto seen = drain(stage(generate(1, count), slow_first));
    // [/one]
    say("one goroutine, slow first: ", list(seen));
    check(seen == in_order(), "one goroutine keeps the order, slow or not");
}

/// Two workers: one holds the first number until the other has taken all the rest past it.
void fan_out_loses_order() {
    // [lost]
    auto last_is_through = make_chan<unit>();
    const auto slow_first = [=](int number) {
        if (number == 1) {
            static_cast<void>(last_is_through.recv());  // returns when it closes
        }
        return number;
    };
    auto out = stage(generate(1, count), slow_first, {.workers = 2});
    std::vector<int> seen;
    for (const int number : out) {
        seen.push_back(number);
        if (number == count) {
            last_is_through.close();
        }
    }
    // [/lost]
    say("two workers, slow first: ", list(seen));
    check(seen.size() == count && seen.front() == 2 && seen.back() == 1,
          "with two workers the slow number comes last");
}

/// The first number is finished only after the second, and still comes out first.
void ordered_fan_out_keeps_order() {
    std::atomic<bool> overtaken = false;
    // [ordered]
    auto second_is_finished = make_chan<unit>();
    const auto slow_first = [&overtaken, second_is_finished](int number) {
        if (number == 1) {
            overtaken = !second_is_finished.recv();  // waits for the close
        } else if (number == 2) {
            second_is_finished.close();
        }
        return number;
    };
    const auto seen = drain(stage(generate(1, count), slow_first, {.workers = 4, .ordered = true}));
    // [/ordered]
    say("four workers, ordered, slow first: ", list(seen));
    check(overtaken, "2 is finished before 1");
    check(seen == in_order(), "the ordered fan-out keeps the order");
}

}  // namespace

void p17_order() {
    one_goroutine_a_stage();
    fan_out_loses_order();
    ordered_fan_out_keeps_order();
    say_fixed("order comes from one goroutine a stage and from channels, not from speed: ",
              "it holds with a slow first number, and is lost by fan-out unless it is ordered");
}

}  // namespace tour
