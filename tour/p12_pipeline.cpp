// P12: a pipeline: generate -> drop the odd -> square, with the order kept. Another stage goes in
// without touching the others.
//
// The order holds because every stage is one goroutine and channels are first in, first out; see
// P17. Stages end when their input does, when they fail, or when the consumer walks away.
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "stages.hpp"
#include "tour.hpp"

namespace tour {

numbers generate(int start, int count, const stop_signal& stop) {
    auto out = runnel::make_chan<int>();
    runnel::go([=] {
        for (int i = start; i < start + count; ++i) {
            if (!send_or_stop(out, i, stop)) {
                break;
            }
        }
        out.close();
    });
    return out;
}

void work_through(const step& f, const numbers& in, const runnel::send_chan<int>& out,
                  const stop_signal& stop) {
    for (const int number : in) {
        const std::optional<int> result = f(number);
        if (result && !send_or_stop(out, *result, stop)) {
            return;
        }
    }
}

numbers stage(const step& f, const numbers& in, const stop_signal& stop) {
    auto out = runnel::make_chan<int>();
    runnel::go([=] {
        try {
            work_through(f, in, out, stop);
            out.close();
        } catch (...) {
            out.close(std::current_exception());  // the consumer gets it from its next receive
        }
    });
    return out;
}

namespace {

void squares_of_the_even() {
    const stopper stop;
    auto in = generate(1, 20, stop.channel());
    auto out = stage(square, stage(drop_odd, in, stop.channel()), stop.channel());

    std::vector<int> seen;
    for (const int number : out) {
        say(number);
        seen.push_back(number);
    }
    check(seen == std::vector{4, 16, 36, 64, 100, 144, 196, 256, 324, 400},
          "the squares of the even numbers, in order");
}

/// One stage more. What it drops depends on where it stands.
void one_stage_more() {
    const stopper stop;
    const stop_signal s = stop.channel();

    auto small = stage(drop_over_100, generate(1, 20, s), s);
    const auto before = drain(stage(square, stage(drop_odd, small, s), s));
    say("numbers over 100 dropped before squaring: ", list(before));
    check(before.size() == 10, "none of 1 to 20 is over 100");

    auto squares = stage(square, stage(drop_odd, generate(1, 20, s), s), s);
    const auto after = drain(stage(drop_over_100, squares, s));
    say("numbers over 100 dropped after squaring: ", list(after));
    check(after == std::vector{4, 16, 36, 64, 100}, "squares over 100 are dropped");
}

/// The consumer leaves after three numbers; the stopper ends the stages behind it.
void consumer_that_leaves_early() {
    const stopper stop;
    const stop_signal s = stop.channel();
    std::vector<int> first;
    for (const int number : stage(square, generate(1, 1'000'000, s), s)) {
        first.push_back(number);
        if (first.size() == 3) {
            break;
        }
    }
    say("the first three: ", list(first));
    check(first == std::vector{1, 4, 9}, "the first three squares");
}

void stage_that_fails() {
    const stopper stop;
    const stop_signal s = stop.channel();
    const step fail_at_3 = [](int number) -> std::optional<int> {
        if (number == 3) {
            throw std::runtime_error("cannot work on 3");
        }
        return number;
    };
    std::vector<int> seen;
    std::string error = "none";
    try {
        for (const int number : stage(square, stage(fail_at_3, generate(1, 20, s), s), s)) {
            seen.push_back(number);
        }
    } catch (const std::runtime_error& e) {
        error = e.what();
    }
    say("after ", list(seen), " the consumer sees the error: ", error);
    check(seen == std::vector{1, 4} && error == "cannot work on 3",
          "a stage's failure reaches the consumer after the results before it");
}

}  // namespace

void p12_pipeline() {
    squares_of_the_even();
    one_stage_more();
    consumer_that_leaves_early();
    stage_that_fails();
}

}  // namespace tour
