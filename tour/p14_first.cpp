// P14: ask three weather servers, take the fastest answer. (Here they are functions.)
#include <chrono>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "tour.hpp"

namespace tour {
namespace {

using runnel::all_failed;
using runnel::background;
using runnel::context;
using runnel::first;
using namespace std::chrono_literals;

// [server]
/// A server that answers after some time, unless the request is cancelled.
auto fake_weather_server(const std::string& name, std::chrono::milliseconds interval) {
    return [=](const context& request) {
        if (sleep_for(request, interval) != runnel::op_status::ok) {
            throw runnel::canceled_error();
        }
        return name + ":ok";
    };
}
// [/server]

std::string fastest() {
    // [first]
    return first(background(), fake_weather_server("open-weather-1", 5ms),
                 fake_weather_server("open-weather-2", 1h),
                 fake_weather_server("open-weather-3", 1h));
    // [/first]
}

/// A server that nobody can reach.
auto dead_server(const std::string& name) {
    return [=](const context&) -> std::string {
        throw std::runtime_error(name + ": connection refused");
    };
}

std::string what_all_say() {
    // [all_failed]
    try {
        return first(background(), dead_server("open-weather-1"), dead_server("open-weather-2"));
    } catch (const all_failed& failure) {
        std::string text;
        for (const std::exception_ptr& error : failure.errors()) {
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& e) {
                text += (text.empty() ? "" : "; ") + std::string(e.what());
            }
        }
        return text;
    }
    // [/all_failed]
}

}  // namespace

void p14_first() {
    const std::string answer = fastest();
    say(answer);
    check(answer == "open-weather-1:ok", "the fastest answers");

    const std::string errors = what_all_say();
    say(errors);
    check(errors == "open-weather-1: connection refused; open-weather-2: connection refused",
          "all errors, in the order of the servers");

    const auto left = goroutines_left();
    say_fixed("if all fail, the caller gets their errors instead of waiting for ever; left alive: ",
              left);
    check(left == 0, "the slow requests have ended");
}

}  // namespace tour
