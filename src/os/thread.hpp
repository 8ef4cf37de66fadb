// os/thread.hpp: what a worker thread asks of the system.
#pragma once

#include <cstddef>
#include <cstdint>

namespace runnel::os {

struct thread_stack {
    const void* low;
    std::size_t size;
};

/// The stack of the calling thread, as the system made it.
[[nodiscard]] thread_stack this_thread_stack() noexcept;

/// The thread that main() runs on.
[[nodiscard]] bool is_main_thread() noexcept;

/// The system's number of the calling thread.
[[nodiscard]] int this_thread_id() noexcept;

/// False if that thread of this process sleeps in a system call; true if it runs, or would if it
/// had a processor, or if that cannot be found out.
[[nodiscard]] bool wants_processor(int thread_id) noexcept;

/// The processor time that thread of this process has used, in nanoseconds; 0 if it has ended.
[[nodiscard]] std::int64_t processor_time(int thread_id) noexcept;

/// Sleeps for good; signals are still handled.
[[noreturn]] void sleep_forever() noexcept;

/// Which signals a thread has blocked.
class signal_mask {
public:
    [[nodiscard]] static signal_mask of_this_thread() noexcept;
    void apply() const noexcept;

private:
    alignas(16) unsigned char bits_[128];
};

/// Blocks all signals but those that the thread itself causes (SIGSEGV and its like) while it
/// lives: a thread created meanwhile inherits that.
class signals_blocked {
public:
    signals_blocked() noexcept;
    ~signals_blocked();
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    const signal_mask saved_;
};

/// How many threads the process has; SIZE_MAX if that cannot be read.
[[nodiscard]] std::size_t thread_count() noexcept;

/// Names the calling thread for debuggers and ps; at most 15 characters count.
void name_this_thread(const char* name) noexcept;

}  // namespace runnel::os
