// sched/registry.hpp: which runtimes exist, and the process-wide one.
#pragma once

#include <cstddef>
#include <functional>

namespace runnel::detail {

class scheduler;

void register_scheduler(scheduler* s);
void unregister_scheduler(scheduler* s) noexcept;

/// Calls `f` for every runtime that exists. None begins or ends meanwhile.
void for_each_scheduler(const std::function<void(scheduler&)>& f);
[[nodiscard]] std::size_t scheduler_count() noexcept;

/// `s` has stopped for good with goroutines in it that will never go on: it counts no more as a
/// runtime, only its threads still exist.
void abandon_scheduler(const scheduler& s) noexcept;
/// How many threads abandoned runtimes have.
[[nodiscard]] std::size_t abandoned_threads() noexcept;

/// The process-wide runtime, started on first use and never destroyed: threads may still call in
/// while static objects are being destroyed. Its workers stop before that begins.
[[nodiscard]] scheduler& process_scheduler();

/// Stops the process-wide runtime's workers, for good, if it has started. The first call counts.
void stop_process_scheduler() noexcept;

/// The process is ending: the process-wide workers have stopped, and whoever waits will wait for
/// ever.
[[nodiscard]] bool process_is_ending() noexcept;

/// What is destroyed may still have waiters, who will never go on: the process is ending, or a
/// runtime was abandoned.
[[nodiscard]] bool waiters_may_be_left() noexcept;

/// The runtime of the calling goroutine, else the process-wide one.
[[nodiscard]] scheduler& current_scheduler();

/// RUNNEL_MAXPROCS, else what the process may use. An environment value that cannot be used ends
/// the process with a message and exit status 2: nothing has run yet, and nobody could catch an
/// error.
[[nodiscard]] std::size_t default_worker_count();

}  // namespace runnel::detail
