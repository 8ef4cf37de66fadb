// The cases of x/net/nettest.TestConn and of Go's net tests, over TCP and over unix sockets.
#include <sys/socket.h>

#include <gtest/gtest.h>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>

#include "src/net/net_test.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::bytes;
using test::read_error;
using test::read_text;
using test::read_to_end;
using test::until_waiting;

static_assert(net::stream<net::tcp_stream>);
static_assert(net::stream<net::unix_stream>);
static_assert(net::listener<net::tcp_listener>);
static_assert(net::listener<net::unix_listener>);

std::pair<net::any_stream, net::any_stream> make_tcp() {
    auto [a, b] = test::tcp_pair();
    return {net::any_stream(std::move(a)), net::any_stream(std::move(b))};
}

std::pair<net::any_stream, net::any_stream> make_unix() {
    auto [a, b] = net::unix_pair();
    return {net::any_stream(std::move(a)), net::any_stream(std::move(b))};
}

using make_pair_function = std::pair<net::any_stream, net::any_stream> (*)();

class connection : public ::testing::TestWithParam<std::tuple<int, make_pair_function>> {
protected:
    template <class F>
    void run(F body) {
        const auto [workers, make] = GetParam();
        runtime rt{{.workers = static_cast<std::size_t>(workers)}};
        rt.run([&] {
            auto [a, b] = make();
            body(a, b);
        });
    }
};

std::string connection_name(
    const ::testing::TestParamInfo<std::tuple<int, make_pair_function>>& p) {
    return std::string(std::get<1>(p.param) == make_tcp ? "tcp" : "unix") + "_workers_" +
           std::to_string(std::get<0>(p.param));
}

INSTANTIATE_TEST_SUITE_P(net, connection,
                         ::testing::Combine(test::worker_counts,
                                            ::testing::Values(make_tcp, make_unix)),
                         connection_name);

TEST_P(connection, carries_bytes_both_ways_at_once_in_order) {
    run([](net::any_stream& a, net::any_stream& b) {
        std::string sent;
        for (std::size_t i = 0; i < test::scaled(300'000, 30'000); ++i) {
            sent += std::to_string(i) + ",";
        }
        wait_group all;
        for (net::any_stream* const s : {&a, &b}) {
            all.go([s, &sent] {
                EXPECT_EQ(s->write(bytes(sent)), sent.size());
                s->shutdown_write();
            });
            all.go([s, &sent] { EXPECT_EQ(read_to_end(*s), sent); });
        }
        all.wait();
    });
}

TEST_P(connection, ping_pong_never_loses_an_edge) {
    run([](net::any_stream& a, net::any_stream& b) {
        const std::size_t rounds = test::scaled(20'000, 2'000);
        auto echo = spawn([&] {
            for (std::string part = read_text(b); !part.empty(); part = read_text(b)) {
                b.write(bytes(part));
            }
            b.shutdown_write();
        });
        for (std::size_t i = 0; i < rounds; ++i) {
            a.write(bytes("ping"));
            ASSERT_EQ(read_text(a, i % 3 == 0 ? 4 : 100), "ping");  // exact, or a short read
        }
        a.shutdown_write();
        EXPECT_EQ(read_text(a), "");
        echo.join();
    });
}

TEST_P(connection, an_end_that_came_together_with_the_last_bytes_is_seen) {
    run([](net::any_stream& a, net::any_stream& b) {
        a.write(bytes("last"));
        a.close();
        std::this_thread::sleep_for(1ms);
        EXPECT_EQ(read_text(b), "last");  // a short read, and no further edge
        EXPECT_EQ(read_text(b), "");
        EXPECT_EQ(read_text(b), "");
    });
}

TEST_P(connection, an_end_that_comes_after_a_short_read_is_seen) {
    run([](net::any_stream& a, net::any_stream& b) {
        auto reader = spawn([&] { return read_to_end(b); });
        until_waiting(1);
        a.write(bytes("one"));
        until_waiting(1);
        a.close();
        EXPECT_EQ(reader.join(), "one");
    });
}

TEST_P(connection, a_deadline_ends_a_read_not_early_and_until_it_is_set_anew) {
    run([](net::any_stream& a, net::any_stream& b) {
        const auto begin = clock::now();
        a.set_read_deadline(begin + 20ms);
        EXPECT_EQ(read_error(a), errc::timed_out);
        EXPECT_GE(clock::now() - begin, 20ms);
        b.write(bytes("x"));
        EXPECT_EQ(read_error(a), errc::timed_out);  // wins over bytes
        a.set_read_deadline(clock::time_point::max());
        EXPECT_EQ(read_text(a), "x");
    });
}

TEST_P(connection, a_deadline_ends_a_write) {
    run([](net::any_stream& a, net::any_stream&) {
        const std::string much(std::size_t{64} << 20, 'x');
        a.set_write_deadline(clock::now() + 20ms);
        std::error_code ec;
        EXPECT_LT(a.write(bytes(much), ec), much.size());
        EXPECT_EQ(ec, errc::timed_out);
    });
}

TEST_P(connection, a_deadline_can_be_moved_while_somebody_waits) {
    run([](net::any_stream& a, net::any_stream&) {
        const auto begin = clock::now();
        a.set_read_deadline(begin + 1h);
        auto reader = spawn([&] { return read_error(a); });
        until_waiting(1);
        a.set_read_deadline(begin + 2h);
        a.set_read_deadline(clock::now() + 10ms);
        EXPECT_EQ(reader.join(), errc::timed_out);
    });
}

TEST_P(connection, a_deadline_in_the_past_ends_a_wait_at_once) {
    run([](net::any_stream& a, net::any_stream&) {
        auto reader = spawn([&] { return read_error(a); });
        until_waiting(1);
        a.set_read_deadline(clock::time_point(1ns));
        EXPECT_EQ(reader.join(), errc::timed_out);
        a.set_read_deadline(clock::time_point::max());
        auto again = spawn([&] { return read_error(a); });
        until_waiting(1);
        a.set_read_deadline(clock::time_point(-1h));
        EXPECT_EQ(again.join(), errc::timed_out);
    });
}

TEST_P(connection, a_context_ends_a_wait_and_refuses_the_next_call) {
    run([](net::any_stream& a, net::any_stream& b) {
        auto [ctx, cancel] = with_cancel(background());
        auto reader = spawn([&] { return read_error(a, ctx); });
        until_waiting(1);
        cancel();
        EXPECT_EQ(reader.join(), errc::canceled);
        b.write(bytes("x"));
        EXPECT_EQ(read_error(a, ctx), errc::canceled);
        EXPECT_EQ(read_text(a), "x");  // the stream is as it was
        auto [timed, stop] = with_timeout(background(), 10ms);
        EXPECT_EQ(read_error(a, timed), errc::deadline_exceeded);
        std::error_code ec;
        a.write(timed, bytes("x"), ec);
        EXPECT_EQ(ec, errc::deadline_exceeded);
    });
}

TEST_P(connection, closing_ends_the_waits_of_this_end_and_is_idempotent) {
    run([](net::any_stream& a, net::any_stream& b) {
        const std::string much(std::size_t{64} << 20, 'x');
        auto reader = spawn([&] { return read_error(a); });
        auto writer = spawn([&] {
            std::error_code ec;
            a.write(bytes(much), ec);
            return ec;
        });
        until_waiting(2);
        a.close();
        a.close();
        EXPECT_EQ(reader.join(), errc::closed);
        EXPECT_EQ(writer.join(), errc::closed);
        EXPECT_EQ(read_error(a), errc::closed);
        EXPECT_FALSE(read_to_end(b).empty());  // what had gone out, then the end
        EXPECT_THROW(a.write(bytes("x")), std::system_error);
    });
}

TEST_P(connection, writing_to_a_peer_that_has_gone_is_an_error_and_no_signal) {
    run([](net::any_stream& a, net::any_stream& b) {
        struct sigaction before{};
        ::sigaction(SIGPIPE, nullptr, &before);
        ASSERT_EQ(before.sa_handler, SIG_DFL);  // the process would end
        b.close();
        std::error_code ec;
        for (int i = 0; i < 100 && !ec; ++i) {
            a.write(bytes("x"), ec);
            std::this_thread::sleep_for(100us);
        }
        EXPECT_TRUE(ec == std::errc::broken_pipe || ec == std::errc::connection_reset)
            << ec.message();
    });
}

TEST_P(connection, a_stream_that_is_always_ready_lets_others_run) {
    run([](net::any_stream& a, net::any_stream& b) {
        std::atomic<bool> other_ran = false;
        const std::string text(200, 'x');
        a.write(bytes(text));
        go([&] { other_ran = true; });
        std::size_t reads = 0;
        for (; !other_ran && reads < text.size(); ++reads) {
            read_text(b, 1);
        }
        EXPECT_LT(reads, text.size());
    });
}

TEST_P(connection, may_be_used_by_another_runtime_and_by_a_thread) {
    run([](net::any_stream& a, net::any_stream& b) {
        auto first = spawn([&] { return read_text(a); });
        until_waiting(1);
        b.write(bytes("one"));
        EXPECT_EQ(first.join(), "one");
        std::thread([&] {
            runtime other{{.workers = 1}};
            other.run([&] {
                auto reader = spawn([&] { return read_text(a); });
                until_waiting(1);
                b.write(bytes("two"));
                EXPECT_EQ(reader.join(), "two");
            });
        }).join();
        std::thread writer([&] {
            std::this_thread::sleep_for(2ms);
            b.write(bytes("three"));
        });
        std::thread([&] { EXPECT_EQ(read_text(a), "three"); }).join();
        writer.join();
    });
}

}  // namespace
}  // namespace runnel
