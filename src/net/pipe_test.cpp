// The cases of Go's net.Pipe tests and of x/net/nettest.TestConn, on virtual time, over a pipe with
// a buffer and one without.
#include <runnel/net/pipe.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <vector>

#include <runnel/net/tcp.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "src/net/net_test.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using net::any_listener;
using net::any_stream;
using net::pipe_stream;
using test::bytes;
using test::read_text;
using test::read_to_end;

static_assert(net::stream<pipe_stream>);
static_assert(net::stream<any_stream>);
static_assert(net::listener<net::pipe_listener>);
static_assert(net::listener<any_listener>);

class pipe : public ::testing::TestWithParam<std::tuple<int, std::size_t>> {
protected:
    template <class F>
    void run(F body) {
        const auto [workers, capacity] = GetParam();
        testing::bubble world{{.workers = static_cast<std::size_t>(workers)}};
        auto ends = net::pipe(capacity);
        world.run([&] { body(world, ends.first, ends.second); });
    }
    [[nodiscard]] std::size_t capacity() const { return std::get<1>(GetParam()); }
};

std::string pipe_name(const ::testing::TestParamInfo<std::tuple<int, std::size_t>>& info) {
    return "workers_" + std::to_string(std::get<0>(info.param)) + "_capacity_" +
           std::to_string(std::get<1>(info.param));
}

constexpr auto capacities = std::to_array<std::size_t>({0, 3, net::default_pipe_capacity});

INSTANTIATE_TEST_SUITE_P(net, pipe,
                         ::testing::Combine(test::worker_counts, ::testing::ValuesIn(capacities)),
                         pipe_name);

TEST_P(pipe, what_is_written_is_read_in_order_and_both_ways) {
    run([](testing::bubble&, pipe_stream& a, pipe_stream& b) {
        std::string sent;
        for (int i = 0; i < 1000; ++i) {
            sent += std::to_string(i) + ",";
        }
        wait_group both;
        const auto talk = [&](pipe_stream& s) {
            both.go([&] {
                EXPECT_EQ(s.write(bytes(sent)), sent.size());
                s.shutdown_write();
            });
            both.go([&] { EXPECT_EQ(read_to_end(s), sent); });
        };
        talk(a);
        talk(b);
        both.wait();
    });
}

TEST_P(pipe, a_read_waits_for_bytes_and_a_write_for_room) {
    run([this](testing::bubble& world, pipe_stream& a, pipe_stream& b) {
        const std::string text(capacity() + 1, 'x');
        bool written = false;
        auto writer = spawn([&] {
            a.write(bytes(text));
            written = true;
        });
        world.settle();
        EXPECT_FALSE(written);
        std::vector<std::byte> room(text.size());
        std::error_code ec;
        EXPECT_EQ(net::read_full(b, context(), room, ec), text.size());
        writer.join();

        std::string got;
        auto reader = spawn([&] { got = read_text(b, 1); });
        world.settle();
        EXPECT_EQ(got, "");
        a.write(bytes("y"));
        reader.join();
        EXPECT_EQ(got, "y");
    });
}

TEST_P(pipe, a_deadline_ends_a_read_and_a_write_in_time_and_until_it_is_set_anew) {
    run([this](testing::bubble&, pipe_stream& a, pipe_stream& b) {
        std::array<std::byte, 4> room{};
        std::error_code ec;
        const auto begin = clock::now();
        a.set_read_deadline(begin + 1s);
        EXPECT_EQ(a.read_some(room, ec), 0u);
        EXPECT_EQ(ec, errc::timed_out);
        EXPECT_EQ(clock::now() - begin, 1s);
        EXPECT_THROW(a.read_some(room), timeout_error);  // still

        const std::string text(capacity() + 2, 'x');
        a.set_write_deadline(clock::now() + 1s);
        EXPECT_EQ(a.write(bytes(text), ec), capacity());
        EXPECT_EQ(ec, errc::timed_out);
        EXPECT_EQ(clock::now() - begin, 2s);

        a.set_deadline(clock::time_point::max());
        go([&b] {
            std::error_code end;
            std::array<std::byte, 4> in{};
            while (b.read_some(in, end) != 0) {
            }
            b.close();
        });
        EXPECT_EQ(a.write(bytes(text), ec), text.size());
        a.shutdown_write(ec);
        EXPECT_EQ(a.read_some(room, ec), 0u);
        EXPECT_FALSE(ec);
    });
}

TEST_P(pipe, a_deadline_can_be_moved_while_somebody_waits) {
    run([](testing::bubble& world, pipe_stream& a, pipe_stream&) {
        const auto begin = clock::now();
        a.set_read_deadline(begin + 1h);
        auto reader = spawn([&] {
            std::error_code ec;
            std::array<std::byte, 4> room{};
            a.read_some(room, ec);
            EXPECT_EQ(ec, errc::timed_out);
            return clock::now() - begin;
        });
        world.settle();
        a.set_read_deadline(begin + 3h);  // later
        sleep_for(2h);
        EXPECT_TRUE(reader.joinable());
        a.set_read_deadline(begin + 150min);  // earlier
        EXPECT_EQ(reader.join(), 150min);
    });
}

TEST_P(pipe, a_deadline_that_has_passed_ends_a_wait_and_wins_over_bytes) {
    run([](testing::bubble& world, pipe_stream& a, pipe_stream& b) {
        auto reader = spawn([&] {
            std::error_code ec;
            std::array<std::byte, 4> room{};
            a.read_some(room, ec);
            return ec;
        });
        world.settle();
        a.set_read_deadline(clock::time_point(1ns));
        EXPECT_EQ(reader.join(), errc::timed_out);
        auto writer = spawn([&] { b.write(bytes("x")); });
        world.settle();
        std::error_code ec;
        std::array<std::byte, 4> room{};
        EXPECT_EQ(a.read_some(room, ec), 0u);
        EXPECT_EQ(ec, errc::timed_out);
        a.set_read_deadline(clock::time_point::max());
        EXPECT_EQ(read_text(a), "x");
        writer.join();
    });
}

TEST_P(pipe, a_context_ends_a_read_and_a_write) {
    run([this](testing::bubble& world, pipe_stream& a, pipe_stream&) {
        auto [ctx, cancel] = with_cancel(background());
        std::error_code read_error;
        std::error_code write_error;
        std::size_t written = 0;
        wait_group both;
        both.go([&] {
            std::array<std::byte, 4> room{};
            a.read_some(ctx, room, read_error);
        });
        both.go(
            [&] { written = a.write(ctx, bytes(std::string(capacity() + 1, 'x')), write_error); });
        world.settle();
        cancel();
        both.wait();
        EXPECT_EQ(read_error, errc::canceled);
        EXPECT_EQ(write_error, errc::canceled);
        EXPECT_EQ(written, capacity());

        auto [timed, stop] = with_timeout(background(), 1s);
        std::array<std::byte, 4> room{};
        a.read_some(timed, room, read_error);
        EXPECT_EQ(read_error, errc::deadline_exceeded);
        EXPECT_THROW(a.read_some(ctx, room), canceled_error);
    });
}

TEST_P(pipe, closing_ends_the_waits_of_both_ends) {
    run([this](testing::bubble& world, pipe_stream& a, pipe_stream& b) {
        const std::string text(2 * capacity() + 1, 'x');
        std::array<std::error_code, 4> errors;
        wait_group all;
        const auto talk = [&](pipe_stream& s, std::size_t at) {
            all.go([&, at] {
                std::vector<std::byte> room(1);
                s.read_some(room, errors[at]);
                s.read_some(room, errors[at]);
            });
        };
        all.go([&] { a.write(bytes(text), errors[1]); });
        world.settle();
        talk(a, 0);
        world.settle();
        a.close();
        all.wait();
        EXPECT_EQ(errors[0], errc::closed);
        EXPECT_EQ(errors[1], errc::closed);
        EXPECT_EQ(read_to_end(b), std::string(capacity(), 'x'));
        std::error_code ec;
        b.write(bytes("y"), ec);
        EXPECT_EQ(ec, std::errc::broken_pipe);
        a.close();
        a.write(bytes("y"), ec);
        EXPECT_EQ(ec, errc::closed);
        a.shutdown_write(ec);
        EXPECT_EQ(ec, errc::closed);
    });
}

TEST_P(pipe, a_half_that_has_ended_leaves_the_other_half_open) {
    run([](testing::bubble&, pipe_stream& a, pipe_stream& b) {
        a.shutdown_write();
        EXPECT_EQ(read_text(b), "");
        std::error_code ec;
        EXPECT_EQ(a.write(bytes("x"), ec), 0u);
        EXPECT_EQ(ec, std::errc::broken_pipe);
        auto writer = spawn([&] { b.write(bytes("still")); });
        std::array<std::byte, 5> room{};
        EXPECT_EQ(net::read_full(a, context(), room, ec), 5u);
        writer.join();
    });
}

TEST_P(pipe, read_full_tells_a_cut_from_an_end) {
    run([](testing::bubble&, pipe_stream& a, pipe_stream& b) {
        go([&a] {
            a.write(bytes("abc"));
            a.close();
        });
        std::array<std::byte, 2> room{};
        std::error_code ec;
        EXPECT_EQ(net::read_full(b, context(), room, ec), 2u);
        EXPECT_FALSE(ec);
        EXPECT_EQ(net::read_full(b, context(), room, ec), 1u);
        EXPECT_EQ(ec, errc::unexpected_eof);
        EXPECT_EQ(net::read_full(b, context(), room, ec), 0u);
        EXPECT_FALSE(ec);
    });
}

TEST_P(pipe, any_stream_does_what_the_stream_within_does) {
    run([](testing::bubble&, pipe_stream& a, pipe_stream& b) {
        any_stream left(std::move(a));
        any_stream right(std::move(b));
        EXPECT_EQ(left.local_address().to_string(), "pipe");
        EXPECT_EQ(left.remote_address().kind(), net::endpoint::family::memory);
        auto writer = spawn([&] {
            left.write(bytes("hello"));
            left.shutdown_write();
        });
        EXPECT_EQ(read_to_end(right), "hello");
        writer.join();
        EXPECT_NE(left.target<pipe_stream>(), nullptr);
        EXPECT_EQ(left.target<net::tcp_stream>(), nullptr);
        left.set_deadline(clock::now() - 1s);
        EXPECT_THROW(read_text(left), timeout_error);
        left.close();
        EXPECT_EQ(read_text(right), "");
    });
}

TEST(any_stream, an_empty_one_is_closed) {
    any_stream s;
    EXPECT_FALSE(s);
    std::error_code ec;
    s.write(bytes("x"), ec);
    EXPECT_EQ(ec, errc::closed);
    std::array<std::byte, 1> room{};
    s.read_some(room, ec);
    EXPECT_EQ(ec, errc::closed);
    s.close();
    s.set_deadline(clock::now());
    EXPECT_EQ(s.local_address(), net::endpoint());
    EXPECT_THROW(s.shutdown_write(), std::system_error);
}

TEST(pipe_listener, what_is_dialled_is_accepted) {
    testing::bubble world;
    world.run([] {
        net::pipe_listener at;
        any_listener listener(at);
        go([at] {
            auto s = at.dial();
            s.write(bytes("hello"));
        });
        any_stream s = listener.accept();
        EXPECT_EQ(read_to_end(s), "hello");
        EXPECT_EQ(listener.local_address().to_string(), "pipe");
    });
}

TEST(pipe_listener, closing_ends_accept_and_closes_those_who_wait) {
    testing::bubble world;
    world.run([&] {
        net::pipe_listener at;
        auto waiting = spawn([at] {
            std::error_code ec;
            static_cast<void>(at.accept({}, ec));
            return ec;
        });
        world.settle();
        at.close();
        at.close();
        EXPECT_EQ(waiting.join(), errc::closed);
        std::error_code ec;
        static_cast<void>(at.dial({}, ec));
        EXPECT_EQ(ec, std::errc::connection_refused);

        net::pipe_listener other;
        auto s = other.dial();
        other.close();
        EXPECT_EQ(read_text(s), "");

        net::pipe_listener slow(0);
        auto [ctx, cancel] = with_timeout(background(), 1s);
        static_cast<void>(slow.dial(ctx, ec));
        EXPECT_EQ(ec, errc::deadline_exceeded);
    });
}

TEST(pipe, a_plain_thread_may_use_it) {
    auto [a, b] = net::pipe(0);
    std::thread writer([&a] {
        a.write(bytes("from a thread"));
        a.close();
    });
    EXPECT_EQ(read_to_end(b), "from a thread");
    writer.join();
}

}  // namespace
}  // namespace runnel
