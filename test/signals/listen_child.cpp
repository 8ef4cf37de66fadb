// test/signals/listen_child.cpp: programs that signals are sent to.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;

namespace {

void say(const char* line) {
    std::puts(line);
    std::fflush(stdout);
}

void say_cause(const context& ctx) {
    try {
        std::rethrow_exception(ctx.cause());
    } catch (const signal_error& e) {
        std::printf("signal_error %d: %s\n", e.signal(), e.what());
        std::fflush(stdout);
    }
}

/// Waits for nothing but a signal: neither deadlocked nor busy.
int wait_in_main(scenario_argument) {
    return run([] {
        auto [ctx, cancel] = with_signals(background(), {SIGINT, SIGTERM});
        say("ready");
        ctx.done().recv();
        say_cause(ctx);
        return 7;
    });
}

int wait_on_plain_thread(scenario_argument) {
    auto [ctx, cancel] = with_signals(background(), {SIGUSR1});
    say("ready");
    ctx.done().recv();
    say_cause(ctx);
    return 7;
}

/// Every thread of the program blocks the signal.
int blocked_everywhere(scenario_argument) {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
    return wait_on_plain_thread("");
}

/// After cancel() the signal does what it did before, although the context is still held.
int cancelled(scenario_argument) {
    auto [ctx, cancel] = with_signals(background(), {SIGTERM});
    cancel();
    say("ready");
    for (;;) {
        ::pause();
    }
}

/// The same when both have been dropped.
int dropped(scenario_argument) {
    {
        auto [ctx, cancel] = with_signals(background(), {SIGTERM});
        std::move(cancel).release();
    }
    say("ready");
    for (;;) {
        ::pause();
    }
}

/// The first signal cancels, the second is still kept away.
int second_signal(scenario_argument) {
    auto [ctx, cancel] = with_signals(background(), {SIGINT});
    say("ready");
    ctx.done().recv();
    ::raise(SIGINT);
    ::raise(SIGINT);
    say("alive");
    cancel();
    ::raise(SIGINT);
    say("not reached");
    return 1;
}

volatile std::sig_atomic_t handled = 0;

/// A handler of the program's own, and one that replaces ours meanwhile.
int own_handler(scenario_argument) {
    std::signal(SIGUSR1, [](int) { handled = handled + 1; });
    {
        auto [a, cancel_a] = with_signals(background(), {SIGUSR1, SIGUSR2});
        auto [b, cancel_b] = with_signals(background(), {SIGUSR1});
        cancel_a();
        ::raise(SIGUSR1);
        b.done().recv();
        if (handled != 0) {
            return 1;
        }
    }
    ::raise(SIGUSR1);
    if (handled != 1) {
        return 2;
    }
    {
        auto [c, cancel_c] = with_signals(background(), {SIGUSR1});
        std::signal(SIGUSR1, [](int) { handled = handled + 10; });
    }
    ::raise(SIGUSR1);
    return handled == 11 ? 7 : 3;
}

/// A child process gets the program's own dispositions: after fork() alone, too.
int child_process(scenario_argument) {
    auto [ctx, cancel] = with_signals(background(), {SIGTERM});
    const pid_t child = ::fork();
    if (child == 0) {
        for (;;) {
            ::pause();
        }
    }
    std::this_thread::sleep_for(20ms);
    ::kill(child, SIGTERM);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !ctx.err() ? 7 : 1;
}

/// Contexts come and go on many threads, while signals rain down.
int come_and_go(scenario_argument) {
    std::atomic<bool> stop = false;
    std::atomic<int> seen = 0;
    auto [outer, cancel_outer] = with_signals(background(), {SIGUSR1, SIGUSR2});
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            while (!stop) {
                auto [ctx, cancel] = with_signals(background(), {i % 2 == 0 ? SIGUSR1 : SIGUSR2});
                if (i < 2) {
                    ctx.done().recv();
                    ++seen;
                }
            }
        });
    }
    while (seen < 200) {
        ::kill(::getpid(), SIGUSR1);
        ::kill(::getpid(), SIGUSR2);
        std::this_thread::sleep_for(100us);
    }
    stop = true;
    std::atomic<bool> ended = false;
    std::thread prod([&] {  // a last one may wait for its signal
        while (!ended) {
            ::kill(::getpid(), SIGUSR1);
            ::kill(::getpid(), SIGUSR2);
            std::this_thread::sleep_for(1ms);
        }
    });
    for (std::thread& t : threads) {
        t.join();
    }
    ended = true;
    prod.join();
    return 7;
}

/// Buffered, dropped when full, and told to every channel that asks for it.
int channel(scenario_argument) {
    const auto wide = signals({SIGUSR1, SIGUSR2});
    const auto narrow = signals({SIGUSR1}, 1);
    if (wide.cap() != 16 || narrow.cap() != 1) {
        return 2;
    }
    for (int i = 1; i <= 3; ++i) {
        ::raise(SIGUSR1);
        while (wide.len() < static_cast<std::size_t>(i)) {
            std::this_thread::sleep_for(100us);
        }
    }
    int seen = 0;
    if (narrow.len() != 1 || narrow.try_recv(seen) != op_status::ok || seen != SIGUSR1) {
        return 3;
    }
    ::raise(SIGUSR2);
    while (wide.len() < 4) {
        std::this_thread::sleep_for(100us);
    }
    for (int i = 0; i < 4; ++i) {
        seen = wide.recv().value();
    }
    return seen == SIGUSR2 && narrow.len() == 0 ? 7 : 4;
}

/// As in Go's manual: blocks until a signal comes.
int channel_in_main(scenario_argument) {
    return run([] {
        const auto ch = signals({SIGINT});
        say("ready");
        return ch.recv() == SIGINT ? 7 : 1;
    });
}

/// The last handle has gone.
int channel_dropped(scenario_argument) {
    {
        auto ch = signals({SIGTERM});
        const auto copy = ch;
        ch = {};
        ::raise(SIGTERM);
        if (copy.recv() != SIGTERM) {
            return 1;
        }
    }
    say("ready");
    for (;;) {
        ::pause();
    }
}

/// The listener has gone: a deadlock is one again.
int deadlock_afterwards(scenario_argument) {
    return run([] {
        {
            auto [ctx, cancel] = with_signals(background(), {SIGINT});
        }
        say("ready");
        chan<int>().recv();
        return 1;
    });
}

}  // namespace

int main(int argc, char** argv) {
    using test::scenario;
    const std::vector<scenario> all = {
        {"wait_in_main", wait_in_main},
        {"wait_on_plain_thread", wait_on_plain_thread},
        {"blocked_everywhere", blocked_everywhere},
        {"cancelled", cancelled},
        {"dropped", dropped},
        {"second_signal", second_signal},
        {"own_handler", own_handler},
        {"child_process", child_process},
        {"come_and_go", come_and_go},
        {"channel", channel},
        {"channel_in_main", channel_in_main},
        {"channel_dropped", channel_dropped},
        {"deadlock_afterwards", deadlock_afterwards},
    };
    return test::run_scenario(all, argc, argv);
}
