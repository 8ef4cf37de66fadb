// test/go/plain_thread_test.cpp: the same channels, from threads that are not goroutines.
//
// Nothing here calls runnel::run. Threads meet each other, goroutines of the process-wide runtime,
// and goroutines of explicit runtimes with 1, 2 and 8 workers.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

// How the other side of a test runs.
struct on_a_goroutine {
    template <class F>
    explicit on_a_goroutine(F f) : handle_(spawn(std::move(f))) {}
    void join() { handle_.join(); }

private:
    join_handle<void> handle_;
};

struct on_a_thread {
    template <class F>
    explicit on_a_thread(F f) : thread_(std::move(f)) {}
    void join() { thread_.join(); }

private:
    std::thread thread_;
};

template <class Peer>
class go_plain_thread : public ::testing::Test {};

struct peer_names {
    template <class Peer>
    static std::string GetName(int) {
        return std::is_same_v<Peer, on_a_thread> ? "meets_thread" : "meets_goroutine";
    }
};

using peers = ::testing::Types<on_a_goroutine, on_a_thread>;
TYPED_TEST_SUITE(go_plain_thread, peers, peer_names);

TYPED_TEST(go_plain_thread, plays_ping_pong) {
    for (const std::ptrdiff_t capacity : {0, 1}) {
        auto ping = make_chan<int>(capacity);
        auto pong = make_chan<int>(capacity);
        TypeParam peer([=] {
            for (const int v : ping) {
                pong.send(v + 1);
            }
            pong.close();
        });
        const int rounds = static_cast<int>(test::scaled(2'000, 500));
        for (int i = 0; i < rounds; ++i) {
            ping.send(i);
            EXPECT_EQ(pong.recv(), i + 1);
        }
        ping.close();
        EXPECT_FALSE(pong.recv().has_value());
        peer.join();
    }
}

TYPED_TEST(go_plain_thread, ranges_over_a_channel_until_it_is_closed) {
    for (const std::ptrdiff_t capacity : {0, 7}) {
        auto values = make_chan<int>(capacity);
        TypeParam producer([=] {
            for (int i = 1; i <= 1000; ++i) {
                values.send(i);
            }
            values.close();
        });
        int last = 0;
        for (const int v : values) {
            EXPECT_EQ(v, last + 1);
            last = v;
        }
        EXPECT_EQ(last, 1000);
        producer.join();
    }
}

TYPED_TEST(go_plain_thread, selects_between_sends_and_receives) {
    auto in = make_chan<int>();
    auto out = make_chan<int>();
    constexpr int n = 1000;
    TypeParam peer([=] {
        std::optional<int> v;
        int received = 0;
        for (int sent = 0; sent < n || received < n;) {
            const auto target = sent < n ? in : chan<int>{};
            const auto source = received < n ? out : chan<int>{};
            if (select(on_send(target, sent), on_recv(source, v)) == 0) {
                ++sent;
            } else {
                EXPECT_EQ(v, received);
                ++received;
            }
        }
    });
    std::optional<int> v;
    int received = 0;
    for (int sent = 0; sent < n || received < n;) {
        const auto target = sent < n ? out : chan<int>{};
        const auto source = received < n ? in : chan<int>{};
        if (select(on_recv(source, v), on_send(target, sent)) == 0) {
            EXPECT_EQ(v, received);
            ++received;
        } else {
            ++sent;
        }
    }
    peer.join();
}

TYPED_TEST(go_plain_thread, waits_on_a_selector) {
    std::array<chan<int>, 3> sources;
    for (auto& c : sources) {
        c = make_chan<int>();
    }
    TypeParam peer([=] {
        for (int i = 0; i < 300; ++i) {
            sources.at(static_cast<std::size_t>(i) % 3).send(i);
        }
        for (const auto& c : sources) {
            c.close();
        }
    });
    std::array<std::optional<int>, 3> slots;
    selector s;
    for (std::size_t i = 0; i < 3; ++i) {
        s.add_recv(sources.at(i), slots.at(i));
    }
    int total = 0;
    for (int open = 3; open > 0;) {
        const std::size_t i = s.wait();
        if (slots.at(i)) {
            total += *slots.at(i);
        } else {
            s.disable(i);
            --open;
        }
    }
    EXPECT_EQ(total, 299 * 300 / 2);
    peer.join();
}

// However late a receiver comes, the close reaches it.
TYPED_TEST(go_plain_thread, close_wakes_every_receiver) {
    for (std::size_t round = test::scaled(200, 50); round > 0; --round) {
        auto c = make_chan<int>();
        auto never = make_chan<int>();
        std::vector<TypeParam> receivers;
        receivers.reserve(4);
        for (int i = 0; i < 2; ++i) {
            receivers.emplace_back([c] { EXPECT_FALSE(c.recv().has_value()); });
            receivers.emplace_back([c, never] {
                std::optional<int> v = 1;
                EXPECT_EQ(select(on_recv(never), on_recv(c, v)), 1U);
                EXPECT_FALSE(v.has_value());
            });
        }
        c.close();
        for (auto& r : receivers) {
            r.join();
        }
    }
}

TYPED_TEST(go_plain_thread, close_ends_every_send_with_an_exception) {
    for (std::size_t round = test::scaled(200, 50); round > 0; --round) {
        auto c = make_chan<int>();
        auto never = make_chan<int>();
        TypeParam sender([c] { EXPECT_THROW(c.send(1), channel_closed); });
        TypeParam selecting(
            [c, never] { EXPECT_THROW(select(on_recv(never), on_send(c, 1)), channel_closed); });
        c.close();
        sender.join();
        selecting.join();
    }
}

TYPED_TEST(go_plain_thread, gives_up_after_a_time) {
    auto c = make_chan<int>();
    auto full = make_chan<int>(1);
    full.send(0);
    TypeParam peer([=] {
        int v = 7;
        EXPECT_EQ(c.recv_for(1ms, v), op_status::timeout);
        EXPECT_EQ(v, 7);
        EXPECT_EQ(full.send_for(1ms, 1), op_status::timeout);
        EXPECT_EQ(select(on_recv(c), on_send(full, 1), on_timeout(1ms)), 2U);
    });
    int v = 7;
    EXPECT_EQ(c.recv_for(1ms, v), op_status::timeout);
    EXPECT_EQ(select(on_recv(c), on_send(full, 1), on_timeout(1ms)), 2U);
    peer.join();
    EXPECT_EQ(full.recv(), 0);  // nobody's value has got in
    EXPECT_EQ(full.len(), 0U);
}

TYPED_TEST(go_plain_thread, waits_for_a_group) {
    for (std::size_t round = test::scaled(500, 100); round > 0; --round) {
        wait_group wg;
        wg.add(2);
        int v = 0;
        TypeParam a([&] {
            v = 1;
            wg.done();
        });
        TypeParam b([&] { wg.done(); });
        wg.wait();
        EXPECT_EQ(v, 1);
        a.join();
        b.join();
    }
}

TYPED_TEST(go_plain_thread, shares_a_mutex_and_a_condition_variable) {
    mutex m;
    condition_variable turn_changed;
    int turn = 0;  // guarded by m
    const auto play = [&](int self) {
        for (int i = 0; i < 500; ++i) {
            std::unique_lock held(m);
            turn_changed.wait(held, [&] { return turn % 2 == self; });
            ++turn;
            turn_changed.notify_one();
        }
    };
    TypeParam peer([&] { play(1); });
    play(0);
    peer.join();
    EXPECT_EQ(turn, 1000);
}

TYPED_TEST(go_plain_thread, exchanges_values_among_many_and_loses_none) {
    constexpr std::size_t sides = 4;
    const std::size_t n = test::scaled(2'000, 500);
    auto c = make_chan<std::size_t>(3);
    std::vector<std::atomic<int>> seen(sides * n + 100);
    std::vector<TypeParam> senders;
    std::vector<TypeParam> receivers;
    for (std::size_t s = 0; s < sides; ++s) {
        receivers.emplace_back([&seen, c] {
            for (const std::size_t v : c) {
                ++seen.at(v);
            }
        });
        senders.emplace_back([=] {
            for (std::size_t i = 0; i < n; ++i) {
                c.send(s * n + i);
            }
        });
    }
    // This thread takes part as well, sending its own values or receiving anybody's.
    std::optional<std::size_t> received;
    for (std::size_t own = sides * n; own < seen.size();) {
        if (select(on_send(c, own), on_recv(c, received)) == 0) {
            ++own;
        } else {
            ++seen.at(*received);
        }
    }
    for (auto& s : senders) {
        s.join();
    }
    c.close();
    for (auto& r : receivers) {
        r.join();
    }
    for (std::size_t v = 0; v < seen.size(); ++v) {
        ASSERT_EQ(seen[v], 1) << "value " << v;
    }
}

// The runtime's own main goroutine on one side, a thread on the other.
using go_plain_thread_beside_runtime = test::on_workers;

TEST_P(go_plain_thread_beside_runtime, plays_ping_pong) {
    auto ping = make_chan<int>();
    auto pong = make_chan<int>();
    constexpr int rounds = 2000;
    std::thread thread([=] {
        for (const int v : ping) {
            pong.send(-v);
        }
    });
    run([=] {
        for (int i = 0; i < rounds; ++i) {
            ping.send(i);
            EXPECT_EQ(pong.recv(), -i);
        }
        ping.close();
    });
    thread.join();
}

TEST_P(go_plain_thread_beside_runtime, feeds_a_crowd_of_goroutines_and_collects_from_them) {
    auto jobs = make_chan<int>();
    auto results = make_chan<int>();
    constexpr int n = 2000;
    std::thread feeder([=] {
        for (int i = 1; i <= n; ++i) {
            jobs.send(i);
        }
        jobs.close();
    });
    long sum = 0;
    std::thread collector([&sum, results] {
        for (const int v : results) {
            sum += v;
        }
    });
    run([=] {
        wait_group crowd;
        for (int i = 0; i < 20; ++i) {
            crowd.go([=] {
                for (const int v : jobs) {
                    results.send(v);
                }
            });
        }
        crowd.wait();
        results.close();
    });
    feeder.join();
    collector.join();
    EXPECT_EQ(sum, long{n} * (n + 1) / 2);
}

TEST_P(go_plain_thread_beside_runtime, selects_against_a_goroutine_that_selects) {
    auto a = make_chan<int>();
    auto b = make_chan<int>();
    constexpr int n = 2000;
    // Either side may be the one that sends, on either channel: n exchanges happen all the same.
    const auto exchange = [a, b](int self) {
        int received = 0;
        for (int i = 0; i < n; ++i) {
            std::optional<int> v;
            select(on_send(a, self), on_recv(a, v), on_send(b, self), on_recv(b, v));
            EXPECT_NE(v, self);
            received += v ? 1 : 0;
        }
        return received;
    };
    int received_by_thread = 0;
    std::thread thread([&] { received_by_thread = exchange(1); });
    int received_by_goroutine = 0;
    run([&] { received_by_goroutine = exchange(2); });
    thread.join();
    EXPECT_EQ(received_by_thread + received_by_goroutine, n);
}

INSTANTIATE_TEST_SUITE_P(workers, go_plain_thread_beside_runtime, test::worker_counts,
                         test::worker_name);

}  // namespace
}  // namespace runnel
