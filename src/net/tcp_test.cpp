// The cases of Go's net tests for TCP, and faults: resets, exhausted descriptors, urgent data.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
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
using test::read_error;
using test::read_text;
using test::read_to_end;
using test::until_waiting;

using tcp = test::on_workers;
INSTANTIATE_TEST_SUITE_P(net, tcp, test::worker_counts, test::worker_name);

TEST_P(tcp, a_wait_outlives_the_runtime_through_which_it_was_registered) {
    run([] {
        auto [a, b] = test::tcp_pair();
        auto first = std::make_unique<runtime>(runtime_options{.workers = 1});
        std::string wrote;
        std::thread([&] {
            first->run([&] {
                a.set_read_deadline(clock::now() + 1ms);
                EXPECT_EQ(read_error(a), errc::timed_out);  // registered there
                a.set_read_deadline(clock::time_point::max());
            });
        }).join();
        auto reader = spawn([&a] { return read_text(a); });
        until_waiting(1);
        first.reset();
        b.write(bytes("x"));
        EXPECT_EQ(reader.join(), "x");
    });
}

TEST_P(tcp, addresses_are_known_on_both_sides) {
    run([] {
        for (const char* const at : {"127.0.0.1:0", "[::1]:0"}) {
            std::error_code ec;
            net::tcp_listener l = net::listen(at, {}, ec);
            if (ec == std::errc::address_not_available) {
                continue;  // a machine without IPv6
            }
            ASSERT_FALSE(ec) << ec.message();
            EXPECT_NE(l.local_address().port(), 0);
            net::tcp_stream a = net::dial(l.local_address().to_string());
            net::tcp_stream b = l.accept();
            EXPECT_EQ(a.local_address(), b.remote_address());
            EXPECT_EQ(b.local_address(), a.remote_address());
            a.close();
            EXPECT_EQ(a.local_address(), net::endpoint());
        }
    });
}

TEST_P(tcp, closing_a_listener_ends_accept) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        wait_group all;
        std::atomic<int> closed = 0;
        for (int i = 0; i < 2; ++i) {
            all.go([&] {
                std::error_code ec;
                // One waits for the edge, the other after it.
                static_cast<void>(l.accept(ec));
                closed += ec == errc::closed ? 1 : 0;
            });
            if (i == 0) {
                until_waiting(1);
                l.close();
            }
        }
        all.wait();
        EXPECT_EQ(closed, 2);
    });
}

TEST_P(tcp, accept_ends_with_its_context_and_its_deadline) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        std::error_code ec;
        auto [ctx, cancel] = with_timeout(background(), 5ms);
        static_cast<void>(l.accept(ctx, ec));
        EXPECT_EQ(ec, errc::deadline_exceeded);
        l.set_deadline(clock::now() + 5ms);
        static_cast<void>(l.accept(ec));
        EXPECT_EQ(ec, errc::timed_out);
        EXPECT_THROW(static_cast<void>(l.accept()), timeout_error);
    });
}

TEST_P(tcp, a_reset_by_the_peer_is_an_error_of_reads_and_writes) {
    run([] {
        auto [a, b] = test::tcp_pair();
        std::error_code ec;
        auto reader = spawn([&a] { return read_error(a); });
        until_waiting(1);
        b.set_linger(0s, ec);
        EXPECT_FALSE(ec);
        b.close();
        EXPECT_EQ(reader.join(), std::errc::connection_reset);
        a.write(bytes("x"), ec);
        EXPECT_TRUE(ec);
    });
}

TEST_P(tcp, urgent_data_does_not_hide_what_follows_it) {
    run([] {
        auto [a, b] = test::tcp_pair();
        auto reader = spawn([&b] { return read_to_end(b); });
        until_waiting(1);
        ASSERT_EQ(::send(a.native_handle(), "ab!", 3, MSG_OOB), 3);
        a.write(bytes("cd"));
        a.close();
        EXPECT_EQ(reader.join(), "abcd");  // the urgent byte stands beside the stream
    });
}

TEST_P(tcp, parts_are_written_as_one) {
    run([] {
        auto [a, b] = test::tcp_pair();
        std::vector<std::string> texts;
        std::vector<std::span<const std::byte>> parts;
        std::string all;
        for (int i = 0; i < 40; ++i) {
            texts.emplace_back(static_cast<std::size_t>(i * i * 40),
                               static_cast<char>('a' + i % 26));
        }
        for (const std::string& t : texts) {
            parts.push_back(bytes(t));
            all += t;
        }
        auto reader = spawn([&b] { return read_to_end(b); });
        std::error_code ec;
        EXPECT_EQ(a.writev(context(), parts, ec), all.size());
        EXPECT_FALSE(ec);
        EXPECT_EQ(a.writev(context(), {}, ec), 0u);
        a.close();
        EXPECT_EQ(reader.join(), all);
    });
}

class temporary_file {
public:
    explicit temporary_file(const std::string& text) {
        std::string path = ::testing::TempDir() + "runnel_net_XXXXXX";
        fd_ = ::mkstemp(path.data());
        ::unlink(path.c_str());
        EXPECT_EQ(::write(fd_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    ~temporary_file() { ::close(fd_); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_ = -1;
};

TEST_P(tcp, a_file_is_sent_from_where_it_is) {
    run([] {
        auto [a, b] = test::tcp_pair();
        std::string text;
        for (int i = 0; i < 500'000; ++i) {
            text += static_cast<char>('a' + i % 26);
        }
        const temporary_file file(text);
        auto reader = spawn([&b] { return read_to_end(b); });
        std::error_code ec;
        EXPECT_EQ(a.send_file(context(), file.fd(), 10, 400'000, ec), 400'000u);
        EXPECT_FALSE(ec);
        EXPECT_EQ(a.send_file(context(), file.fd(), 499'990, 100, ec), 10u);  // the file ends
        EXPECT_FALSE(ec);
        a.close();
        EXPECT_EQ(reader.join(), text.substr(10, 400'000) + text.substr(499'990));
    });
}

TEST_P(tcp, sending_a_file_to_a_peer_that_has_gone_raises_no_signal) {
    run([] {
        auto [a, b] = test::tcp_pair();
        const temporary_file file(std::string(100'000, 'x'));
        b.close();
        std::error_code ec;
        for (int i = 0; i < 100 && !ec; ++i) {
            a.send_file(context(), file.fd(), 0, 100'000, ec);
            std::this_thread::sleep_for(100us);
        }
        EXPECT_TRUE(ec == std::errc::broken_pipe || ec == std::errc::connection_reset)
            << ec.message();
        sigset_t pending;
        ::sigpending(&pending);
        EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0);
    });
}

TEST_P(tcp, options_are_set_and_refused_once_closed) {
    run([] {
        auto [a, b] = test::tcp_pair();
        a.set_no_delay(false);
        a.set_no_delay(true);
        a.set_keep_alive({.enabled = true, .idle = 1s, .interval = 1s, .count = 2});
        a.close();
        std::error_code ec;
        a.set_no_delay(true, ec);
        EXPECT_EQ(ec, errc::closed);
        EXPECT_THROW(a.set_keep_alive({}), std::system_error);
    });
}

TEST_P(tcp, a_number_that_is_used_again_wakes_nobody_who_waited_for_it_before) {
    run([] {
        for (std::size_t i = 0; i < test::scaled(300, 50); ++i) {
            auto [a, b] = test::tcp_pair();
            auto reader = spawn([&a] { return read_error(a); });
            until_waiting(1);
            b.write(bytes(""));
            a.close();
            auto [c, d] = test::tcp_pair();  // most likely the same numbers
            auto other = spawn([&c] { return read_text(c); });
            EXPECT_EQ(reader.join(), errc::closed);
            d.write(bytes("x"));
            EXPECT_EQ(other.join(), "x");
        }
    });
}

TEST_P(tcp, connections_that_come_and_go_leave_nothing) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        const std::string at = l.local_address().to_string();
        const std::size_t each = test::scaled(2'000, 300);
        wait_group servers;
        servers.go([&] {
            for (;;) {
                std::error_code ec;
                net::tcp_stream s = l.accept(ec);
                if (ec) {
                    EXPECT_EQ(ec, errc::closed);
                    return;
                }
                servers.go([s = std::move(s)]() mutable {
                    std::error_code end;
                    std::vector<std::byte> room(64);
                    while (const std::size_t n = s.read_some(room, end)) {
                        s.write(std::span(room).first(n), end);
                    }
                });
            }
        });
        wait_group clients;
        for (int c = 0; c < 4; ++c) {
            clients.go([&, c] {
                for (std::size_t i = 0; i < each; ++i) {
                    std::error_code ec;
                    net::tcp_stream s = net::dial(context(), at, ec);
                    ASSERT_FALSE(ec) << ec.message();
                    if (c == 0) {
                        s.set_linger(0s, ec);  // ends with a reset
                    } else if (c != 1) {
                        s.write(bytes("hello"));
                        EXPECT_EQ(read_text(s), "hello");
                    }
                }
            });
        }
        clients.wait();
        l.close();
        servers.wait();
    });
}

/// Leaves the process few descriptors while it lives.
class few_descriptors {
public:
    few_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        ::close(next);
        rlimit tight = before_;
        tight.rlim_cur = static_cast<rlim_t>(next) + 1;
        ::setrlimit(RLIMIT_NOFILE, &tight);
        while ((last_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0) {
            held_.push_back(last_);
        }
    }
    ~few_descriptors() { give_back(); }
    few_descriptors(const few_descriptors&) = delete;
    few_descriptors& operator=(const few_descriptors&) = delete;

    void give_back() {
        for (const int fd : held_) {
            ::close(fd);
        }
        held_.clear();
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }

private:
    rlimit before_{};
    int last_ = -1;
    std::vector<int> held_;
};

TEST_P(tcp, accept_without_descriptors_says_so_waits_and_recovers) {
    run([] {
        std::atomic<int> told = 0;
        net::tcp_listener l = net::listen(
            "127.0.0.1:0", {.on_accept_failure = [&](std::error_code ec, clock::duration pause) {
                EXPECT_EQ(ec, std::errc::too_many_files_open);
                EXPECT_GE(pause, 5ms);
                ++told;
            }});
        // UBSan opens a pipe when it first sees a type: it must have seen these before.
        net::tcp_stream before = net::dial(l.local_address().to_string());
        EXPECT_TRUE(spawn([&] { return l.accept(); }).join().is_open());
        EXPECT_FALSE(spawn([] { return std::error_code(); }).join());

        net::tcp_stream client = net::dial(l.local_address().to_string());
        few_descriptors none;
        auto accepted = spawn([&] { return l.accept(); });
        test::until([&] { return told >= 2; });
        none.give_back();
        net::tcp_stream server = accepted.join();
        server.write(bytes("x"));
        EXPECT_EQ(read_text(client), "x");

        few_descriptors again;
        std::error_code ec;
        const int told_before = told;
        auto [ctx, cancel] = with_cancel(background());
        auto canceled = spawn([&] {
            std::error_code why;
            static_cast<void>(l.accept(ctx, why));
            return why;
        });
        static_cast<void>(net::dial(context(), "127.0.0.1:1", ec));
        EXPECT_EQ(ec, std::errc::too_many_files_open);
        cancel();
        EXPECT_EQ(canceled.join(), errc::canceled);
        EXPECT_EQ(told, told_before);
    });
}

TEST_P(tcp, accept_without_descriptors_is_an_error_where_nobody_is_to_be_told) {
    run([] {
        net::tcp_listener l = net::listen("127.0.0.1:0");
        net::tcp_stream client = net::dial(l.local_address().to_string());
        few_descriptors none;
        std::error_code ec;
        static_cast<void>(l.accept(ec));
        EXPECT_EQ(ec, std::errc::too_many_files_open);
        EXPECT_TRUE(net::is_temporary(ec));
        none.give_back();
        EXPECT_TRUE(l.accept().is_open());
    });
}

TEST(accept_pause, doubles_from_5_ms_up_to_a_second) {
    net::accept_pause pause;
    std::vector<clock::duration> seen;
    for (int i = 0; i < 10; ++i) {
        seen.push_back(pause.next());
    }
    EXPECT_EQ(seen.front(), 5ms);
    EXPECT_EQ(seen[1], 10ms);
    EXPECT_EQ(seen.back(), 1s);
    pause.reset();
    EXPECT_EQ(pause.next(), 5ms);
}

TEST_P(tcp, listening_says_what_is_wrong) {
    run([] {
        std::error_code ec;
        net::tcp_listener l = net::listen("127.0.0.1:0");
        static_cast<void>(net::listen(l.local_address().to_string(), {}, ec));
        EXPECT_EQ(ec, std::errc::address_in_use);
        static_cast<void>(net::listen("127.0.0.1", {}, ec));
        EXPECT_EQ(ec, errc::missing_port);
        static_cast<void>(net::listen("127.0.0.1:no_such_service", {}, ec));
        EXPECT_EQ(ec, errc::bad_address);
        static_cast<void>(net::listen("192.0.2.1:0", {}, ec));
        EXPECT_EQ(ec, std::errc::address_not_available);
        try {
            static_cast<void>(net::listen("192.0.2.1:0"));
            FAIL() << "nothing was thrown";
        } catch (const std::system_error& error) {
            EXPECT_NE(std::string(error.what()).find("192.0.2.1:0"), std::string::npos);
        }
        net::tcp_listener any = net::listen(":0");
        const std::string port = std::to_string(any.local_address().port());
        EXPECT_TRUE(net::dial("127.0.0.1:" + port).is_open());
        EXPECT_TRUE(net::dial(":" + port).is_open());
    });
}

}  // namespace
}  // namespace runnel
