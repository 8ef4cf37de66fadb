#include "src/sched/registry.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <vector>

#include <runnel/runtime.hpp>

#include "src/base/fatal.hpp"
#include "src/os/cpus.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

/// Never destroyed: static destructors and late threads may still look.
struct registry {
    std::mutex lock;
    // Protected by lock.
    std::vector<scheduler*> all;
    runtime_options options;
    // Set once, under lock.
    std::atomic<scheduler*> process = nullptr;
    std::atomic<bool> ending = false;
    std::atomic<std::size_t> abandoned_threads = 0;
};

registry& the_registry() {
    static auto* const r = new registry;
    return *r;
}

std::mutex& creation_lock() {
    static auto* const m = new std::mutex;
    return *m;
}

scheduler& create_process_scheduler() {
    registry& r = the_registry();
    const std::lock_guard hold(creation_lock());
    scheduler* s = r.process.load();
    if (s == nullptr) {
        s = new scheduler(r.options, nullptr);
        r.process.store(s);
        // Whoever ends the process: the main thread and the workers notice by their thread-locals,
        // which go first; for all others there is the handler.
        watch_for_process_end();
        std::atexit(stop_process_scheduler);
    }
    return *s;
}

}  // namespace

void register_scheduler(scheduler* s) {
    registry& r = the_registry();
    const std::lock_guard hold(r.lock);
    r.all.push_back(s);
}

void unregister_scheduler(scheduler* s) noexcept {
    registry& r = the_registry();
    const std::lock_guard hold(r.lock);
    std::erase(r.all, s);
}

void for_each_scheduler(const std::function<void(scheduler&)>& f) {
    registry& r = the_registry();
    const std::lock_guard hold(r.lock);
    for (scheduler* const s : r.all) {
        f(*s);
    }
}

std::size_t scheduler_count() noexcept {
    registry& r = the_registry();
    const std::lock_guard hold(r.lock);
    return r.all.size();
}

void abandon_scheduler(const scheduler& s) noexcept {
    registry& r = the_registry();
    const std::lock_guard hold(r.lock);
    std::erase(r.all, &s);
    r.abandoned_threads.fetch_add(s.threads());
}

std::size_t abandoned_threads() noexcept { return the_registry().abandoned_threads.load(); }

scheduler& process_scheduler() {
    scheduler* const s = the_registry().process.load();
    return s != nullptr ? *s : create_process_scheduler();
}

void stop_process_scheduler() noexcept {
    registry& r = the_registry();
    scheduler* const s = r.process.load();
    if (s != nullptr && !r.ending.exchange(true)) {
        s->stop_for_exit();
    }
}

bool process_is_ending() noexcept { return the_registry().ending.load(); }

bool waiters_may_be_left() noexcept { return process_is_ending() || abandoned_threads() != 0; }

scheduler& current_scheduler() {
    worker* const w = current_worker();
    return w != nullptr ? w->home : process_scheduler();
}

std::size_t default_worker_count() {
    const char* const text = std::getenv("RUNNEL_MAXPROCS");
    if (text != nullptr && *text != '\0') {  // empty counts as not set, as in Go
        try {
            return os::parse_workers(text);
        } catch (const std::invalid_argument& error) {
            print_error(error.what());
            std::_Exit(2);
        }
    }
    return os::default_workers(os::read_cpu_limits());
}

}  // namespace runnel::detail

namespace runnel {

void configure(const runtime_options& options) {
    const std::lock_guard hold(detail::creation_lock());
    detail::registry& r = detail::the_registry();
    if (r.process.load() != nullptr) {
        throw std::logic_error(
            "runnel: configure() was called after the process-wide runtime had started");
    }
    detail::check_workers(options.workers);
    detail::check_stack_size("runtime_options.stack_size", options.stack_size);
    r.options = options;
}

}  // namespace runnel
