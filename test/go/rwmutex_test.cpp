// test/go/rwmutex_test.cpp: one writer or many readers.
//
// Follows Go's src/sync/rwmutex_test.go, the RWMutex cases of src/sync/mutex_test.go, and the
// NoRace tests of src/runtime/race/testdata/rwmutex_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
//
// Memory order: a count that shall order nothing, so that the lock has to, is relaxed.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <shared_mutex>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_rwmutex = test::on_workers;

// Returns only if all of them hold the lock at the same time.
void read_in_parallel(int readers) {
    shared_mutex m;
    auto locked = make_chan<bool>();
    auto unlock = make_chan<bool>();
    wait_group all;
    for (int i = 0; i < readers; ++i) {
        all.go([&, locked, unlock] {
            const std::shared_lock held(m);
            locked.send(true);
            test::drop(unlock);
        });
    }
    for (int i = 0; i < readers; ++i) {
        test::drop(locked);
    }
    for (int i = 0; i < readers; ++i) {
        unlock.send(true);
    }
    all.wait();
}

TEST_P(go_rwmutex, readers_hold_it_together) {
    run([] {
        for (const int readers : {1, 3, 4}) {
            read_in_parallel(readers);
        }
    });
}

TEST_P(go_rwmutex, try_forms_tell_whether_it_is_free) {  // S40
    run([] {
        shared_mutex m;
        m.lock();
        EXPECT_FALSE(m.try_lock());
        EXPECT_FALSE(m.try_lock_shared());
        m.unlock();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
        EXPECT_TRUE(m.try_lock_shared());
        EXPECT_TRUE(m.try_lock_shared());
        EXPECT_FALSE(m.try_lock());
        m.unlock_shared();
        m.unlock_shared();
    });
}

// The number of readers inside, plus 10,000 for each writer inside.
void read(shared_mutex& m, std::size_t loops, std::atomic<int>& activity) {
    for (std::size_t i = 0; i < loops; ++i) {
        const std::shared_lock held(m);
        const int n = ++activity;
        ASSERT_TRUE(n >= 1 && n < 10'000) << n;
        --activity;
    }
}

void write(shared_mutex& m, std::size_t loops, std::atomic<int>& activity) {
    for (std::size_t i = 0; i < loops; ++i) {
        const std::lock_guard held(m);
        ASSERT_EQ(activity += 10'000, 10'000);
        activity -= 10'000;
    }
}

void hammer(int readers, std::size_t loops) {
    shared_mutex m;
    std::atomic<int> activity = 0;
    wait_group all;
    const auto start_readers = [&](int n) {
        for (int i = 0; i < n; ++i) {
            all.go([&] { read(m, loops, activity); });
        }
    };
    all.go([&] { write(m, loops, activity); });
    start_readers(readers / 2);
    all.go([&] { write(m, loops, activity); });
    start_readers(readers - readers / 2);
    all.wait();
}

TEST_P(go_rwmutex, writers_are_alone_and_readers_are_without_writers) {
    const std::size_t loops = test::scaled(1'000, 100);
    run([loops] {
        for (const int readers : {1, 3, 5, 10}) {
            hammer(readers, loops);
        }
    });
}

// Two shared locks, then, by the same goroutine, the other one.
TEST_P(go_rwmutex, writer_waits_for_every_shared_lock) {
    run([] {
        shared_mutex m;
        constexpr int n = 10;
        auto shared = make_chan<bool>(1);
        auto written = make_chan<bool>(1);
        wait_group all;
        all.go([&, shared, written] {
            for (int i = 0; i < n; ++i) {
                m.lock_shared();
                m.lock_shared();
                shared.send(true);
                m.lock();
                written.send(true);
            }
        });
        for (int i = 0; i < n; ++i) {
            test::drop(shared);
            m.unlock_shared();
            EXPECT_EQ(select(on_recv(written), otherwise()), 1U) << "one shared lock is held";
            m.unlock_shared();
            test::drop(written);
            EXPECT_EQ(select(on_recv(shared), otherwise()), 1U) << "it is locked";
            m.unlock();
        }
        all.wait();
    });
}

TEST_P(go_rwmutex, unlock_happens_before_every_shared_lock_after_it) {  // S31
    run([] {
        for (std::size_t i = test::scaled(300, 100); i > 0; --i) {
            shared_mutex m;
            int x = 0;
            wait_group all;
            all.go([&] {
                const std::lock_guard held(m);
                x = 2;
            });
            for (int reader = 0; reader < 3; ++reader) {
                all.go([&] {
                    const std::shared_lock held(m);
                    EXPECT_TRUE(x == 0 || x == 2);
                });
            }
            all.wait();
        }
    });
}

TEST_P(go_rwmutex, shared_unlocks_happen_before_the_next_lock) {  // S31
    run([] {
        for (std::size_t i = test::scaled(300, 100); i > 0; --i) {
            shared_mutex m;
            int x = 0;
            std::atomic<int> read = 0;
            wait_group all;
            for (int reader = 0; reader < 2; ++reader) {
                all.go([&] {
                    const std::shared_lock held(m);
                    EXPECT_EQ(x, 0);
                    read.fetch_add(1, std::memory_order_relaxed);
                });
            }
            while (read.load(std::memory_order_relaxed) != 2) {
                yield();
            }
            m.lock();
            x = 42;
            m.unlock();
            all.wait();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_rwmutex, test::worker_counts, test::worker_name);

class go_rwmutex_death : public ::testing::Test {
protected:
    go_rwmutex_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    template <class F>
    static void with_one(F misuse) {
        shared_mutex m;
        misuse(m);
    }
};

TEST_F(go_rwmutex_death, unlock_of_unlocked_is_fatal) {  // S40
    EXPECT_DEATH(with_one([](shared_mutex& m) { m.unlock(); }), "unlock");
    EXPECT_DEATH(with_one([](shared_mutex& m) {
                     m.lock_shared();
                     m.unlock();
                 }),
                 "unlock");
    EXPECT_DEATH(with_one([](shared_mutex& m) {
                     m.lock();
                     m.unlock();
                     m.unlock();
                 }),
                 "unlock");
}

TEST_F(go_rwmutex_death, shared_unlock_of_unlocked_is_fatal) {  // S40
    EXPECT_DEATH(with_one([](shared_mutex& m) { m.unlock_shared(); }), "unlock_shared");
    EXPECT_DEATH(with_one([](shared_mutex& m) {
                     m.lock();
                     m.unlock_shared();
                 }),
                 "unlock_shared");
    EXPECT_DEATH(with_one([](shared_mutex& m) {
                     m.lock_shared();
                     m.unlock_shared();
                     m.unlock_shared();
                 }),
                 "unlock_shared");
}

}  // namespace
}  // namespace runnel
