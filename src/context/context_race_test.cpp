// context/context_race_test.cpp: threads that cancel, derive from and drop parts of one tree.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

/// An exception with memory of its own, as users have them.
struct reason : std::exception {
    explicit reason(int n) : text("reason number " + std::to_string(n) + ", and a long one") {}
    [[nodiscard]] const char* what() const noexcept override { return text.c_str(); }
    std::string text;
};

/// A tree with `fan` children a node; the children of node i begin at i * fan + 1.
struct forest {
    static constexpr std::size_t fan = 3;

    explicit forest(std::size_t size) {
        cancels.reserve(size);
        for (std::size_t i = 0; i < size; ++i) {
            const context parent = i == 0 ? background() : contexts[(i - 1) / fan];
            // Some have a deadline that may come in the middle.
            auto [ctx, cancel] = i % 7 == 6 ? with_timeout(parent, std::chrono::microseconds(i * 5))
                                            : with_cancel(parent);
            contexts.push_back(ctx);
            done.push_back(i % 2 == 0 ? ctx.done() : recv_chan<unit>());
            cancels.push_back(std::move(cancel));
        }
    }
    /// Node `i` and all below it have ended, in every respect.
    void expect_ended(std::size_t i) const {
        unit u;
        ASSERT_TRUE(contexts[i].err());
        ASSERT_EQ(contexts[i].done().try_recv(u), op_status::closed);
        ASSERT_NE(contexts[i].cause(), nullptr);
        if (done[i]) {
            ASSERT_EQ(done[i].try_recv(u), op_status::closed);
        }
        for (std::size_t c = i * fan + 1; c <= i * fan + fan && c < contexts.size(); ++c) {
            expect_ended(c);
        }
    }

    std::vector<context> contexts;
    std::vector<recv_chan<unit>> done;
    std::vector<cancel_func> cancels;
};

TEST(context_race, all_below_have_ended_whenever_cancel_returns) {
    const std::size_t size = 364;  // six levels
    for (std::size_t round = 0; round < test::scaled(60, 8); ++round) {
        forest f(size);
        std::atomic<int> cancelling = 3;
        std::vector<std::thread> threads;
        for (unsigned t = 0; t < 3; ++t) {
            threads.emplace_back([&, t] {
                std::minstd_rand random(static_cast<unsigned>(round) * 8 + t);
                for (std::size_t n = 0; n < 20; ++n) {
                    const std::size_t i = random() % (n < 10 ? size : 13);
                    f.cancels[i](std::make_exception_ptr(reason(static_cast<int>(i))));
                    f.expect_ended(i);
                }
                --cancelling;
            });
        }
        for (unsigned t = 0; t < 2; ++t) {
            threads.emplace_back([&, t] {
                std::minstd_rand random(static_cast<unsigned>(round) * 8 + 4 + t);
                while (cancelling != 0) {
                    const std::size_t i = random() % size;
                    auto [a, cancel_a] = with_cancel(f.contexts[i]);
                    auto [b, cancel_b] = with_timeout(a, 1h);
                    on_cancel(b, [] {});
                    auto third = b.done();
                    std::move(cancel_a).release();
                    std::move(cancel_b).release();
                    if (f.contexts[i].err()) {
                        ASSERT_TRUE(with_cancel(f.contexts[i]).get<0>().err());
                    }
                }
            });
        }
        for (std::thread& t : threads) {
            t.join();
        }
    }
}

TEST(context_race, who_sees_the_end_in_one_way_sees_it_in_all) {
    const std::size_t rounds = test::scaled(500, 100);
    for (std::size_t round = 0; round < rounds; ++round) {
        auto [root, cancel] = with_cancel(background());
        auto [ctx, cancel_ctx] = with_cancel(root);
        const recv_chan<unit> done = ctx.done();
        std::vector<std::thread> threads;
        const auto ended = [&] {
            unit u;
            EXPECT_EQ(done.try_recv(u), op_status::closed);
            EXPECT_TRUE(ctx.err());
            EXPECT_NE(ctx.cause(), nullptr);
            EXPECT_TRUE(root.err());
        };
        threads.emplace_back([&] {
            select(on_done(ctx));
            ended();
        });
        threads.emplace_back([&] {
            while (!ctx.err()) {
            }
            ended();
        });
        threads.emplace_back([&] {
            while (ctx.cause() == nullptr) {
            }
            ended();
        });
        threads.emplace_back([&] {
            done.recv();
            ended();
        });
        threads.emplace_back([&] {
            // A child that was born too late may be the first to end.
            auto [child, cancel_child] = with_cancel(root);
            child.done().recv();
            EXPECT_TRUE(root.err());
        });
        cancel(std::make_exception_ptr(reason(1)));
        for (std::thread& t : threads) {
            t.join();
        }
    }
}

TEST(context_race, functions_run_once_or_are_taken_back) {
    for (std::size_t round = 0; round < test::scaled(1000, 200); ++round) {
        auto [ctx, cancel] = with_cancel(background());
        std::atomic<int> ran = 0;
        auto over = make_chan<unit>(2);
        auto a = on_cancel(ctx, [&ran, over] {
            ++ran;
            over.send();
        });
        std::thread canceller([&] { cancel(); });
        const bool stopped = a.stop();
        canceller.join();
        if (!stopped) {
            over.recv();
        }
        EXPECT_EQ(ran, stopped ? 0 : 1);
    }
}

}  // namespace
}  // namespace runnel
