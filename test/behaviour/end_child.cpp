// test/behaviour/end_child.cpp: ways to end a program while its goroutines are in the middle of
// something. Every scenario ends with exit status 7 and without a word.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using namespace std::chrono_literals;
using runnel::test::scenario_argument;

namespace {

constexpr int expected_status = 7;

// ---- static objects that notice being used after their end

// Constant-initialised and trivially destroyed: may be read at any time.
constinit std::atomic<bool> statics_are_gone = false;

struct fragile {
    ~fragile() {
        statics_are_gone = true;
        std::this_thread::sleep_for(2ms);  // a goroutine that still runs has time to be caught
    }
    void touch() {
        if (statics_are_gone) {
            constexpr char text[] = "a goroutine ran after static destruction began\n";
            [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text, sizeof text - 1);
            ::_exit(66);
        }
        ++touched;
    }
    std::atomic<std::uint64_t> touched = 0;
};

// Goroutines of `stay_busy` wait on the first, touch the second, and hold what the third holds.
chan<std::string> static_channel = make_chan<std::string>(4);
fragile statics;
std::string static_text(100, 'x');

// A static object whose destructor uses channels that the stopped runtime leaves behind.
struct says_goodbye {
    ~says_goodbye() {
        std::string text = static_text;
        static_cast<void>(farewell.try_send(std::move(text)));
        static_cast<void>(farewell.try_recv(text));
        farewell.close();
    }
    chan<std::string> farewell = make_chan<std::string>(2);
} goodbye;

// ---- what goroutines may be in the middle of

// What every goroutine needs to outlive the function that started it.
struct world {
    chan<int> never = make_chan<int>();
    chan<int> ball = make_chan<int>();
    mutex locked;
    wait_group nobody_comes;
    condition_variable never_signalled;
};

// Parked in every primitive there is.
void park_everywhere(world& w) {
    w.locked.lock();
    w.nobody_comes.add(1);
    go([&w] { static_cast<void>(w.never.recv()); });
    go([&w] { static_cast<void>(w.never.recv()); });
    go([] { chan<int>{}.send(1); });
    go([] { select(); });
    go([&w] { w.locked.lock(); });
    go([&w] { w.nobody_comes.wait(); });
    go([&w] {
        mutex own;
        std::unique_lock lock(own);
        w.never_signalled.wait(lock);
    });
    go([&w] {
        std::optional<int> slot;
        select(on_recv(w.never, slot), on_timeout(1h));
    });
    go([] { static_cast<void>(static_channel.recv()); });
}

// Running, and at scheduling points all the time.
void stay_busy(world& w) {
    for (int i = 0; i < 4; ++i) {
        go([] {
            for (;;) {
                statics.touch();
                yield();
            }
        });
    }
    go([&w] {
        for (int i = 0;; ++i) {
            w.ball.send(i);
        }
    });
    go([&w] {
        for (int caught : w.ball) {
            statics.touch();
            static_cast<void>(static_channel.try_send(std::to_string(caught)));
        }
    });
    go([] {
        for (std::string text;;) {
            static_cast<void>(static_channel.try_recv(text));
            go([] { statics.touch(); });
            yield();
        }
    });
}

// Running without ever reaching a scheduling point. It touches nothing.
void spin() {
    go([] {
        for (volatile std::uint64_t x = 1;;) {
            x = x * 3 + 1;
        }
    });
}

void sleep_all_over() {
    for (int i = 0; i < 20; ++i) {
        go([i] {
            for (;;) {
                sleep_for(std::chrono::microseconds(50 * i));
                statics.touch();
            }
        });
        go([] { sleep_for(1h); });
    }
}

void block() {
    for (int i = 0; i < 4; ++i) {
        go([] { blocking([] { ::pause(); }); });
        go([] {
            for (;;) {
                blocking([] { std::this_thread::sleep_for(100us); });
                statics.touch();
            }
        });
    }
}

// In a blocking system call that nobody was told of.
void block_unannounced() {
    int ends[2];
    if (::pipe(ends) == 0) {
        go([fd = ends[0]] {
            char c;
            [[maybe_unused]] const auto n = ::read(fd, &c, 1);
        });
    }
}

// A plain thread that waits in the runtime, detached: it lives until the process ends.
void wait_in_a_thread(world& w) {
    std::thread([&w] { static_cast<void>(w.never.recv()); }).detach();
}

// A few moments for the goroutines to get into it: so many scheduling points of the caller.
void let_them_run(scenario_argument moments) {
    for (auto left = test::number(moments); left > 0; --left) {
        yield();
    }
}

// The world outlives main on purpose: goroutines use it until the very end.
world& new_world() {
    static world* const the_world = new world;
    return *the_world;
}

// ---- scenarios

int main_returns_while_parked(scenario_argument moments) {
    return run([=] {
        park_everywhere(new_world());
        let_them_run(moments);
        return expected_status;
    });
}

int main_returns_while_running(scenario_argument moments) {
    return run([=] {
        stay_busy(new_world());
        let_them_run(moments);
        return expected_status;
    });
}

int main_returns_while_spinning(scenario_argument moments) {
    return run([=] {
        spin();
        let_them_run(moments);
        return expected_status;
    });
}

int main_returns_while_sleeping(scenario_argument moments) {
    return run([=] {
        sleep_all_over();
        let_them_run(moments);
        return expected_status;
    });
}

int main_returns_while_blocking(scenario_argument moments) {
    return run([=] {
        block();
        block_unannounced();
        let_them_run(moments);
        return expected_status;
    });
}

void do_everything() {
    world& w = new_world();
    park_everywhere(w);
    stay_busy(w);
    sleep_all_over();
    block();
    block_unannounced();
    wait_in_a_thread(w);
    spin();
}

int main_returns_while_everything_happens(scenario_argument moments) {
    return run([=] {
        do_everything();
        let_them_run(moments);
        return expected_status;
    });
}

// No `run` at all: the goroutines of a plain thread, and a return from main.
int plain_main_returns(scenario_argument moments) {
    do_everything();
    let_them_run(moments);
    return expected_status;
}

int exit_from_the_main_goroutine(scenario_argument moments) {
    return run([=]() -> int {
        do_everything();
        let_them_run(moments);
        std::exit(expected_status);
    });
}

int exit_from_another_goroutine(scenario_argument moments) {
    return run([=] {
        do_everything();
        go([=] {
            let_them_run(moments);
            std::exit(expected_status);
        });
        static_cast<void>(new_world().never.recv());
        return 1;
    });
}

int exit_from_blocking(scenario_argument moments) {
    return run([=] {
        do_everything();
        let_them_run(moments);
        blocking([] { std::exit(expected_status); });
        return 1;
    });
}

int exit_from_a_plain_thread(scenario_argument moments) {
    do_everything();
    std::thread([=] {
        let_them_run(moments);
        std::exit(expected_status);
    }).join();
    return 1;
}

// Again and again, with what is left of the runs before still going on.
int run_returns_many_times(scenario_argument moments) {
    int status = 0;
    for (int i = 0; i < 20; ++i) {
        status = run([=] {
            sleep_all_over();
            let_them_run(moments);
            return expected_status;
        });
    }
    return status;
}

constexpr test::scenario scenarios[] = {
    {"main_returns_while_parked", main_returns_while_parked},
    {"main_returns_while_running", main_returns_while_running},
    {"main_returns_while_spinning", main_returns_while_spinning},
    {"main_returns_while_sleeping", main_returns_while_sleeping},
    {"main_returns_while_blocking", main_returns_while_blocking},
    {"main_returns_while_everything_happens", main_returns_while_everything_happens},
    {"plain_main_returns", plain_main_returns},
    {"exit_from_the_main_goroutine", exit_from_the_main_goroutine},
    {"exit_from_another_goroutine", exit_from_another_goroutine},
    {"exit_from_blocking", exit_from_blocking},
    {"exit_from_a_plain_thread", exit_from_a_plain_thread},
    {"run_returns_many_times", run_returns_many_times},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
