// Unix sockets, datagrams, and descriptors that are not ours.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>

#include "src/net/net_test.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::bytes;
using test::read_text;
using test::until_waiting;

using unix_socket = test::on_workers;
INSTANTIATE_TEST_SUITE_P(net, unix_socket, test::worker_counts, test::worker_name);

TEST_P(unix_socket, a_path_is_there_while_the_listener_is) {
    run([] {
        const std::string path = ::testing::TempDir() + "runnel_" + std::to_string(::getpid());
        for (const std::string& at : {path, "@" + path}) {
            net::unix_listener l = net::listen_unix(at);
            EXPECT_EQ(l.local_address().path(), at);
            std::error_code ec;
            static_cast<void>(net::listen_unix(at, ec));
            EXPECT_EQ(ec, std::errc::address_in_use);
            net::unix_stream a = net::dial_unix(context(), at);
            net::unix_stream b = l.accept();
            a.write(bytes("x"));
            EXPECT_EQ(read_text(b), "x");
            l.close();
            EXPECT_NE(::access(path.c_str(), F_OK), 0);
            static_cast<void>(net::dial_unix(context(), at, ec));
            EXPECT_TRUE(ec);
        }
        std::error_code ec;
        static_cast<void>(net::listen_unix(std::string(200, 'x'), ec));
        EXPECT_EQ(ec, std::errc::filename_too_long);
    });
}

using udp = test::on_workers;
INSTANTIATE_TEST_SUITE_P(net, udp, test::worker_counts, test::worker_name);

TEST_P(udp, datagrams_keep_their_borders) {
    run([] {
        net::udp_socket a = net::bind_udp("127.0.0.1:0");
        net::udp_socket b = net::bind_udp("127.0.0.1:0");
        std::vector<std::byte> room(8);
        auto reader = spawn([&] { return b.recv_from(room); });
        until_waiting(1);
        a.send_to(bytes("hello"), b.local_address());
        net::datagram d = reader.join();
        EXPECT_EQ(d.size, 5u);
        EXPECT_EQ(d.from, a.local_address());
        EXPECT_FALSE(d.truncated);
        a.send_to(bytes(""), b.local_address());
        EXPECT_EQ(b.recv_from(room).size, 0u);
        a.send_to(bytes("much too long"), b.local_address());
        d = b.recv_from(room);
        EXPECT_EQ(d.size, room.size());
        EXPECT_TRUE(d.truncated);

        b.set_read_deadline(clock::now() + 5ms);
        EXPECT_THROW(static_cast<void>(b.recv_from(room)), timeout_error);
        b.close();
        std::error_code ec;
        b.recv_from(context(), room, ec);
        EXPECT_EQ(ec, errc::closed);
    });
}

TEST_P(udp, a_connected_one_learns_that_nobody_is_there) {
    run([] {
        net::udp_socket gone = net::bind_udp("127.0.0.1:0");
        net::udp_socket s = net::connect_udp(gone.local_address().to_string());
        EXPECT_EQ(s.remote_address(), gone.local_address());
        std::vector<std::byte> room(8);
        s.send(bytes("x"));
        EXPECT_EQ(gone.recv_from(room).from, s.local_address());
        gone.close();
        s.send(bytes("x"));
        std::error_code ec;
        s.recv_from(context(), room, ec);
        EXPECT_EQ(ec, std::errc::connection_refused);
        s.send_to(context(), bytes("x"), {}, ec);
        EXPECT_EQ(ec, std::errc::destination_address_required);
    });
}

using wait_for_foreign = test::on_workers;
INSTANTIATE_TEST_SUITE_P(net, wait_for_foreign, test::worker_counts, test::worker_name);

TEST_P(wait_for_foreign, ends_when_ready_and_with_its_context_from_goroutine_and_thread) {
    run([] {
        std::array<int, 2> ends{};
        ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
        const auto body = [&] {
            std::error_code ec;
            auto [ctx, cancel] = with_timeout(background(), 5ms);
            net::wait_readable(ends[0], ctx, ec);
            EXPECT_EQ(ec, errc::deadline_exceeded);
            net::wait_readable(ends[0], ctx, ec);
            EXPECT_EQ(ec, errc::deadline_exceeded);
            net::wait_readable(ends[0], {}, ec, clock::now() + 5ms);
            EXPECT_EQ(ec, errc::timed_out);
            net::wait_writable(ends[1]);
            ASSERT_EQ(::write(ends[1], "x", 1), 1);
            net::wait_readable(ends[0]);
            net::wait_readable(ends[0]);  // still: level-triggered
            char c = 0;
            ASSERT_EQ(::read(ends[0], &c, 1), 1);
            net::wait_readable(-1, {}, ec);
            EXPECT_TRUE(ec);
        };
        body();
        std::thread(body).join();
        ::close(ends[0]);
        ::close(ends[1]);
    });
}

}  // namespace
}  // namespace runnel
