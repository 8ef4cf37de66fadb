// test/behaviour/stack_walk_test.cpp: whoever walks the stack of a goroutine, a debugger, a
// profiler that follows frame pointers, or the unwinder, sees all of it and comes to an end.
#include <gtest/gtest.h>

#include <sys/uio.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>

#include <runnel/runnel.hpp>

#include "test/behaviour/child.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::child_result;
using test::describe;

// ---- the debugger

bool is_installed(const std::string& program) {
    std::istringstream path(std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
    for (std::string folder; std::getline(path, folder, ':');) {
        if (::access((folder + "/" + program).c_str(), X_OK) == 0) {
            return true;
        }
    }
    return false;
}

using debugger = ::testing::TestWithParam<const char*>;

TEST_P(debugger, sees_a_goroutine_from_the_breakpoint_to_its_entry) {
    if (!is_installed("gdb")) {
        GTEST_SKIP() << "gdb is not installed";
    }
    test::child_process gdb({"gdb",
                             "-nx",
                             "-batch",
                             "-ex",
                             "set debuginfod enabled off",  //
                             "-ex",
                             "set breakpoint pending on",  //
                             "-ex",
                             "break stop_for_the_debugger",  //
                             "-ex",
                             "run",
                             "-ex",
                             "backtrace",  //
                             "-ex",
                             "echo stack ended\\n",
                             "-ex",
                             "kill",  //
                             "--args",
                             test::child_path("debugger_child"),
                             GetParam()});
    gdb.close_input();
    const child_result r = gdb.wait(120s);
    if (r.wrote("ptrace: Operation not permitted") || r.wrote("Couldn't get registers")) {
        GTEST_SKIP() << "this machine does not let gdb trace a process: " << r.err;
    }
    for (const char* frame : {"stop_for_the_debugger", "innermost", "middle", "outermost"}) {
        EXPECT_NE(r.out.find(std::string(frame) + " ("), std::string::npos) << frame << "\n"
                                                                            << describe(r);
    }
    EXPECT_NE(r.out.find("stack ended"), std::string::npos) << describe(r);
    // What gdb says when the unwind information leads nowhere.
    for (const char* trouble : {"corrupt stack", "Backtrace stopped", "Cannot access memory"}) {
        EXPECT_EQ((r.out + r.err).find(trouble), std::string::npos) << describe(r);
    }
}

INSTANTIATE_TEST_SUITE_P(at, debugger,
                         ::testing::Values("stop_before_parking", "stop_after_parking"),
                         [](const auto& each) { return std::string(each.param); });

// ---- frame pointers

constexpr std::size_t stack_bytes = std::size_t{256} << 10;
constexpr int most_frames = 100;

struct frame_record {
    std::uintptr_t caller;
    std::uintptr_t return_address;
};

// The two words at `address`, if they can be read: a broken chain must not crash the test.
std::optional<frame_record> read_frame(std::uintptr_t address) {
    frame_record record{};
    const iovec into{&record, sizeof record};
    const iovec from{reinterpret_cast<void*>(address), sizeof record};
    if (::process_vm_readv(::getpid(), &into, 1, &from, 1, 0) != sizeof record) {
        return std::nullopt;
    }
    return record;
}

// Follows the frame pointers from the caller's frame; returns how many there are, or says on
// `trouble` where the chain leaves the stack.
[[gnu::noinline]] int follow_frame_pointers(std::string& trouble) {
    const auto start = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    std::uintptr_t frame = start;
    for (int count = 0; count < most_frames; ++count) {
        const std::optional<frame_record> record = read_frame(frame);
        if (!record) {
            trouble = "frame " + std::to_string(count) + " cannot be read";
            return count;
        }
        if (record->caller == 0) {
            return count + 1;
        }
        if (record->caller <= frame || record->caller - start > stack_bytes) {
            trouble = "frame " + std::to_string(count) + " points outside the stack";
            return count;
        }
        frame = record->caller;
    }
    trouble = "no end after " + std::to_string(most_frames) + " frames";
    return most_frames;
}

using stack_walk = test::on_workers;

TEST_P(stack_walk, by_frame_pointers_ends_at_the_entry_of_the_goroutine) {
    run([] {
        auto gate = make_chan<unit>();
        auto walk = spawn([=] {
            std::string before, after;
            EXPECT_GE(follow_frame_pointers(before), 2);
            static_cast<void>(gate.recv());
            EXPECT_GE(follow_frame_pointers(after), 2);
            EXPECT_EQ(before, "");
            EXPECT_EQ(after, "");
        });
        gate.send();
        walk.join();
    });
}

// ---- the unwinder

struct unwound {
    int frames = 0;
    std::uintptr_t last = 0;
};

_Unwind_Reason_Code count_frame(_Unwind_Context* context, void* argument) {
    auto& seen = *static_cast<unwound*>(argument);
    seen.last = _Unwind_GetIP(context);
    return ++seen.frames < most_frames ? _URC_NO_REASON : _URC_NORMAL_STOP;
}

TEST_P(stack_walk, by_the_unwinder_ends_at_the_entry_of_the_goroutine) {
    run([] {
        spawn([] {
            unwound seen;
            EXPECT_EQ(_Unwind_Backtrace(count_frame, &seen), _URC_END_OF_STACK);
            EXPECT_GE(seen.frames, 2);
            EXPECT_LT(seen.frames, most_frames);
        }).join();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, stack_walk, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
