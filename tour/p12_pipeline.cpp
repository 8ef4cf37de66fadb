// P12: a pipeline: generate -> drop the odd -> square, with the order kept. Another stage goes in
// without touching the others.
//
// The order holds because every stage is one goroutine and channels are first in, first out; see
// P17. Stages end when their input does, when they fail, or when the consumer walks away: the
// channels of patterns know when nobody receives from them any more.
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::canceled_error;
using runnel::filter;
using runnel::produce;
using runnel::recv_chan;
using runnel::send_chan;
using runnel::transform;

// [stages]
/// Sends `count` numbers from `start` on.
recv_chan<int> generate(int start, int count) {
    return produce<int>([=](const send_chan<int>& out) {
        for (int i = start; i < start + count; ++i) {
            out.send(i);
        }
    });
}

bool is_even(int number) { return number % 2 == 0; }
bool is_at_most_100(int number) { return number <= 100; }
int square(int number) { return number * number; }
// [/stages]

std::vector<int> drain(const recv_chan<int>& numbers) {
    std::vector<int> all;
    for (const int number : numbers) {
        all.push_back(number);
    }
    return all;
}

void squares_of_the_even() {
    std::vector<int> seen;
    // [pipeline]
    auto out = generate(1, 20) | filter(is_even) | transform(square);
    for (const int number : out) {
        say(number);
        seen.push_back(number);
    }
    // [/pipeline]
    check(seen == std::vector{4, 16, 36, 64, 100, 144, 196, 256, 324, 400},
          "the squares of the even numbers, in order");
}

/// One stage more. What it drops depends on where it stands.
void one_stage_more() {
    // [extended]
    auto before = generate(1, 20) | filter(is_at_most_100) | filter(is_even) | transform(square);
    auto after = generate(1, 20) | filter(is_even) | transform(square) | filter(is_at_most_100);
    // [/extended]
    const auto all = drain(before);
    say("numbers over 100 dropped before squaring: ", list(all));
    check(all.size() == 10, "none of 1 to 20 is over 100");

    const auto small = drain(after);
    say("numbers over 100 dropped after squaring: ", list(small));
    check(small == std::vector{4, 16, 36, 64, 100}, "squares over 100 are dropped");
}

/// The consumer leaves after three numbers; that ends the stages behind it.
void consumer_that_leaves_early() {
    std::vector<int> first;
    {
        auto squares = generate(1, 1'000'000) | transform(square);
        while (first.size() < 3) {
            first.push_back(squares.recv().value_or(0));
        }
    }
    say("the first three: ", list(first));
    check(first == std::vector{1, 4, 9}, "the first three squares");
    check(goroutines_left() == 0, "the stages end when nobody receives");
}

void stage_that_fails() {
    const auto fail_at_3 = [](int number) {
        if (number == 3) {
            throw std::runtime_error("cannot work on 3");
        }
        return number;
    };
    std::vector<int> seen;
    std::string error = "none";
    try {
        for (const int number : generate(1, 20) | transform(fail_at_3) | transform(square)) {
            seen.push_back(number);
        }
    } catch (const std::runtime_error& e) {
        error = e.what();
    }
    say("after ", list(seen), " the consumer sees the error: ", error);
    check(seen == std::vector{1, 4} && error == "cannot work on 3",
          "a stage's failure reaches the consumer after the results before it");
}

/// A context ends all of it from outside, whatever the consumer does.
void cancelled_pipeline() {
    auto [ctx, cancel] = with_cancel(background());
    auto numbers = produce<int>(ctx, [](const send_chan<int>& out) {
        for (int i = 1;; ++i) {
            out.send(i);  // throws canceled_error once ctx has ended
        }
    });
    auto squares = std::move(numbers) | transform(ctx, square);
    const auto first = squares.recv();
    cancel();
    std::string end = "the end";
    try {
        while (squares.recv()) {
        }
    } catch (const canceled_error&) {
        end = "canceled";
    }
    say("after ", first.value_or(0), " and a cancel: ", end);
    check(first == 1 && end == "canceled", "what was cut short does not look complete");
}

}  // namespace

void p12_pipeline() {
    squares_of_the_even();
    one_stage_more();
    consumer_that_leaves_early();
    stage_that_fails();
    cancelled_pipeline();
    const auto left = goroutines_left();
    say_fixed("a consumer that leaves early strands no stage, a stage that fails says so; ",
              "left alive: ", left);
    check(left == 0, "every stage has ended");
}

}  // namespace tour
