#include "src/sched/report.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string_view>

#include "src/base/fatal.hpp"
#include "src/fiber/sanitizer.hpp"
#include "src/os/symbols.hpp"
#include "src/os/thread.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr std::array<std::string_view, 25> kind_names = {
    "runnable",
    "chan send",
    "chan recv",
    "chan send (nil chan)",
    "chan recv (nil chan)",
    "select",
    "select (no cases)",
    "sleep",
    "mutex lock",
    "condition_variable wait",
    "wait_group wait",
    "shared_mutex lock",
    "shared_mutex lock_shared",
    "semaphore acquire",
    "call_once",
    "latch wait",
    "barrier wait",
    "join",
    "settle",
    "descriptor",
    "blocking call",
    "pipe read",
    "pipe write",
    "socket read",
    "socket write",
};

std::string place_of_start(const goroutine& g) {
    if (const char* const file = g.started.file.load(); file != nullptr) {
        return std::string(file) + ":" + std::to_string(g.started.line.load());
    }
    return os::describe_address(g.started.pc);
}

std::string title(const goroutine& g) {
    std::string text = "goroutine " + std::to_string(g.id.load());
    if (g.name) {
        text += " '" + *g.name + "'";
    }
    return text;
}

/// what() of the exception being handled.
std::string handled_what() {
    try {
        throw;
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace

std::string describe(const goroutine& g) {
    std::string text = title(g);
    const wait_kind kind = g.waiting_now();
    text += " [";
    text += kind_names[static_cast<std::size_t>(kind)];
    text += "]";
    if (const void* const at = g.where.load(); at != nullptr && kind != wait_kind::none) {
        text += " at " + os::describe_address(at);
    }
    return text + ", started at " + place_of_start(g);
}

std::string describe_self() {
    const goroutine& g = *current_worker()->current;
    return title(g) + " (started at " + place_of_start(g) + ")";
}

std::vector<std::string> describe_all(scheduler& s) {
    std::vector<std::string> lines;
    const std::lock_guard hold(s.records().names());
    s.for_each_goroutine([&](const goroutine& g) { lines.push_back(describe(g)); });
    return lines;
}

void report_uncaught(const goroutine& g) noexcept {
    fatal("uncaught exception in " + title(g) + " (started at " + place_of_start(g) +
          "): " + handled_what());
}

void report_untaken(const char* whose) noexcept {
    fatal("uncaught exception in " + std::string(whose) + ": " + handled_what());
}

bool needs_help_from_outside(const scheduler& s) noexcept {
    return s.mains.load() != 0 && s.blocking_calls.load() == 0 && s.earliest_timer() == never &&
           s.armed_waits() == 0;
}

bool nobody_outside(const scheduler& s, std::size_t waiting) noexcept {
    // Any thread that is not ours, and does not wait for `s`, might still call in.
    return scheduler_count() == 1 && os::thread_count() <= s.threads() + blocking_threads() +
                                                               abandoned_threads() + waiting +
                                                               sanitizer_threads;
}

void report_deadlock(scheduler& s) noexcept {
    static std::atomic<bool> reported = false;
    if (reported.exchange(true)) {
        os::sleep_forever();  // the worker that fell asleep last and the monitor may both find it
    }
    print_error("all goroutines are asleep: deadlock");
    for (const std::string& line : describe_all(s)) {
        print_error(line);
    }
    std::fflush(stdout);  // what the program has printed belongs before its end
    std::_Exit(2);
}

}  // namespace runnel::detail
