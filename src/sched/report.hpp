// sched/report.hpp: who waits where: uncaught exceptions, deadlocks, goroutines left over.
#pragma once

#include <cstddef>
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

/// All workers of `s` sleep. True if only somebody outside can make anything happen: main is
/// blocked in run, and there is no timer, descriptor or blocking call to wait for.
[[nodiscard]] bool needs_help_from_outside(const scheduler& s) noexcept;

/// True if nobody is outside: no other runtime, and no thread but the runtimes' own and, at most,
/// `waiting` threads that wait for `s`.
[[nodiscard]] bool nobody_outside(const scheduler& s, std::size_t waiting) noexcept;

/// Reports who waits where and ends the process with status 2.
[[noreturn]] void report_deadlock(scheduler& s) noexcept;

}  // namespace runnel::detail
