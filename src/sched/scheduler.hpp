// sched/scheduler.hpp: who runs next. One scheduler is one runtime.
//
// Purpose   Goroutines on worker threads: each worker runs its own queue, takes from the others
//           when it is empty, and sleeps when there is nothing. A goroutine switches to the next
//           one directly; the worker's own loop runs only when there is none, or to clean up.
// Invariants
//   R1  A goroutine is made runnable exactly once for each time it parks (wait_node.hpp, N1).
//   R2  A goroutine may be picked while it is still leaving its stack: its saved stack pointer is
//       null until it is off, and only the worker's loop, on its own stack, waits for that. Two
//       workers therefore never wait for each other.                                        (enter,
//       work)
//   R3  What a goroutine needs freed after its last switch is freed by the worker's loop. (tidy)
//   R4  While a goroutine runs, its worker's `current` is that goroutine.          (enter, choose)
//   R5  Every random choice, clock reading and decision comes from the scheduler, so that a test
//       can put its own in place.
// Locks     None of its own; see the queues, idle.hpp, poller.hpp, timer_heap.hpp. All are leaves:
//           no two are held at once, but for monitor_lock_ < idle lock.
// Memory order
//   poll_until_: sequentially consistent, with the idle word between its store and the look at the
//   heaps, as in idle.hpp. Counters that only reports read are relaxed.
// Threads   Members named after a worker are called by that worker only.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runtime.hpp>

#include "src/event/poller.hpp"
#include "src/event/timer_heap.hpp"
#include "src/fiber/entry.hpp"
#include "src/fiber/goroutine.hpp"
#include "src/os/thread.hpp"
#include "src/sched/idle.hpp"
#include "src/sched/registry.hpp"
#include "src/sched/run_queue.hpp"
#include "src/sched/worker.hpp"

namespace runnel::detail {

/// Virtual time: the clock stands until everything is blocked, then `quiescent` may move it.
struct virtual_time {
    std::atomic<ticks> now = 0;
    /// Called by the last worker to fall asleep, with nothing runnable; readies goroutines and
    /// returns true, or returns false if nothing can move.
    std::function<bool()> quiescent;
};

class scheduler {
public:
    static constexpr std::size_t max_workers = 1024;
    static constexpr std::size_t max_extra_workers = 256;
    /// A queue as short as this is its owner's: it will be run before a thief could fetch it.
    static constexpr std::uint32_t keep_local = 2;

    /// Throws std::invalid_argument for options out of range. `clock` null: real time.
    scheduler(const runtime_options& options, virtual_time* clock);
    ~scheduler();
    scheduler(const scheduler&) = delete;
    scheduler& operator=(const scheduler&) = delete;

    // Goroutines.
    [[nodiscard]] start_slot prepare(std::size_t size, std::size_t align, const start_info& info);
    void abandon(start_slot slot) noexcept;
    void start(start_slot slot, void (*invoke)(void*)) noexcept;
    /// Makes `g` of this scheduler runnable. Hold no lock.
    void ready(goroutine* g) noexcept;
    void ready_on(worker* w, goroutine* g) noexcept;

    // What a running goroutine asks of its worker.
    [[nodiscard]] suspension leave(worker& w, goroutine* self) noexcept;
    [[nodiscard]] suspension yield(worker& w, goroutine* self) noexcept;
    [[noreturn]] static void goroutine_main() noexcept;

    // Time.
    [[nodiscard]] ticks now() const noexcept;
    [[nodiscard]] bool is_virtual() const noexcept { return clock_ != nullptr; }
    /// Puts `node` into the heap of `w`, the calling worker; throws std::bad_alloc. True: the
    /// sleeper in the poller had better hear of it (interrupt_poller; hold no lock then).
    [[nodiscard]] bool link_timer(worker& w, timer_node& node);
    /// The same from a plain thread, not in virtual time; then call watch_foreign_timer().
    void link_foreign_timer(timer_node& node);
    /// Nobody in the poller may sleep beyond `when`, the time of a timer that has been linked.
    void watch_foreign_timer(ticks when) noexcept;
    void interrupt_poller() noexcept { poller_.interrupt(); }
    /// Fires what is due in all heaps; the caller is a worker.
    void fire_timers(worker& w, ticks at) noexcept;
    /// The first deadline in all heaps.
    [[nodiscard]] ticks earliest_timer() const noexcept;

    [[nodiscard]] poller& events() noexcept { return poller_; }
    [[nodiscard]] std::size_t armed_waits() const noexcept { return poller_.armed(); }
    [[nodiscard]] goroutine_pool& records() noexcept { return records_; }
    [[nodiscard]] stack_depot& stacks() noexcept { return depot_; }

    // Numbers.
    [[nodiscard]] std::size_t base_workers() const noexcept { return base_workers_; }
    [[nodiscard]] std::size_t live() const noexcept;
    /// Its own threads: workers and the monitor.
    [[nodiscard]] std::size_t threads() const noexcept { return worker_count() + 1; }
    [[nodiscard]] std::size_t unguarded_stacks() const noexcept { return depot_.unguarded(); }
    [[nodiscard]] std::size_t extra_workers_added() const noexcept { return extra_added_.load(); }

    // Blocking calls under way, and main goroutines that some thread waits for in run().
    std::atomic<std::size_t> blocking_calls = 0;
    std::atomic<std::size_t> mains = 0;

    /// True if every worker sleeps and nothing is runnable.
    [[nodiscard]] bool all_asleep() const noexcept;
    /// The same, for good: nobody outside can make anything runnable (nobody_outside).
    [[nodiscard]] bool stands_still_alone(std::size_t waiting) const noexcept;
    /// Moves whenever anything is made runnable from outside, or runs.
    [[nodiscard]] std::uint64_t movements() const noexcept;

    template <class F>
    void for_each_goroutine(F f) {
        records_.for_each(f);
    }

    /// Waits until no goroutine is left, at most for `limit`; returns whether none is.
    bool drain(std::chrono::nanoseconds limit) noexcept;
    /// Ends the workers; no goroutine may be left that needs to run.
    void stop() noexcept;
    /// The process ends: every worker stops at its next scheduling point, for good.
    void stop_for_exit() noexcept;
    /// The goroutines that are left will never go on, and what is on their stacks is never
    /// destroyed: the scheduler must stay as it is for ever.
    void abandon() noexcept;

    [[nodiscard]] const runtime_options& options() const noexcept { return options_; }

private:
    // start.cpp
    goroutine* take_record(worker* w);
    void set_up(goroutine& g, worker* w, const start_info& info);
    static void run_closure(goroutine& g) noexcept;
    bool finish(worker& w, goroutine* g) noexcept;
    fiber* choose_after_finish(worker& w, stack* mine) noexcept;
    void give_stack(worker& w, goroutine* g) noexcept;
    void recycle(goroutine* g) noexcept;

    // switch.cpp
    [[nodiscard]] fiber* choose(worker& w, goroutine* self) noexcept;
    [[nodiscard]] fiber* enter(worker& w, goroutine* g) noexcept;
    bool at_scheduling_point(worker& w) noexcept;
    static void switch_announced(worker& w, goroutine* self, fiber* to) noexcept;
    [[nodiscard]] suspension depart(worker& w, goroutine* self, fiber* to) noexcept;
    void look_around(worker& w) noexcept;
    void poll_now(worker& w) noexcept;
    void wake_ready(worker& w, std::span<const os::readiness> events) noexcept;
    void offer_work(worker& w) noexcept;
    void inject(goroutine* g) noexcept;

    // worker.cpp
    void work(worker& w) noexcept;
    void run_from_loop(worker& w, goroutine* g) noexcept;
    void tidy(worker& w) noexcept;
    goroutine* find_work(worker& w) noexcept;
    goroutine* take_injected(worker& w) noexcept;
    goroutine* search(worker& w) noexcept;
    goroutine* halt(worker& w) noexcept;
    static goroutine* steal_from(worker& victim, worker& w, bool with_next) noexcept;
    goroutine* found(worker& w, goroutine* g) noexcept;
    bool stop_searching(worker& w) noexcept;

    // sleep.cpp
    goroutine* sleep(worker& w) noexcept;
    struct nap_sample;
    bool something_visible(const worker& w) const noexcept;
    bool tidy_stacks(worker& w, ticks at) noexcept;
    void wait_for_wake(worker& w) noexcept;
    void watch_my_timers(worker& w) noexcept;
    void await_token(worker& w) noexcept;
    goroutine* wait_in_poller(worker& w) noexcept;
    ticks poll_limit(ticks nap) noexcept;
    bool quiescent() noexcept;
    void get_up(worker& w) noexcept;
    void wake_worker(worker* w) noexcept;
    void inject_announce() noexcept { wake_worker(idle_.announce()); }

    // monitor.cpp
    struct observation {  ///< what the monitor saw of a worker at its last tick
        std::uint64_t picks = 0;
        std::uint32_t served = 0;
        std::uint32_t waiting = 0;
        bool ran = false;
        ticks used = 0;  ///< processor time when `picks` was first seen as it is
    };
    struct sighting {
        bool stuck;      ///< in one goroutine since the last tick
        bool computing;  ///< stuck, but not in a system call
        bool waited;     ///< something has waited in its queue since the last tick
    };
    void watch(std::vector<observation> seen) noexcept;
    void watch_from_bed() noexcept;
    static sighting observe(worker& w, observation& before) noexcept;
    void hand_over_queue(worker& w) noexcept;
    void help(bool waited, bool too_few) noexcept;
    void monitor_tick(std::vector<observation>& seen) noexcept;
    void rouse_monitor() noexcept;
    void add_worker() noexcept;
    bool retire(worker& w) noexcept;

    void launch();
    void let_go_of_sockets() noexcept;
    void delete_workers() noexcept;
    void ring_all() noexcept;
    [[nodiscard]] bool may_still_halt(ticks waited) const noexcept;
    void keep_stacks_for_leak_check() noexcept;
    [[nodiscard]] bool stopping() const noexcept { return stopping_.load(); }
    [[nodiscard]] std::size_t worker_count() const noexcept { return worker_count_.load(); }
    [[nodiscard]] worker& worker_at(std::size_t i) const noexcept { return *workers_[i].load(); }

    // Constant after construction.
    const runtime_options options_;
    virtual_time* const clock_;
    const std::size_t base_workers_;
    std::uint64_t seed_;
    const os::signal_mask signals_;  ///< of whoever made the runtime: what workers have too

    goroutine_pool records_;
    stack_depot depot_;
    inject_queue inject_;
    idle_workers idle_;
    poller poller_;

    std::array<std::atomic<worker*>, max_workers + max_extra_workers> workers_{};
    std::atomic<std::size_t> worker_count_ = 0;
    std::atomic<std::uint32_t> active_ = 0;  ///< workers that are not retired
    std::atomic<std::uint64_t> foreign_started_ = 0;
    std::atomic<std::uint32_t> injecting_ = 0;   ///< threads that are inside inject()
    std::atomic<bool> in_transit_ = false;       ///< the monitor holds goroutines in no queue
    std::atomic<std::uint64_t> injections_ = 0;  ///< moves before anything is injected
    std::atomic<std::uint64_t> next_id_ = 1;
    std::atomic<std::uint64_t> next_tie_ = 0;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> halting_ = false;  ///< stopping because the process ends
    std::atomic<std::uint32_t> halted_ = 0;

    static constexpr std::size_t watched_workers = 64;
    std::atomic<bool> poller_taken_ = false;
    std::atomic<ticks> poll_until_ = not_polling;  ///< until when somebody sleeps in the poller
    std::atomic<ticks> last_poll_ = 0;
    static constexpr ticks not_polling = INT64_MIN;

    // The monitor.
    std::thread monitor_;
    std::atomic<std::uint32_t> monitor_asleep_ = 0;
    std::atomic<std::uint32_t> monitor_nap_ = 0;  ///< moves when the monitor must end
    std::atomic<std::size_t> stuck_ = 0;          ///< workers that the monitor last saw stuck
    std::atomic<std::size_t> extra_added_ = 0;
    spin_lock monitor_lock_;  ///< adding and retiring workers

    std::mutex drain_lock_;
    std::atomic<std::uint32_t> drain_epoch_ = 0;  ///< moves when a worker falls asleep
    std::atomic<bool> draining_ = false;
};

/// Starts a goroutine of `s`, named `name`, that calls body(argument). From any thread.
void start_on(scheduler& s, const start_info& info, const char* name, void (*body)(void*),
              void* argument);

/// Wakes those whose waits the caller has ended. Hold no lock.
void wake_both(const poll_woken& ended) noexcept;

/// How many threads run, or are kept for, blocking().
[[nodiscard]] std::size_t blocking_threads();

/// Throws std::invalid_argument that names `what` if `size` cannot be a goroutine's stack.
void check_stack_size(const char* what, std::size_t size);
/// The same for a number of workers.
void check_workers(std::size_t workers);

}  // namespace runnel::detail
