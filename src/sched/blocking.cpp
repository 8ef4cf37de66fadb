// sched/blocking.cpp: threads for calls that block.
//
// Purpose   blocking(f) runs `f` on a thread of this pool while its goroutine waits, so no worker
//           is held back and `f` has a thread's full stack.
// Invariants
//   B1  A job waits only while a thread is idle for it or is being started, or max_threads run.
//   B2  Idle threads end after a while; the pool itself is never destroyed, because the process may
//       end while calls are still under way.
// Locks     lock_ (leaf).
#include <condition_variable>
#include <mutex>
#include <thread>

#include <runnel/runtime.hpp>

#include "src/base/list.hpp"
#include "src/os/thread.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

struct job {
    void (*body)(void*);
    void* argument;
    waiter done;
    job* next = nullptr;
    job* prev = nullptr;
};

class blocking_pool {
public:
    void submit(job& j) {
        const std::lock_guard hold(lock_);
        jobs_.push_back(&j);
        if (idle_ >= jobs_.size()) {
            arrived_.notify_one();
        } else if (threads_ < max_threads) {
            start_thread(j);
        }
    }

    [[nodiscard]] std::size_t threads() {
        const std::lock_guard hold(lock_);
        return threads_;
    }

private:
    static constexpr std::size_t max_threads = 512;
    static constexpr std::chrono::seconds patience{10};

    /// It has the signals of the goroutine's worker: `f` may start child processes, which inherit
    /// them, and a handler has a thread's stack here.
    void start_thread(job& j) {
        ++threads_;
        try {
            std::thread([this] { serve(); }).detach();
        } catch (...) {
            --threads_;
            if (threads_ == 0) {
                jobs_.remove(&j);
                throw;  // nobody would ever run it
            }
        }
    }

    void serve() {
        os::name_this_thread("runnel-blocking");
        std::unique_lock hold(lock_);
        for (;;) {
            ++idle_;
            const bool got = arrived_.wait_for(hold, patience, [this] { return !jobs_.empty(); });
            --idle_;
            if (!got) {
                --threads_;
                return;
            }
            job* const j = jobs_.pop_front();
            hold.unlock();
            j->body(j->argument);
            wake(j->done);
            hold.lock();
        }
    }

    std::mutex lock_;
    std::condition_variable arrived_;
    // Protected by lock_.
    intrusive_list<job> jobs_;
    std::size_t threads_ = 0;
    std::size_t idle_ = 0;
};

blocking_pool& pool() {
    static auto* const p = new blocking_pool;
    return *p;
}

}  // namespace

std::size_t blocking_threads() { return pool().threads(); }

void run_blocking(void (*body)(void*), void* argument) {
    worker* const on = current_worker();
    if (on == nullptr) {
        body(argument);
        return;
    }
    scheduler& home = on->home;
    job j{.body = body, .argument = argument, .done = {}, .next = nullptr, .prev = nullptr};
    begin_wait(j.done, wait_kind::blocking, __builtin_return_address(0));
    home.blocking_calls.fetch_add(1);
    try {
        pool().submit(j);
    } catch (...) {
        home.blocking_calls.fetch_sub(1);
        give_up_wait(j.done);
        throw;
    }
    park_here(j.done);
    home.blocking_calls.fetch_sub(1);
}

}  // namespace runnel::detail
