// The server's behaviour on one connection and over many, on virtual time.
#include <runnel/http/server.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/http/mux.hpp>
#include <runnel/net/pipe.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/wire.hpp"

namespace runnel::http {
namespace {

using namespace std::chrono_literals;

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
const std::string plain_get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

template <class F>
void in_bubble(F f) {
    testing::bubble bubble({.workers = 1});
    bubble.run(f);
}

TEST(server, answers_with_length_date_and_type_in_one_piece) {
    in_bubble([] {
        server s([](request&, response_writer& w) { w.write("hello"); });
        test::wire c(s);
        c.send(plain_get);
        const std::string answer = c.read_response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << answer;
        EXPECT_TRUE(has(answer, "\r\nContent-Length: 5\r\n")) << answer;
        EXPECT_TRUE(has(answer, "\r\nContent-Type: text/plain; charset=utf-8\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\nhello")) << answer;
    });
}

TEST(server, keeps_the_connection_and_answers_pipelined_requests_in_order) {
    in_bubble([] {
        server s([](request& r, response_writer& w) { w.write(r.url.path + r.body.read_all()); });
        test::wire c(s);
        c.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: "
               "3\r\n\r\nabcPOST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
               "2;x=y\r\nde\r\n1\r\nf\r\n0\r\nT: u\r\n\r\n");
        EXPECT_TRUE(c.read_response().ends_with("/1"));
        EXPECT_TRUE(c.read_response().ends_with("/2abc"));
        EXPECT_TRUE(c.read_response().ends_with("/3def"));
        c.send("GET /4 HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_TRUE(c.read_response().ends_with("/4"));
    });
}

TEST(server, head_has_the_length_of_what_get_would_send) {
    in_bubble([] {
        server s([](request&, response_writer& w) { w.write("hello"); });
        test::wire c(s);
        c.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const std::string answer = c.read_all();
        EXPECT_TRUE(has(answer, "Content-Length: 5\r\n")) << answer;
        EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
    });
}

TEST(server, long_body_is_chunked_and_trailers_follow) {
    in_bubble([] {
        server s([](request&, response_writer& w) {
            w.trailers().add("Sum", "1");
            w.write("a");
            w.flush();
            w.write(std::string(5000, 'b'));
        });
        test::wire c(s);
        c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        const std::string answer = c.read_all();
        EXPECT_TRUE(has(answer, "Transfer-Encoding: chunked\r\n")) << answer;
        EXPECT_TRUE(has(answer, "Trailer: Sum\r\n")) << answer;
        EXPECT_TRUE(has(answer, "\r\n\r\n1\r\na\r\n1388\r\nbb")) << answer;
        EXPECT_TRUE(answer.ends_with("bb\r\n0\r\nSum: 1\r\n\r\n")) << answer;
    });
}

TEST(server, http_1_0_gets_a_body_that_ends_with_the_connection) {
    in_bubble([] {
        server s([](request&, response_writer& w) { w.write(std::string(5000, 'b')); });
        test::wire c(s);
        c.send("GET / HTTP/1.0\r\n\r\n");
        const std::string answer = c.read_all();
        EXPECT_FALSE(has(answer, "chunked")) << answer;
        EXPECT_TRUE(has(answer, "Connection: close\r\n"));
        EXPECT_TRUE(c.hung_up());
    });
}

TEST(server, continue_is_sent_when_the_body_is_first_read) {
    in_bubble([] {
        server s([](request& r, response_writer& w) { w.write(r.body.read_all()); });
        test::wire c(s);
        c.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        EXPECT_EQ(c.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
        c.send("ab");
        EXPECT_TRUE(c.read_response().ends_with("ab"));
    });
}

TEST(server, body_that_nobody_asked_for_closes_the_connection) {
    in_bubble([] {
        server s([](request&, response_writer& w) { w.write("no"); });
        test::wire c(s);
        c.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
        const std::string answer = c.read_all();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
        EXPECT_TRUE(has(answer, "Connection: close\r\n")) << answer;
        EXPECT_TRUE(c.hung_up());
    });
}

TEST(server, exception_is_logged_and_becomes_500_and_the_server_lives_on) {
    in_bubble([] {
        std::vector<std::string> lines;
        server s(
            [](request& r, response_writer& w) {
                w.write("partly");
                if (r.url.path == "/bad") {
                    throw std::runtime_error("out of luck");
                }
            },
            {.log = [&](std::string_view line) { lines.emplace_back(line); }});
        test::wire c(s);
        c.send("GET /bad HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string answer = c.read_response();
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 Internal Server Error\r\n")) << answer;
        EXPECT_FALSE(has(answer, "partly"));
        ASSERT_EQ(lines.size(), 1U);
        EXPECT_TRUE(has(lines[0], "GET /bad")) << lines[0];
        EXPECT_TRUE(has(lines[0], "out of luck")) << lines[0];
        c.send(plain_get);
        EXPECT_TRUE(c.read_response().starts_with("HTTP/1.1 200 "));
    });
}

TEST(server, context_ends_when_the_client_goes_away_also_behind_pipelined_bytes) {
    for (const bool pipelined : {false, true}) {
        in_bubble([&] {
            op_status slept = op_status::ok;
            server s([&](request& r, response_writer&) { slept = sleep_for(r.context(), 1h); });
            {
                test::wire c(s);
                c.send(pipelined ? plain_get + plain_get : plain_get);
                sleep_for(10ms);
                c.close();
                sleep_for(10ms);
                EXPECT_EQ(slept, op_status::canceled);
            }
        });
    }
}

TEST(server, context_ends_when_the_handler_returns) {
    in_bubble([] {
        std::optional<context> kept;
        server s([&](request& r, response_writer& w) {
            kept = r.context();
            EXPECT_FALSE(kept->err());
            w.write("x");
        });
        test::wire c(s);
        c.send(plain_get);
        c.read_response();
        sleep_for(1ms);
        EXPECT_EQ(kept->err(), runnel::errc::canceled);
        c.send(plain_get);
        EXPECT_TRUE(c.read_response().ends_with("x"));
    });
}

TEST(server, slow_head_gets_408_and_silence_gets_nothing) {
    in_bubble([] {
        server s([](request&, response_writer&) {});
        test::wire slow(s);
        slow.send("GET / HT");
        EXPECT_TRUE(slow.read_all(20s).starts_with("HTTP/1.1 408 "));
        test::wire silent(s);
        EXPECT_EQ(silent.read_all(20s), "");
        EXPECT_TRUE(silent.hung_up());
        test::wire idle(s);
        idle.send(plain_get);
        idle.read_response();
        EXPECT_EQ(idle.read_all(140s), "");
        EXPECT_TRUE(idle.hung_up());
    });
}

TEST(server, slow_body_becomes_408) {
    in_bubble([] {
        server s([](request& r, response_writer& w) { w.write(r.body.read_all()); });
        test::wire c(s);
        c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
        EXPECT_TRUE(c.read_all(80s).starts_with("HTTP/1.1 408 "));
    });
}

TEST(server, connections_beyond_the_limit_get_503) {
    in_bubble([] {
        server s([](request&, response_writer&) {}, {.max_connections = 1});
        test::wire first(s);
        sleep_for(1ms);
        test::wire second(s);
        EXPECT_TRUE(second.read_all().starts_with("HTTP/1.1 503 "));
    });
}

TEST(server, shutdown_closes_idle_and_waits_for_active_connections) {
    in_bubble([] {
        server s([](request&, response_writer& w) {
            sleep_for(10s);
            w.write("done");
        });
        net::pipe_listener l;
        auto serving = spawn([&] { return s.serve(l); });
        test::wire c(s);
        c.send(plain_get);
        sleep_for(1s);
        const clock::time_point begin = clock::now();
        auto [ctx, cancel] = with_timeout(background(), 1s);
        EXPECT_EQ(s.shutdown(ctx), runnel::errc::deadline_exceeded);
        EXPECT_EQ(serving.join(), errc::server_closed);
        EXPECT_FALSE(s.shutdown(background()));
        EXPECT_EQ(clock::now() - begin, 9s);
        const std::string answer = c.read_all();
        EXPECT_TRUE(answer.ends_with("done")) << answer;
        EXPECT_TRUE(has(answer, "Connection: close\r\n")) << answer;
        EXPECT_EQ(s.connections(), 0U);
    });
}

TEST(server, shutdown_with_a_limit_cuts_what_is_late) {
    in_bubble([] {
        op_status slept = op_status::ok;
        server s([&](request& r, response_writer&) { slept = sleep_for(r.context(), 1h); });
        test::wire c(s);
        c.send(plain_get);
        sleep_for(1s);
        EXPECT_EQ(s.shutdown(2s), runnel::errc::timed_out);
        EXPECT_EQ(c.read_all(), "");
        sleep_for(1ms);
        EXPECT_EQ(slept, op_status::canceled);
    });
}

TEST(mux, follows_the_rules_of_go) {
    in_bubble([] {
        mux m;
        for (const char* const p :
             {"GET /users/{id}", "POST /users", "/static/", "GET /{$}", "GET /files/{rest...}",
              "example.org/users/{id}", "GET /users/me"}) {
            m.handle(p, [](request& r, response_writer& w) {
                w.write(r.pattern + ' ' + std::string(r.path_value("id")) +
                        std::string(r.path_value("rest")));
            });
        }
        server s(m);
        test::wire c(s);
        const auto ask = [&](const std::string& line, const std::string& host = "x") {
            c.send(line + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
            return c.read_response();
        };
        EXPECT_TRUE(ask("GET /users/7").ends_with("GET /users/{id} 7"));
        EXPECT_TRUE(ask("GET /users/a%2Fb").ends_with("GET /users/{id} a/b"));
        EXPECT_TRUE(ask("GET /users/me").ends_with("GET /users/me "));
        EXPECT_TRUE(ask("GET /users/7", "example.org:80").ends_with("example.org/users/{id} 7"));
        EXPECT_TRUE(ask("GET /files/a/b").ends_with("GET /files/{rest...} a/b"));
        EXPECT_TRUE(ask("PUT /static/a/b").ends_with("/static/ "));
        EXPECT_TRUE(ask("GET /").ends_with("GET /{$} "));
        EXPECT_TRUE(ask("GET /none").starts_with("HTTP/1.1 404 "));
        const std::string wrong = ask("DELETE /users");
        EXPECT_TRUE(wrong.starts_with("HTTP/1.1 405 "));
        EXPECT_TRUE(has(wrong, "\r\nAllow: POST\r\n"));
        EXPECT_TRUE(has(ask("GET /static?a=b"), "\r\nLocation: /static/?a=b\r\n"));
        EXPECT_TRUE(has(ask("GET /users//../users/7"), "\r\nLocation: /users/7\r\n"));
    });
}

TEST(mux, refuses_malformed_patterns_and_conflicts) {
    mux m;
    const handler h = [](request&, response_writer&) {};
    for (const char* const p :
         {"", "GET", "GET x", "/{", "/{}", "/{a", "/a{b}", "/{a}b", "/{1}", "/{a...}/b", "/{$}/b",
          "/{a}/{a}", "G(T /", "/a//b", "/../b", "{h}/a", "/{a.b}", "/a?b"}) {
        EXPECT_THROW(m.handle(p, h), std::invalid_argument) << p;
    }
    m.handle("/a/{x}", h);
    m.handle("GET /b/{x}", h);
    m.handle("/posts/{id}", h);
    EXPECT_THROW(m.handle("/a/{y}", h), std::invalid_argument);
    EXPECT_THROW(m.handle("/{x}/b", h), std::invalid_argument);
    EXPECT_THROW(m.handle("/{resource}/latest", h), std::invalid_argument);
    EXPECT_THROW(m.handle("GET /{x}/{y}", h), std::invalid_argument);
    m.handle("GET /a/b", h);
    m.handle("GET /a/{x}", h);
    m.handle("HEAD /b/{x}", h);
    m.handle("h/a/{y}", h);
    m.handle("/a/{x}/", h);
}

}  // namespace
}  // namespace runnel::http
