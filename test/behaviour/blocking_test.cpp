// test/behaviour/blocking_test.cpp: calls that block their thread, announced and not, leave the
// other goroutines their workers.
#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

// A gate for threads, of the standard library's: the runtime knows nothing of it.
class thread_gate {
public:
    void pass() {
        std::unique_lock lock(lock_);
        ++waiting_;
        opened_.wait(lock, [this] { return open_; });
    }
    void open() {
        const std::lock_guard lock(lock_);
        open_ = true;
        opened_.notify_all();
    }
    int waiting() {
        const std::lock_guard lock(lock_);
        return waiting_;
    }

private:
    std::mutex lock_;
    std::condition_variable opened_;
    int waiting_ = 0;
    bool open_ = false;
};

constexpr int sleepers = 64;

// One round trip with `echo`, which answers each number with its double.
void expect_round_trips(const chan<int>& ask, const chan<int>& answer, int count) {
    for (int i = 0; i < count; ++i) {
        ask.send(i);
        ASSERT_EQ(answer.recv(), 2 * i);
    }
}

void start_echo(const chan<int>& ask, const chan<int>& answer) {
    go([=] {
        for (int n : ask) {
            answer.send(2 * n);
        }
    });
}

using blocking_call = test::on_workers;

TEST_P(blocking_call, of_64_goroutines_at_once_holds_nobody_back) {
    run([] {
        auto ask = make_chan<int>();
        auto answer = make_chan<int>();
        start_echo(ask, answer);
        thread_gate gate;
        wait_group all;
        for (int i = 0; i < sleepers; ++i) {
            all.go([&] { blocking([&] { gate.pass(); }); });
        }
        while (gate.waiting() < sleepers) {  // all at the same time
            expect_round_trips(ask, answer, 10);
        }
        expect_round_trips(ask, answer, 1000);
        gate.open();
        all.wait();
        ask.close();
    });
}

TEST_P(blocking_call, that_nobody_announced_holds_nobody_back) {
    run([] {
        auto ask = make_chan<int>();
        auto answer = make_chan<int>();
        start_echo(ask, answer);
        thread_gate gate;
        wait_group all;
        for (int i = 0; i < 10; ++i) {
            all.go([&] { gate.pass(); });
        }
        while (gate.waiting() < 10) {
            expect_round_trips(ask, answer, 10);
        }
        expect_round_trips(ask, answer, 1000);
        gate.open();
        all.wait();
        ask.close();
    });
}

TEST_P(blocking_call, returns_what_the_function_returns) {
    run([] {
        EXPECT_EQ(blocking([] { return 42; }), 42);
        EXPECT_EQ(blocking([] { return std::string(1000, 'x'); }), std::string(1000, 'x'));
        std::unique_ptr<int> owned = blocking([] { return std::make_unique<int>(7); });
        EXPECT_EQ(*owned, 7);
        int seen = 0;
        blocking([&] { seen = 1; });
        EXPECT_EQ(seen, 1);
    });
}

TEST_P(blocking_call, lets_exceptions_pass) {
    run([] {
        for (int i = 0; i < 100; ++i) {
            try {
                blocking([&] { throw std::out_of_range(std::to_string(i)); });
                ADD_FAILURE() << "nothing thrown";
            } catch (const std::out_of_range& e) {
                EXPECT_EQ(e.what(), std::to_string(i));
            }
        }
    });
}

TEST_P(blocking_call, in_a_catch_block_keeps_the_exception) {
    run([] {
        wait_group all;
        for (int id = 0; id < 16; ++id) {
            all.go([id] {
                for (int round = 0; round < 50; ++round) {
                    try {
                        try {
                            throw id * 1000 + round;
                        } catch (int) {
                            blocking([] { std::this_thread::yield(); });
                            throw;
                        }
                    } catch (int caught) {
                        EXPECT_EQ(caught, id * 1000 + round);
                    }
                }
            });
        }
        all.wait();
    });
}

TEST_P(blocking_call, comes_back_to_its_goroutine) {
    run([] {
        spawn(go_options{.name = "reader"}, [] {
            const auto id = this_goroutine::id();
            blocking([] { std::this_thread::yield(); });
            EXPECT_EQ(this_goroutine::id(), id);
            EXPECT_EQ(this_goroutine::name(), "reader");
        }).join();
    });
}

TEST_P(blocking_call, may_be_nested) {
    run([] { EXPECT_EQ(blocking([] { return blocking([] { return 5; }) + 1; }), 6); });
}

TEST_P(blocking_call, may_use_channels) {
    run([] {
        auto ask = make_chan<int>();
        auto answer = make_chan<int>();
        start_echo(ask, answer);
        blocking([&] { expect_round_trips(ask, answer, 200); });
        ask.close();
    });
}

TEST_P(blocking_call, may_be_repeated_without_end) {
    run([] {
        std::atomic<int> calls = 0;
        wait_group all;
        for (int i = 0; i < 8; ++i) {
            all.go([&] {
                for (int n = 0; n < 500; ++n) {
                    blocking([&] { ++calls; });
                }
            });
        }
        all.wait();
        EXPECT_EQ(calls, 8 * 500);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, blocking_call, test::worker_counts, test::worker_name);

TEST(blocking_call, on_a_plain_thread_is_a_plain_call) {
    EXPECT_EQ(blocking([] { return ::getpid(); }), ::getpid());
    EXPECT_THROW(blocking([] { throw std::runtime_error("x"); }), std::runtime_error);
}

}  // namespace
}  // namespace runnel
