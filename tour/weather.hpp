// tour/weather.hpp: the weather servers that P14 to P16 ask, and how one of them is asked.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include <runnel/http/client.hpp>
#include <runnel/http/test_server.hpp>
#include <runnel/runnel.hpp>

namespace tour {

// [server]
/// Answers after some time, unless its client has gone away before that.
inline runnel::http::handler weather(const std::string& name, std::chrono::milliseconds interval) {
    return [=](runnel::http::request& request, runnel::http::response_writer& w) {
        if (sleep_for(request.context(), interval) == runnel::op_status::ok) {
            w.write(name + ":ok");
        }
    };
}
// [/server]

// [ask]
/// What a server says. A status that is no success is no answer, nor is a body that breaks off.
inline std::string ask(const runnel::context& ctx, const runnel::http::client& client,
                       const std::string& url) {
    runnel::http::response answer = client.get(ctx, url);
    if (!answer.ok()) {
        throw std::runtime_error("status " + std::to_string(answer.status));
    }
    return answer.text();
}

/// The same as an attempt for first(). It may outlive the server: it holds what it needs.
inline auto query(const runnel::http::test_server& server) {
    return [client = server.client(), url = server.url()](const runnel::context& ctx) {
        return ask(ctx, client, url);
    };
}
// [/ask]

}  // namespace tour
