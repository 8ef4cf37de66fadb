// P16: the fastest of three answers; the requests that are still under way are cancelled. (The
// servers are functions here.)
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::first;
using runnel::make_chan;
using namespace std::chrono_literals;

constexpr std::size_t servers = 3;

using log = std::vector<std::string>;

// [query]
/// A request to a server; notes its end in `ended`, which has a place for each.
auto query(std::size_t number, std::chrono::milliseconds interval, const chan<log>& ended) {
    return [=](const context& request) {
        const std::string name = "query goroutine-" + std::to_string(number);
        if (sleep_for(request, interval) != runnel::op_status::ok) {
            ended.send({name, "get return error: " + request.err().message()});
            throw runnel::canceled_error();
        }
        ended.send({name, "get response"});
        return "open-weather-" + std::to_string(number + 1) + ":ok";
    };
}
// [/query]

}  // namespace

void p16_first_cancels() {
    auto ended = make_chan<log>(servers);
    // [first]
    auto [ctx, cancel] = with_timeout(background(), 10s);
    const std::string answer =
        first(ctx, query(0, 5ms, ended), query(1, 1h, ended), query(2, 30min, ended));
    // [/first]
    say("{", answer, "}");
    check(answer == "open-weather-1:ok", "the fastest answers");

    std::vector<std::string> ends;
    for (std::size_t i = 0; i < servers; ++i) {
        const log line = ended.recv().value();
        ends.push_back(line[0] + ": " + line[1]);
    }
    std::sort(ends.begin(), ends.end());
    for (const std::string& line : ends) {
        say(line);
    }
    check(ends[0] == "query goroutine-0: get response", "one has answered");

    const auto left = goroutines_left();
    say_fixed("answers that come late find nobody and block nobody; left alive: ", left);
    check(left == 0, "the cancelled requests have ended");
}

}  // namespace tour
