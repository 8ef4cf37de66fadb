#include <runnel/sync/shared_mutex.hpp>

#include <gtest/gtest.h>

#include <sys/resource.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/blocked.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;

const std::string writes = "shared_mutex lock";
const std::string reads = "shared_mutex lock_shared";

/// What may be seen inside: readers together, or one writer. Destroyed, it checks its counts.
class guarded {
public:
    void enter() { EXPECT_EQ(inside_.fetch_add(writer), 0) << "a writer is not alone"; }
    void leave() {
        ++written_;
        ++entered_;
        inside_.fetch_sub(writer);
    }
    void enter_shared() { EXPECT_LT(inside_.fetch_add(1), writer) << "a reader beside a writer"; }
    void leave_shared() { inside_.fetch_sub(1); }
    void check() const {
        EXPECT_EQ(inside_, 0);
        EXPECT_EQ(written_, entered_);
    }

private:
    static constexpr int writer = 1'000'000;
    std::atomic<int> inside_ = 0;
    std::size_t written_ = 0;  // a race, were writers not alone
    std::atomic<std::size_t> entered_ = 0;
};

// Static, because whoever is left behind waits for it to the end.
constinit shared_mutex locked_again;

TEST(shared_mutex, a_reader_that_locks_again_behind_a_writer_deadlocks_and_a_bubble_says_so) {
    testing::bubble bubble{{.shutdown_limit = 100ms}};
    EXPECT_THROW(bubble.run([] {
        locked_again.lock_shared();
        go([] { locked_again.lock(); });
        test::until_waiting(writes, 1);
        locked_again.lock_shared();
    }),
                 testing::bubble_error);
}

using shared_mutex_on_workers = test::on_workers;

TEST_P(shared_mutex_on_workers, works_with_the_locks_of_the_standard_library) {
    run([] {
        shared_mutex a;
        mutex b;
        {
            const std::shared_lock first(a);
            const std::shared_lock second(a);
            EXPECT_FALSE(a.try_lock());
            EXPECT_TRUE(a.try_lock_shared());
            a.unlock_shared();
        }
        {
            const std::scoped_lock both(a, b);
            EXPECT_FALSE(a.try_lock());
            EXPECT_FALSE(a.try_lock_shared());
        }
        std::unique_lock lock(a, 1s);
        EXPECT_TRUE(lock.owns_lock());
        lock.unlock();
        std::shared_lock shared(a, 1s);
        EXPECT_TRUE(shared.owns_lock());
    });
}

TEST_P(shared_mutex_on_workers, timed_forms_take_a_free_one_whatever_the_time) {
    run([] {
        shared_mutex m;
        for (const std::chrono::nanoseconds d : {0ns, -1ns, std::chrono::nanoseconds::max()}) {
            EXPECT_TRUE(m.try_lock_for(d));
            m.unlock();
            EXPECT_TRUE(m.try_lock_shared_for(d));
            m.unlock_shared();
        }
        EXPECT_TRUE(m.try_lock_until(clock::time_point::min()));
        m.unlock();
        EXPECT_TRUE(m.try_lock_shared_until(clock::time_point::min()));
        m.unlock_shared();
    });
}

TEST_P(shared_mutex_on_workers, timed_forms_give_up_after_their_time_and_not_before) {
    run([] {
        shared_mutex m;
        const std::lock_guard hold(m);
        for (const auto d : {0ms, -5ms, 2ms}) {
            const auto start = clock::now();
            EXPECT_FALSE(m.try_lock_for(d));
            EXPECT_FALSE(m.try_lock_shared_for(d));
            EXPECT_GE(clock::now() - start, 2 * d);
        }
        EXPECT_FALSE(m.try_lock_until(clock::now() + 1ms));
        EXPECT_FALSE(m.try_lock_shared_until(clock::now() + 1ms));
    });
}

TEST_P(shared_mutex_on_workers, a_waiting_writer_blocks_new_readers_and_gets_it_from_the_last) {
    run([] {
        shared_mutex m;
        m.lock_shared();
        m.lock_shared();
        std::atomic<int> order = 0;
        auto writer = spawn([&] {
            m.lock();
            const int place = ++order;
            m.unlock();
            return place;
        });
        test::until_waiting(writes, 1);
        EXPECT_FALSE(m.try_lock_shared());
        EXPECT_FALSE(m.try_lock_shared_for(1ms));
        auto reader = spawn([&] {
            m.lock_shared();
            const int place = ++order;
            m.unlock_shared();
            return place;
        });
        test::until_waiting(reads, 1);
        m.unlock_shared();
        EXPECT_EQ(order, 0);
        m.unlock_shared();
        EXPECT_EQ(writer.join(), 1);
        EXPECT_EQ(reader.join(), 2);
    });
}

TEST_P(shared_mutex_on_workers, readers_that_wait_go_first_when_a_writer_unlocks) {
    run([] {
        shared_mutex m;
        m.lock();
        std::atomic<int> order = 0;
        wait_group all;
        std::array<std::atomic<int>, 3> read{};
        std::atomic<int> written = 0;
        all.go([&] {
            m.lock();
            written = ++order;
            m.unlock();
        });
        test::until_waiting(writes, 1);
        for (auto& place : read) {
            all.go([&] {
                m.lock_shared();
                place = ++order;
                m.unlock_shared();
            });
        }
        test::until_waiting(reads, read.size());
        m.unlock();
        all.wait();
        EXPECT_EQ(written, 4);
    });
}

TEST_P(shared_mutex_on_workers, readers_behind_a_writer_that_gives_up_are_let_in) {
    run([] {
        shared_mutex m;
        m.lock_shared();
        auto [ctx, cancel] = with_cancel(background());
        auto writer = spawn([&m, ctx] { return m.lock(ctx); });
        test::until_waiting(writes, 1);
        auto reader = spawn([&] {
            m.lock_shared();  // for ever, if nobody looks after it
            m.unlock_shared();
        });
        test::until_waiting(reads, 1);
        cancel();
        EXPECT_EQ(writer.join(), op_status::canceled);
        reader.join();
        EXPECT_TRUE(m.try_lock_shared());
        m.unlock_shared();
        m.unlock_shared();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(shared_mutex_on_workers, a_writer_that_gives_up_leaves_the_next_writer_in_line) {
    run([] {
        shared_mutex m;
        m.lock_shared();
        auto [ctx, cancel] = with_cancel(background());
        auto hasty = spawn([&m, ctx] { return m.lock(ctx); });
        test::until_waiting(writes, 1);
        auto patient = spawn([&] {
            m.lock();
            m.unlock();
        });
        test::until_waiting(writes, 2);
        cancel();
        EXPECT_EQ(hasty.join(), op_status::canceled);
        EXPECT_FALSE(m.try_lock_shared());
        m.unlock_shared();
        patient.join();
    });
}

TEST_P(shared_mutex_on_workers, either_lock_may_be_released_by_another_goroutine) {
    run([] {
        shared_mutex m;
        m.lock();
        spawn([&] { m.unlock(); }).join();
        m.lock_shared();
        spawn([&] { m.unlock_shared(); }).join();
        EXPECT_TRUE(m.try_lock());
        m.unlock();
    });
}

TEST_P(shared_mutex_on_workers, writers_do_not_starve_among_readers_nor_readers_among_writers) {
    run([] {
        shared_mutex m;
        std::atomic<bool> stop = false;
        wait_group all;
        for (int i = 0; i < 3; ++i) {
            all.go([&] {
                while (!stop) {
                    const std::shared_lock hold(m);
                    yield();
                }
            });
            all.go([&] {
                while (!stop) {
                    const std::lock_guard hold(m);
                    yield();
                }
            });
        }
        for (int i = 0; i < 20; ++i) {
            yield();
            m.lock();
            m.unlock();
            m.lock_shared();
            m.unlock_shared();
        }
        stop = true;
        all.wait();
    });
}

/// One of many, which may give up by time or by cancellation. Nobody is lost: those that wait for
/// ever get in.
void use(shared_mutex& m, guarded& inside, std::size_t g, std::size_t rounds) {
    for (std::size_t i = 0; i < rounds; ++i) {
        const auto limit = std::chrono::nanoseconds((i + g) % 50 * 1000);
        const bool write = (i + g) % 3 == 0;
        bool got = true;
        if (g % 3 == 0) {
            if (write) {
                m.lock();
            } else {
                m.lock_shared();
            }
        } else if (g % 3 == 1) {
            got = write ? m.try_lock_for(limit) : m.try_lock_shared_for(limit);
        } else {
            auto [ctx, cancel] = with_timeout(background(), limit);
            got = (write ? m.lock(ctx) : m.lock_shared(ctx)) == op_status::ok;
        }
        if (!got) {
            continue;
        }
        write ? inside.enter() : inside.enter_shared();
        if (i % 4 == 0) {
            yield();
        }
        write ? inside.leave() : inside.leave_shared();
        write ? m.unlock() : m.unlock_shared();
    }
}

TEST_P(shared_mutex_on_workers, those_who_give_up_do_not_keep_the_others_waiting) {
    const std::size_t rounds = test::scaled(2'000, 200);
    run([rounds] {
        shared_mutex m;
        guarded inside;
        wait_group all;
        for (std::size_t g = 0; g < 9; ++g) {
            all.go([&, g] { use(m, inside, g, rounds); });
        }
        all.wait();
        inside.check();
        EXPECT_TRUE(m.try_lock()) << "nobody has kept it";
        m.unlock();
    });
}

TEST_P(shared_mutex_on_workers, threads_and_goroutines_share_it) {
    const std::size_t rounds = test::scaled(2'000, 200);
    shared_mutex m;
    guarded inside;
    std::vector<std::thread> threads;
    for (std::size_t g = 0; g < 3; ++g) {
        threads.emplace_back([&, g] { use(m, inside, g, rounds); });
    }
    run([&] {
        wait_group all;
        for (std::size_t g = 0; g < 3; ++g) {
            all.go([&, g] { use(m, inside, g, rounds); });
        }
        all.wait();
    });
    for (std::thread& t : threads) {
        t.join();
    }
    inside.check();
}

TEST_P(shared_mutex_on_workers, may_be_destroyed_by_whoever_has_it_last) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto owned = std::make_unique<shared_mutex>();
            shared_mutex* const m = owned.get();
            i % 2 == 0 ? m->lock() : m->lock_shared();
            auto other = spawn([&, i] {
                if (i % 3 == 0) {
                    while (!m->try_lock_for(std::chrono::microseconds(i % 30))) {
                    }
                } else {
                    m->lock();
                }
                m->unlock();
                owned.reset();
            });
            for (std::size_t k = 0; k < i % 4; ++k) {
                yield();
            }
            i % 2 == 0 ? m->unlock() : m->unlock_shared();
            other.join();
        }
    });
}

TEST_P(shared_mutex_on_workers, may_be_destroyed_by_the_last_of_two_readers) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        for (std::size_t i = 0; i < rounds; ++i) {
            auto* const m = new shared_mutex;
            std::atomic<int> left = 3;
            const auto read = [&left, m] {
                m->lock_shared();
                const bool last = --left == 0;
                m->unlock_shared();
                if (last) {
                    m->lock();  // after the others' unlocks
                    m->unlock();
                    delete m;
                }
            };
            auto first = spawn(read);
            auto second = spawn(read);
            read();
            first.join();
            second.join();
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, shared_mutex_on_workers, test::worker_counts, test::worker_name);

class shared_mutex_death : public ::testing::Test {
protected:
    shared_mutex_death() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
    static void no_core() {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
    }
};

TEST_F(shared_mutex_death, destroyed_while_it_is_locked_is_fatal) {
    EXPECT_DEATH(
        {
            no_core();
            shared_mutex m;
            m.lock_shared();
        },
        "shared_mutex was destroyed while it is locked");
}

TEST_F(shared_mutex_death, unlocking_what_is_not_locked_so_is_fatal) {
    EXPECT_DEATH(
        {
            no_core();
            shared_mutex m;
            m.lock_shared();
            m.unlock();
        },
        "unlock of a shared_mutex that is not locked");
    EXPECT_DEATH(
        {
            no_core();
            shared_mutex m;
            m.lock();
            m.unlock_shared();
        },
        "unlock_shared of a shared_mutex that nobody shares");
}

}  // namespace
}  // namespace runnel
