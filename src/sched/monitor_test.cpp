#include <gtest/gtest.h>

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

#include <runnel/runnel.hpp>

#include "src/os/thread.hpp"
#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"

namespace runnel::detail {
namespace {

/// Binds the calling thread to the processor it runs on, or to `cpu`; returns which.
int bind_to(int cpu) {
    const int chosen = cpu >= 0 ? cpu : ::sched_getcpu();
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(chosen, &only);
    EXPECT_EQ(::pthread_setaffinity_np(::pthread_self(), sizeof only, &only), 0);
    return chosen;
}

/// Uses the processor until the calling thread has had `time` of it.
void burn(ticks time) {
    const ticks until = os::processor_time(os::this_thread_id()) + time;
    while (os::processor_time(os::this_thread_id()) < until) {
    }
}

TEST(monitor, takes_nothing_from_a_worker_that_the_system_does_not_let_run) {
    runtime rt{{.workers = 1}};
    rt.run([] {
        const int cpu = bind_to(-1);
        const pthread_t self = ::pthread_self();
        const sched_param none{};
        ASSERT_EQ(::pthread_setschedparam(self, SCHED_IDLE, &none), 0);
        std::atomic<bool> over = false;
        std::thread hog([&] {
            bind_to(cpu);
            burn(300'000'000);
            over = true;
            ::pthread_setschedparam(self, SCHED_OTHER, &none);
        });
        go([&] {
            while (!over) {
                yield();
            }
        });
        while (!over) {
            yield();
        }
        EXPECT_EQ(current_worker()->home.extra_workers_added(), 0U);
        blocking([&] { hog.join(); });
    });
}

TEST(monitor, adds_a_worker_for_one_that_computes) {
    runtime rt{{.workers = 1}};
    rt.run([] {
        scheduler& home = current_worker()->home;
        std::atomic<bool> ran = false;
        go([&] { ran = true; });
        while (!ran) {  // without a scheduling point
        }
        EXPECT_GE(home.extra_workers_added(), 1U);
    });
}

TEST(processor_time, counts_what_a_thread_has_used) {
    const int self = os::this_thread_id();
    const ticks before = os::processor_time(self);
    burn(2'000'000);
    EXPECT_GE(os::processor_time(self) - before, 2'000'000);
    EXPECT_EQ(os::processor_time(1 << 22), 0) << "no such thread";
}

}  // namespace
}  // namespace runnel::detail
