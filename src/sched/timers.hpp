// sched/timers.hpp: timers that outlive the call which arms them.
//
// Purpose   A timer is armed in the heap of the calling goroutine's worker, or, by a plain thread,
//           in one of the process-wide runtime's. Any thread may disarm it, also after that runtime
//           has gone (timer_heap.hpp, T4).
// Invariants
//   A1  A timer that is armed is seen in time: by its own worker at a scheduling point; when that
//       falls asleep, or the timer comes from a plain thread, by the sleeper in the poller; when
//       there is none there, by a worker that is awake, and if none looks up, by the monitor.
//                                                    (watch_my_timers, watch_foreign_timer, help)
// Memory order
//   armer: heap.add (earliest, relaxed); idle word read-modify-write; load poll_until_
//   sleeper: store poll_until_ = L1; idle word read-modify-write; read earliest; poll_until_ = L2
//   Both read-modify-writes are of one word, so they have one order. If the armer's is first, the
//   sleeper's reads from it and then sees the timer. If the sleeper's is first, the armer loads L1
//   or L2, and interrupts if its timer is nearer. That is enough because L2 is never later than L1:
//   if it were (the timer that gave L1 has been removed), an armer that saw L1 would rely on a
//   sleeper that sleeps on until L2.
// Locks     A timer may be linked under its owner's lock (which comes before the heap's); tell()
//           may not run under any.
#pragma once

#include "src/event/timer_heap.hpp"

namespace runnel::detail {

class scheduler;
struct worker;

/// Arms timers in the runtime of the calling goroutine, else in the process-wide one. Lives within
/// a stretch of code that does not block.
class timer_armer {
public:
    /// On a plain thread it may start the process-wide runtime, and throw what that throws.
    timer_armer();

    /// The time there.
    [[nodiscard]] ticks now() const noexcept;
    /// Arms `node`: its `when` and `ops` are set, and it is in no heap. Throws std::bad_alloc.
    void link(timer_node& node);
    /// After link(), with no lock held: makes sure that the timer is seen in time.
    void tell() noexcept;

private:
    worker* const on_;
    scheduler& home_;
    ticks when_ = never;  ///< of the node that was linked
    bool interrupt_ = false;
};

/// Both steps in one, for those who hold no lock.
void arm_timer(timer_node& node);

/// True if `node` was armed and will not fire; T2 of timer_heap.hpp holds afterwards. Any thread.
bool disarm_timer(timer_node& node) noexcept;

}  // namespace runnel::detail
