// P14: ask three weather servers over HTTP, take the fastest answer.
#include <chrono>
#include <exception>
#include <span>
#include <string>
#include <string_view>

#include <runnel/net/tcp.hpp>
#include <runnel/runnel.hpp>

#include "tour.hpp"
#include "weather.hpp"

namespace tour {
namespace {

using runnel::all_failed;
using runnel::background;
using runnel::context;
using runnel::first;
namespace http = runnel::http;
namespace net = runnel::net;
using namespace std::chrono_literals;

std::string fastest() {
    // [first]
    http::test_server server1(weather("open-weather-1", 200ms));
    http::test_server server2(weather("open-weather-2", 1000ms));
    http::test_server server3(weather("open-weather-3", 600ms));
    return first(background(), query(server1), query(server2), query(server3));
    // [/first]
}

/// A server that answers at once, with an error.
void broken(http::request& /*request*/, http::response_writer& w) {
    http::error(w, http::status::internal_server_error, "no weather today");
}

/// A server that breaks off in the middle of its answer.
void cut_off(http::request& /*request*/, http::response_writer& w) {
    w.headers().set("Content-Length", "100");
    w.write("open-weather-");
    w.flush();
    throw http::abort_handler();
}

/// Asks a port that nobody listens at.
std::string refused(const context& ctx) {
    net::tcp_listener listener = net::listen("127.0.0.1:0");
    const std::string url = "http://" + listener.local_address().to_string();
    listener.close();
    std::error_code ec;
    static_cast<void>(http::get(ctx, url, ec));
    throw std::runtime_error(ec.message());
}

/// Asks a server that takes the connection and says nothing.
std::string silent(const context& ctx) {
    const net::tcp_listener listener = net::listen("127.0.0.1:0");
    const http::client client({.response_timeout = 100ms});
    std::error_code ec;
    static_cast<void>(client.get(ctx, "http://" + listener.local_address().to_string(), ec));
    throw std::runtime_error(ec.message());
}

std::string what_all_say() {
    http::test_server bad(broken);
    http::test_server short_lived(cut_off);
    // [all_failed]
    try {
        return first(background(), query(bad), query(short_lived), refused, silent);
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

/// The fastest says 500, which is no answer.
std::string fastest_is_broken() {
    http::test_server bad(broken);
    http::test_server good(weather("open-weather-2", 100ms));
    return first(background(), query(bad), query(good));
}

}  // namespace

void p14_first() {
    const std::string answer = fastest();
    say(answer);
    check(answer == "open-weather-1:ok", "the fastest answers");

    const std::string second = fastest_is_broken();
    say("the fastest answers with status 500; the answer: ", second);
    check(second == "open-weather-2:ok", "an error is no answer");

    const std::string errors = what_all_say();
    say("all fail: ", errors);
    check(errors.find("status 500; ") == 0 && errors.find("Connection refused") != errors.npos,
          "all errors, in the order of the servers");

    const auto left = goroutines_left();
    say_fixed("if all fail, the caller gets their errors instead of waiting for ever; left alive: ",
              left);
    check(left == 0, "the slow requests have ended");
}

}  // namespace tour
