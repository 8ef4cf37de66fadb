// test/stress/catch_block_test.cpp: a goroutine may block wherever an exception is in flight, in a
// catch block or in a destructor that unwinding runs, and wake on another thread. What the C++
// runtime library keeps per thread is kept per goroutine (S82).
#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

// The kernel's answer, asked anew each time: nothing that a compiler might keep across a switch.
[[gnu::noinline]] long current_thread() { return ::syscall(SYS_gettid); }

// ---- exchanging in a catch block

struct token {
    int owner;
    std::uint64_t round;
};

struct tally {
    std::atomic<std::uint64_t> exchanges = 0;
    std::atomic<std::uint64_t> wrong = 0;    // another exception than the one thrown
    std::atomic<std::uint64_t> changes = 0;  // woke on another thread
};

// Keeps its worker busy for a while, so that an idle one comes and takes what is waiting here.
void work_for(std::chrono::microseconds d) {
    const auto end = std::chrono::steady_clock::now() + d;
    while (std::chrono::steady_clock::now() < end) {
    }
}

struct request {
    std::uint64_t round;
    chan<std::uint64_t> reply;
};

// One of two goroutines that meet: a client asks, and a server answers.
class player {
public:
    player(int id, bool serves, chan<request> requests, tally& t)
        : id_(id), serves_(serves), requests_(std::move(requests)), tally_(t) {}

    void play(std::uint64_t rounds) {
        for (std::uint64_t round = 0; round < rounds; ++round) {
            try {
                exchange_while_handling(round);
                ++tally_.wrong;
            } catch (const token& caught) {
                tally_.wrong += caught.owner == id_ && caught.round == round ? 0 : 1;
            } catch (...) {
                ++tally_.wrong;
            }
            if (serves_) {
                ++tally_.exchanges;
            }
        }
    }

private:
    void exchange_while_handling(std::uint64_t round) {
        try {
            throw token{id_, round};
        } catch (const token&) {
            const long before = current_thread();
            exchange(round);
            if (current_thread() != before) {
                ++tally_.changes;
            }
            throw;  // ours, although the other side threw its own meanwhile, perhaps on this thread
        }
    }

    void exchange(std::uint64_t round) {
        if (serves_) {
            const std::optional<request> asked = requests_.recv();
            asked->reply.send(asked->round);
        } else {
            requests_.send({round, reply_});
            tally_.wrong += reply_.recv() == round ? 0 : 1;
        }
        if (round % 16 == static_cast<std::uint64_t>(id_ % 16)) {
            yield();
        }
        if (round % 64 == static_cast<std::uint64_t>(id_ % 64)) {
            work_for(std::chrono::microseconds(50));
        }
    }

    int id_;
    bool serves_;
    chan<request> requests_;
    chan<std::uint64_t> reply_ = make_chan<std::uint64_t>();
    tally& tally_;
};

// Each client has a server of its own.
void play_in_pairs(int pairs, std::uint64_t rounds_each, tally& t) {
    wait_group players;
    for (int pair = 0; pair < pairs; ++pair) {
        auto requests = make_chan<request>();
        players.go([=, &t] { player(2 * pair, true, requests, t).play(rounds_each); });
        players.go([=, &t] { player(2 * pair + 1, false, requests, t).play(rounds_each); });
    }
    players.wait();
}

// Any client meets any server: whoever is woken goes on beside its waker, so that the two sides
// follow each other from thread to thread.
void play_with_anybody(int pairs, std::uint64_t rounds_each, tally& t) {
    wait_group players;
    auto requests = make_chan<request>();
    for (int pair = 0; pair < pairs; ++pair) {
        players.go([=, &t] { player(2 * pair, true, requests, t).play(rounds_each); });
        players.go([=, &t] { player(2 * pair + 1, false, requests, t).play(rounds_each); });
    }
    players.wait();
}

using catch_block = test::on_workers;

TEST_P(catch_block, rethrows_its_own_exception_after_blocking) {
    tally t;
    const auto rounds = test::scaled(20'000, 500);
    run([&] { play_in_pairs(4, rounds, t); });
    EXPECT_EQ(t.exchanges, 4 * rounds);
    EXPECT_EQ(t.wrong, 0U);
}

TEST(catch_block, rethrows_the_right_exception_a_million_times_while_changing_threads) {
    const std::uint64_t exchanges = test::scaled(1'000'000, 40'000);
    const std::uint64_t changes = test::scaled(10'000, 100);
    constexpr int pairs = 8;
    constexpr int most_batches = 5;  // a million each, until there have been enough changes
    tally t;
    runtime rt{{.workers = 8}};
    rt.run([&] {
        for (int batch = 0; batch < most_batches; ++batch) {
            play_with_anybody(pairs, exchanges / pairs, t);
            if (t.changes >= changes) {
                break;
            }
        }
    });
    std::printf("[ measured ] %llu exchanges, %llu changes of thread across a catch block\n",
                static_cast<unsigned long long>(t.exchanges),
                static_cast<unsigned long long>(t.changes));
    EXPECT_GE(t.exchanges, exchanges);
    EXPECT_GE(t.changes, changes);
    EXPECT_EQ(t.wrong, 0U);
}

// ---- nested exceptions

// Meets the other side at every depth of a tower of catch blocks, on the way up and down.
class nesting {
public:
    nesting(int id, chan<unit> out, chan<unit> in, tally& t)
        : id_(id), out_(std::move(out)), in_(std::move(in)), tally_(t) {}

    void climb(std::uint64_t depth) {
        try {
            throw token{id_, depth};
        } catch (const token&) {
            meet();
            if (depth > 0) {
                climb_higher(depth - 1);
            }
            meet();
            expect_current(depth);
        }
    }

private:
    void climb_higher(std::uint64_t depth) {
        climb(depth);
        try {
            rethrow_nested(depth);
        } catch (const std::runtime_error& outer) {
            meet();
            expect_cause(outer, depth);
        }
    }

    // Throws an exception that carries another one, both across a meeting.
    void rethrow_nested(std::uint64_t depth) {
        try {
            throw token{id_, depth};
        } catch (const token&) {
            meet();
            std::throw_with_nested(std::runtime_error("outer"));
        }
    }

    void expect_cause(const std::runtime_error& outer, std::uint64_t depth) {
        try {
            std::rethrow_if_nested(outer);
            ++tally_.wrong;
        } catch (const token& cause) {
            tally_.wrong += cause.owner == id_ && cause.round == depth ? 0 : 1;
        }
    }

    void expect_current(std::uint64_t depth) {
        try {
            throw;
        } catch (const token& current) {
            tally_.wrong += current.owner == id_ && current.round == depth ? 0 : 1;
        } catch (...) {
            ++tally_.wrong;
        }
    }

    void meet() {
        if (id_ % 2 == 0) {
            out_.send();
            static_cast<void>(in_.recv());
        } else {
            static_cast<void>(in_.recv());
            out_.send();
        }
        ++tally_.exchanges;
    }

    int id_;
    chan<unit> out_;
    chan<unit> in_;
    tally& tally_;
};

TEST_P(catch_block, may_be_nested_and_block_at_every_depth) {
    const int times = static_cast<int>(test::scaled(2'000, 100));
    constexpr std::uint64_t depth = 5;
    tally t;
    run([&] {
        wait_group climbers;
        auto there = make_chan<unit>();
        auto back = make_chan<unit>();
        climbers.go([&, there, back] {
            for (int i = 0; i < times; ++i) {
                nesting(0, there, back, t).climb(depth);
            }
        });
        climbers.go([&, there, back] {
            for (int i = 0; i < times; ++i) {
                nesting(1, back, there, t).climb(depth);
            }
        });
        climbers.wait();
    });
    EXPECT_GT(t.exchanges, 0U);
    EXPECT_EQ(t.wrong, 0U);
}

// ---- destructors that unwinding runs

// Meets the other side in its destructor, where `unwinding` exceptions should be in flight.
struct meets_in_destructor {
    ~meets_in_destructor() {
        wrong += std::uncaught_exceptions() == unwinding ? 0 : 1;
        out.send();
        wrong += std::uncaught_exceptions() == unwinding ? 0 : 1;
        static_cast<void>(in.recv());
        wrong += std::uncaught_exceptions() == unwinding ? 0 : 1;
        try {
            throw 1;
        } catch (int) {
            wrong += std::uncaught_exceptions() == unwinding ? 0 : 1;
            yield();
        }
        wrong += std::uncaught_exceptions() == unwinding ? 0 : 1;
    }
    int unwinding;
    chan<unit> out;
    chan<unit> in;
    std::atomic<std::uint64_t>& wrong;
};

// A destructor that itself unwinds, with a second exception in flight while the first is.
struct unwinds_in_destructor {
    ~unwinds_in_destructor() {
        try {
            const meets_in_destructor inner{2, out, in, wrong};
            throw std::logic_error("second");
        } catch (const std::logic_error&) {
            wrong += std::uncaught_exceptions() == 1 ? 0 : 1;
        }
    }
    chan<unit> out;
    chan<unit> in;
    std::atomic<std::uint64_t>& wrong;
};

// Unwinds through both of them; `in` and `out` are a buffered pair, so no side must go first.
void unwind(int id, chan<unit> out, chan<unit> in, std::atomic<std::uint64_t>& wrong) {
    try {
        const meets_in_destructor simple{1, out, in, wrong};
        const unwinds_in_destructor nested{out, in, wrong};
        throw token{id, 0};
    } catch (const token& caught) {
        wrong += caught.owner == id && std::uncaught_exceptions() == 0 ? 0 : 1;
    }
    wrong += std::uncaught_exceptions() == 0 ? 0 : 1;
}

TEST_P(catch_block, unwinding_may_block_in_a_destructor) {
    const int times = static_cast<int>(test::scaled(5'000, 200));
    std::atomic<std::uint64_t> wrong = 0;
    run([&] {
        wait_group all;
        auto there = make_chan<unit>(1);
        auto back = make_chan<unit>(1);
        for (int id = 0; id < 2; ++id) {
            all.go([&, id, out = id == 0 ? there : back, in = id == 0 ? back : there] {
                for (int i = 0; i < times; ++i) {
                    unwind(id, out, in, wrong);
                }
            });
        }
        std::atomic<bool> done = false;
        wait_group bystander;  // shares the threads and has nothing in flight, ever
        bystander.go([&] {
            while (!done) {
                wrong += std::uncaught_exceptions() == 0 && !std::current_exception() ? 0 : 1;
                yield();
            }
        });
        all.wait();
        done = true;
        bystander.wait();
    });
    EXPECT_EQ(wrong, 0U);
}

// ---- exception_ptr

std::atomic<int> live_failures = 0;

struct failure : std::runtime_error {
    explicit failure(int n) : std::runtime_error("failure " + std::to_string(n)), number(n) {
        ++live_failures;
    }
    failure(const failure& other) : std::runtime_error(other), number(other.number) {
        ++live_failures;
    }
    failure& operator=(const failure&) = delete;
    ~failure() override { --live_failures; }
    int number;
};

TEST_P(catch_block, exceptions_travel_through_channels) {
    const int count = static_cast<int>(test::scaled(20'000, 1'000));
    run([&] {
        auto failures = make_chan<std::exception_ptr>(4);
        auto relayed = make_chan<std::exception_ptr>();
        go([=] {
            for (int i = 0; i < count; ++i) {
                failures.send(std::make_exception_ptr(failure(i)));
            }
            failures.close();
        });
        go([=] {
            for (auto&& e : failures) {  // moved on: it has one owner at any time
                relayed.send(std::move(e));
            }
            relayed.close();
        });
        int expected = 0;
        for (auto&& e : relayed) {
            try {
                std::rethrow_exception(std::move(e));
            } catch (const failure& caught) {
                yield();
                EXPECT_EQ(caught.number, expected++);
            }
        }
        EXPECT_EQ(expected, count);
    });
    EXPECT_EQ(live_failures, 0);
}

TEST_P(catch_block, one_exception_may_be_handled_by_many_goroutines_at_once) {
    constexpr int handlers = 32;
    const int times = static_cast<int>(test::scaled(500, 50));
    // Our own reference is the last to go: the library's count is invisible to ThreadSanitizer.
    std::exception_ptr shared = std::make_exception_ptr(failure(7));
    std::atomic<int> handled = 0;
    run([&] {
        wait_group all;
        for (int i = 0; i < handlers; ++i) {
            all.go([&] {
                for (int n = 0; n < times; ++n) {
                    try {
                        std::rethrow_exception(shared);
                    } catch (const failure& caught) {
                        yield();
                        handled += std::current_exception() == shared && caught.number == 7 ? 1 : 0;
                    }
                }
            });
        }
        all.wait();
    });
    EXPECT_EQ(handled, handlers * times);
    EXPECT_EQ(live_failures, 1);
    shared = nullptr;
    EXPECT_EQ(live_failures, 0);
}

INSTANTIATE_TEST_SUITE_P(workers, catch_block, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
