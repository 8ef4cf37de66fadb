#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <runnel/runnel.hpp>

#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

/// What a blocking call hands through, from goroutines and from a plain thread (0 workers).
class blocking_result : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        if (GetParam() == 0) {
            body();
        } else {
            runtime rt{{.workers = static_cast<std::size_t>(GetParam())}};
            rt.run(body);
        }
    }
};

TEST_P(blocking_result, may_be_nothing) {
    run([] {
        static_assert(std::is_void_v<decltype(blocking([] {}))>);
        bool called = false;
        blocking([&] { called = true; });
        EXPECT_TRUE(called);
    });
}

TEST_P(blocking_result, may_be_a_reference_to_the_object_itself) {
    run([] {
        int object = 1;
        int& same = blocking([&]() -> int& { return object; });
        EXPECT_EQ(&same, &object);
        const int& constant = blocking([&]() -> const int& { return object; });
        EXPECT_EQ(&constant, &object);
    });
}

TEST_P(blocking_result, may_be_movable_only) {
    run([] { EXPECT_EQ(*blocking([] { return std::make_unique<int>(7); }), 7); });
}

TEST_P(blocking_result, need_not_be_default_constructible) {
    struct number {
        explicit number(int n) : value(n) {}
        int value;
    };
    run([] { EXPECT_EQ(blocking([] { return number(3); }).value, 3); });
}

TEST_P(blocking_result, may_be_an_exception_of_any_type) {
    run([] {
        EXPECT_THROW(blocking([] { throw std::out_of_range("far"); }), std::out_of_range);
        EXPECT_THROW(blocking([]() -> int { throw 5; }), int);
        EXPECT_THROW(blocking([]() -> int& { throw std::string("text"); }), std::string);
    });
}

TEST_P(blocking_result, comes_from_a_callable_that_is_movable_only) {
    run([] {
        auto owned = std::make_unique<int>(9);
        EXPECT_EQ(blocking([mine = std::move(owned)] { return *mine; }), 9);
    });
}

std::string caller_name(const ::testing::TestParamInfo<int>& of) {
    return of.param == 0 ? "plain_thread" : test::worker_name(of);
}

INSTANTIATE_TEST_SUITE_P(of, blocking_result, ::testing::Values(0, 1, 2, 8), caller_name);

using blocking_threads_on_workers = test::on_workers;

TEST_P(blocking_threads_on_workers, run_the_call_outside_of_every_goroutine) {
    run([] {
        const auto mine = std::this_thread::get_id();
        EXPECT_NE(this_goroutine::id(), 0u);
        blocking([&] {
            EXPECT_EQ(this_goroutine::id(), 0u);
            EXPECT_NE(std::this_thread::get_id(), mine);
        });
    });
}

TEST_P(blocking_threads_on_workers, serve_many_calls_one_after_the_other) {
    run([] {
        blocking([] {});
        const std::size_t before = detail::blocking_threads();
        for (int i = 0; i < 200; ++i) {
            blocking([] {});
        }
        // A thread may still be on its way back when the next call comes.
        EXPECT_LE(detail::blocking_threads(), before + 4);
    });
}

TEST_P(blocking_threads_on_workers, are_never_too_few_for_calls_that_wait_for_each_other) {
    run([] {
        constexpr int count = 40;
        std::atomic<int> inside = 0;
        wait_group all;
        for (int i = 0; i < count; ++i) {
            all.go([&] {
                blocking([&] {
                    ++inside;
                    while (inside < count) {
                        std::this_thread::yield();
                    }
                });
            });
        }
        all.wait();
    });
}

INSTANTIATE_TEST_SUITE_P(workers, blocking_threads_on_workers, test::worker_counts,
                         test::worker_name);

}  // namespace
}  // namespace runnel
