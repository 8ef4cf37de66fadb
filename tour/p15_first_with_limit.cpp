// P15: the fastest of three answers over HTTP, within a limit of 500 ms.
//
// The limit is the context's deadline, so the requests know it, too.
#include <atomic>
#include <chrono>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"
#include "weather.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::context;
using runnel::first;
using runnel::timeout_error;
namespace http = runnel::http;
using namespace std::chrono_literals;

/// How many requests saw that their time was over.
std::atomic<int> requests_out_of_time = 0;

auto counting_query(const http::test_server& server) {
    return [client = server.client(), url = server.url()](const context& ctx) {
        try {
            return ask(ctx, client, url);
        } catch (const timeout_error& e) {
            requests_out_of_time += e.code() == runnel::errc::deadline_exceeded ? 1 : 0;
            throw;
        }
    };
}

/// Of three servers that take this much longer than those of P14.
std::string within_a_limit(std::chrono::milliseconds longer) {
    http::test_server server1(weather("open-weather-1", 200ms + longer));
    http::test_server server2(weather("open-weather-2", 1000ms + longer));
    http::test_server server3(weather("open-weather-3", 600ms + longer));
    // [first]
    auto [limit, cancel] = with_timeout(background(), 500ms);
    try {
        return first(limit, counting_query(server1), counting_query(server2),
                     counting_query(server3));
    } catch (const timeout_error&) {
        return "timeout";
    }
    // [/first]
}

}  // namespace

void p15_first_with_limit() {
    const std::string in_time = within_a_limit(0ms);
    say(in_time);
    check(in_time == "open-weather-1:ok", "one answers within the limit");

    goroutines_left();  // the other two end
    requests_out_of_time = 0;
    const std::string answer = within_a_limit(800ms);
    say("invoke first error: ", answer);
    check(answer == "timeout", "no answer comes within the limit");

    const auto left = goroutines_left();
    const int knew = requests_out_of_time.exchange(0);
    say_fixed("the limit reaches the requests: ", knew,
              " of 3 saw the deadline pass; left alive: ", left);
    check(knew == 3 && left == 0, "the requests end with the limit");
}

}  // namespace tour
