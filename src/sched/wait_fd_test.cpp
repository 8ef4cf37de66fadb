#include "src/sched/wait_fd.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include <runnel/debug/goroutines.hpp>
#include <runnel/runnel.hpp>

#include "src/sched/current.hpp"
#include "src/sched/scheduler.hpp"
#include "test/support/support.hpp"

namespace runnel::detail {
namespace {

using namespace std::chrono_literals;

struct pipe_ends {
    pipe_ends() {
        if (::pipe2(fd.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
            std::abort();
        }
    }
    pipe_ends(const pipe_ends&) = delete;
    pipe_ends& operator=(const pipe_ends&) = delete;
    ~pipe_ends() {
        ::close(fd[0]);
        ::close(fd[1]);
    }
    void fill() const { ASSERT_EQ(::write(fd[1], "x", 1), 1); }
    [[nodiscard]] int reader() const { return fd[0]; }

    std::array<int, 2> fd{};
};

poller& my_poller() { return current_worker()->home.events(); }

/// Returns once `count` waits are armed in the caller's runtime.
void until_armed(std::size_t count) {
    while (my_poller().armed() != count) {
        yield();
    }
}

ticks in(std::chrono::nanoseconds d) { return deadline_after(d); }

using wait_fd = test::on_workers;

TEST_P(wait_fd, a_pipe_that_becomes_readable_wakes_its_reader) {
    run([] {
        const pipe_ends pipe;
        auto reader = spawn([&] { return wait_readable(pipe.reader()); });
        until_armed(1);
        pipe.fill();
        EXPECT_EQ(reader.join(), 0);
        EXPECT_EQ(my_poller().armed(), 0u);
    });
}

TEST_P(wait_fd, a_pipe_that_is_readable_already_does_not_block) {
    run([] {
        const pipe_ends pipe;
        pipe.fill();
        EXPECT_EQ(wait_readable(pipe.reader()), 0);
        EXPECT_EQ(wait_readable(pipe.reader()), 0);  // level-triggered
    });
}

TEST_P(wait_fd, a_full_pipe_that_is_read_wakes_its_writer) {
    run([] {
        const pipe_ends pipe;
        std::array<char, 65536> block{};
        while (::write(pipe.fd[1], block.data(), block.size()) > 0) {
        }
        auto writer = spawn([&] { return wait_writable(pipe.fd[1]); });
        until_armed(1);
        while (::read(pipe.fd[0], block.data(), block.size()) > 0) {
        }
        EXPECT_EQ(writer.join(), 0);
    });
}

TEST_P(wait_fd, all_who_wait_for_one_descriptor_wake) {
    run([] {
        const pipe_ends pipe;
        std::vector<join_handle<int>> readers;
        for (int i = 0; i < 3; ++i) {
            readers.push_back(spawn([&] { return wait_readable(pipe.reader()); }));
        }
        until_armed(3);
        pipe.fill();
        for (auto& reader : readers) {
            EXPECT_EQ(reader.join(), 0);
        }
        EXPECT_EQ(my_poller().armed(), 0u);
    });
}

TEST_P(wait_fd, one_that_gives_up_does_not_take_the_others_along) {
    run([] {
        const pipe_ends pipe;
        auto patient = spawn([&] { return wait_readable(pipe.reader()); });
        until_armed(1);
        EXPECT_EQ(wait_readable(pipe.reader(), in(1ms)), -ETIMEDOUT);
        EXPECT_EQ(my_poller().armed(), 1u);
        pipe.fill();
        EXPECT_EQ(patient.join(), 0);
    });
}

TEST_P(wait_fd, the_first_of_two_that_gives_up_leaves_the_second_waiting) {
    run([] {
        const pipe_ends pipe;
        auto hasty = spawn([&] { return wait_readable(pipe.reader(), in(5ms)); });
        until_armed(1);
        auto patient = spawn([&] { return wait_readable(pipe.reader()); });
        EXPECT_EQ(hasty.join(), -ETIMEDOUT);
        until_armed(1);
        pipe.fill();
        EXPECT_EQ(patient.join(), 0);
    });
}

TEST_P(wait_fd, a_deadline_ends_the_wait_and_not_before) {
    run([] {
        const pipe_ends pipe;
        const auto start = clock::now();
        EXPECT_EQ(wait_readable(pipe.reader(), in(3ms)), -ETIMEDOUT);
        EXPECT_GE(clock::now() - start, 3ms);
    });
}

TEST_P(wait_fd, a_deadline_that_has_passed_ends_the_wait_for_what_is_not_ready) {
    run([] {
        const pipe_ends pipe;
        EXPECT_EQ(wait_readable(pipe.reader(), in(0ns)), -ETIMEDOUT);
        EXPECT_EQ(wait_readable(pipe.reader(), in(-1h)), -ETIMEDOUT);
        EXPECT_EQ(wait_readable(pipe.reader(), 0), -ETIMEDOUT);
        EXPECT_EQ(my_poller().armed(), 0u);
    });
}

TEST_P(wait_fd, descriptors_that_cannot_be_waited_for_are_reported) {
    run([] {
        int closed = -1;
        {
            const pipe_ends pipe;
            closed = pipe.reader();
        }
        EXPECT_EQ(wait_readable(closed), -EBADF);
        EXPECT_EQ(wait_readable(-1), -EBADF);
        EXPECT_EQ(my_poller().armed(), 0u);
    });
}

TEST_P(wait_fd, a_regular_file_is_always_ready) {
    run([] {
        const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        ASSERT_GE(file, 0);
        EXPECT_EQ(wait_readable(file), 0);
        EXPECT_EQ(wait_writable(file), 0);
        ::close(file);
    });
}

TEST_P(wait_fd, a_number_that_is_used_again_does_not_wake_who_waited_for_the_old_descriptor) {
    run([] {
        const pipe_ends fresh;
        int old[2];
        ASSERT_EQ(::pipe2(old, O_CLOEXEC | O_NONBLOCK), 0);
        auto before = spawn([&] { return wait_readable(old[0], in(20ms)); });
        until_armed(1);
        ASSERT_EQ(::dup3(fresh.reader(), old[0], O_CLOEXEC), old[0]);  // closes it on the way
        fresh.fill();
        EXPECT_EQ(wait_readable(old[0]), 0);
        EXPECT_EQ(before.join(), -ETIMEDOUT);
        ::close(old[0]);
        ::close(old[1]);
    });
}

TEST_P(wait_fd, the_end_of_a_wait_for_a_closed_descriptor_does_not_disturb_the_next_user) {
    run([] {
        const pipe_ends fresh;
        int old[2];
        ASSERT_EQ(::pipe2(old, O_CLOEXEC | O_NONBLOCK), 0);
        auto before = spawn([&] { return wait_readable(old[0], in(20ms)); });
        until_armed(1);
        ASSERT_EQ(::dup3(fresh.reader(), old[0], O_CLOEXEC), old[0]);
        auto after = spawn([&] { return wait_readable(old[0], in(2s)); });
        until_armed(2);
        EXPECT_EQ(before.join(), -ETIMEDOUT);
        fresh.fill();
        EXPECT_EQ(after.join(), 0);
        ::close(old[0]);
        ::close(old[1]);
    });
}

TEST_P(wait_fd, reports_say_who_waits_for_a_descriptor) {
    run([] {
        const pipe_ends pipe;
        auto reader =
            spawn(go_options{.name = "reader"}, [&] { return wait_readable(pipe.reader()); });
        until_armed(1);
        bool found = false;
        for (const std::string& line : debug::goroutines()) {
            found = found || (line.find("'reader' [descriptor]") != std::string::npos);
        }
        EXPECT_TRUE(found);
        pipe.fill();
        EXPECT_EQ(reader.join(), 0);
    });
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
        ++count;
    }
    return count;
}

TEST_P(wait_fd, timeouts_that_race_with_readiness_leave_nothing_behind) {
    const std::size_t rounds = test::scaled(3'000, 300);
    run([rounds] {
        const pipe_ends pipe;
        const std::size_t before = open_descriptors();
        for (std::size_t i = 0; i < rounds; ++i) {
            const auto limit = std::chrono::microseconds(i % 50);
            auto one = spawn([&] { return wait_readable(pipe.reader(), in(limit)); });
            auto two = spawn([&] { return wait_readable(pipe.reader(), in(limit)); });
            yield();
            pipe.fill();
            for (const int status : {one.join(), two.join()}) {
                ASSERT_TRUE(status == 0 || status == -ETIMEDOUT) << status;
            }
            char byte = 0;
            ASSERT_EQ(::read(pipe.reader(), &byte, 1), 1);
        }
        EXPECT_EQ(my_poller().armed(), 0u);
        EXPECT_EQ(open_descriptors(), before);
    });
}

TEST_P(wait_fd, many_pipes_each_wake_their_own_reader) {
    const std::size_t count = test::scaled(300, 100);
    run([count] {
        std::vector<pipe_ends> pipes(count);
        wait_group readers;
        std::atomic<std::size_t> woken = 0;
        for (const pipe_ends& pipe : pipes) {
            readers.go([&] {
                ASSERT_EQ(wait_readable(pipe.reader()), 0);
                char byte = 0;
                ASSERT_EQ(::read(pipe.reader(), &byte, 1), 1);
                ++woken;
            });
        }
        until_armed(count);
        for (std::size_t i = 0; i < count; ++i) {
            pipes[i * 7 % count].fill();  // in another order; count and 7 have no common factor
        }
        readers.wait();
        EXPECT_EQ(woken, count);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, wait_fd, test::worker_counts, test::worker_name);

TEST(wait_fd_on_a_thread, a_pipe_that_becomes_readable_wakes_its_reader) {
    const pipe_ends pipe;
    std::thread writer([&] { pipe.fill(); });
    EXPECT_EQ(wait_readable(pipe.reader()), 0);
    writer.join();
}

TEST(wait_fd_on_a_thread, deadlines_and_errors_are_the_same) {
    const pipe_ends pipe;
    EXPECT_EQ(wait_readable(pipe.reader(), in(2ms)), -ETIMEDOUT);
    EXPECT_EQ(wait_readable(pipe.reader(), in(0ns)), -ETIMEDOUT);
    EXPECT_EQ(wait_writable(pipe.fd[1], in(0ns)), 0);
    EXPECT_EQ(wait_readable(1 << 20, in(1h)), -EBADF);
}

/// Waits in a thread of its own for what is not ready; true if the wait ended before it was.
bool ends_by_itself(ticks deadline) {
    const pipe_ends pipe;
    std::atomic<int> status = 1;
    std::thread waits([&] { status = wait_readable(pipe.reader(), deadline); });
    const auto limit = std::chrono::steady_clock::now() + 1s;
    while (status == 1 && std::chrono::steady_clock::now() < limit) {
        std::this_thread::yield();
    }
    const bool ended = status == -ETIMEDOUT;
    pipe.fill();
    waits.join();
    return ended;
}

TEST(wait_fd_on_a_thread, a_deadline_before_the_epoch_of_the_clock_has_passed) {
    EXPECT_TRUE(ends_by_itself(0));
    EXPECT_TRUE(ends_by_itself(-1));
    EXPECT_TRUE(ends_by_itself(INT64_MIN));
}

}  // namespace
}  // namespace runnel::detail
