#include <runnel/sync/mutex.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

using mutex_on_workers = test::on_workers;

TEST_P(mutex_on_workers, works_with_the_locks_of_the_standard_library) {
    run([] {
        mutex a, b;
        {
            const std::lock_guard hold(a);
            EXPECT_FALSE(a.try_lock());
        }
        {
            const std::scoped_lock both(a, b);
            EXPECT_FALSE(b.try_lock());
        }
        std::unique_lock lock(a, std::defer_lock);
        EXPECT_TRUE(lock.try_lock());
        lock.unlock();
        EXPECT_TRUE(lock.try_lock_for(1s));
        EXPECT_EQ(std::try_lock(b, b), 1) << "not recursive";
    });
}

TEST_P(mutex_on_workers, try_lock_for_takes_a_free_mutex_whatever_the_time) {
    run([] {
        mutex m;
        for (const std::chrono::nanoseconds d :
             {0ns, -1ns, std::chrono::nanoseconds::min(), std::chrono::nanoseconds::max()}) {
            EXPECT_TRUE(m.try_lock_for(d));
            m.unlock();
        }
        EXPECT_TRUE(m.try_lock_until(clock::time_point::min()));
        m.unlock();
        EXPECT_TRUE(m.try_lock_until(std::chrono::steady_clock::now() - 1h));
        m.unlock();
    });
}

TEST_P(mutex_on_workers, try_lock_for_gives_up_after_its_time_and_not_before) {
    run([] {
        mutex m;
        const std::lock_guard hold(m);
        for (const auto d : {0ms, -5ms, 2ms}) {
            const auto start = clock::now();
            EXPECT_FALSE(spawn([&] { return m.try_lock_for(d); }).join());
            EXPECT_GE(clock::now() - start, d);
        }
        EXPECT_FALSE(spawn([&] { return m.try_lock_until(clock::now() + 1ms); }).join());
        EXPECT_FALSE(spawn([&] { return m.try_lock_until(clock::time_point::min()); }).join());
    });
}

TEST_P(mutex_on_workers, may_be_unlocked_by_another_goroutine) {
    run([] {
        mutex m;
        m.lock();
        spawn([&] { m.unlock(); }).join();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(mutex_on_workers, those_who_give_up_do_not_keep_the_others_waiting) {
    const std::size_t rounds = test::scaled(4'000, 400);
    run([rounds] {
        mutex m;
        std::size_t plain = 0;
        std::atomic<std::size_t> expected = 0;
        wait_group all;
        for (std::size_t g = 0; g < 6; ++g) {
            all.go([&, g] {
                for (std::size_t i = 0; i < rounds; ++i) {
                    const auto limit = std::chrono::nanoseconds((i + g) % 50 * 1000);
                    if (g < 2) {
                        m.lock();  // these wait for ever if a wake-up is lost
                    } else if (!m.try_lock_for(limit)) {
                        continue;
                    }
                    ++plain;
                    ++expected;
                    if (i % 8 == 0) {
                        yield();
                    }
                    m.unlock();
                }
            });
        }
        all.wait();
        EXPECT_EQ(plain, expected);
        EXPECT_TRUE(m.try_lock()) << "nobody has kept it";
        m.unlock();
    });
}

TEST_P(mutex_on_workers, threads_and_goroutines_exclude_each_other) {
    const std::size_t rounds = test::scaled(5'000, 500);
    mutex m;
    std::size_t plain = 0;
    const auto count = [&] {
        for (std::size_t i = 0; i < rounds; ++i) {
            const std::lock_guard hold(m);
            ++plain;
        }
    };
    std::thread first(count), second(count);
    run([&] {
        wait_group all;
        all.go(count);
        all.go(count);
        all.wait();
    });
    first.join();
    second.join();
    EXPECT_EQ(plain, 4 * rounds);
}

TEST_P(mutex_on_workers, may_be_destroyed_by_whoever_has_it_last) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto owned = std::make_unique<mutex>();
            mutex* const m = owned.get();
            m->lock();
            auto other = spawn([&] {
                if (i % 2 == 0) {
                    m->lock();
                } else {
                    while (!m->try_lock_for(std::chrono::microseconds(i % 30))) {
                    }
                }
                m->unlock();
                owned.reset();
            });
            for (std::size_t k = 0; k < i % 3; ++k) {
                yield();
            }
            m->unlock();
            other.join();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, mutex_on_workers, test::worker_counts, test::worker_name);

class mutex_death : public ::testing::Test {
protected:
    mutex_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    static void no_core() {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
    }
};

TEST_F(mutex_death, destroyed_while_it_is_locked_is_fatal) {
    EXPECT_DEATH(
        {
            no_core();
            mutex m;
            m.lock();
        },
        "mutex was destroyed while it is locked");
}

TEST_F(mutex_death, a_second_unlock_is_fatal) {
    EXPECT_DEATH(
        {
            no_core();
            mutex m;
            m.lock();
            m.unlock();
            m.unlock();
        },
        "unlock of a mutex that is not locked");
}

}  // namespace
}  // namespace runnel
