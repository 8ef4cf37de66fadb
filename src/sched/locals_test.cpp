#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <runnel/goroutine_local.hpp>
#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel {
namespace {

using goroutine_local_on_workers = test::on_workers;

TEST_P(goroutine_local_on_workers, each_goroutine_has_a_value_of_its_own) {
    run([] {
        goroutine_local<int> number;
        wait_group all;
        for (int i = 1; i <= 50; ++i) {
            all.go([&number, i] {
                EXPECT_EQ(*number, 0) << "value-initialised";
                *number = i;
                int* const place = &*number;
                for (int k = 0; k < 20; ++k) {
                    yield();  // perhaps to another worker
                    EXPECT_EQ(*number, i);
                    EXPECT_EQ(&*number, place);
                }
            });
        }
        all.wait();
        EXPECT_EQ(*number, 0);
    });
}

TEST_P(goroutine_local_on_workers, a_new_goroutine_does_not_inherit_the_value_of_an_old_record) {
    run([] {
        goroutine_local<std::string> text;
        for (int i = 0; i < 100; ++i) {
            spawn([&] {
                EXPECT_EQ(text->size(), 0u);
                *text = "left behind";
            }).join();
        }
    });
}

struct counted {
    counted() { ++made; }
    ~counted() { ++destroyed; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    static std::atomic<int> made;
    static std::atomic<int> destroyed;
};
std::atomic<int> counted::made = 0;
std::atomic<int> counted::destroyed = 0;

TEST_P(goroutine_local_on_workers, is_made_on_first_use_and_destroyed_before_the_exit_is_over) {
    counted::made = counted::destroyed = 0;
    goroutine_local<counted> value;
    run([&] {
        wait_group all;
        for (int i = 0; i < 10; ++i) {
            all.go([&value, i] {
                if (i % 2 == 0) {
                    static_cast<void>(*value);
                    static_cast<void>(*value);
                }
            });
        }
        all.wait();
    });
    // The runtime has ended, so every goroutine has.
    EXPECT_EQ(counted::made, 5);
    EXPECT_EQ(counted::destroyed, 5);
}

struct logs_its_end {
    std::vector<std::string>* log = nullptr;
    std::string name;
    void set(std::vector<std::string>& to, std::string as) {
        log = &to;
        name = std::move(as);
    }
    ~logs_its_end() { log->push_back(name); }
};

TEST_P(goroutine_local_on_workers, values_are_destroyed_last_made_first) {
    std::vector<std::string> log;
    goroutine_local<logs_its_end> a, b, c;
    run([&] {
        go([&] {
            b->set(log, "b");
            a->set(log, "a");
            c->set(log, "c");
        });
    });
    EXPECT_EQ(log, (std::vector<std::string>{"c", "a", "b"}));
}

struct uses_another_at_its_end {
    goroutine_local<counted>* other = nullptr;
    ~uses_another_at_its_end() {
        if (other != nullptr) {
            static_cast<void>(**other);
        }
    }
};

TEST_P(goroutine_local_on_workers, a_value_made_while_others_are_destroyed_is_destroyed_too) {
    counted::made = counted::destroyed = 0;
    goroutine_local<counted> late;
    goroutine_local<uses_another_at_its_end> early;
    run([&] { go([&] { early->other = &late; }); });
    EXPECT_EQ(counted::made, 1);
    EXPECT_EQ(counted::destroyed, 1);
}

struct fails_at_first {
    fails_at_first() {
        if (attempts++ == 0) {
            throw std::runtime_error("the first attempt");
        }
    }
    static std::atomic<int> attempts;
};
std::atomic<int> fails_at_first::attempts = 0;

TEST_P(goroutine_local_on_workers, a_value_whose_constructor_throws_is_made_by_the_next_use) {
    fails_at_first::attempts = 0;
    run([] {
        goroutine_local<fails_at_first> value;
        spawn([&] {
            EXPECT_THROW(static_cast<void>(*value), std::runtime_error);
            EXPECT_NO_THROW(static_cast<void>(*value));
        }).join();
    });
    EXPECT_EQ(fails_at_first::attempts, 2);
}

TEST_P(goroutine_local_on_workers, the_destructor_of_a_value_may_block) {
    struct sends_at_its_end {
        chan<int> to;
        ~sends_at_its_end() {
            if (to) {
                to.send(1);
            }
        }
    };
    goroutine_local<sends_at_its_end> value;
    auto ch = make_chan<int>();
    run([&] {
        go([&] { value->to = ch; });
        EXPECT_EQ(ch.recv(), 1);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, goroutine_local_on_workers, test::worker_counts,
                         test::worker_name);

TEST(goroutine_local, on_plain_threads_is_one_per_thread) {
    counted::made = counted::destroyed = 0;
    goroutine_local<counted> value;
    goroutine_local<int> number;
    *number = 1;
    std::thread other([&] {
        EXPECT_EQ(*number, 0);
        *number = 2;
        static_cast<void>(*value);
    });
    other.join();
    EXPECT_EQ(*number, 1);
    EXPECT_EQ(counted::destroyed, 1) << "destroyed at the end of its thread";
}

}  // namespace
}  // namespace runnel
