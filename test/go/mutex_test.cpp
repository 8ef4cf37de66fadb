// test/go/mutex_test.cpp: mutual exclusion between goroutines.
//
// Follows the Mutex parts of Go's src/sync/mutex_test.go and the NoRace tests of
// src/runtime/race/testdata/mutex_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <mutex>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using go_mutex = test::on_workers;

// Counts how often it held the lock; every third time it only tries.
int hammer(mutex& m, int loops, int& counter) {
    int held = 0;
    for (int i = 0; i < loops; ++i) {
        if (i % 3 == 0) {
            if (!m.try_lock()) {
                continue;
            }
        } else {
            m.lock();
        }
        ++counter;
        ++held;
        m.unlock();
    }
    return held;
}

TEST_P(go_mutex, try_lock_tells_whether_it_is_free) {
    run([] {
        mutex m;
        m.lock();
        EXPECT_FALSE(m.try_lock());
        m.unlock();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(go_mutex, ten_goroutines_exclude_each_other) {  // S31
    run([] {
        mutex m;
        int counter = 0;  // guarded by m
        auto held = make_chan<int>();
        for (int i = 0; i < 10; ++i) {
            go([&, held] { held.send(hammer(m, 1000, counter)); });
        }
        int total = 0;
        for (int i = 0; i < 10; ++i) {
            total += held.recv().value();
        }
        EXPECT_EQ(counter, total);
    });
}

TEST_P(go_mutex, unlock_happens_before_the_next_lock) {  // S31
    run([] {
        for (std::size_t i = test::scaled(300, 100); i > 0; --i) {
            mutex m;
            std::string a;
            m.lock();
            wait_group writer;
            writer.go([&] {
                a = "hello, world";
                m.unlock();  // a mutex belongs to no goroutine: S39
            });
            m.lock();
            EXPECT_EQ(a, "hello, world");
            m.unlock();
            writer.wait();
        }
    });
}

TEST_P(go_mutex, is_destroyed_right_after_the_last_unlock) {
    run([] {
        for (std::size_t i = test::scaled(2'000, 500); i > 0; --i) {
            auto m = std::make_unique<mutex>();
            auto done = std::make_unique<bool>(false);
            go([&m = *m, &done = *done] {
                const std::lock_guard held(m);
                done = true;
            });
            for (bool seen = false; !seen; yield()) {
                const std::lock_guard held(*m);
                seen = *done;
            }
        }
    });
}

// One goroutine gives the lock up only to take it again at once, and another still gets it.
TEST_P(go_mutex, waiter_is_not_starved) {  // S38
    run([] {
        mutex m;
        std::atomic<bool> stop = false;
        wait_group hog;
        hog.go([&] {
            while (!stop) {
                const std::lock_guard held(m);
                yield();
            }
        });
        for (int i = 0; i < 10; ++i) {
            yield();
            const std::lock_guard held(m);
        }
        stop = true;
        hog.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_mutex, test::worker_counts, test::worker_name);

void unlock_of_unlocked() {
    mutex m;
    m.unlock();
}

void second_unlock() {
    mutex m;
    m.lock();
    m.unlock();
    m.unlock();
}

class go_mutex_death : public ::testing::Test {
protected:
    go_mutex_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(go_mutex_death, unlock_of_unlocked_is_fatal) {  // S39
    EXPECT_DEATH(unlock_of_unlocked(), "unlock");
    EXPECT_DEATH(second_unlock(), "unlock");
}

}  // namespace
}  // namespace runnel
