#include "src/sched/report.hpp"

#include <array>
#include <cstdlib>
#include <exception>
#include <string_view>

#include "src/base/fatal.hpp"
#include "src/fiber/sanitizer.hpp"
#include "src/os/symbols.hpp"
#include "src/os/thread.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

constexpr std::array<std::string_view, 15> kind_names = {
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
    "join",
    "settle",
    "descriptor",
    "blocking call",
};

std::string start_place(const goroutine& g) {
    if (g.started.file != nullptr) {
        return std::string(g.started.file) + ":" + std::to_string(g.started.line);
    }
    return os::describe_address(g.started.pc);
}

std::string title(const goroutine& g) {
    std::string text = "goroutine " + std::to_string(g.id);
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
    return text + ", started at " + start_place(g);
}

std::vector<std::string> describe_all(scheduler& s) {
    std::vector<std::string> lines;
    s.for_each_goroutine([&](const goroutine& g) { lines.push_back(describe(g)); });
    return lines;
}

void report_uncaught(const goroutine& g) noexcept {
    fatal("uncaught exception in " + title(g) + " (started at " + start_place(g) +
          "): " + handled_what());
}

void report_untaken(const char* why) noexcept { fatal(why + (": " + handled_what())); }

bool is_deadlocked(const scheduler& s) noexcept {
    const std::size_t mains = s.mains.load();
    if (mains == 0 || s.blocking_calls.load() != 0 || s.earliest_timer() != never ||
        s.armed_waits() != 0 || scheduler_count() != 1) {
        return false;
    }
    // Any thread that is not ours, and does not wait in run(), might still call in.
    return os::thread_count() <= s.threads() + blocking_threads() + mains + sanitizer_threads;
}

void report_deadlock(scheduler& s) noexcept {
    print_error("all goroutines are asleep: deadlock");
    for (const std::string& line : describe_all(s)) {
        print_error(line);
    }
    std::_Exit(2);
}

}  // namespace runnel::detail
