// sched/worker.cpp: the loop of a worker thread, and where it looks for work.
#include "src/sched/worker.hpp"

#include "src/os/clock.hpp"
#include "src/os/pause.hpp"
#include "src/os/thread.hpp"
#include "src/sched/overflow.hpp"
#include "src/sched/switch.hpp"

namespace runnel::detail {
namespace {

constexpr int search_rounds = 4;

/// Switches from the loop to a goroutine; returns when some goroutine has switched back.
[[gnu::noinline]] void switch_from_loop(worker& w, fiber* to, sanitizer_stack& there) noexcept {
    announce_switch(w.loop_sanitizer, there, false);
    switch_fiber(&w.loop, to);
    arrived(w.loop_sanitizer, nullptr);
}

}  // namespace

worker::worker(scheduler& s, std::size_t number, std::uint64_t seed)
    : home(s),
      index(number),
      random(seed),
      search_random(~seed),
      stacks(s.stacks()),
      records(s.records()) {}

void scheduler::work(worker& w) noexcept {
    set_current_worker(&w);
    watch_for_process_end();
    await_token(w);  // launch() has published this worker then
    w.thread_id.store(os::this_thread_id());
    w.exceptions = thread_exception_globals();
    const os::thread_stack own = os::this_thread_stack();
    w.loop_sanitizer.adopt_thread(own.low, own.size);
    os::sharpen_timers();
    const alternate_stack for_overflows;
    signals_.apply();
    for (;;) {
        goroutine* g = std::exchange(w.handoff, nullptr);
        if (g == nullptr) {
            g = find_work(w);
        }
        if (g == nullptr) {
            break;
        }
        run_from_loop(w, g);
    }
    w.stacks.flush();
    set_current_worker(nullptr);
}

void scheduler::run_from_loop(worker& w, goroutine* g) noexcept {
    // R2: whoever leaves its stack there needs nothing of us, so this wait ends.
    for (int round = 0; g->on != nullptr && !off_its_stack(*g); ++round) {
        if (round < 100) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }
    fiber* const to = enter(w, g);
    switch_from_loop(w, to, g->sanitizer);
    tidy(w);
}

/// Frees what the goroutine that finished last could not free while it stood on it.
void scheduler::tidy(worker& w) noexcept {
    if (stack* const s = std::exchange(w.retired_stack, nullptr); s != nullptr) {
        w.retired_sanitizer.end();
        if (s->pooled) {
            w.stacks.give(s);
        } else {
            depot_.unmap_one(s);
        }
    }
    if (w.stacks.overfull()) {
        w.stacks.shrink();
    }
}

goroutine* scheduler::find_work(worker& w) noexcept {
    for (;;) {
        if (stopping()) {
            return halting_.load() ? halt(w) : nullptr;
        }
        if (retire(w)) {
            continue;
        }
        look_around(w);
        goroutine* g = w.queue.pop();
        if (g == nullptr) {
            g = take_injected(w);
        }
        if (g == nullptr && !w.searching) {
            w.searching = idle_.begin_search(active_.load());
        }
        if (g == nullptr && w.searching) {
            g = search(w);
        }
        if (g == nullptr) {
            g = sleep(w);
        }
        if (g != nullptr) {
            return found(w, g);
        }
    }
}

/// About to run `g`: ends the search, and passes it on if there is more to find (idle.hpp, I3).
goroutine* scheduler::found(worker& w, goroutine* g) noexcept {
    if (stop_searching(w) && something_visible(w)) {
        inject_announce();
    }
    w.state.store(worker_state::running);
    w.picks.store(w.picks.load(std::memory_order_relaxed) + 1,  // [W-1]
                  std::memory_order_relaxed);
    return g;
}

bool scheduler::stop_searching(worker& w) noexcept {
    return std::exchange(w.searching, false) && idle_.end_search();
}

/// Takes from another worker's queue: the first is to run now, the rest is queued here.
goroutine* scheduler::steal_from(worker& victim, worker& w, bool with_next) noexcept {
    goroutine_list taken;
    victim.queue.steal(taken, with_next);
    goroutine* const first = taken.pop_front();
    if (!taken.empty()) {
        w.queue.push_stolen(taken);
    }
    return first;
}

/// The same from the inject queue, whose order is kept.
goroutine* scheduler::take_injected(worker& w) noexcept {
    goroutine_list taken;
    inject_.take(taken, active_.load());
    goroutine* const first = taken.pop_front();
    if (!taken.empty()) {
        w.queue.push_ready(taken);
    }
    return first;
}

/// Looks into the queues of the others, in random order.
goroutine* scheduler::search(worker& w) noexcept {
    const std::size_t count = worker_count();
    for (int round = 0; round < search_rounds; ++round) {
        const std::size_t first = w.search_random.below(static_cast<std::uint32_t>(count));
        for (std::size_t i = 0; i < count; ++i) {
            worker& victim = worker_at((first + i) % count);
            const bool stuck = victim.stuck.load(std::memory_order_relaxed);
            if (&victim == &w || (victim.queue.waiting() <= keep_local && !stuck)) {
                continue;
            }
            if (goroutine* const g = steal_from(victim, w, stuck); g != nullptr) {
                return g;
            }
        }
        if (goroutine* const g = take_injected(w); g != nullptr) {
            return g;
        }
        pause();
    }
    return nullptr;
}

}  // namespace runnel::detail
