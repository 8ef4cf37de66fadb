// test/go/select_shapes_test.cpp: one send or receive, in every shape of select around it.
//
// A select with one case, with one case and `otherwise`, and with more may well be different code;
// so may be what stands before and after. All shapes are generated at compile time. Go's order of
// evaluation is not tested: C++ leaves the order of a call's arguments open.
//
// Follows Go's test/chan/select5.go.
// Copyright The Go Authors. All rights reserved. Use of this source code is governed by a
// BSD-style license that can be found in test/go/LICENSE.
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <utility>

#include <runnel/runnel.hpp>

#include "test/go/helpers.hpp"
#include "test/support/support.hpp"

namespace runnel {
namespace {

// What stands in the select beside the case under test. Dummy cases have a channel that nobody
// else uses, nil cases have none: neither is ever ready.
struct shape {
    bool otherwise_first;
    bool otherwise_last;
    bool dummy_send;
    bool dummy_recv;
    bool nil_send;
    bool nil_recv;
};

constexpr std::size_t shapes_without_otherwise = 16;
constexpr std::size_t shape_count = 3 * shapes_without_otherwise;

consteval shape nth_shape(std::size_t n) {
    const std::size_t place = n / shapes_without_otherwise;
    return {.otherwise_first = place == 1,
            .otherwise_last = place == 2,
            .dummy_send = (n & 1) != 0,
            .dummy_recv = (n & 2) != 0,
            .nil_send = (n & 4) != 0,
            .nil_recv = (n & 8) != 0};
}

// Calls `next` with the case that `make` makes, or with none. Cases cannot be moved, so they are
// handed down as references to temporaries.
template <bool Present, class Make, class Next>
std::size_t with(Make make, Next next) {
    if constexpr (Present) {
        return next(make());
    } else {
        return next();
    }
}

// The channels and values around the case under test.
class surroundings {
public:
    // Runs a select of shape S around the case that `make_case` makes; true if it was chosen.
    template <shape S, class MakeCase>
    bool chooses(MakeCase make_case) const {
        const std::size_t chosen = with<S.otherwise_first>(
            [&] { return otherwise(fallback_); },
            [&](auto&&... first) {
                return with_dummies<S>([&](auto&&... dummies) {
                    return with<S.otherwise_last>(
                        [&] { return otherwise(fallback_); },
                        [&](auto&&... last) {
                            return select(std::forward<decltype(first)>(first)..., make_case(),
                                          std::forward<decltype(dummies)>(dummies)...,
                                          std::forward<decltype(last)>(last)...);
                        });
                });
            });
        return chosen == (S.otherwise_first ? 1U : 0U);
    }

    // The same without a case under test; true if `otherwise` was chosen.
    template <shape S>
    bool chooses_otherwise() const {
        constexpr std::size_t before = std::size_t{S.dummy_send} + std::size_t{S.dummy_recv} +
                                       std::size_t{S.nil_send} + std::size_t{S.nil_recv};
        const std::size_t chosen = with<S.otherwise_first>(
            [&] { return otherwise(fallback_); },
            [&](auto&&... first) {
                return with_dummies<S>([&](auto&&... dummies) {
                    return with<S.otherwise_last>(
                        [&] { return otherwise(fallback_); },
                        [&](auto&&... last) {
                            return select(std::forward<decltype(first)>(first)...,
                                          std::forward<decltype(dummies)>(dummies)...,
                                          std::forward<decltype(last)>(last)...);
                        });
                });
            });
        return chosen == (S.otherwise_first ? 0 : before);
    }

private:
    template <shape S, class Next>
    std::size_t with_dummies(Next next) const {
        return with<S.dummy_send>(
            [&] { return on_send(dummy_, value_, unreachable_); },
            [&](auto&&... a) {
                return with<S.dummy_recv>(
                    [&] { return on_recv(dummy_, unreachable_); },
                    [&](auto&&... b) {
                        return with<S.nil_send>([&] { return on_send(nil_, value_, unreachable_); },
                                                [&](auto&&... c) {
                                                    return with<S.nil_recv>(
                                                        [&] { return on_recv(nil_, unreachable_); },
                                                        [&](auto&&... d) {
                                                            return next(
                                                                std::forward<decltype(a)>(a)...,
                                                                std::forward<decltype(b)>(b)...,
                                                                std::forward<decltype(c)>(c)...,
                                                                std::forward<decltype(d)>(d)...);
                                                        });
                                                });
                    });
            });
    }

    static void never_chosen() { FAIL() << "a case that is never ready was chosen"; }
    static void do_nothing() {}

    void (*unreachable_)() = never_chosen;
    void (*fallback_)() = do_nothing;
    chan<int> dummy_ = make_chan<int>();
    chan<int> nil_;
    int value_ = 1;
};

template <std::size_t Count, class F>
void for_each_shape(F f) {
    [&]<std::size_t... N>(std::index_sequence<N...>) {
        (f.template operator()<nth_shape(N)>(), ...);
    }(std::make_index_sequence<Count>{});
}

using go_select_shapes = test::on_workers;

TEST_P(go_select_shapes, receive_into_a_slot_that_is_ready) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>(1);
        int n = 0;
        for_each_shape<shape_count>([&]<shape S> {
            c.send(++n);
            std::optional<int> slot;
            EXPECT_TRUE(around.chooses<S>([&] { return on_recv(c, slot); }));
            EXPECT_EQ(slot, n);
        });
    });
}

TEST_P(go_select_shapes, receive_into_a_handler_that_is_ready) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>(1);
        int n = 0;
        std::optional<int> got;
        const auto keep = [&](std::optional<int> v) { got = v; };
        for_each_shape<shape_count>([&]<shape S> {
            c.send(++n);
            EXPECT_TRUE(around.chooses<S>([&] { return on_recv(c, keep); }));
            EXPECT_EQ(got, n);
        });
    });
}

TEST_P(go_select_shapes, send_that_is_ready) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>(1);
        int n = 0;
        int sent = 0;
        const auto count = [&] { ++sent; };
        for_each_shape<shape_count>([&]<shape S> {
            ++n;
            EXPECT_TRUE(around.chooses<S>([&] { return on_send(c, n, count); }));
            EXPECT_EQ(sent, n);
            EXPECT_EQ(c.recv(), n);
        });
    });
}

TEST_P(go_select_shapes, receive_that_has_to_wait) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>();
        int n = 0;
        for_each_shape<shapes_without_otherwise>([&]<shape S> {
            ++n;
            go([c, n] { c.send(n); });
            std::optional<int> slot;
            EXPECT_TRUE(around.chooses<S>([&] { return on_recv(c, slot); }));
            EXPECT_EQ(slot, n);
        });
    });
}

TEST_P(go_select_shapes, send_that_has_to_wait) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>();
        int n = 0;
        const auto nothing = [] {};
        for_each_shape<shapes_without_otherwise>([&]<shape S> {
            ++n;
            auto received = spawn([c] { return c.recv(); });
            EXPECT_TRUE(around.chooses<S>([&] { return on_send(c, n, nothing); }));
            EXPECT_EQ(received.join(), n);
        });
    });
}

// Neither the channel nor the slot or value of the case is touched.
TEST_P(go_select_shapes, otherwise_when_nothing_is_ready) {
    run([] {
        const surroundings around;
        const auto c = make_chan<int>();
        std::optional<int> slot = 7;
        const int value = 8;
        const auto nothing = [] {};
        for_each_shape<shape_count>([&]<shape S> {
            if constexpr (S.otherwise_first || S.otherwise_last) {
                EXPECT_TRUE(around.chooses_otherwise<S>());
                EXPECT_FALSE(around.chooses<S>([&] { return on_recv(c, slot); }));
                EXPECT_FALSE(around.chooses<S>([&] { return on_send(c, value, nothing); }));
                EXPECT_EQ(slot, 7);
                EXPECT_EQ(c.try_recv(slot), op_status::empty);
            }
        });
    });
}

INSTANTIATE_TEST_SUITE_P(workers, go_select_shapes, test::worker_counts, test::worker_name);

}  // namespace
}  // namespace runnel
