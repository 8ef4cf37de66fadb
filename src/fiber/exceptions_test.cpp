#include "src/fiber/exceptions.hpp"

#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>

#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

std::string current_what() {
    const std::exception_ptr current = std::current_exception();
    if (!current) {
        return "none";
    }
    try {
        std::rethrow_exception(current);
    } catch (const std::exception& error) {
        return error.what();
    }
}

TEST(exceptions, there_is_nothing_to_save_when_none_is_in_flight) {
    fiber f;
    save_exceptions(f, *thread_exception_globals());
    EXPECT_FALSE(f.exceptions_saved);
}

TEST(exceptions, a_caught_exception_leaves_the_thread_and_comes_back) {
    fiber f;
    try {
        throw std::runtime_error("first");
    } catch (const std::runtime_error&) {
        save_exceptions(f, *thread_exception_globals());
        EXPECT_TRUE(f.exceptions_saved);
        EXPECT_EQ(current_what(), "none");
        try {  // somebody else on this thread
            throw std::runtime_error("second");
        } catch (const std::runtime_error&) {
            EXPECT_EQ(current_what(), "second");
        }
        EXPECT_EQ(current_what(), "none");
        restore_exceptions(f);
        EXPECT_FALSE(f.exceptions_saved);
        EXPECT_EQ(current_what(), "first");
    }
    EXPECT_EQ(current_what(), "none");
}

TEST(exceptions, the_count_of_uncaught_ones_leaves_the_thread_and_comes_back) {
    struct probe {
        ~probe() {
            fiber f;
            EXPECT_EQ(std::uncaught_exceptions(), 1);
            save_exceptions(f, *thread_exception_globals());
            EXPECT_EQ(std::uncaught_exceptions(), 0);
            restore_exceptions(f);
            EXPECT_EQ(std::uncaught_exceptions(), 1);
        }
    };
    try {
        const probe unwinds;
        throw std::runtime_error("thrown");
    } catch (const std::runtime_error&) {
        EXPECT_EQ(std::uncaught_exceptions(), 0);
    }
}

using exceptions_of_goroutines = test::on_workers;

TEST_P(exceptions_of_goroutines, in_flight_in_one_are_not_seen_by_another) {
    run([] {
        auto blocked = make_chan<unit>();
        auto resume = make_chan<unit>();
        auto handler = spawn([&] {
            try {
                throw std::runtime_error("mine");
            } catch (const std::runtime_error&) {
                blocked.send();
                resume.recv();
                return current_what();
            }
        });
        blocked.recv();
        EXPECT_EQ(current_what(), "none");
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        try {
            throw std::runtime_error("other");
        } catch (const std::runtime_error&) {
            resume.send();
            EXPECT_EQ(handler.join(), "mine");
            EXPECT_EQ(current_what(), "other");
        }
        EXPECT_EQ(current_what(), "none");
    });
}

TEST_P(exceptions_of_goroutines, unwinding_is_not_seen_by_another) {
    run([] {
        auto blocked = make_chan<unit>();
        auto resume = make_chan<unit>();
        struct blocks_at_its_end {
            const chan<unit>& blocked;
            const chan<unit>& resume;
            ~blocks_at_its_end() {
                EXPECT_EQ(std::uncaught_exceptions(), 1);
                blocked.send();
                resume.recv();
                EXPECT_EQ(std::uncaught_exceptions(), 1);
            }
        };
        auto unwinds = spawn([&] {
            const blocks_at_its_end last{blocked, resume};
            throw std::runtime_error("thrown");
        });
        blocked.recv();
        EXPECT_EQ(std::uncaught_exceptions(), 0);
        EXPECT_NO_THROW({
            try {
                throw 1;
            } catch (int) {
            }
        });
        resume.send();
        EXPECT_THROW(unwinds.join(), std::runtime_error);
    });
}

TEST_P(exceptions_of_goroutines, a_goroutine_starts_without_any) {
    run([] {
        try {
            throw std::runtime_error("of the starter");
        } catch (const std::runtime_error&) {
            auto fresh = spawn([] { return current_what(); });
            EXPECT_EQ(fresh.join(), "none");
            EXPECT_EQ(current_what(), "of the starter");
        }
    });
}

INSTANTIATE_TEST_SUITE_P(workers, exceptions_of_goroutines, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel::detail
