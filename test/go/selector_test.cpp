// test/go/selector_test.cpp: sets of cases made at run time.
//
// Follows TestSelect, TestSelectMaxCases and TestSelectNop of Go's src/reflect/all_test.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>

#include "test/go/exhaustive.hpp"
#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

// One case of a select under test, whatever the type of its channel.
struct test_case {
    std::string description;
    std::function<void(selector&)> add;
    bool ready = false;                    // it can be chosen as things stand
    bool throws = false;                   // and is a send on a closed channel
    std::function<void()> help = nullptr;  // what somebody else does to make it ready
    std::function<bool()> received = [] { return true; };  // what it should have received
};

template <class T>
T number(int n) {
    if constexpr (std::same_as<T, std::string>) {
        return std::to_string(n);
    } else {
        return n;
    }
}

template <class T>
test_case send_case(const char* description, const chan<T>& c, int n) {
    return {.description = description,
            .add = [c, n](selector& s) { s.add_send(c, number<T>(n)); }};
}

template <class T>
test_case recv_case(const char* description, const chan<T>& c, const std::optional<T>& expected) {
    auto slot = std::make_shared<std::optional<T>>(number<T>(-1));
    return {.description = description,
            .add = [c, slot](selector& s) { s.add_recv(c, *slot); },
            .received = [slot, expected] { return *slot == expected; }};
}

// Builds the cases of one path, with channels of int and of std::string in turn.
class case_list {
public:
    explicit case_list(test::exhaustive& x) {
        add_ready(x);
        add_blocking(x);
        add_nil(x);
        add_closed(x);
    }

    std::vector<test_case> cases;

private:
    void add_ready(test::exhaustive& x) {
        if (x.maybe()) {
            add([](int n) {
                auto t = send_case("ready send", make_chan<int>(1), n);
                t.ready = true;
                return t;
            });
        }
        if (x.maybe()) {
            add([](int n) {
                auto c = make_chan<std::string>(1);
                c.send(std::to_string(n));
                auto t = recv_case<std::string>("ready recv", c, std::to_string(n));
                t.ready = true;
                return t;
            });
        }
    }

    // Each may have somebody who helps it to proceed.
    void add_blocking(test::exhaustive& x) {
        if (x.maybe()) {
            const bool helped = x.maybe();
            add([helped](int n) {
                auto c = make_chan<std::string>();
                auto t = send_case("blocking send", c, n);
                if (helped) {
                    t.help = [c, n] { EXPECT_EQ(c.recv(), std::to_string(n)); };
                }
                return t;
            });
        }
        if (x.maybe()) {
            const bool helped = x.maybe();
            add([helped](int n) {
                auto c = make_chan<int>();
                auto t = recv_case<int>("blocking recv", c, n);
                if (helped) {
                    t.help = [c, n] { c.send(n); };
                }
                return t;
            });
        }
    }

    void add_nil(test::exhaustive& x) {
        if (x.maybe()) {
            add([](int n) { return send_case("nil send", chan<int>{}, n); });
        }
        if (x.maybe()) {
            add([](int n) { return recv_case<int>("nil recv", {}, n); });
        }
    }

    void add_closed(test::exhaustive& x) {
        if (x.maybe()) {
            add([](int n) {
                auto c = make_chan<int>();
                c.close();
                auto t = send_case("closed send", c, n);
                t.ready = t.throws = true;
                return t;
            });
        }
        if (x.maybe()) {
            add([](int) {
                auto c = make_chan<std::string>();
                c.close();
                auto t = recv_case<std::string>("closed recv", c, std::nullopt);
                t.ready = true;
                return t;
            });
        }
    }

    template <class Make>
    void add(Make make) {
        cases.push_back(make(static_cast<int>(cases.size())));
    }
};

std::string describe(const std::vector<test_case>& cases) {
    std::string text;
    for (const auto& c : cases) {
        text += c.description + (c.ready ? " (ready)\n" : "\n");
    }
    return text;
}

// Runs one select and checks that what it chose could be chosen.
void check_select(const std::vector<test_case>& cases, bool with_otherwise) {
    selector s;
    for (const auto& c : cases) {
        c.add(s);
    }
    const auto ready = std::ranges::count_if(cases, &test_case::ready);
    const bool may_throw = std::ranges::any_of(cases, &test_case::throws);
    std::optional<std::size_t> chosen;
    try {
        chosen = with_otherwise ? s.try_wait() : s.wait();
    } catch (const channel_closed&) {
        EXPECT_TRUE(may_throw) << describe(cases);
        return;
    }
    if (!chosen) {
        EXPECT_TRUE(with_otherwise && ready == 0) << "chose none of\n" << describe(cases);
        return;
    }
    const test_case& c = cases.at(*chosen);
    EXPECT_TRUE(c.ready) << "chose " << *chosen << " of\n" << describe(cases);
    EXPECT_FALSE(c.throws) << "chose " << *chosen << " of\n" << describe(cases);
    EXPECT_TRUE(c.received()) << "received wrongly with " << *chosen << " of\n" << describe(cases);
}

// Picks one of the cases that somebody can help, and makes it the one that can be chosen.
std::function<void()> choose_helper(std::vector<test_case>& cases, test::exhaustive& x) {
    std::vector<test_case*> helped;
    for (auto& c : cases) {
        if (c.help) {
            helped.push_back(&c);
        }
    }
    test_case& chosen = *helped[x.choose(helped.size())];
    chosen.ready = true;
    return chosen.help;
}

using go_selector = test::on_workers;

// Every set of cases that Go's test builds. It goes on through two swaps of their order; here the
// order is shuffled.
TEST_P(go_selector, chooses_rightly_from_every_combination_of_cases) {  // S18 to S22
    run([] {
        const std::size_t orders = test::scaled(8, 2);
        std::mt19937 random(12345);
        test::exhaustive x;
        while (x.next()) {
            auto cases = case_list(x).cases;
            const bool can_proceed =
                std::ranges::any_of(cases, [](const test_case& c) { return c.ready || c.help; });
            const bool with_otherwise = !can_proceed || x.maybe();
            std::function<void()> help;
            if (!with_otherwise && std::ranges::none_of(cases, &test_case::ready)) {
                help = choose_helper(cases, x);
            }
            std::ignore = x.choose(orders);
            std::ranges::shuffle(cases, random);
            if (help) {
                go(help);
            }
            check_select(cases, with_otherwise);
        }
    });
}

TEST_P(go_selector, takes_65536_cases) {  // S27
    run([] {
        constexpr std::size_t case_count = 65'536;
        auto closed = make_chan<int>();
        closed.close();
        std::optional<int> slot;
        selector s;
        for (std::size_t i = 0; i < case_count; ++i) {
            EXPECT_EQ(s.add_recv(closed, slot), i);
        }
        EXPECT_LT(s.wait(), case_count);
    });
}

TEST_P(go_selector, without_cases_has_nothing_to_choose) {
    run([] {
        selector s;
        EXPECT_EQ(s.try_wait(), std::nullopt);
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_selector, test::worker_counts, test::worker_name);

class go_selector_blocking : public test::in_bubble {};

TEST_P(go_selector_blocking, without_cases_blocks_for_ever) {  // S19
    EXPECT_TRUE(blocks_for_ever([s = std::make_shared<selector>()] { s->wait(); }));
}

TEST_P(go_selector_blocking, with_nil_channels_alone_blocks_for_ever) {  // S20
    auto slot = std::make_shared<std::optional<int>>();
    auto s = std::make_shared<selector>();
    s->add_recv(chan<int>{}, *slot);
    s->add_send(chan<int>{}, 1);
    EXPECT_TRUE(blocks_for_ever([s, slot] { s->wait(); }));
}

INSTANTIATE_TEST_SUITE_P(workers, go_selector_blocking, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
