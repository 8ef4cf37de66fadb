// test/behaviour/signal_child.cpp: goroutines, signals and child processes; see signal_test.cpp.
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <thread>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

using namespace runnel;
using runnel::test::scenario_argument;

namespace {

// A child is this program again: a shell may clear the mask that it inherits.
constexpr const char* self = "/proc/self/exe";

int print_mask(scenario_argument starter) {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    std::printf("%.*s", static_cast<int>(starter.size()), starter.data());
    for (int signal = 1; signal < SIGRTMIN; ++signal) {
        if (::sigismember(&mask, signal) == 1) {
            std::printf(" %d", signal);
        }
    }
    std::puts("");
    return 0;
}

void wait_for(pid_t child) {
    while (::waitpid(child, nullptr, 0) < 0) {
    }
}

void by_fork(const char* name) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl(self, "signal_child", "print_mask", name, nullptr);
        ::_exit(127);
    }
    wait_for(child);
}

void by_spawn(const char* name) {
    std::string words[] = {"signal_child", "print_mask", name};
    char* const arguments[] = {words[0].data(), words[1].data(), words[2].data(), nullptr};
    pid_t child = 0;
    if (::posix_spawn(&child, self, nullptr, nullptr, arguments, environ) == 0) {
        wait_for(child);
    }
}

// The masks of children that are started in every way from every place. SIGUSR1 is blocked from
// the start if there is an argument.
int masks_of_children(scenario_argument blocked) {
    if (!blocked.empty()) {
        sigset_t usr1;
        ::sigemptyset(&usr1);
        ::sigaddset(&usr1, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    }
    by_spawn("main");
    run([] {
        by_fork("fork");
        by_spawn("posix_spawn");
        blocking([] { by_spawn("blocking"); });
        std::thread([] { by_spawn("thread"); }).join();
    });
    return 0;
}

// Interrupts itself all the way down a small stack; the handler uses the stack it finds.
[[gnu::noinline]] int dive(int depth) {
    if (test::deep_enough) {
        return depth;
    }
    char frame[256];
    frame[0] = static_cast<char>(depth);
    test::keep(frame);
    ::pthread_kill(::pthread_self(), SIGUSR1);
    const int below = dive(depth + 1);
    test::keep(frame);
    return below + frame[0];
}

int handler_on_a_full_stack(scenario_argument) {
    struct sigaction action{};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    run([] {
        spawn(go_options{.name = "deep-thinker", .stack_size = std::size_t{16} * 1024}, [] {
            return dive(0);
        }).join();
    });
    return 0;
}

constexpr test::scenario scenarios[] = {
    {"print_mask", print_mask},
    {"masks_of_children", masks_of_children},
    {"handler_on_a_full_stack", handler_on_a_full_stack},
};

}  // namespace

int main(int argc, char** argv) { return test::run_scenario(scenarios, argc, argv); }
