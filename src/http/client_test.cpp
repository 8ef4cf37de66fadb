// The client against test servers: in memory on virtual time, and over loopback TCP.
#include <runnel/http/client.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include <runnel/http/mux.hpp>
#include <runnel/http/test_server.hpp>
#include <runnel/net/tcp.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel::http {
namespace {

using namespace std::chrono_literals;
constexpr auto in_memory = test_server::network::in_memory;

template <class F>
void in_bubble(F f) {
    testing::bubble bubble({.workers = 1});
    bubble.run(f);
}

TEST(client, asks_again_on_the_same_connection_once_the_body_is_read) {
    in_bubble([] {
        test_server s([](request& r, response_writer& w) { w.write(r.url.path); }, in_memory);
        for (const char* const path : {"/a", "/b", "/c"}) {
            response r = s.client().get(background(), s.url() + path);
            EXPECT_EQ(r.status, 200);
            EXPECT_EQ(r.text(), path);
            EXPECT_EQ(s.client().idle_connections(), 1U);
            EXPECT_EQ(s.client().connections(), 1U);
        }
        {
            const response dropped = s.client().get(background(), s.url() + "/d");
            EXPECT_EQ(s.client().idle_connections(), 0U);
        }
        EXPECT_EQ(s.client().connections(), 0U);
    });
}

TEST(client, sends_bodies_and_reads_chunked_ones) {
    in_bubble([] {
        test_server s(
            [](request& r, response_writer& w) {
                w.write(r.headers.get("Content-Type"));
                w.flush();
                w.write(r.body.read_all());
            },
            in_memory);
        const std::string big(100'000, 'x');
        EXPECT_EQ(s.client().post(background(), s.url(), "t:", big).text(), "t:" + big);
        EXPECT_EQ(s.client().idle_connections(), 1U);
    });
}

TEST(client, context_ends_the_wait_and_the_server_sees_it) {
    in_bubble([] {
        auto ended = make_chan<op_status>(1);
        test_server s([&](request& r, response_writer&) { ended.send(sleep_for(r.context(), 1h)); },
                      in_memory);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        std::error_code ec;
        static_cast<void>(s.client().get(ctx, s.url(), ec));
        EXPECT_EQ(ec, runnel::errc::deadline_exceeded);
        EXPECT_EQ(ended.recv(), op_status::canceled);
        EXPECT_EQ(s.client().connections(), 0U);
        auto [later, stop] = with_cancel(background());
        go([trigger = stop.share()] {
            sleep_for(1s);
            trigger();
        });
        EXPECT_THROW(static_cast<void>(s.client().get(later, s.url())), canceled_error);
        EXPECT_EQ(ended.recv(), op_status::canceled);
    });
}

TEST(client, context_ends_a_response_that_nobody_reads) {
    in_bubble([] {
        auto ended = make_chan<op_status>(1);
        test_server s(
            [&](request& r, response_writer& w) {
                w.write("begin");
                w.flush();
                ended.send(sleep_for(r.context(), 1h));
            },
            in_memory);
        auto [ctx, cancel] = with_cancel(background());
        response r = s.client().get(ctx, s.url());
        cancel();
        EXPECT_EQ(ended.recv(), op_status::canceled);
        std::error_code ec;
        static_cast<void>(r.body.read_all(ec));
        EXPECT_EQ(ec, runnel::errc::canceled);
    });
}

TEST(client, follows_redirects_as_go_does) {
    in_bubble([] {
        mux m;
        m.handle("/to/{code}", [](request& r, response_writer& w) {
            redirect(r, w, "/end", std::stoi(std::string(r.path_value("code"))));
        });
        m.handle("/loop", [](request& r, response_writer& w) { redirect(r, w, "/loop", 302); });
        m.handle("/away", [](request& r, response_writer& w) {
            redirect(r, w, "http://other.server/end", 302);
        });
        m.handle("/end", [](request& r, response_writer& w) {
            w.write(r.method + ' ' + r.body.read_all() + std::string(r.headers.get("Cookie")));
        });
        test_server s(m, in_memory);
        const auto post = [&](const std::string& to) {
            request req("POST", s.url() + to, "data");
            req.headers.set("Cookie", "secret");
            return s.client().send(background(), std::move(req)).text();
        };
        EXPECT_EQ(post("/to/301"), "GET secret");
        EXPECT_EQ(post("/to/303"), "GET secret");
        EXPECT_EQ(post("/to/307"), "POST datasecret");
        EXPECT_EQ(post("/to/308"), "POST datasecret");
        EXPECT_EQ(post("/away"), "GET ");
        std::error_code ec;
        static_cast<void>(s.client().get(background(), s.url() + "/loop", ec));
        EXPECT_EQ(ec, errc::too_many_redirects);
    });
}

TEST(client, body_that_breaks_off_is_an_error) {
    in_bubble([] {
        test_server s(
            [](request&, response_writer& w) {
                w.headers().set("Content-Length", "10");
                w.write("half");
            },
            in_memory, {.log = [](std::string_view) {}});
        response r = s.client().get(background(), s.url());
        std::error_code ec;
        EXPECT_EQ(r.body.read_all(ec), "half");
        EXPECT_EQ(ec, runnel::errc::unexpected_eof);
    });
}

TEST(client, waits_for_a_connection_at_the_limit_of_a_host) {
    runtime rt({.workers = 2});
    rt.run([] {
        std::atomic<int> now = 0;
        std::atomic<int> most = 0;
        test_server s([&](request&, response_writer&) {
            most = std::max<int>(most, ++now);
            sleep_for(20ms);
            --now;
        });
        const client c({.max_per_host = 2});
        group g(background());
        for (int i = 0; i < 6; ++i) {
            g.go([&] { EXPECT_EQ(c.get(background(), s.url()).text(), ""); });
        }
        g.wait();
        EXPECT_EQ(most, 2);
        c.close_idle();
    });
}

class client_over_tcp : public test::on_workers {};

TEST_P(client_over_tcp, first_answer_wins_and_the_others_are_cancelled_on_both_sides) {
    run([] {
        for (std::size_t i = 0; i < test::scaled(50, 10); ++i) {
            auto cancelled = make_chan<unit>(2);
            const auto after_a = [&](clock::duration d) {
                return [cancelled, d](request& r, response_writer& w) {
                    if (sleep_for(r.context(), d) == op_status::ok) {
                        w.write("ok");
                    } else {
                        cancelled.send();
                    }
                };
            };
            test_server a(after_a(1ms));
            test_server b(after_a(1h));
            test_server c(after_a(1h));
            const auto ask = [](const test_server& s) {
                return [c = s.client(), url = s.url()](const context& ctx) {
                    return c.get(ctx, url).text();
                };
            };
            EXPECT_EQ(first(background(), ask(a), ask(b), ask(c)), "ok");
            // Both have come so far only if they had begun: either way the servers can be closed.
        }
    });
}

TEST_P(client_over_tcp, connection_that_the_server_has_closed_is_replaced) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        const std::string url = "http://" + l.local_address().to_string();
        const client c;
        for (int i = 0; i < 3; ++i) {
            auto one = spawn([&] {
                net::tcp_stream s = l.accept();
                std::byte waste[1024];
                static_cast<void>(s.read_some(waste));
                const std::string_view text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                s.write(std::as_bytes(std::span(text)));
            });
            EXPECT_EQ(c.get(background(), url).text(), "ok");
            one.join();
        }
        c.close_idle();
    });
}

TEST_P(client_over_tcp, port_that_refuses_and_a_scheme_that_is_not_known_are_errors) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        const std::string url = "http://" + l.local_address().to_string();
        l.close();
        std::error_code ec;
        static_cast<void>(get(background(), url, ec));
        EXPECT_EQ(ec, std::errc::connection_refused);
        static_cast<void>(get(background(), "gopher://x/", ec));
        EXPECT_EQ(ec, errc::unsupported_scheme);
        static_cast<void>(get(background(), "http://", ec));
        EXPECT_EQ(ec, errc::invalid_url);
    });
}

TEST_P(client_over_tcp, many_goroutines_share_a_client) {
    run([] {
        test_server s([](request& r, response_writer& w) {
            const std::string text = r.body.read_all();
            static_cast<void>(r.context());
            w.write(text);
        });
        group g(background());
        for (int i = 0; i < 16; ++i) {
            g.go([&, i] {
                for (std::size_t j = 0; j < test::scaled(100, 20); ++j) {
                    const std::string text(static_cast<std::size_t>(i) * 700, 'a');
                    EXPECT_EQ(s.client().post(background(), s.url(), "text/plain", text).text(),
                              text);
                }
            });
        }
        g.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(each, client_over_tcp, test::worker_counts, test::worker_name);

TEST(test_server, close_waits_for_requests_and_names_them) {
    in_bubble([] {
        std::vector<std::string> lines;
        test_server s([](request&, response_writer&) { sleep_for(10s); }, in_memory,
                      {.log = [&](std::string_view line) { lines.emplace_back(line); }});
        auto asking = spawn([&] { return s.client().get(background(), s.url() + "/slow").status; });
        sleep_for(1s);
        const clock::time_point begin = clock::now();
        s.close();
        EXPECT_EQ(clock::now() - begin, 9s);
        ASSERT_EQ(lines.size(), 1U);
        EXPECT_NE(lines[0].find("GET /slow"), std::string::npos) << lines[0];
        EXPECT_EQ(asking.join(), 200);
    });
}

TEST(recorder, keeps_what_a_handler_says) {
    recorder w;
    w.headers().set("A", "b");
    w.write("text");
    w.headers().set("C", "d");
    response r = w.result();
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.headers.get("A"), "b");
    EXPECT_FALSE(r.headers.contains("C"));
    EXPECT_EQ(r.text(), "text");
}

}  // namespace
}  // namespace runnel::http
