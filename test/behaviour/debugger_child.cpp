// test/behaviour/debugger_child.cpp: stops inside a goroutine, for a debugger to look at.
#include <cstdio>

#include <runnel/runnel.hpp>

#include "test/behaviour/scenario.hpp"

// The debugger's breakpoint; a C name, so that every debugger finds it.
extern "C" [[gnu::noinline]] void stop_for_the_debugger(int depth) { runnel::test::keep(depth); }

namespace {

// Frames that the backtrace must show. The `keep` after each call leaves no tail call behind.
[[gnu::noinline]] void innermost(int depth) {
    stop_for_the_debugger(depth);
    runnel::test::keep(depth);
}

[[gnu::noinline]] void middle(int depth) {
    innermost(depth + 1);
    runnel::test::keep(depth);
}

[[gnu::noinline]] void outermost(int depth) {
    middle(depth + 1);
    runnel::test::keep(depth);
}

int stop_before_parking(std::string_view) {
    return runnel::run([] {
        runnel::spawn([] { outermost(0); }).join();
        return 0;
    });
}

int stop_after_parking(std::string_view) {
    return runnel::run([] {
        auto there = runnel::make_chan<int>();
        auto player = runnel::spawn([there] {
            static_cast<void>(there.recv());
            outermost(0);
        });
        there.send(1);
        player.join();
        return 0;
    });
}

constexpr runnel::test::scenario scenarios[] = {
    {"stop_before_parking", stop_before_parking},
    {"stop_after_parking", stop_after_parking},
};

}  // namespace

int main(int argc, char** argv) { return runnel::test::run_scenario(scenarios, argc, argv); }
