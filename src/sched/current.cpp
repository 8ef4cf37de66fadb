#include "src/sched/current.hpp"

#include <utility>

#include <runnel/detail/locals.hpp>

#include "src/os/clock.hpp"
#include "src/os/futex.hpp"
#include "src/os/thread.hpp"
#include "src/sched/registry.hpp"

namespace runnel::detail {
namespace {

/// Everything that the library keeps per thread.
struct thread_state {
    thread_parker parker;
    goroutine_locals* locals = nullptr;
    random_source random{reinterpret_cast<std::uintptr_t>(this) ^
                         static_cast<std::uint64_t>(os::monotonic_now())};

    thread_state() = default;
    thread_state(const thread_state&) = delete;
    thread_state& operator=(const thread_state&) = delete;
    /// The thread-locals of the thread that ends the process are destroyed before any static
    /// object, whenever that was made: this is where the workers must stop.
    ~thread_state() {
        if (ends_process()) {
            stop_process_scheduler();
        }
        while (locals != nullptr) {  // a value's destructor may make another
            delete std::exchange(locals, nullptr);
        }
    }
    static bool ends_process() noexcept;
};

thread_local thread_state this_thread;

/// Keeps the compiler from computing the address before a switch and using it after.
[[gnu::noinline]] thread_state& state() noexcept {
    asm volatile("" ::: "memory");
    return this_thread;
}

/// What a worker asks on every operation: a constant-initialised word, without the guard that a
/// thread_local with a destructor needs.
thread_local constinit worker* this_worker = nullptr;

/// The main thread, or a worker that has not left its loop: a goroutine has called exit().
bool thread_state::ends_process() noexcept {
    return this_worker != nullptr || os::is_main_thread();
}

}  // namespace

[[gnu::noinline]] worker* current_worker() noexcept {
    asm volatile("" ::: "memory");
    return this_worker;
}

[[gnu::noinline]] void set_current_worker(worker* w) noexcept {
    asm volatile("" ::: "memory");
    this_worker = w;
}

thread_parker& current_parker() noexcept { return state().parker; }

goroutine_locals*& thread_locals() noexcept { return state().locals; }

void watch_for_process_end() noexcept { static_cast<void>(state()); }

random_source& thread_random() noexcept { return state().random; }

bool thread_parker::consume() noexcept {
    return granted_.exchange(0, std::memory_order_acquire) != 0;  // [C-1]
}

void thread_parker::park() noexcept {
    while (!consume()) {
        os::futex_wait(granted_, 0);
    }
}

bool thread_parker::park_until(ticks deadline) noexcept {
    while (!consume()) {
        const ticks at = os::monotonic_now();
        if (deadline <= at) {
            return consume();
        }
        os::futex_wait(granted_, 0, deadline - at);
    }
    return true;
}

void thread_parker::grant() noexcept {
    granted_.store(1, std::memory_order_release);  // [C-1]
    os::futex_wake(&granted_);
}

}  // namespace runnel::detail
