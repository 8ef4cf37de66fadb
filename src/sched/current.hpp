// sched/current.hpp: what the calling thread is: a worker, or a plain thread that may park.
//
// The only thread-local of the library. Its address must never be kept across a switch, because the
// goroutine may go on in another thread: the accessors are not inlined, and each operation asks
// once.
//
// Memory order
//   parker word: release when granted, acquire when consumed [C-1]: what the waker wrote before
//   wake() is visible to the thread that returns from park().
#pragma once

#include <atomic>
#include <cstdint>

#include <runnel/detail/park.hpp>

#include "src/base/random.hpp"

namespace runnel::detail {

struct worker;
class goroutine_locals;

/// Where a plain thread sleeps while it is blocked.
class thread_parker {
public:
    /// Sleeps until grant(); the grant is consumed.
    void park() noexcept;
    /// The same, but for at most until `deadline` (monotonic). Returns false if no grant came.
    bool park_until(ticks deadline) noexcept;
    /// Wakes the thread, now or at its next park. The thread may be gone when this returns.
    void grant() noexcept;

private:
    bool consume() noexcept;

    std::atomic<std::uint32_t> granted_ = 0;
};

/// The worker that the calling thread is; null on a plain thread.
[[nodiscard]] worker* current_worker() noexcept;
void set_current_worker(worker* w) noexcept;

/// The calling plain thread's parker.
[[nodiscard]] thread_parker& current_parker() noexcept;

/// The calling plain thread's source of random choices.
[[nodiscard]] random_source& thread_random() noexcept;

/// From now on the process-wide workers stop if the calling thread ends the process.
void watch_for_process_end() noexcept;

/// The goroutine-local values of a plain thread.
[[nodiscard]] goroutine_locals*& thread_locals() noexcept;

}  // namespace runnel::detail
