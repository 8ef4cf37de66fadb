// test/behaviour/idle_child.cpp: works hard for a moment, says "idle", and then waits, in one of
// several ways, until its standard input ends.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;

namespace {

// Enough of everything to wake every worker: goroutines, channels, timers, blocking calls.
void burst() {
    auto numbers = make_chan<int>(16);
    wait_group senders;
    for (int i = 0; i < 200; ++i) {
        senders.go([=] {
            for (int n = 0; n < 500; ++n) {
                numbers.send(n);
            }
            sleep_for(1ms);
        });
    }
    go([=] { blocking([] { std::this_thread::sleep_for(1ms); }); });
    go([&senders, numbers] {
        senders.wait();
        numbers.close();
    });
    for ([[maybe_unused]] int n : numbers) {
    }
}

void say_idle() {
    std::puts("idle");
    std::fflush(stdout);
}

void wait_for_end_of_input() {
    char c;
    while (::read(STDIN_FILENO, &c, 1) > 0) {
    }
}

// The main goroutine has returned; only its runtime is left.
int after_run(scenario_argument) {
    run(burst);
    say_idle();
    wait_for_end_of_input();
    return 0;
}

// The main goroutine waits for a message of a plain thread.
int in_a_receive(scenario_argument) {
    auto hello = make_chan<unit>();
    auto end = make_chan<unit>();
    std::thread input([=] {
        hello.send();
        wait_for_end_of_input();
        end.send();
    });
    run([=] {
        static_cast<void>(hello.recv());
        burst();
        say_idle();
        static_cast<void>(end.recv());
    });
    input.join();
    return 0;
}

// A timer is pending, far away.
int in_a_long_sleep(scenario_argument) {
    auto end = make_chan<unit>();
    std::thread input([=] {
        wait_for_end_of_input();
        end.send();
    });
    run([=] {
        burst();
        go([] { sleep_for(1h); });
        say_idle();
        select(on_recv(end), on_timeout(1h));
    });
    input.join();
    return 0;
}

int in_a_blocking_call(scenario_argument) {
    run([] {
        burst();
        blocking([] {
            say_idle();
            wait_for_end_of_input();
        });
    });
    return 0;
}

// Not idle at all: what the measurement must notice.
int at_work(scenario_argument) {
    auto end = make_chan<unit>();
    std::thread input([=] {
        wait_for_end_of_input();
        end.close();
    });
    run([=] {
        say_idle();
        while (select(on_recv(end), on_timeout(10ms)) == 1) {
            const auto stop = std::chrono::steady_clock::now() + 1ms;
            while (std::chrono::steady_clock::now() < stop) {
            }
        }
    });
    input.join();
    return 0;
}

constexpr test::scenario scenarios[] = {
    {"at_work", at_work},
    {"after_run", after_run},
    {"in_a_receive", in_a_receive},
    {"in_a_long_sleep", in_a_long_sleep},
    {"in_a_blocking_call", in_a_blocking_call},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
