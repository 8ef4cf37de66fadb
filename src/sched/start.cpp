// sched/start.cpp: how a goroutine begins and ends.
#include <algorithm>
#include <exception>
#include <stdexcept>
#include <system_error>

#include <runnel/detail/locals.hpp>
#include <runnel/go_options.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/report.hpp"
#include "src/sched/switch.hpp"

namespace runnel::detail {
namespace {

constexpr std::uint64_t id_block = 256;

std::size_t usable_stack_size(const start_info& info) {
    if (info.options == nullptr || !info.options->stack_size) {
        return 0;
    }
    const std::size_t size = *info.options->stack_size;
    check_stack_size("go_options.stack_size", size);
    const std::size_t page = os::page_size();
    return (size + page - 1) / page * page;
}

}  // namespace

void check_stack_size(const char* what, std::size_t size) {
    if (size < min_stack_size || size > max_stack_size) {
        throw std::invalid_argument("runnel: " + std::string(what) + " is " + std::to_string(size) +
                                    " bytes, but must be between " +
                                    std::to_string(min_stack_size) + " and " +
                                    std::to_string(max_stack_size));
    }
}

goroutine* scheduler::take_record(worker* w) {
    // Counted only once nothing can fail: a count too many would never be finished.
    if (w != nullptr) {
        goroutine* const g = w->records.take();
        w->count(w->started);
        return g;
    }
    goroutine* const g = records_.take(1).first;
    foreign_started_.fetch_add(1);
    return g;
}

void scheduler::set_up(goroutine& g, worker* w, const start_info& info) {
    g.home = this;
    if (w != nullptr) {
        if (w->next_id == w->end_id) {
            w->next_id = next_id_.fetch_add(id_block, std::memory_order_relaxed);
            w->end_id = w->next_id + id_block;
        }
        g.id.store(w->next_id++, std::memory_order_relaxed);  // [G-1]
    } else {
        g.id.store(next_id_.fetch_add(1, std::memory_order_relaxed),
                   std::memory_order_relaxed);                        // [G-1]
    }
    g.started.set(info);
}

start_slot scheduler::prepare(std::size_t size, std::size_t align, const start_info& info) {
    const std::size_t stack_size = usable_stack_size(info);
    if (options_.guards == guard_policy::required &&
        depot_.policy().method == os::guard_method::mprotect &&
        live() >= depot_.policy().guard_budget) {
        throw std::system_error(
            std::make_error_code(std::errc::not_enough_memory),
            "runnel: no mappings left to guard another stack (vm.max_map_count, guards required)");
    }
    worker* w = current_worker();
    if (w != nullptr && &w->home != this) {
        w = nullptr;
    }
    goroutine* const g = take_record(w);
    const start_slot slot{.record = g, .storage = nullptr};
    try {
        g->make_room(size, align);
        if (info.options != nullptr && !info.options->name.empty()) {
            auto name = std::make_unique<std::string>(info.options->name);
            const std::lock_guard hold(records_.names());
            g->name = std::move(name);
        }
    } catch (...) {
        abandon(slot);
        throw;
    }
    set_up(*g, w, info);
    g->stack_size = stack_size;
    return {.record = g, .storage = g->closure};
}

void scheduler::recycle(goroutine* g) noexcept {
    g->drop_room();
    if (g->name) {
        const std::lock_guard hold(records_.names());
        g->name.reset();
    }
    g->on = nullptr;
    g->set_phase(goroutine_phase::unused);
}

void scheduler::abandon(start_slot slot) noexcept {
    goroutine* const g = slot.record;
    recycle(g);
    goroutine_pool::chain alone;
    alone.push(g);
    records_.give(alone);
    foreign_started_.fetch_sub(1);  // the sum of both counters is what counts
}

void scheduler::start(start_slot slot, void (*invoke)(void*)) noexcept {
    goroutine* const g = slot.record;
    g->invoke = invoke;
    g->set_waiting(wait_kind::none, nullptr);
    g->set_phase(goroutine_phase::fresh);
    worker* const w = current_worker();
    if (w == nullptr || &w->home != this) {
        inject(g);
        return;
    }
    w->queue.push_fresh(g);
    offer_work(*w);
}

/// The stack is given at the first run: a burst of short goroutines runs on few stacks.
void scheduler::give_stack(worker& w, goroutine* g) noexcept {
    g->on = g->stack_size == 0 ? w.stacks.take() : depot_.map_one(g->stack_size);
    g->sanitizer.begin(g->on->low, g->on->size());
    g->set_phase(goroutine_phase::running);
    prepare_entry(*g, *g->on, &scheduler::goroutine_main);
}

void scheduler::run_closure(goroutine& g) noexcept {
    try {
        g.invoke(g.closure);
        while (g.locals != nullptr) {  // a value's destructor may make another
            delete std::exchange(g.locals, nullptr);
        }
    } catch (...) {
        report_uncaught(g);
    }
}

/// The body of every stack: runs goroutines until it has none to run on the spot.
void scheduler::goroutine_main() noexcept {
    goroutine* g = current_worker()->current;
    arrived(g->sanitizer, nullptr);
    for (;;) {
        run_closure(*g);
        worker& w = *current_worker();  // asked again: the goroutine may have moved
        if (!w.home.finish(w, g)) {
            fatal("a finished goroutine was resumed");
        }
        g = w.current;
    }
}

/// Ends `g`, on whose stack the caller stands. Returns true if w.current is another goroutine that
/// shall run on this stack; otherwise does not return.
bool scheduler::finish(worker& w, goroutine* g) noexcept {
    stack* const mine = g->on;
    const bool own_mapping = !mine->pooled;
    sanitizer_stack shadow = g->sanitizer;
    recycle(g);
    w.records.give(g);
    w.count(w.finished);
    if (instrumented || own_mapping || w.stacks.overfull()) {
        w.current = nullptr;
        w.retired_stack = mine;
        w.retired_sanitizer = shadow;
        announce_switch(shadow, w.loop_sanitizer, true);
        switch_fiber(&w.discarded, &w.loop);
        return false;
    }
    fiber* const to = choose_after_finish(w, mine);
    if (to == nullptr) {
        return true;
    }
    w.stacks.give(mine);  // K2: we still stand on it, but nobody takes it before we are off
    switch_fiber(&w.discarded, to);
    return false;
}

/// As choose(), but a fresh goroutine takes over the stack `mine`: returns null then.
fiber* scheduler::choose_after_finish(worker& w, stack* mine) noexcept {
    const bool stop = at_scheduling_point(w);
    goroutine* const g = stop ? nullptr : w.queue.pop();
    if (g == nullptr) {
        w.current = nullptr;
        return &w.loop;
    }
    if (g->on == nullptr && g->stack_size == 0) {
        g->on = mine;
        g->set_phase(goroutine_phase::running);
        w.current = g;
        return nullptr;
    }
    return enter(w, g);
}

std::size_t scheduler::live() const noexcept {
    // Finished first: a goroutine that starts another has not finished then, so the difference
    // never reads as zero while one is alive.
    std::uint64_t finished = 0;
    for (std::size_t i = 0; i < worker_count(); ++i) {
        finished += worker_at(i).finished.load();
    }
    std::uint64_t started = foreign_started_.load();
    for (std::size_t i = 0; i < worker_count(); ++i) {
        started += worker_at(i).started.load();
    }
    return started - finished;
}

start_slot prepare_start(std::size_t size, std::size_t align, const start_info& info) {
    start_info known = info;
    if (known.pc == nullptr && known.file == nullptr) {
        known.pc = __builtin_return_address(0);
    }
    return current_scheduler().prepare(size, align, known);
}

void abandon_start(start_slot slot) noexcept { slot.record->home->abandon(slot); }

void start(start_slot slot, void (*invoke)(void*)) noexcept {
    slot.record->home->start(slot, invoke);
}

}  // namespace runnel::detail
