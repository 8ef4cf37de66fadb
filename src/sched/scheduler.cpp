// sched/scheduler.cpp: how a runtime begins and ends.
#include "src/sched/scheduler.hpp"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <stdexcept>

#include "src/base/fatal.hpp"
#include "src/os/clock.hpp"
#include "src/os/cpus.hpp"
#include "src/os/futex.hpp"
#include "src/os/thread.hpp"
#include "src/sched/current.hpp"
#include "src/sched/overflow.hpp"
#include "src/sched/registry.hpp"

namespace runnel::detail {
namespace {

std::size_t choose_workers(const runtime_options& options) {
    check_workers(options.workers);
    return options.workers != 0 ? options.workers : default_worker_count();
}

stack_policy choose_policy(const runtime_options& options) {
    check_stack_size("runtime_options.stack_size", options.stack_size);
    const std::size_t page = os::page_size();
    stack_policy policy;
    policy.size = (options.stack_size + page - 1) / page * page;
    if (options.guards == guard_policy::none) {
        return policy;
    }
    policy.method = options.guards == guard_policy::mprotect_only ? os::guard_method::mprotect
                                                                  : os::best_guard_method();
    policy.warn_unguarded = true;
    // Each guard costs two mappings; a quarter is left to the rest of the program.
    policy.guard_budget = os::max_map_count() / 8 * 3;
    if (options.guards == guard_policy::required && policy.method == os::guard_method::none) {
        throw std::system_error(std::make_error_code(std::errc::not_supported),
                                "runnel: guards are required, but this system has no guard pages");
    }
    return policy;
}

std::uint64_t choose_seed(const runtime_options& options) {
    if (options.seed) {
        return *options.seed;
    }
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

}  // namespace

void check_workers(std::size_t workers) {
    if (workers > scheduler::max_workers) {
        throw std::invalid_argument("runnel: runtime_options.workers is " +
                                    std::to_string(workers) + ", but must be at most " +
                                    std::to_string(scheduler::max_workers));
    }
}

scheduler::scheduler(const runtime_options& options, virtual_time* clock)
    : options_(options),
      clock_(clock),
      base_workers_(choose_workers(options)),
      seed_(choose_seed(options)),
      signals_(os::signal_mask::of_this_thread()),
      depot_(choose_policy(options)) {
    static const bool installed = (install_overflow_handler(), true);
    static_cast<void>(installed);
    register_scheduler(this);
    try {
        for (std::size_t i = 0; i < base_workers_; ++i) {
            launch();
        }
        std::vector<observation> seen(workers_.size());
        const os::signals_blocked quiet;  // the monitor runs nobody's code
        monitor_ =
            std::thread([this, seen = std::move(seen)]() mutable { watch(std::move(seen)); });
    } catch (...) {
        stop();
        unregister_scheduler(this);
        delete_workers();
        throw;
    }
}

scheduler::~scheduler() {
    unregister_scheduler(this);
    delete_workers();
}

void scheduler::delete_workers() noexcept {
    for (std::size_t i = 0; i < worker_count(); ++i) {
        delete &worker_at(i);
    }
}

void scheduler::launch() {
    const std::size_t number = worker_count();
    auto w = std::make_unique<worker>(*this, number, seed_ + number * 0x9e3779b97f4a7c15ULL);
    w->word.store(word_asleep);
    {
        const os::signals_blocked quiet;  // until it has its alternate stack
        w->thread = std::thread([this, self = w.get()] {
            os::name_this_thread("runnel-worker");
            work(*self);
        });
    }
    // Published only now that nothing can fail; the thread waits for it.
    worker* const ready = w.release();
    workers_[number].store(ready);
    worker_count_.fetch_add(1);
    active_.fetch_add(1);
    wake_worker(ready);
}

bool scheduler::drain(std::chrono::nanoseconds limit) noexcept {
    draining_.store(true);
    const ticks at = os::monotonic_now();
    const ticks until = limit.count() > never - at ? never : at + limit.count();
    for (;;) {
        const std::uint32_t epoch = drain_epoch_.load();
        if (live() == 0 && blocking_calls.load() == 0) {
            return true;
        }
        const ticks left = until - os::monotonic_now();
        if (left <= 0) {
            return false;
        }
        // Every worker announces that it falls asleep; those that never do are checked for now and
        // then.
        os::futex_wait(drain_epoch_, epoch, std::min<ticks>(left, 10'000'000));
    }
}

void scheduler::ring_all() noexcept {
    stopping_.store(true);
    monitor_nap_.store(1);
    os::futex_wake(&monitor_nap_);
    monitor_asleep_.store(0);
    os::futex_wake(&monitor_asleep_);
    const std::lock_guard hold(monitor_lock_);
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        w.attention.store(true);
        if (w.state.load() == worker_state::retired) {
            w.word.store(word_woken);
            os::futex_wake(&w.word);
        }
    }
    while (worker* const sleeper = idle_.pick()) {
        wake_worker(sleeper);
    }
}

void scheduler::stop() noexcept {
    ring_all();
    if (monitor_.joinable()) {
        monitor_.join();
    }
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker_at(i).thread.join();
    }
    while (injecting_.load() != 0) {
        std::this_thread::yield();
    }
    let_go_of_sockets();
}

/// Nobody polls any more: those of other runtimes who wait through this poller find another one.
void scheduler::let_go_of_sockets() noexcept {
    for (std::uint32_t i = 0; i < poll_desc::count(); ++i) {
        wake_both(poller_.let_go(i));
    }
}

void scheduler::stop_for_exit() noexcept {
    constexpr ticks between_looks = 10'000'000;
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        w.used_before_halt = os::processor_time(w.thread_id.load());
    }
    halting_.store(true);
    ring_all();
    const ticks begin = os::monotonic_now();
    for (;;) {
        const std::uint32_t halted = halted_.load();
        if (!may_still_halt(os::monotonic_now() - begin)) {
            break;
        }
        os::futex_wait(halted_, halted, between_looks);
    }
    const worker* const self = current_worker();
    keep_stacks_for_leak_check();
    if (self != nullptr && &self->home == this) {
        set_current_worker(nullptr);  // what is left of the process runs as on a plain thread
    }
}

/// True if it is worth while to wait for some worker: it has not halted, but will when it is at a
/// scheduling point. Not for goroutines that compute and do not look up, or are in a system call;
/// but on a busy machine a worker may have to wait for a processor first.
bool scheduler::may_still_halt(ticks waited) const noexcept {
    constexpr ticks patience = 100'000'000;
    constexpr ticks enough = 100 * patience;
    constexpr ticks turn = 10'000'000;  // of processor time, in which one looks up if ever
    for (std::size_t i = 0; i < worker_count(); ++i) {
        worker& w = worker_at(i);
        if (&w == current_worker() || w.state.load() == worker_state::halted) {
            continue;
        }
        const bool gets_no_turn =
            os::wants_processor(w.thread_id.load()) &&
            os::processor_time(w.thread_id.load()) - w.used_before_halt < turn;
        if (waited < patience || (gets_no_turn && waited < enough)) {
            return true;
        }
    }
    return false;
}

void scheduler::abandon() noexcept {
    stop_for_exit();
    let_go_of_sockets();
    abandon_scheduler(*this);
}

/// The end of a worker when the process ends: it never runs anything again.
goroutine* scheduler::halt(worker& w) noexcept {
    w.state.store(worker_state::halted);
    halted_.fetch_add(1);
    os::futex_wake(&halted_);
    os::sleep_forever();
}

/// What parked goroutines hold is still reachable, through stacks that the leak check does not
/// know.
void scheduler::keep_stacks_for_leak_check() noexcept {
    records_.for_each([](const goroutine& g) {
        const void* const sp = g.sp.load();
        if (g.on != nullptr && sp != nullptr) {
            const auto* const from = static_cast<const std::byte*>(sp);
            register_leak_root(from, static_cast<std::size_t>(g.on->top - from));
        }
    });
}

}  // namespace runnel::detail
