// The timed forms of channels and selects, raced against their peers: whatever is sent arrives
// once, and nobody writes into a frame that has gone.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

/// Overwrites the part of the stack that the last call has used.
[[gnu::noinline]] void scribble() {
    std::array<volatile unsigned char, 2048> trash;
    for (auto& each : trash) {
        each = 0xa5;
    }
}

/// Limits from "has passed" to "about as long as the peer takes".
std::chrono::nanoseconds some_time(std::size_t i) { return (i % 60) * 700ns - 1us; }

/// What two sides have counted, each by the results of its own calls.
struct tally {
    std::atomic<std::uint64_t> count = 0;
    std::atomic<std::uint64_t> sum = 0;
    void add(std::uint64_t value) {
        ++count;
        sum += value;
    }
};

using timed_chan = test::on_workers;

/// Two timed senders and two timed receivers; the receivers drain what is left.
void race(std::size_t rounds, std::ptrdiff_t capacity) {
    auto ch = make_chan<std::string>(capacity);
    tally sent, received;
    wait_group senders, receivers;
    for (std::size_t s = 0; s < 2; ++s) {
        senders.go([&, s] {
            for (std::size_t i = 0; i < rounds; ++i) {
                std::string value = std::to_string(i + 1) + std::string(30, ' ');  // on the heap
                const op_status status = ch.send_for(some_time(i + s), std::move(value));
                scribble();
                if (status == op_status::ok) {
                    sent.add(i + 1);
                } else {
                    ASSERT_EQ(status, op_status::timeout);
                    ASSERT_EQ(std::stoull(value), i + 1) << "what was not sent is still ours";
                }
            }
        });
        receivers.go([&, s] {
            for (std::size_t i = 0;; ++i) {
                std::string value = "untouched";
                const op_status status = ch.recv_for(some_time(7 * i + s), value);
                scribble();
                if (status == op_status::ok) {
                    received.add(std::stoull(value));
                } else {
                    ASSERT_EQ(value, "untouched");
                    if (status == op_status::closed) {
                        break;
                    }
                }
            }
        });
    }
    senders.wait();
    ch.close();
    receivers.wait();
    EXPECT_EQ(sent.count, received.count);
    EXPECT_EQ(sent.sum, received.sum);
}

TEST_P(timed_chan, unbuffered_sends_and_receives_that_give_up_agree_on_what_was_sent) {
    run([] { race(test::scaled(20'000, 1'500), 0); });
}

TEST_P(timed_chan, buffered_sends_and_receives_that_give_up_agree_on_what_was_sent) {
    run([] { race(test::scaled(20'000, 1'500), 2); });
}

TEST_P(timed_chan, selects_that_give_up_agree_on_what_was_sent) {
    const std::size_t rounds = test::scaled(10'000, 1'000);
    run([rounds] {
        auto a = make_chan<std::uint64_t>();
        auto b = make_chan<std::uint64_t>(1);
        auto stop = make_chan<unit>();
        tally sent, received;
        wait_group senders, receivers;
        for (std::size_t s = 0; s < 2; ++s) {
            senders.go([&, s] {
                for (std::size_t i = 0; i < rounds; ++i) {
                    std::uint64_t one = i + 1, other = i + 2;
                    const std::size_t chosen =
                        select(on_send(a, one), on_send(b, other), on_timeout(some_time(i + s)));
                    scribble();
                    if (chosen < 2) {
                        sent.add(chosen == 0 ? i + 1 : i + 2);
                    }
                }
            });
            receivers.go([&, s] {
                for (std::size_t i = 0;; ++i) {
                    std::optional<std::uint64_t> from_a, from_b;
                    std::optional<unit> over;
                    const std::size_t chosen =
                        select(on_recv(a, from_a), on_recv(b, from_b), on_recv(stop, over),
                               on_timeout(some_time(3 * i + s)));
                    scribble();
                    if (chosen == 2) {
                        break;
                    }
                    if (chosen < 2) {
                        received.add(chosen == 0 ? from_a.value() : from_b.value());
                    }
                }
            });
        }
        senders.wait();
        stop.close();
        receivers.wait();
        for (std::uint64_t left = 0; b.try_recv(left) == op_status::ok;) {
            received.add(left);
        }
        EXPECT_EQ(sent.count, received.count);
        EXPECT_EQ(sent.sum, received.sum);
    });
}

TEST_P(timed_chan, receives_that_give_up_while_the_channel_is_closed_end_either_way) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto ch = make_chan<int>();
            auto receiver = spawn([&] {
                int value = 5;
                const op_status status = ch.recv_for(some_time(i), value);
                scribble();
                EXPECT_EQ(value, 5);
                return status;
            });
            for (std::size_t k = 0; k < i % 4; ++k) {
                yield();
            }
            ch.close();
            const op_status status = receiver.join();
            ASSERT_TRUE(status == op_status::closed || status == op_status::timeout);
        }
    });
}

TEST_P(timed_chan, plain_threads_and_goroutines_agree_on_what_was_sent) {
    const std::size_t rounds = test::scaled(5'000, 500);
    auto ch = make_chan<std::uint64_t>();
    tally sent, received;
    std::atomic<bool> over = false;
    std::vector<std::thread> threads;
    threads.emplace_back([&] {
        for (std::size_t i = 0; i < rounds; ++i) {
            if (ch.send_for(some_time(i), i + 1) == op_status::ok) {
                sent.add(i + 1);
            }
            scribble();
        }
    });
    threads.emplace_back([&] {
        for (std::size_t i = 0; !over; ++i) {
            std::uint64_t value = 0;
            if (ch.recv_for(some_time(5 * i), value) == op_status::ok) {
                received.add(value);
            }
            scribble();
        }
    });
    run([&] {
        wait_group both;
        both.go([&] {
            for (std::size_t i = 0; i < rounds; ++i) {
                if (ch.send_for(some_time(i), i + 1) == op_status::ok) {
                    sent.add(i + 1);
                }
            }
        });
        both.go([&] {
            for (std::size_t i = 0; i < rounds; ++i) {
                std::uint64_t value = 0;
                if (ch.recv_for(some_time(3 * i), value) == op_status::ok) {
                    received.add(value);
                }
            }
        });
        both.wait();
    });
    threads[0].join();
    over = true;
    threads[1].join();
    EXPECT_EQ(sent.count, received.count);
    EXPECT_EQ(sent.sum, received.sum);
}

INSTANTIATE_TEST_SUITE_P(workers, timed_chan, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
