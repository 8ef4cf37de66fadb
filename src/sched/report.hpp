// sched/report.hpp: who waits where: uncaught exceptions, deadlocks, goroutines left over.
#pragma once

#include <string>
#include <vector>

namespace runnel::detail {

class goroutine;
class scheduler;

/// One line: id, name, what it waits for and where, and where it was started.
[[nodiscard]] std::string describe(const goroutine& g);

/// The calling goroutine's id, name, and where it was started.
[[nodiscard]] std::string describe_self();

/// describe() of every goroutine of `s`.
[[nodiscard]] std::vector<std::string> describe_all(scheduler& s);

/// An exception (the one being handled) left the goroutine's body: reports it and terminates.
[[noreturn]] void report_uncaught(const goroutine& g) noexcept;

/// The exception being handled was kept for somebody who never asked: reports it and terminates.
[[noreturn]] void report_untaken(const char* whose) noexcept;

/// True if nothing can ever happen again: main is blocked in run, and nothing and nobody is left
/// that could wake anybody: no timer, descriptor or blocking call, and no thread but the runtime's
/// own. All workers of `s` sleep.
[[nodiscard]] bool is_deadlocked(const scheduler& s) noexcept;

/// Reports who waits where and ends the process with status 2.
[[noreturn]] void report_deadlock(scheduler& s) noexcept;

}  // namespace runnel::detail
