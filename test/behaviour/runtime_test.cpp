// test/behaviour/runtime_test.cpp: runtime instances side by side, and their beginning and end.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

std::ptrdiff_t threads_of_this_process() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                         std::filesystem::directory_iterator());
}

TEST(runtimes, exchange_through_unbuffered_channels) {
    const auto rounds = static_cast<int>(test::scaled(100'000, 5'000));
    auto there = make_chan<int>();
    auto back = make_chan<int>();
    std::thread other([=] {
        runtime rt{{.workers = 2}};
        rt.run([=] {
            for (int n : there) {
                back.send(n + 1);
            }
            back.close();
        });
    });
    runtime rt{{.workers = 2}};
    int wrong = 0;
    rt.run([&] {
        for (int i = 0; i < rounds; ++i) {
            there.send(i);
            wrong += back.recv() != i + 1;
        }
        there.close();
        EXPECT_EQ(back.recv(), std::nullopt);
    });
    other.join();
    EXPECT_EQ(wrong, 0);
}

TEST(runtimes, share_a_buffered_channel_with_the_process_wide_one_and_plain_threads) {
    constexpr int senders = 4;
    const auto each = static_cast<int>(test::scaled(20'000, 2'000));
    auto numbers = make_chan<int>(16);
    std::atomic<int> open = senders;
    const auto send_all = [=, &open] {
        for (int i = 1; i <= each; ++i) {
            numbers.send(i);
        }
        if (--open == 0) {
            numbers.close();
        }
    };
    std::thread thread(send_all);
    std::thread one([&] { runtime({.workers = 1}).run(send_all); });
    std::thread two([&] { runtime({.workers = 2}).run(send_all); });
    go(send_all);
    long long sum = 0;
    for (int n : numbers) {
        sum += n;
    }
    thread.join();
    one.join();
    two.join();
    EXPECT_EQ(sum, senders * (static_cast<long long>(each) * (each + 1) / 2));
}

TEST(runtimes, select_over_each_others_channels) {
    auto left = make_chan<int>();
    auto right = make_chan<int>();
    constexpr int rounds = 2'000;
    const auto feed = [](chan<int> out) {
        return std::thread([out] {
            runtime({.workers = 2}).run([out] {
                for (int i = 0; i < rounds; ++i) {
                    out.send(i);
                }
            });
        });
    };
    std::thread one = feed(left);
    std::thread two = feed(right);
    int next_left = 0;
    int next_right = 0;
    runtime({.workers = 2}).run([&] {
        for (int i = 0; i < 2 * rounds; ++i) {
            std::optional<int> from_left, from_right;
            if (select(on_recv(left, from_left), on_recv(right, from_right)) == 0) {
                EXPECT_EQ(from_left, next_left++);
            } else {
                EXPECT_EQ(from_right, next_right++);
            }
        }
    });
    one.join();
    two.join();
    EXPECT_EQ(next_left, rounds);
    EXPECT_EQ(next_right, rounds);
}

TEST(runtimes, start_and_stop_a_thousand_times) {
    const std::size_t times = test::scaled(1'000, 50);
    runtime({.workers = 2}).run([] {});
    const auto threads = threads_of_this_process();
    const auto goroutines = debug::live_goroutines();
    for (std::size_t i = 0; i < times; ++i) {
        runtime rt{{.workers = 1 + i % 4}};
        int sum = 0;
        rt.run([&] {
            auto numbers = make_chan<int>(static_cast<std::ptrdiff_t>(i % 3));
            go([=] {
                for (int n = 1; n <= 4; ++n) {
                    numbers.send(n);
                }
                numbers.close();
            });
            for (int n : numbers) {
                sum += n;
            }
        });
        ASSERT_EQ(sum, 10);
    }
    EXPECT_LE(threads_of_this_process(), threads);
    EXPECT_EQ(debug::live_goroutines(), goroutines);
}

TEST(runtimes, start_and_stop_without_ever_running_anything) {
    for (std::size_t i = 0; i < 100; ++i) {
        runtime rt{{.workers = 1 + i % 8}};
    }
}

TEST(runtimes, run_again_and_again) {
    runtime rt{{.workers = 2}};
    int runs = 0;
    for (int i = 0; i < 1'000; ++i) {
        rt.run([&] { ++runs; });
    }
    EXPECT_EQ(runs, 1'000);
}

TEST(runtimes, wait_for_their_goroutines_when_destroyed) {
    for (int i = 0; i < 100; ++i) {
        std::atomic<int> finished = 0;
        {
            runtime rt{{.workers = 2}};
            rt.run([&] {
                for (int n = 0; n < 20; ++n) {
                    go([&, n] {
                        for (int yields = 0; yields < n; ++yields) {
                            yield();
                        }
                        sleep_for(std::chrono::microseconds(10 * n));
                        ++finished;
                    });
                }
            });
        }
        ASSERT_EQ(finished, 20);
    }
}

TEST(runtimes, end_while_another_one_still_holds_their_channels) {
    auto numbers = make_chan<int>(1);
    runtime({.workers = 2}).run([=] { numbers.send(1); });
    runtime({.workers = 2}).run([=] { EXPECT_EQ(numbers.recv(), 1); });
}

TEST(run, returns_the_int_of_its_function_and_may_be_called_again) {
    EXPECT_EQ(run([] { return 3; }), 3);
    EXPECT_EQ(run([] {}), 0);
    EXPECT_EQ(run([] { return 4; }), 4);
}

TEST(run, inside_a_goroutine_is_a_mistake_and_says_so) {
    run([] { EXPECT_THROW(run([] {}), std::logic_error); });
}

}  // namespace
}  // namespace runnel
