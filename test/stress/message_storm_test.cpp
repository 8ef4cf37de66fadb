// test/stress/message_storm_test.cpp: ten million messages through 64 goroutines that send,
// receive, select and close at random. Every message arrives exactly once.
//
// Sixty mixers do every kind of operation on sixteen channels, with handles that may be out of
// date; four closers close channels under them and put new ones in their place. A message whose
// send reports anything but success is sent again; what a closed channel still holds is drained.
// The mixers often block all at once, some on full and some on empty channels. A few of them are
// impatient and soon set the others free; should that fail, a closer that sees nothing move for a
// millisecond closes a channel. Until then the program is really asleep, so that wake-ups are
// tested as well as hand-overs.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/stress/random.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::random_source;

constexpr std::size_t mixers = 60;
constexpr std::size_t impatient_mixers = 4;
constexpr std::size_t closers = 4;
constexpr std::size_t places = 16;

struct message {
    std::uint64_t value;
    std::uint64_t check;  // ~value, unless the message was torn
};

message message_of(std::uint64_t value) { return {value, ~value}; }

// Which values have arrived: one bit each.
class arrivals {
public:
    explicit arrivals(std::uint64_t expected) : seen_((expected + 63) / 64), expected_(expected) {}

    // Notes that `m` has arrived; true when it was the last one.
    bool note(const message& m) {
        if (m.check != ~m.value || m.value >= expected_) {
            ++torn_;
            return false;
        }
        const std::uint64_t bit = std::uint64_t{1} << (m.value % 64);
        if ((seen_[m.value / 64].fetch_or(bit) & bit) != 0) {
            ++doubled_;
            return false;
        }
        return ++count_ == expected_;
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }

    void expect_each_once() const {
        EXPECT_EQ(torn_, 0U);
        EXPECT_EQ(doubled_, 0U);
        std::uint64_t missing = 0;
        for (std::uint64_t value = 0; value < expected_; ++value) {
            if ((seen_[value / 64] >> (value % 64) & 1) == 0) {
                ++missing;
                if (missing <= 10) {
                    ADD_FAILURE() << "message " << value << " has not arrived";
                }
            }
        }
        EXPECT_EQ(missing, 0U);
    }

private:
    std::vector<std::atomic<std::uint64_t>> seen_;
    std::uint64_t expected_;
    std::atomic<std::uint64_t> count_ = 0;
    std::atomic<std::uint64_t> torn_ = 0;
    std::atomic<std::uint64_t> doubled_ = 0;
};

// The channels in use. Whoever takes one out of its place closes it, so that each is closed once.
class board {
public:
    explicit board(random_source random) : random_(random) {
        for (chan<message>& place : places_) {
            place = new_channel();
        }
    }

    chan<message> at(std::size_t place) {
        const std::lock_guard lock(lock_);  // never held across a scheduling point
        return places_[place];
    }

    // Puts a new channel in a random place; returns the old one, or nil once the end has come.
    chan<message> replace_one() {
        const std::lock_guard lock(lock_);
        return ended_ ? chan<message>{}
                      : std::exchange(places_[random_.below(places)], new_channel());
    }

    // Closes all channels for good.
    void end() {
        std::array<chan<message>, places> all;
        {
            const std::lock_guard lock(lock_);
            if (std::exchange(ended_, true)) {
                return;
            }
            all = places_;
        }
        for (const chan<message>& ch : all) {
            ch.close();
        }
    }

private:
    chan<message> new_channel() {
        constexpr std::array<std::ptrdiff_t, 6> capacities = {0, 0, 1, 2, 7, 64};
        return make_chan<message>(capacities[random_.below(capacities.size())]);
    }

    std::mutex lock_;
    std::array<chan<message>, places> places_;
    random_source random_;
    bool ended_ = false;
};

// What all goroutines of one storm share.
struct storm {
    storm(std::uint64_t messages, std::uint64_t seed)
        : arrived(messages), channels(random_source(seed)) {}

    void end() {
        ended = true;
        channels.end();
    }

    arrivals arrived;
    board channels;
    chan<unit> time_to_close = make_chan<unit>(1);  // every so many messages
    std::atomic<bool> ended = false;
    std::atomic<std::uint64_t> closed = 0;
    std::atomic<std::uint64_t> rescued = 0;  // closed because nothing moved any more
};

// Sends the messages [next, last) and receives whatever comes, until the storm ends.
class mixer {
public:
    mixer(storm& all, std::uint64_t next, std::uint64_t last, std::uint64_t seed, bool impatient)
        : all_(all), next_(next), last_(last), random_(seed), impatient_(impatient) {
        for (std::size_t i = 0; i < places; ++i) {
            handles_[i] = all_.channels.at(i);
        }
    }

    void run() {
        while (!all_.ended) {
            const std::size_t a = random_.below(places);
            const std::size_t b = random_.below(places);
            if (next_ < last_ && random_.below(2) == 0) {
                send_somehow(a, b);
            } else {
                receive_somehow(a, b);
            }
        }
    }

private:
    // Which of ten ways to send or receive; the first three are those that never block for good.
    std::size_t any_way() { return random_.below(impatient_ ? 3 : 10); }

    void send_somehow(std::size_t a, std::size_t b) {
        const message m = message_of(next_);
        try {
            switch (any_way()) {
                case 0:
                    return sent_if(handles_[a].try_send(message(m)), a);
                case 1:
                    return sent_if(handles_[a].send_for(20us, message(m)), a);
                case 2:
                    return send_unless_full(m, a);
                case 3:
                    select(on_send(handles_[a], m), on_send(handles_[b], m));
                    return sent();
                case 4:
                    return send_or_receive(m, a, b);
                case 5:
                    return send_or_receive(m, a, a);
                case 6:
                    return send_or_receive_dynamically(m, a);
                default:
                    handles_[a].send(m);
                    return sent();
            }
        } catch (const channel_closed&) {  // nothing was sent
            renew(a);
            renew(b);
        }
    }

    void receive_somehow(std::size_t a, std::size_t b) {
        std::optional<message> got;
        switch (any_way()) {
            case 0:
                return took_if(handles_[a].try_recv(got), got, a);
            case 1:
                return receive_unless_empty(a);
            case 2:
                return receive_for_a_while(a, b);
            case 3:
                return took_if(handles_[a].recv_for(20us, got), got, a);
            case 4:
            case 5:
            case 6:
                return receive_from_either(a, b);
            default:
                return took(handles_[a].recv(), a);
        }
    }

    void receive_from_either(std::size_t a, std::size_t b) {
        std::optional<message> got;
        const std::size_t from =
            select(on_recv(handles_[a], got), on_recv(handles_[b], got)) == 0 ? a : b;
        took(got, from);
    }

    void receive_for_a_while(std::size_t a, std::size_t b) {
        select(on_recv(handles_[a], [&](std::optional<message> got) { took(got, a); }),
               on_timeout(20us),
               on_recv(handles_[b], [&](std::optional<message> got) { took(got, b); }));
    }

    void receive_unless_empty(std::size_t a) {
        select(on_recv(handles_[a], [&](std::optional<message> got) { took(got, a); }),
               otherwise([] { yield(); }));
    }

    void send_unless_full(const message& m, std::size_t a) {
        select(on_send(handles_[a], m, [&] { sent(); }), otherwise([] { yield(); }));
    }

    void send_or_receive(const message& m, std::size_t a, std::size_t b) {
        std::optional<message> got;
        if (select(on_send(handles_[a], m), on_recv(handles_[b], got)) == 0) {
            sent();
        } else {
            took(got, b);
        }
    }

    void send_or_receive_dynamically(const message& m, std::size_t a) {
        std::array<std::optional<message>, 4> slots;
        std::array<std::size_t, 4> from;
        selector cases;
        for (std::size_t i = 0; i < slots.size(); ++i) {
            from[i] = random_.below(places);
            cases.add_recv(handles_[from[i]], slots[i]);
        }
        cases.add_send(handles_[a], m);
        const std::size_t chosen = cases.wait();
        if (chosen == slots.size()) {
            sent();
        } else {
            took(slots[chosen], from[chosen]);
        }
    }

    void sent() { ++next_; }

    void sent_if(op_status status, std::size_t where) {
        if (status == op_status::ok) {
            sent();
        } else if (status == op_status::closed) {
            renew(where);
        }
    }

    void took(const std::optional<message>& got, std::size_t where) {
        if (!got) {
            renew(where);
            return;
        }
        if (all_.arrived.note(*got)) {
            all_.end();
        } else if (++received_ % 1024 == 0) {
            static_cast<void>(all_.time_to_close.try_send());
        }
    }

    void took_if(op_status status, const std::optional<message>& got, std::size_t where) {
        if (status == op_status::ok) {
            took(got, where);
        } else if (status == op_status::closed) {
            renew(where);
        }
    }

    void renew(std::size_t place) { handles_[place] = all_.channels.at(place); }

    storm& all_;
    std::uint64_t next_;
    std::uint64_t last_;
    std::uint64_t received_ = 0;
    random_source random_;
    bool impatient_;
    std::array<chan<message>, places> handles_;
};

// Takes one channel out of use, and what it still holds; false once the end has come.
bool close_one(storm& all) {
    const chan<message> old = all.channels.replace_one();
    if (!old) {
        return false;
    }
    old.close();
    ++all.closed;
    for (const message& left : old) {
        if (all.arrived.note(left)) {
            all.end();
        }
    }
    return true;
}

// Closes a channel whenever it is told to, and when nothing has moved for a millisecond. Gives up,
// so that the test can say what is missing, when not even that has moved anything for a long time.
void close_at_random(storm& all) {
    constexpr auto patience = 60s;
    auto last_news = std::chrono::steady_clock::now();
    std::uint64_t last_count = 0;
    while (!all.ended) {
        unit told;
        if (all.time_to_close.recv_for(1ms, told) == op_status::timeout) {
            const auto now = std::chrono::steady_clock::now();
            if (const std::uint64_t count = all.arrived.count(); count != last_count) {
                last_count = count;
                last_news = now;
                continue;
            }
            if (now - last_news > patience) {
                all.end();
                return;
            }
            ++all.rescued;
        }
        if (!close_one(all)) {
            return;
        }
    }
}

using message_storm = test::on_workers;

TEST_P(message_storm, delivers_every_message_exactly_once) {
    const std::uint64_t seed = test::chosen_seed();
    const std::uint64_t messages = test::scaled(10'000'000, 200'000);
    storm all(messages, seed);
    runtime rt{{.workers = static_cast<std::size_t>(GetParam()), .seed = seed}};
    rt.run([&] {
        wait_group everybody;
        for (std::size_t i = 0; i < mixers; ++i) {
            everybody.go([&, i] {
                const std::uint64_t first = messages * i / mixers;
                const std::uint64_t last = messages * (i + 1) / mixers;
                mixer(all, first, last, seed + i, i < impatient_mixers).run();
            });
        }
        for (std::size_t i = 0; i < closers; ++i) {
            everybody.go([&] { close_at_random(all); });
        }
        everybody.wait();
    });
    all.arrived.expect_each_once();
    std::printf("[ storm    ] %llu messages, %llu channels closed, %llu of them at a standstill\n",
                static_cast<unsigned long long>(messages),
                static_cast<unsigned long long>(all.closed),
                static_cast<unsigned long long>(all.rescued));
}

INSTANTIATE_TEST_SUITE_P(workers, message_storm, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
