#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include <runnel/net.hpp>
#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "src/net/net_test.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using net::ip_address;
using test::bytes;
using test::read_text;

using addresses = std::vector<ip_address>;

net::resolver always(addresses found) {
    return net::resolver([found](const std::string&, std::error_code&) { return found; });
}

using dial = test::on_workers;
INSTANTIATE_TEST_SUITE_P(net, dial, test::worker_counts, test::worker_name);

TEST_P(dial, a_port_that_refuses_is_an_error_that_names_it) {
    run([] {
        std::string at;
        {
            net::tcp_listener l = net::listen("127.0.0.1:0");
            at = l.local_address().to_string();
        }
        std::error_code ec;
        static_cast<void>(net::dial(context(), at, ec));
        EXPECT_EQ(ec, std::errc::connection_refused);
        try {
            static_cast<void>(net::dial(at));
            FAIL() << "nothing was thrown";
        } catch (const std::system_error& error) {
            EXPECT_NE(std::string(error.what()).find(at), std::string::npos);
        }
    });
}

TEST_P(dial, what_is_wrong_with_an_address_is_said) {
    run([] {
        std::error_code ec;
        static_cast<void>(net::dial(context(), "127.0.0.1", ec));
        EXPECT_EQ(ec, errc::missing_port);
        static_cast<void>(net::dial(context(), "::1:80", ec));
        EXPECT_EQ(ec, errc::bad_address);
        static_cast<void>(net::dial(context(), "127.0.0.1:99999", ec));
        EXPECT_EQ(ec, errc::bad_address);
        const net::resolver nobody([](const std::string&, std::error_code& why) {
            why = errc::host_not_found;
            return addresses();
        });
        static_cast<void>(net::dial(context(), "example.test:80", {.resolver = &nobody}, ec));
        EXPECT_EQ(ec, errc::host_not_found);
        auto [ctx, cancel] = with_cancel(background());
        cancel();
        static_cast<void>(net::dial(ctx, "127.0.0.1:1", ec));
        EXPECT_EQ(ec, errc::canceled);
    });
}

TEST_P(dial, the_next_address_is_tried_when_one_refuses) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        const net::resolver by =
            always({ip_address::parse("127.0.0.2"), ip_address::parse("127.0.0.3"),
                    ip_address::parse("127.0.0.1")});
        const std::string at = "name:" + std::to_string(l.local_address().port());
        std::error_code ec;
        net::tcp_stream a = net::dial(context(), at, {.attempt_delay = 1h, .resolver = &by}, ec);
        ASSERT_FALSE(ec) << ec.message();
        EXPECT_EQ(a.remote_address(), l.local_address());
        net::tcp_stream b = l.accept();
        a.write(bytes("x"));
        EXPECT_EQ(read_text(b), "x");

        l.close();
        static_cast<void>(net::dial(context(), at, {.resolver = &by}, ec));
        EXPECT_EQ(ec, std::errc::connection_refused);
    });
}

/// An address that answers nothing: its listener's backlog is full.
class deaf {
public:
    deaf() : listener_(net::listen("127.0.0.5:0", {.backlog = 0})) {
        // The kernel takes one more than the backlog; what comes later is not answered.
        for (int i = 0; i < 8; ++i) {
            std::error_code ec;
            auto [ctx, cancel] = with_timeout(background(), 30ms);
            fillers_.push_back(net::dial(ctx, listener_.local_address().to_string(), ec));
            if (ec) {
                return;
            }
        }
        ADD_FAILURE() << "the backlog never fills";
    }
    [[nodiscard]] std::uint16_t port() const { return listener_.local_address().port(); }

private:
    net::tcp_listener listener_;
    std::vector<net::tcp_stream> fillers_;
};

TEST_P(dial, a_silent_address_does_not_hold_up_the_next) {
    run([] {
        const deaf silent;
        net::tcp_listener l =
            net::listen(net::endpoint(ip_address::loopback_v4(), silent.port()).to_string());
        const net::resolver by =
            always({ip_address::parse("127.0.0.5"), ip_address::loopback_v4()});
        std::error_code ec;
        const auto begin = clock::now();
        net::tcp_stream s = net::dial(context(), "name:" + std::to_string(silent.port()),
                                      {.attempt_delay = 10ms, .resolver = &by}, ec);
        ASSERT_FALSE(ec) << ec.message();
        EXPECT_EQ(s.remote_address(), l.local_address());
        EXPECT_GE(clock::now() - begin, 10ms);
    });
}

TEST_P(dial, ends_with_its_context_and_its_time_limit) {
    run([] {
        const deaf silent;
        const std::string at = "127.0.0.5:" + std::to_string(silent.port());
        const net::resolver by =
            always({ip_address::parse("127.0.0.5"), ip_address::parse("127.0.0.5")});
        std::error_code ec;
        for (const net::resolver* const r : {static_cast<const net::resolver*>(nullptr), &by}) {
            static_cast<void>(net::dial(context(), at, {.timeout = 10ms, .resolver = r}, ec));
            EXPECT_EQ(ec, errc::timed_out);
            auto [ctx, cancel] = with_timeout(background(), 10ms);
            static_cast<void>(net::dial(ctx, at, {.resolver = r}, ec));
            EXPECT_EQ(ec, errc::deadline_exceeded);
            EXPECT_THROW(static_cast<void>(net::dial(ctx, at)), timeout_error);
        }
    });
}

TEST(resolver, lookups_of_one_name_are_one_and_of_another_another) {
    testing::bubble world;
    world.run([&] {
        int lookups = 0;
        const net::resolver r([&](const std::string& host, std::error_code&) {
            ++lookups;
            sleep_for(1s);
            return addresses{ip_address::parse(host == "a" ? "192.0.2.1" : "192.0.2.2")};
        });
        wait_group all;
        for (int i = 0; i < 10; ++i) {
            all.go([&, i] {
                const auto found = r.lookup(context(), i % 2 == 0 ? "a" : "b");
                EXPECT_EQ(found.front().to_string(), i % 2 == 0 ? "192.0.2.1" : "192.0.2.2");
            });
        }
        all.wait();
        EXPECT_EQ(lookups, 2);
        static_cast<void>(r.lookup(context(), "a"));  // nothing is kept
        EXPECT_EQ(lookups, 3);
        EXPECT_EQ(r.lookup(context(), "::1"), addresses{ip_address::loopback_v6()});
        EXPECT_EQ(lookups, 3);
    });
}

TEST(resolver, a_caller_leaves_at_its_deadline_and_the_others_get_their_answer) {
    testing::bubble world;
    world.run([&] {
        const net::resolver r([&](const std::string&, std::error_code&) {
            sleep_for(1h);
            return addresses{ip_address::loopback_v4()};
        });
        const auto begin = clock::now();
        auto patient = spawn([&] { return r.lookup(context(), "slow"); });
        auto [ctx, cancel] = with_timeout(background(), 1s);
        std::error_code ec;
        static_cast<void>(r.lookup(ctx, "slow", ec));
        EXPECT_EQ(ec, errc::deadline_exceeded);
        EXPECT_EQ(clock::now() - begin, 1s);
        EXPECT_EQ(patient.join().size(), 1u);
        EXPECT_EQ(clock::now() - begin, 1h);
        static_cast<void>(r.lookup(ctx, "slow", ec));
        EXPECT_EQ(ec, errc::deadline_exceeded);
    });
}

TEST(resolver, an_exception_and_an_empty_answer_are_errors) {
    testing::bubble world;
    world.run([&] {
        const net::resolver r([&](const std::string& host, std::error_code&) -> addresses {
            if (host == "system") {
                throw std::system_error(std::make_error_code(std::errc::io_error));
            }
            if (host == "other") {
                throw 1;
            }
            return {};
        });
        std::error_code ec;
        static_cast<void>(r.lookup({}, "system", ec));
        EXPECT_EQ(ec, std::errc::io_error);
        static_cast<void>(r.lookup({}, "other", ec));
        EXPECT_EQ(ec, errc::exception_thrown);
        static_cast<void>(r.lookup({}, "empty", ec));
        EXPECT_EQ(ec, errc::host_not_found);
        static_cast<void>(r.lookup({}, "", ec));
        EXPECT_EQ(ec, errc::host_not_found);
        try {
            static_cast<void>(r.lookup({}, "empty"));
            FAIL() << "nothing was thrown";
        } catch (const std::system_error& error) {
            EXPECT_NE(std::string(error.what()).find("lookup empty"), std::string::npos);
        }
    });
}

TEST(resolver, the_systems_knows_this_machine) {
    const auto found = net::resolver::system().lookup(context(), "localhost");
    ASSERT_FALSE(found.empty());
    EXPECT_TRUE(found.front().is_loopback());
    std::error_code ec;
    EXPECT_EQ(net::lookup_port("80", ec), 80);
    EXPECT_EQ(net::lookup_port("65535", ec), 65535);
    EXPECT_FALSE(ec);
    for (const char* const port : {"", "65536", "-1", "1x", "no_such_service"}) {
        static_cast<void>(net::lookup_port(port, ec));
        EXPECT_EQ(ec, errc::bad_address) << port;
    }
}

}  // namespace
}  // namespace runnel
