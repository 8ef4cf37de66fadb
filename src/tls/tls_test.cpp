#include <runnel/net/tls.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
namespace tls = net::tls;
using net::any_stream;
using tls::tls_stream;

static_assert(net::stream<tls_stream>);
static_assert(net::listener<tls::tls_listener>);

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

template <net::stream S>
std::string read_text(S& s, std::error_code& ec) {
    std::vector<std::byte> room(65536);
    const std::size_t count = s.read_some(context(), room, ec);
    return {reinterpret_cast<const char*>(room.data()), count};
}

template <net::stream S>
std::string read_to_end(S& s) {
    std::string all;
    std::error_code ec;
    for (std::string part = read_text(s, ec); !part.empty(); part = read_text(s, ec)) {
        all += part;
    }
    EXPECT_FALSE(ec) << ec.message();
    return all;
}

/// One identity for the whole program: a key costs time.
const tls::identity& localhost() {
    static const auto* const id =
        new tls::identity(tls::identity::self_signed({"localhost", "127.0.0.1"}));
    return *id;
}

tls::client_options trusting(const tls::identity& id) {
    return {.roots = tls::roots::from_pem(id.certificate_pem())};
}

std::pair<any_stream, any_stream> tcp_pair() {
    net::tcp_listener l = net::listen("127.0.0.1:0");
    net::tcp_stream a = net::dial(l.local_address().to_string());
    return {any_stream(std::move(a)), any_stream(l.accept())};
}

std::pair<any_stream, any_stream> memory_pair() {
    auto [a, b] = net::pipe();
    return {any_stream(std::move(a)), any_stream(std::move(b))};
}

/// A client and a server, connected, without a handshake yet.
struct ends {
    ends(const tls::client_config& client_side, const tls::server_config& server_side,
         const std::string& name = "localhost",
         std::pair<any_stream, any_stream> below = tcp_pair())
        : client(tls::client(std::move(below.first), client_side, name)),
          server(tls::server(std::move(below.second), server_side)) {}

    /// What both sides say about the handshake.
    std::pair<std::error_code, std::error_code> shake() {
        std::error_code mine;
        std::error_code theirs;
        auto other = spawn([&] {
            server.handshake({}, theirs);
            if (theirs) {
                server.close();
            }
        });
        client.handshake({}, mine);
        if (mine) {
            client.close();
        }
        other.join();
        return {mine, theirs};
    }
    void shake_well() {
        const auto [mine, theirs] = shake();
        ASSERT_FALSE(mine) << mine.message();
        ASSERT_FALSE(theirs) << theirs.message();
    }

    tls_stream client;
    tls_stream server;
};

using secure = test::on_workers;
INSTANTIATE_TEST_SUITE_P(tls, secure, test::worker_counts, test::worker_name);

TEST_P(secure, carries_bytes_both_ways_at_once) {
    run([] {
        ends e(tls::client_config(trusting(localhost())),
               tls::server_config({.identities = {localhost()}}));
        std::string sent;
        for (std::size_t i = 0; i < test::scaled(200'000, 20'000); ++i) {
            sent += std::to_string(i) + ",";
        }
        wait_group all;
        for (tls_stream* const s : {&e.client, &e.server}) {
            all.go([s, &sent] {
                EXPECT_EQ(s->write(bytes(sent)), sent.size());
                s->shutdown_write();
            });
            all.go([s, &sent] { EXPECT_EQ(read_to_end(*s), sent); });
        }
        all.wait();
        EXPECT_EQ(e.client.protocol(), "TLSv1.3");
        EXPECT_EQ(e.server.server_name(), "localhost");
        EXPECT_EQ(e.client.peer_certificate(), localhost().certificate_pem());
        EXPECT_EQ(e.server.peer_certificate(), "");
        EXPECT_EQ(e.client.remote_address(), e.server.local_address());
        std::error_code ec;
        e.client.write(context(), bytes("x"), ec);
        EXPECT_EQ(ec, std::errc::broken_pipe);
    });
}

TEST_P(secure, a_certificate_that_nobody_vouches_for_is_refused_on_both_sides) {
    run([] {
        ends e(tls::client_config(), tls::server_config({.identities = {localhost()}}));
        const auto [mine, theirs] = e.shake();
        EXPECT_EQ(mine.category(), tls::verify_category()) << mine.message();
        EXPECT_NE(mine.message().find("self-signed"), std::string::npos) << mine.message();
        EXPECT_EQ(theirs.category(), tls::library_category()) << theirs.message();
        std::error_code ec;
        e.client.write(context(), bytes("x"), ec);
        EXPECT_EQ(ec, mine);  // it stays
    });
}

TEST_P(secure, a_certificate_for_another_name_is_refused) {
    run([] {
        const tls::server_config server({.identities = {localhost()}});
        ends e(tls::client_config(trusting(localhost())), server, "example.test");
        const auto [mine, theirs] = e.shake();
        EXPECT_EQ(mine.category(), tls::verify_category());
        EXPECT_NE(mine.message().find("hostname mismatch"), std::string::npos) << mine.message();
        ends address(tls::client_config(trusting(localhost())), server, "127.0.0.1");
        address.shake_well();
        ends other(tls::client_config(trusting(localhost())), server, "127.0.0.2");
        EXPECT_TRUE(other.shake().first);
    });
}

TEST_P(secure, a_certificate_whose_time_has_passed_is_refused) {
    run([] {
        const auto old = tls::identity::self_signed({"localhost"}, -1);
        ends e(tls::client_config(trusting(old)), tls::server_config({.identities = {old}}));
        const auto [mine, theirs] = e.shake();
        EXPECT_NE(mine.message().find("expired"), std::string::npos) << mine.message();
    });
}

TEST_P(secure, who_does_not_verify_takes_anything_and_must_say_so) {
    run([] {
        const tls::server_config server({.identities = {localhost()}});
        ends e(tls::client_config({.verify = false}), server, "");
        e.shake_well();
        auto [a, b] = tcp_pair();
        EXPECT_THROW(static_cast<void>(tls::client(std::move(a), tls::client_config(), "")),
                     std::invalid_argument);
    });
}

TEST_P(secure, the_identity_is_chosen_by_the_name_that_is_asked_for) {
    run([] {
        const auto a = tls::identity::self_signed({"a.test", "*.a.test"});
        const tls::server_config server({.identities = {localhost(), a}});
        ends first(tls::client_config(trusting(a)), server, "www.a.test");
        first.shake_well();
        ends other(tls::client_config({.verify = false}), server, "unknown.test");
        other.shake_well();
        EXPECT_EQ(other.client.peer_certificate(), localhost().certificate_pem());
    });
}

TEST_P(secure, certificates_are_reloaded_while_the_server_goes_on) {
    run([] {
        const auto fresh = tls::identity::self_signed({"localhost"});
        const tls::server_config server({.identities = {localhost()}});
        ends before(tls::client_config(trusting(localhost())), server);
        before.shake_well();
        server.reload({fresh});
        ends after(tls::client_config(trusting(fresh)), server);
        after.shake_well();
        auto reader = spawn([&] { return read_to_end(before.server); });
        before.client.write(bytes("still"));
        before.client.shutdown_write();
        EXPECT_EQ(reader.join(), "still");
        EXPECT_THROW(server.reload({}), std::invalid_argument);
    });
}

TEST_P(secure, a_protocol_is_agreed_on_or_the_connection_refused) {
    run([] {
        auto options = trusting(localhost());
        options.alpn = {"h3", "http/1.1"};
        const tls::server_config server({.identities = {localhost()}, .alpn = {"h2", "http/1.1"}});
        ends e(tls::client_config(options), server);
        e.shake_well();
        EXPECT_EQ(e.client.alpn(), "http/1.1");
        EXPECT_EQ(e.server.alpn(), "http/1.1");
        options.alpn = {"h3"};
        ends none(tls::client_config(options), server);
        EXPECT_TRUE(none.shake().first);
        ends silent(tls::client_config(trusting(localhost())), server);
        silent.shake_well();
        EXPECT_EQ(silent.client.alpn(), "");
        options.alpn = {""};
        EXPECT_THROW(tls::client_config{options}, std::invalid_argument);
    });
}

TEST_P(secure, a_second_connection_resumes_the_session_of_the_first) {
    run([] {
        for (const auto version : {tls::version::tls_1_2, tls::version::tls_1_3}) {
            auto options = trusting(localhost());
            options.min_version = version;
            const tls::client_config client(options);
            const tls::server_config server({.identities = {localhost()}});
            for (int i = 0; i < 3; ++i) {
                ends e(client, server);
                auto other = spawn([&] {
                    e.server.write(bytes("x"));
                    e.server.shutdown_write();
                });
                EXPECT_EQ(read_to_end(e.client), "x");  // the ticket comes with it
                other.join();
                EXPECT_EQ(e.client.resumed(), i != 0);
                EXPECT_EQ(e.server.resumed(), i != 0);
            }
            ends elsewhere(client, server, "127.0.0.1");
            elsewhere.shake_well();
            EXPECT_FALSE(elsewhere.client.resumed());  // another name, another session
        }
    });
}

TEST_P(secure, a_client_must_show_a_certificate_where_one_is_asked_for) {
    run([] {
        const auto id = tls::identity::self_signed({"client.test"});
        const tls::server_config server(
            {.identities = {localhost()},
             .client_roots = tls::roots::from_pem(id.certificate_pem())});
        auto options = trusting(localhost());
        ends without(tls::client_config(options), server);
        EXPECT_TRUE(without.shake().second);
        options.identity = id;
        ends with(tls::client_config(options), server);
        with.shake_well();
        EXPECT_EQ(with.server.peer_certificate(), id.certificate_pem());
    });
}

TEST_P(secure, a_stream_that_is_cut_is_no_end) {
    run([] {
        auto [a, b] = tcp_pair();
        tls_stream client =
            tls::client(std::move(a), tls::client_config(trusting(localhost())), "localhost");
        auto other = spawn([&b] {
            auto raw = std::make_unique<any_stream>(std::move(b));
            auto [near, far] = memory_pair();
            tls_stream server =
                tls::server(std::move(far), tls::server_config({.identities = {localhost()}}));
            // Everything goes through by hand, so that it can be cut.
            const auto copy = [](any_stream& from, any_stream& to) {
                std::error_code ec;
                for (std::string part = read_text(from, ec); !part.empty();
                     part = read_text(from, ec)) {
                    to.write(context(), bytes(part), ec);
                }
            };
            wait_group both;
            both.go([&] { copy(*raw, near); });
            both.go([&] { copy(near, *raw); });
            server.write(bytes("half a mess"));
            std::error_code ec;
            static_cast<void>(read_text(server, ec));  // until the client has it
            near.close();
            raw->close();
            both.wait();
        });
        std::error_code ec;
        EXPECT_EQ(read_text(client, ec), "half a mess");
        client.write(bytes("got it"));
        static_cast<void>(read_text(client, ec));
        EXPECT_EQ(ec, errc::unexpected_eof);
        client.close();
        other.join();
    });
}

TEST_P(secure, what_is_no_tls_is_refused) {
    run([] {
        auto [a, b] = tcp_pair();
        tls_stream server =
            tls::server(std::move(b), tls::server_config({.identities = {localhost()}}));
        a.write(bytes("GET / HTTP/1.1\r\n\r\n"));
        std::error_code ec;
        server.handshake({}, ec);
        EXPECT_EQ(ec.category(), tls::library_category()) << ec.message();
        EXPECT_THROW(server.handshake(), std::system_error);
    });
}

TEST_P(secure, closing_ends_a_wait) {
    run([] {
        ends e(tls::client_config(trusting(localhost())),
               tls::server_config({.identities = {localhost()}}));
        e.shake_well();
        std::atomic<bool> reads = false;
        auto reader = spawn([&] {
            std::error_code ec;
            reads = true;
            static_cast<void>(read_text(e.client, ec));
            return ec;
        });
        while (!reads) {
            yield();
        }
        e.client.close();
        e.client.close();
        EXPECT_EQ(reader.join(), errc::closed);
        EXPECT_EQ(read_to_end(e.server), "");  // with close_notify
    });
}

TEST(tls, deadline_and_context_end_a_handshake_with_a_peer_that_is_silent) {
    testing::bubble world;
    world.run([] {
        const tls::client_config config(trusting(localhost()));
        auto [a, b] = memory_pair();
        tls_stream client = tls::client(std::move(a), config, "localhost");
        const auto begin = clock::now();
        client.set_deadline(begin + 10s);
        std::error_code ec;
        client.handshake({}, ec);
        EXPECT_EQ(ec, errc::timed_out);
        EXPECT_EQ(clock::now() - begin, 10s);

        auto [c, d] = memory_pair();
        tls_stream other = tls::client(std::move(c), config, "localhost");
        auto [ctx, cancel] = with_timeout(background(), 5s);
        EXPECT_THROW(other.handshake(ctx), timeout_error);
        EXPECT_EQ(clock::now() - begin, 15s);
        client.set_deadline(clock::time_point::max());
        client.handshake({}, ec);
        EXPECT_EQ(ec, errc::timed_out);  // it cannot be continued
    });
}

TEST(tls, works_on_virtual_time) {
    testing::bubble world;
    world.run([] {
        ends e(tls::client_config(trusting(localhost())),
               tls::server_config({.identities = {localhost()}}), "localhost", memory_pair());
        e.shake_well();
        auto server = spawn([&] {
            sleep_for(1h);
            e.server.write(bytes("late"));
            e.server.close();
        });
        const auto begin = clock::now();
        e.client.set_read_deadline(begin + 1min);
        std::error_code ec;
        static_cast<void>(read_text(e.client, ec));
        EXPECT_EQ(ec, errc::timed_out);
        server.join();
    });
}

TEST(tls, a_listener_leaves_the_handshake_to_the_connection) {
    testing::bubble world;
    world.run([] {
        net::pipe_listener at;
        tls::tls_listener l(net::any_listener(at),
                            tls::server_config({.identities = {localhost()}}));
        net::any_listener any(std::move(l));
        net::pipe_stream silent = at.dial();
        auto first = any.accept();  // does not wait
        auto client = spawn([at] {
            tls_stream s = tls::client(any_stream(at.dial()),
                                       tls::client_config(trusting(localhost())), "localhost");
            return read_to_end(s);
        });
        auto second = any.accept();
        second.write(bytes("hello"));
        second.close();
        EXPECT_EQ(client.join(), "hello");
        any.close();
    });
}

TEST(tls, pem_that_is_wrong_is_refused_with_its_name) {
    const auto other = tls::identity::self_signed({"x.test"});
    EXPECT_THROW(static_cast<void>(tls::roots::from_pem("nothing")), std::system_error);
    EXPECT_THROW(static_cast<void>(tls::identity::from_pem("nothing", "nothing")),
                 std::system_error);
    EXPECT_THROW(static_cast<void>(tls::identity::from_pem(other.certificate_pem(), "nothing")),
                 std::system_error);
    try {
        static_cast<void>(tls::identity::from_files("/no/such/file", "/no/such/key"));
        FAIL() << "nothing was thrown";
    } catch (const std::system_error& error) {
        EXPECT_NE(std::string(error.what()).find("/no/such/file"), std::string::npos);
    }
    EXPECT_THROW(static_cast<void>(tls::identity::self_signed({})), std::invalid_argument);
    EXPECT_THROW(tls::server_config({}), std::invalid_argument);
}

TEST(tls, one_that_is_empty_is_closed) {
    tls_stream s;
    std::error_code ec;
    s.handshake({}, ec);
    EXPECT_EQ(ec, errc::closed);
    s.write(context(), bytes("x"), ec);
    EXPECT_EQ(ec, errc::closed);
    s.close();
    EXPECT_EQ(s.alpn(), "");
    EXPECT_EQ(s.local_address(), net::endpoint());
}

}  // namespace
}  // namespace runnel
