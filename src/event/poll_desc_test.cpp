#include "src/event/poll_desc.hpp"

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <mutex>
#include <span>
#include <utility>

#include "src/event/poller.hpp"

namespace runnel::detail {

/// A look at what a wait does with a desc (sched/wait_socket.cpp), without the waiting.
struct poll_desc_door {
    static int adopt(poller& p, poll_desc& d) {
        const std::lock_guard hold(d.lock_);
        return p.adopt(d);
    }
    static void wait(poll_desc& d, poll_direction at, waiter& w) {
        const std::lock_guard hold(d.lock_);
        d.side(at).who = &w;
    }
    static bool ready(poll_desc& d, poll_direction at) {
        const std::lock_guard hold(d.lock_);
        return std::exchange(d.side(at).ready, false);
    }
    static bool broken(poll_desc& d) {
        const std::lock_guard hold(d.lock_);
        return d.broken_;
    }
};

namespace {

constexpr auto read_side = poll_direction::read;
constexpr auto write_side = poll_direction::write;

/// One end of a socket pair as a desc, the other as a number.
struct pair {
    pair() {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) != 0) {
            std::abort();
        }
        desc = &poll_desc::open(ends[0]);
        other = ends[1];
    }
    pair(const pair&) = delete;
    pair& operator=(const pair&) = delete;
    ~pair() {
        close();
        desc->drop();
        ::close(other);
    }
    void close() const {
        poll_woken ended;
        if (desc->close(ended)) {
            desc->end_use();
        }
    }
    void send() const { ASSERT_EQ(::write(other, "x", 1), 1); }

    poll_desc* desc = nullptr;
    int other = -1;
};

poll_woken collect_all(poller& p) {
    std::array<os::readiness, 16> room;
    poll_woken all;
    for (const os::readiness& event : p.wait(room, 0)) {
        const poll_woken woken = p.collect(event);
        all.read = woken.read != nullptr ? woken.read : all.read;
        all.write = woken.write != nullptr ? woken.write : all.write;
    }
    return all;
}

TEST(poll_desc, an_edge_that_nobody_waits_for_is_kept_for_the_next_wait) {
    poller p;
    const pair s;
    ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
    s.send();
    EXPECT_EQ(collect_all(p).read, nullptr);
    EXPECT_TRUE(poll_desc_door::ready(*s.desc, read_side));
    EXPECT_TRUE(poll_desc_door::ready(*s.desc, write_side));  // there was room from the beginning
    EXPECT_FALSE(poll_desc_door::ready(*s.desc, read_side));
    EXPECT_EQ(collect_all(p).read, nullptr);
    EXPECT_FALSE(poll_desc_door::ready(*s.desc, read_side));  // no edge without news
}

TEST(poll_desc, each_side_has_a_waiter_of_its_own) {
    poller p;
    const pair s;
    waiter reader;
    waiter writer;
    ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
    poll_desc_door::wait(*s.desc, read_side, reader);
    poll_desc_door::wait(*s.desc, write_side, writer);
    const poll_woken first = collect_all(p);
    EXPECT_EQ(first.read, nullptr);
    EXPECT_EQ(first.write, &writer);
    s.send();
    EXPECT_EQ(collect_all(p).read, &reader);
    EXPECT_EQ(reader.how(), std::uint32_t{side_ready});
}

TEST(poll_desc, an_edge_for_a_waiter_that_has_given_up_is_kept) {
    poller p;
    const pair s;
    waiter reader;
    reader.contested = true;
    ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
    poll_desc_door::wait(*s.desc, read_side, reader);
    ASSERT_TRUE(reader.end(wait_timed_out));
    s.send();
    EXPECT_EQ(collect_all(p).read, nullptr);
    EXPECT_TRUE(poll_desc_door::ready(*s.desc, read_side));
}

TEST(poll_desc, an_event_of_a_descriptor_that_was_closed_wakes_nobody_who_has_its_desc_now) {
    poller p;
    std::array<os::readiness, 4> room;
    std::span<const os::readiness> late;
    poll_desc* before = nullptr;
    {
        const pair s;
        before = s.desc;
        ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
        s.send();
        late = p.wait(room, 0);  // taken, but not collected yet
        ASSERT_EQ(late.size(), 1u);
    }
    const pair next;
    ASSERT_EQ(next.desc, before);
    waiter reader;
    poll_desc_door::wait(*next.desc, read_side, reader);
    EXPECT_EQ(p.collect(late[0]).read, nullptr);  // it is not registered yet
    poll_desc_door::wait(*next.desc, read_side, reader);
    poll_woken none = p.let_go(0);
    EXPECT_EQ(none.read, nullptr);
    waiter* const unused = next.desc->set_deadline(read_side, never);
    EXPECT_EQ(unused, &reader);
    ASSERT_EQ(poll_desc_door::adopt(p, *next.desc), 0);
    EXPECT_EQ(p.collect(late[0]).read, nullptr);
    EXPECT_FALSE(poll_desc_door::ready(*next.desc, read_side));
}

TEST(poll_desc, the_number_is_closed_when_the_last_call_on_it_has_ended) {
    const pair s;
    ASSERT_TRUE(s.desc->begin_use());
    s.close();
    EXPECT_FALSE(s.desc->begin_use());
    EXPECT_EQ(::write(s.desc->fd(), "x", 1), 1);
    s.desc->end_use();
    char c = 0;
    EXPECT_EQ(::read(s.other, &c, 1), 1);
    EXPECT_EQ(::read(s.other, &c, 1), 0);  // closed now
}

TEST(poll_desc, closing_ends_both_sides_once) {
    poller p;
    const pair s;
    waiter reader;
    waiter writer;
    poll_desc_door::wait(*s.desc, read_side, reader);
    poll_desc_door::wait(*s.desc, write_side, writer);
    poll_woken ended;
    ASSERT_TRUE(s.desc->close(ended));
    EXPECT_EQ(ended.read, &reader);
    EXPECT_EQ(ended.write, &writer);
    EXPECT_EQ(reader.how(), std::uint32_t{side_closed});
    poll_woken again;
    EXPECT_FALSE(s.desc->close(again));
    EXPECT_EQ(again.read, nullptr);
    s.desc->end_use();
}

TEST(poll_desc, a_registration_moves_unless_somebody_waits_through_it) {
    poller a;
    poller b;
    const pair s;
    waiter writer;
    ASSERT_EQ(poll_desc_door::adopt(a, *s.desc), 0);
    static_cast<void>(collect_all(a));
    static_cast<void>(poll_desc_door::ready(*s.desc, write_side));
    poll_desc_door::wait(*s.desc, write_side, writer);
    ASSERT_EQ(poll_desc_door::adopt(b, *s.desc), 0);
    s.send();
    EXPECT_EQ(collect_all(b).read, nullptr);
    EXPECT_FALSE(poll_desc_door::ready(*s.desc, read_side));
    EXPECT_EQ(collect_all(a).write, &writer);
    EXPECT_TRUE(poll_desc_door::ready(*s.desc, read_side));

    ASSERT_EQ(poll_desc_door::adopt(b, *s.desc), 0);  // nobody waits: it moves
    EXPECT_EQ(collect_all(a).read, nullptr);
    static_cast<void>(collect_all(b));
    EXPECT_TRUE(poll_desc_door::ready(*s.desc, read_side));  // what is there counts as an edge
}

TEST(poll_desc, a_poller_that_goes_sends_its_waiters_to_another) {
    const pair s;
    waiter reader;
    {
        poller p;
        ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
        poll_desc_door::wait(*s.desc, read_side, reader);
        waiter* ended = nullptr;
        for (std::uint32_t i = 0; i < poll_desc::count(); ++i) {
            const poll_woken woken = p.let_go(i);
            ended = woken.read != nullptr ? woken.read : ended;
        }
        EXPECT_EQ(ended, &reader);
        EXPECT_EQ(reader.how(), std::uint32_t{side_look_again});
    }
    poller next;
    EXPECT_EQ(poll_desc_door::adopt(next, *s.desc), 0);
}

TEST(poll_desc, the_end_of_the_stream_is_remembered) {
    poller p;
    const pair s;
    ASSERT_EQ(poll_desc_door::adopt(p, *s.desc), 0);
    static_cast<void>(collect_all(p));
    EXPECT_FALSE(poll_desc_door::broken(*s.desc));
    ::shutdown(s.other, SHUT_WR);
    static_cast<void>(collect_all(p));
    EXPECT_TRUE(poll_desc_door::broken(*s.desc));
}

}  // namespace
}  // namespace runnel::detail
