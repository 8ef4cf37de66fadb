#include <runnel/detail/spin_lock.hpp>

#include <sched.h>
#include <time.h>

#include "src/os/pause.hpp"

namespace runnel::detail {

void spin_lock::lock_slow() noexcept {
    for (int round = 0;; ++round) {
        for (int i = 0; i < 64; ++i) {
            if (try_lock()) {
                return;
            }
            pause();
        }
        // The owner has lost its processor. Offer ours; if that does not help, sleep.
        if (round < 8) {
            ::sched_yield();
        } else {
            const timespec nap{.tv_sec = 0, .tv_nsec = 50'000};
            ::nanosleep(&nap, nullptr);
        }
    }
}

}  // namespace runnel::detail
