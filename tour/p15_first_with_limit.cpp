// P15: the fastest of three answers, within a limit. (The servers are functions here.)
//
// The limit is the context's deadline, so the requests know it, too.
#include <atomic>
#include <chrono>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::context;
using runnel::first;
using runnel::timeout_error;
using namespace std::chrono_literals;

/// How many requests saw that their time was over.
std::atomic<int> requests_out_of_time = 0;

auto slow_server(const std::string& name) {
    return [=](const context& request) {
        if (sleep_for(request, 1h) != runnel::op_status::ok) {
            if (request.err() == runnel::errc::deadline_exceeded) {
                ++requests_out_of_time;
            }
            throw timeout_error();
        }
        return name + ":ok";
    };
}

std::string within_a_limit() {
    // [first]
    auto [limit, cancel] = with_timeout(background(), 50ms);
    try {
        return first(limit, slow_server("open-weather-1"), slow_server("open-weather-2"),
                     slow_server("open-weather-3"));
    } catch (const timeout_error&) {
        return "timeout";
    }
    // [/first]
}

}  // namespace

void p15_first_with_limit() {
    const std::string answer = within_a_limit();
    say("invoke first error: ", answer);
    check(answer == "timeout", "no answer comes within the limit");

    const auto left = goroutines_left();
    const int knew = requests_out_of_time.exchange(0);
    say_fixed("the limit reaches the requests: ", knew,
              " of 3 saw the deadline pass; left alive: ", left);
    check(knew == 3 && left == 0, "the requests end with the limit");
}

}  // namespace tour
