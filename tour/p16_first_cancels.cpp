// P16: the fastest of three answers over HTTP; the requests that are still under way are cancelled,
// which both sides see.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <runnel/runnel.hpp>

#include "tour.hpp"
#include "weather.hpp"

namespace tour {
namespace {

using runnel::background;
using runnel::chan;
using runnel::context;
using runnel::first;
using runnel::make_chan;
using runnel::op_status;
namespace http = runnel::http;
using namespace std::chrono_literals;

constexpr std::size_t servers = 3;

// [query]
/// A server that notes in `log` what it has seen of its client.
http::handler noting_server(const std::string& name, std::chrono::milliseconds interval,
                            const chan<std::string>& log) {
    return [=](http::request& request, http::response_writer& w) {
        if (sleep_for(request.context(), interval) == op_status::ok) {
            log.send(name + ": answered");
            w.write(name + ":ok");
        } else {
            log.send(name + ": the client has gone: " + request.context().err().message());
        }
    };
}

/// A request that notes its end.
auto query(std::size_t number, const http::test_server& server, const chan<std::string>& log) {
    return [=, client = server.client(), url = server.url()](const context& ctx) {
        const std::string name = "query goroutine-" + std::to_string(number);
        try {
            std::string answer = ask(ctx, client, url);
            log.send(name + ": get response");
            return answer;
        } catch (const std::exception&) {
            log.send(name + ": get return error: " + ctx.err().message());
            throw;
        }
    };
}
// [/query]

std::string fastest(const chan<std::string>& log) {
    // [first]
    http::test_server server1(noting_server("open-weather-1", 200ms, log));
    http::test_server server2(noting_server("open-weather-2", 1000ms, log));
    http::test_server server3(noting_server("open-weather-3", 600ms, log));
    auto [ctx, cancel] = with_timeout(background(), 10s);
    return first(ctx, query(0, server1, log), query(1, server2, log), query(2, server3, log));
    // [/first]
}

}  // namespace

void p16_first_cancels() {
    auto log = make_chan<std::string>(2 * servers);
    const auto begin = runnel::clock::now();
    const std::string answer = fastest(log);
    const auto taken = runnel::clock::now() - begin;
    say("{", answer, "}");
    check(answer == "open-weather-1:ok", "the fastest answers");

    std::vector<std::string> lines;
    for (std::size_t i = 0; i < 2 * servers; ++i) {
        lines.push_back(log.recv().value());
    }
    std::sort(lines.begin(), lines.end());
    for (const std::string& line : lines) {
        say(line);
    }
    check(lines[0] == "open-weather-1: answered", "one has answered");
    check(lines[1].find("canceled") != lines[1].npos, "a server sees that its client has gone");
    check(taken < 600ms, "the servers are closed without waiting for the slow ones");

    const auto left = goroutines_left();
    say_fixed("the requests end when the first answer comes, on both sides; left alive: ", left);
    check(left == 0, "the cancelled requests have ended");
}

}  // namespace tour
