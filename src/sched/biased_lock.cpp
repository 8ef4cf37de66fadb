#include "src/sched/biased_lock.hpp"

#include <thread>

#include "src/os/pause.hpp"

namespace runnel::detail {
namespace {

/// Whoever is waited for does a few list operations, unless it has lost its processor meanwhile.
class patience {
public:
    void wait() noexcept {
        if (++rounds_ < 200) {
            pause();
        } else {
            std::this_thread::yield();
        }
    }

private:
    int rounds_ = 0;
};

}  // namespace

void biased_lock::wait_for_thief() noexcept {
    patience p;
    do {
        inside_.store(false, std::memory_order_release);
        while (claimed_.load(std::memory_order_relaxed)) {  // the load below acquires
            p.wait();
        }
        inside_.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
    } while (claimed_.load(std::memory_order_acquire));
}

void biased_lock::thief_lock() noexcept {
    thieves_.lock();
    if (!biased_) {
        return;
    }
    claimed_.store(true);
    os::all_threads_fence();
    patience p;
    while (inside_.load(std::memory_order_acquire)) {
        p.wait();
    }
}

void biased_lock::thief_unlock() noexcept {
    if (biased_) {
        claimed_.store(false, std::memory_order_release);
    }
    thieves_.unlock();
}

}  // namespace runnel::detail
