#include "src/sched/current.hpp"

#include <runnel/detail/locals.hpp>

#include "src/os/clock.hpp"
#include "src/os/futex.hpp"

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
    ~thread_state() { delete locals; }
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
        const ticks left = deadline - os::monotonic_now();
        if (left <= 0) {
            return consume();
        }
        os::futex_wait(granted_, 0, left);
    }
    return true;
}

void thread_parker::grant() noexcept {
    granted_.store(1, std::memory_order_release);  // [C-1]
    os::futex_wake(&granted_);
}

}  // namespace runnel::detail
