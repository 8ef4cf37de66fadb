// test/behaviour/crash_child.cpp: misuse and failure, one scenario each. What the process must
// write and how it must end is stated in bad_input_test.cpp and report_test.cpp.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;

namespace {

// For a scenario that should have ended the process before it gets here.
constexpr int survived = 65;

// Blocks its caller for good without deadlocking the program: a goroutine in `blocking` might
// always come back.
void wait_for_the_end() {
    blocking([] { ::pause(); });
}

// A program that shows, on standard output, that a goroutine of its has run.
int run_one_goroutine(scenario_argument) {
    run([] { std::puts("ran"); });
    return 0;
}

int go_from_a_plain_thread(scenario_argument) {
    auto ran = make_chan<unit>();
    go([ran] {
        std::puts("ran");
        ran.send();
    });
    static_cast<void>(ran.recv());
    return 0;
}

int configure_after_start(scenario_argument) {
    run([] {});
    try {
        configure({.workers = 2});
    } catch (const std::logic_error& e) {
        std::printf("logic_error: %s\n", e.what());
        return 0;
    }
    return survived;
}

int configure_with_a_bad_stack_size(scenario_argument size) {
    try {
        configure({.stack_size = static_cast<std::size_t>(test::number(size))});
    } catch (const std::invalid_argument& e) {
        std::printf("invalid_argument: %s\n", e.what());
        return 0;
    }
    return survived;
}

int unlock_an_unlocked_mutex(scenario_argument) {
    run([] {
        mutex m;
        m.unlock();
    });
    return survived;
}

// ---- exceptions that nobody catches

[[noreturn]] void fail(const char* why) { throw std::runtime_error(why); }

int throw_from_a_goroutine(scenario_argument) {
    run([] {
        std::printf("line %d\n", __LINE__ + 1);
        go([] {
            std::printf("id %llu\n", static_cast<unsigned long long>(this_goroutine::id()));
            std::fflush(stdout);
            fail("the disk is full");
        });
        wait_for_the_end();
    });
    return survived;
}

int throw_from_a_named_goroutine(scenario_argument) {
    run([] {
        go(
            go_options{.name = "log-writer"}, [](const char* why) { fail(why); },
            "the disk is full");
        wait_for_the_end();
    });
    return survived;
}

int throw_something_else(scenario_argument) {
    run([] {
        go(go_options{.name = "log-writer"}, [] { throw 42; });
        wait_for_the_end();
    });
    return survived;
}

int throw_from_run(scenario_argument) {
    run([] { fail("the disk is full"); });
    return survived;
}

int drop_a_failed_handle(scenario_argument) {
    run([] {
        auto writer = spawn([] { fail("the disk is full"); });
        static_cast<void>(writer.done().recv());
    });
    return survived;
}

int throw_in_a_wait_group(scenario_argument) {
    run([] {
        wait_group writers;
        writers.go([] { fail("the disk is full"); });
        writers.wait();
        wait_for_the_end();
    });
    return survived;
}

int throw_under_a_terminate_handler(scenario_argument) {
    std::set_terminate([] { ::_exit(42); });
    run([] {
        go([] { fail("the disk is full"); });
        wait_for_the_end();
    });
    return survived;
}

// ---- stacks

int overflow_a_named_goroutine(scenario_argument) {
    run([] {
        go(go_options{.name = "deep-thinker"}, [] { test::overflow_the_stack(0); });
        wait_for_the_end();
    });
    return survived;
}

int overflow_a_small_stack(scenario_argument) {
    run([] {
        go(go_options{.name = "deep-thinker", .stack_size = std::size_t{64} << 10},
           [] { test::overflow_the_stack(0); });
        wait_for_the_end();
    });
    return survived;
}

int overflow_an_unnamed_goroutine(scenario_argument) {
    run([] {
        go([] {
            std::printf("id %llu\n", static_cast<unsigned long long>(this_goroutine::id()));
            std::fflush(stdout);
            test::overflow_the_stack(0);
        });
        wait_for_the_end();
    });
    return survived;
}

int overflow_main(scenario_argument) {
    run([] { test::overflow_the_stack(0); });
    return survived;
}

int overflow_while_handling(scenario_argument) {
    run([] {
        go(go_options{.name = "deep-thinker"}, [] {
            try {
                fail("first");
            } catch (const std::exception&) {
                yield();
                test::overflow_the_stack(0);
            }
        });
        wait_for_the_end();
    });
    return survived;
}

// A wild pointer is no overflow, and must not be reported as one.
int write_through_a_wild_pointer(scenario_argument) {
    run([] {
        go(go_options{.name = "wild"}, [] {
            int* volatile nowhere = reinterpret_cast<int*>(16);
            *nowhere = 1;
        });
        wait_for_the_end();
    });
    return survived;
}

// ---- deadlocks

int deadlock_on_channels(scenario_argument) {
    return run([] {
        auto requests = make_chan<int>();
        auto replies = make_chan<int>();
        go(go_options{.name = "stuck-receiver"}, [=] { static_cast<void>(requests.recv()); });
        go(go_options{.name = "stuck-sender"}, [=] { replies.send(1); });
        go(go_options{.name = "stuck-selector"}, [] { select(); });
        static_cast<void>(chan<int>{}.recv());
        return survived;
    });
}

int deadlock_on_locks(scenario_argument) {
    return run([] {
        mutex m;
        wait_group group;
        group.add(1);
        m.lock();
        go(go_options{.name = "stuck-locker"}, [&] { m.lock(); });
        go(go_options{.name = "stuck-waiter"}, [&] {
            mutex own;
            std::unique_lock lock(own);
            condition_variable changed;
            changed.wait(lock);
        });
        group.wait();
        return survived;
    });
}

int deadlock_of_main_alone(scenario_argument) {
    return run([] {
        static_cast<void>(make_chan<int>().recv());
        return survived;
    });
}

// Things that look like a deadlock for a while.
int no_deadlock_while_a_timer_is_pending(scenario_argument) {
    return run([] {
        auto done = make_chan<unit>();
        go([=] {
            sleep_for(100ms);
            done.send();
        });
        static_cast<void>(done.recv());
        return 0;
    });
}

int no_deadlock_while_someone_is_blocking(scenario_argument) {
    return run([] {
        auto done = make_chan<unit>();
        go([=] {
            blocking([] { std::this_thread::sleep_for(100ms); });
            done.send();
        });
        static_cast<void>(done.recv());
        return 0;
    });
}

int no_deadlock_after_a_thread_has_called_in(scenario_argument) {
    auto hello = make_chan<unit>();
    auto done = make_chan<unit>();
    std::thread caller([=] {
        hello.send();
        std::this_thread::sleep_for(100ms);
        done.send();
    });
    const int status = run([=] {
        static_cast<void>(hello.recv());
        static_cast<void>(done.recv());
        return 0;
    });
    caller.join();
    return status;
}

int deadlock_after_a_thread_has_ended(scenario_argument) {
    // It never calls in, and ends when main has been blocked for a while.
    std::thread([] { std::this_thread::sleep_for(200ms); }).detach();
    auto never = make_chan<int>();
    run([=] { static_cast<void>(never.recv()); });
    return survived;
}

int deadlock_after_a_bubble_has_failed(scenario_argument) {
    auto never = make_chan<int>();
    try {
        testing::bubble failing;
        failing.run([=] {
            go(go_options{.name = "of-the-bubble"}, [=] { static_cast<void>(never.recv()); });
            static_cast<void>(never.recv());
        });
        return survived;
    } catch (const testing::bubble_error&) {
    }
    run([=] { static_cast<void>(never.recv()); });
    return survived;
}

int bubble_deadlock_on_a_mutex(scenario_argument) {
    mutex m;
    testing::bubble failing{{.shutdown_limit = 24h}};
    try {
        failing.run([&] {
            m.lock();
            m.lock();
        });
    } catch (const testing::bubble_error& error) {
        std::puts(error.what());
        return 0;
    }
    return survived;
}

// ---- runtime instances

int runtime_left_with_a_stuck_goroutine(scenario_argument) {
    auto never = make_chan<int>();
    {
        runtime rt{{.workers = 2, .shutdown_limit = 100ms}};
        rt.run([=] {
            go(go_options{.name = "left-behind"}, [=] { static_cast<void>(never.recv()); });
        });
    }
    return survived;
}

constexpr test::scenario scenarios[] = {
    {"run_one_goroutine", run_one_goroutine},
    {"go_from_a_plain_thread", go_from_a_plain_thread},
    {"configure_after_start", configure_after_start},
    {"configure_with_a_bad_stack_size", configure_with_a_bad_stack_size},
    {"unlock_an_unlocked_mutex", unlock_an_unlocked_mutex},
    {"throw_from_a_goroutine", throw_from_a_goroutine},
    {"throw_from_a_named_goroutine", throw_from_a_named_goroutine},
    {"throw_something_else", throw_something_else},
    {"throw_from_run", throw_from_run},
    {"drop_a_failed_handle", drop_a_failed_handle},
    {"throw_in_a_wait_group", throw_in_a_wait_group},
    {"throw_under_a_terminate_handler", throw_under_a_terminate_handler},
    {"overflow_a_named_goroutine", overflow_a_named_goroutine},
    {"overflow_a_small_stack", overflow_a_small_stack},
    {"overflow_an_unnamed_goroutine", overflow_an_unnamed_goroutine},
    {"overflow_main", overflow_main},
    {"overflow_while_handling", overflow_while_handling},
    {"write_through_a_wild_pointer", write_through_a_wild_pointer},
    {"deadlock_on_channels", deadlock_on_channels},
    {"deadlock_on_locks", deadlock_on_locks},
    {"deadlock_of_main_alone", deadlock_of_main_alone},
    {"no_deadlock_while_a_timer_is_pending", no_deadlock_while_a_timer_is_pending},
    {"no_deadlock_while_someone_is_blocking", no_deadlock_while_someone_is_blocking},
    {"no_deadlock_after_a_thread_has_called_in", no_deadlock_after_a_thread_has_called_in},
    {"deadlock_after_a_thread_has_ended", deadlock_after_a_thread_has_ended},
    {"deadlock_after_a_bubble_has_failed", deadlock_after_a_bubble_has_failed},
    {"bubble_deadlock_on_a_mutex", bubble_deadlock_on_a_mutex},
    {"runtime_left_with_a_stuck_goroutine", runtime_left_with_a_stuck_goroutine},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
