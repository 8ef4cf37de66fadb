#include "src/event/poller.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

namespace runnel::detail {
namespace {

/// A pipe whose ends may be closed early.
struct pipe_ends {
    pipe_ends() {
        if (::pipe2(fd.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
            std::abort();
        }
    }
    pipe_ends(const pipe_ends&) = delete;
    pipe_ends& operator=(const pipe_ends&) = delete;
    ~pipe_ends() {
        close_end(0);
        close_end(1);
    }
    void close_end(std::size_t which) {
        if (fd[which] >= 0) {
            ::close(fd[which]);
            fd[which] = -1;
        }
    }
    void fill() const { ASSERT_EQ(::write(fd[1], "x", 1), 1); }
    [[nodiscard]] int reader() const { return fd[0]; }
    [[nodiscard]] int writer() const { return fd[1]; }

    std::array<int, 2> fd{};
};

/// What the poller says is ready now, without waiting.
std::vector<waiter*> ready_now(poller& p) {
    std::array<os::readiness, 16> room;
    std::vector<waiter*> ready;
    for (const os::readiness& event : p.wait(room, 0)) {
        if (waiter* const w = p.collect(event).read) {
            ready.push_back(w);
        }
    }
    return ready;
}

TEST(poller, gives_the_waiter_of_a_descriptor_that_has_become_readable) {
    poller p;
    const pipe_ends pipe;
    waiter w;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
    EXPECT_EQ(p.armed(), 1u);
    EXPECT_EQ(ready_now(p), std::vector<waiter*>());
    pipe.fill();
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&w});
    EXPECT_EQ(w.how(), 1u);
    p.disarm(armed);
    EXPECT_EQ(p.armed(), 0u);
}

TEST(poller, an_armed_wait_ends_once_although_the_descriptor_stays_ready) {
    poller p;
    const pipe_ends pipe;
    pipe.fill();
    waiter w;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
    EXPECT_EQ(ready_now(p).size(), 1u);
    EXPECT_EQ(ready_now(p).size(), 0u);
    p.disarm(armed);
}

TEST(poller, a_descriptor_that_is_ready_already_ends_the_next_wait_for_it) {
    poller p;
    const pipe_ends pipe;
    pipe.fill();
    for (int round = 0; round < 3; ++round) {  // level-triggered: again and again
        waiter w;
        poller::arming armed;
        ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
        EXPECT_EQ(ready_now(p), std::vector<waiter*>{&w});
        p.disarm(armed);
    }
}

TEST(poller, leaves_nothing_registered) {
    poller p;
    const pipe_ends pipe;
    waiter w;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
    p.disarm(armed);
    pipe.fill();
    std::array<os::readiness, 4> room;
    EXPECT_EQ(p.wait(room, 0).size(), 0u);
    EXPECT_EQ(w.how(), std::uint32_t{wait_open});
}

TEST(poller, two_waits_for_one_descriptor_end_both) {
    poller p;
    const pipe_ends pipe;
    waiter first, second, third;
    poller::arming one, two, three;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, first, one), 0);
    ASSERT_EQ(p.arm(pipe.reader(), true, false, second, two), 0);
    ASSERT_EQ(p.arm(pipe.reader(), true, false, third, three), 0);
    EXPECT_EQ(p.armed(), 3u);
    p.disarm(one);  // the one that holds the number itself may leave first
    pipe.fill();
    EXPECT_EQ(ready_now(p).size(), 2u);
    EXPECT_EQ(first.how(), std::uint32_t{wait_open});
    EXPECT_EQ(second.how(), 1u);
    EXPECT_EQ(third.how(), 1u);
    p.disarm(two);
    p.disarm(three);
    EXPECT_EQ(p.armed(), 0u);
}

TEST(poller, a_copy_that_was_made_for_a_second_wait_is_closed_with_it) {
    poller p;
    const pipe_ends pipe;
    waiter first, second;
    poller::arming one, two;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, first, one), 0);
    ASSERT_EQ(p.arm(pipe.reader(), true, false, second, two), 0);
    ASSERT_NE(two.fd, pipe.reader());
    EXPECT_EQ(::fcntl(two.fd, F_GETFD), FD_CLOEXEC);
    p.disarm(two);
    EXPECT_EQ(::fcntl(two.fd, F_GETFD), -1);
    p.disarm(one);
    EXPECT_NE(::fcntl(pipe.reader(), F_GETFD), -1) << "the caller's own descriptor stays open";
}

TEST(poller, reading_and_writing_are_told_apart) {
    poller p;
    const pipe_ends pipe;
    waiter reads, writes;
    poller::arming one, two;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, reads, one), 0);
    ASSERT_EQ(p.arm(pipe.writer(), false, true, writes, two), 0);
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&writes});
    p.disarm(one);
    p.disarm(two);
}

TEST(poller, the_other_end_that_hangs_up_makes_a_reader_ready) {
    poller p;
    pipe_ends pipe;
    waiter w;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
    pipe.close_end(1);
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&w});
    p.disarm(armed);
}

TEST(poller, the_other_end_that_hangs_up_makes_a_writer_ready) {
    poller p;
    pipe_ends pipe;
    std::array<char, 65536> block{};
    while (::write(pipe.writer(), block.data(), block.size()) > 0) {
    }
    waiter w;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.writer(), false, true, w, armed), 0);
    EXPECT_EQ(ready_now(p).size(), 0u) << "the pipe is full";
    pipe.close_end(0);
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&w});
    p.disarm(armed);
}

TEST(poller, refuses_descriptors_that_it_cannot_watch) {
    poller p;
    waiter w;
    poller::arming armed;
    EXPECT_EQ(p.arm(-1, true, false, w, armed), -EBADF);
    int closed = -1;
    {
        const pipe_ends pipe;
        closed = pipe.reader();
    }
    EXPECT_EQ(p.arm(closed, true, false, w, armed), -EBADF);
    const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(file, 0);
    EXPECT_EQ(p.arm(file, true, false, w, armed), -EPERM);
    ::close(file);
    EXPECT_EQ(p.armed(), 0u);
}

TEST(poller, an_event_of_a_wait_that_is_over_is_dropped) {
    poller p;
    const pipe_ends pipe;
    pipe.fill();
    waiter before, after;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, before, armed), 0);
    std::array<os::readiness, 4> room;
    const auto events = p.wait(room, 0);  // taken, but not collected yet
    ASSERT_EQ(events.size(), 1u);
    p.disarm(armed);
    const pipe_ends other;
    ASSERT_EQ(p.arm(other.reader(), true, false, after, armed), 0);  // takes over the slot
    EXPECT_EQ(p.collect(events[0]).read, nullptr);
    EXPECT_EQ(before.how(), std::uint32_t{wait_open});
    EXPECT_EQ(after.how(), std::uint32_t{wait_open});
    p.disarm(armed);
}

TEST(poller, a_wait_that_its_deadline_has_ended_is_not_given_again) {
    poller p;
    const pipe_ends pipe;
    pipe.fill();
    waiter w;
    w.contested = true;
    poller::arming armed;
    ASSERT_EQ(p.arm(pipe.reader(), true, false, w, armed), 0);
    ASSERT_TRUE(w.end(wait_timed_out));
    EXPECT_EQ(ready_now(p).size(), 0u);
    EXPECT_EQ(w.how(), std::uint32_t{wait_timed_out});
    p.disarm(armed);
}

TEST(poller, a_descriptor_number_that_is_used_again_does_not_wake_the_old_wait) {
    poller p;
    pipe_ends old;
    const pipe_ends fresh;
    const int number = old.reader();
    waiter before, after;
    poller::arming first, second;
    ASSERT_EQ(p.arm(number, true, false, before, first), 0);
    old.close_end(0);  // behind our back
    ASSERT_EQ(::dup2(fresh.reader(), number), number);
    ASSERT_EQ(p.arm(number, true, false, after, second), 0);
    fresh.fill();
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&after});
    EXPECT_EQ(before.how(), std::uint32_t{wait_open});
    p.disarm(second);
    p.disarm(first);
    ::close(number);
}

TEST(poller, a_wait_for_a_closed_descriptor_takes_nothing_from_the_next_user_of_its_number) {
    poller p;
    pipe_ends old;
    const pipe_ends fresh;
    const int number = old.reader();
    waiter before, after;
    poller::arming first, second;
    ASSERT_EQ(p.arm(number, true, false, before, first), 0);
    old.close_end(0);  // behind our back
    ASSERT_EQ(::dup2(fresh.reader(), number), number);
    ASSERT_EQ(p.arm(number, true, false, after, second), 0);
    p.disarm(first);  // its deadline has passed
    fresh.fill();
    EXPECT_EQ(ready_now(p), std::vector<waiter*>{&after});
    p.disarm(second);
    ::close(number);
}

TEST(poller, an_interrupt_ends_the_wait_under_way_or_the_next_one) {
    poller p;
    std::array<os::readiness, 4> room;
    p.interrupt();
    p.interrupt();
    EXPECT_EQ(p.wait(room, -1).size(), 0u);  // would wait for ever
    EXPECT_EQ(p.wait(room, 0).size(), 0u);
}

TEST(poller, a_look_without_waiting_leaves_the_interrupt_for_the_one_that_waits) {
    poller p;
    std::array<os::readiness, 4> room;
    p.interrupt();
    EXPECT_EQ(p.wait(room, 0).size(), 0u);   // a busy worker's
    EXPECT_EQ(p.wait(room, -1).size(), 0u);  // would wait for ever
}

}  // namespace
}  // namespace runnel::detail
