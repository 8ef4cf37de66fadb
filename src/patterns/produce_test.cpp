// A goroutine and its channel: whoever stops early, on either side, strands nobody.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "src/patterns/flow_test.hpp"

namespace runnel {
namespace {

using namespace std::chrono_literals;
using test::collect;
using test::collect_until_error;
using test::is;
using test::tracked;
using produce_test = test::clean_bubble;
using consume_test = test::clean_bubble;

INSTANTIATE_TEST_SUITE_P(, produce_test, test::worker_counts, test::worker_name);
INSTANTIATE_TEST_SUITE_P(, consume_test, test::worker_counts, test::worker_name);

TEST_P(produce_test, sends_in_order_and_is_closed_when_the_function_returns) {
    run_clean([](testing::bubble&) {
        EXPECT_EQ(collect(produce<int>(test::numbers(0, 5))), (std::vector<int>{0, 1, 2, 3, 4}));
        EXPECT_EQ(produce<int>(test::numbers(0, 3), 7).cap(), 7U);
    });
}

TEST_P(produce_test, takes_functions_and_values_that_can_only_be_moved) {
    run_clean([](testing::bubble&) {
        const auto in = produce<std::unique_ptr<int>>(
            [one = std::make_unique<int>(1)](const send_chan<std::unique_ptr<int>>& out) mutable {
                out.send(std::move(one));
            });
        EXPECT_EQ(**in.recv(), 1);
        EXPECT_EQ(in.recv(), std::nullopt);
    });
}

TEST_P(produce_test, an_exception_reaches_the_consumer_after_the_values_before_it) {
    run_clean([](testing::bubble&) {
        const auto [values, error] = collect_until_error(produce<int>(
            [](const send_chan<int>& out) {
                out.send(1);
                out.send(2);
                throw std::runtime_error("out of numbers");
            },
            4));
        EXPECT_EQ(values, (std::vector<int>{1, 2}));
        EXPECT_TRUE(is<std::runtime_error>(error));
    });
}

TEST_P(produce_test, ends_when_the_consumer_leaves_its_loop) {
    run_clean([](testing::bubble&) {
        for (const std::ptrdiff_t capacity : {0, 3}) {
            for (const int value : produce<int>(test::naturals, capacity)) {
                if (value == 10) {
                    break;
                }
            }
        }
    });
}

/// The seed's generator (defects 26 and 30): an unbuffered channel that does not know whether
/// anybody receives.
TEST_P(produce_test, the_naive_generator_is_stranded_where_ours_is_not) {
    const auto first_value = [](const auto& make) {
        return [make] {
            const auto in = make();
            EXPECT_EQ(in.recv(), 0);
        };
    };
    const auto naive = [] {
        auto out = make_chan<int>();
        go([out] { test::naturals(out); });
        return recv_chan<int>(out);
    };
    EXPECT_THROW(run([&](testing::bubble&) { first_value(naive)(); }), testing::bubble_error);
    run_clean(
        [&](testing::bubble&) { first_value([] { return produce<int>(test::naturals); })(); });
}

/// The seed's close is not deferred (defect 27): a function that ends in another way than by its
/// last line hangs the consumer. Ours is closed whatever way it ends.
TEST_P(produce_test, the_naive_close_is_missed_where_ours_is_not) {
    const auto early = [](const send_chan<int>& out) {
        out.send(1);
        throw std::runtime_error("early");
    };
    EXPECT_TRUE(blocks_for_ever([early] {
        auto out = make_chan<int>();
        go([out, early] {
            try {
                early(out);
                out.close();
            } catch (const std::runtime_error&) {  // as Goexit: nobody sees it
            }
        });
        collect(out);
    }));
    run_clean([&](testing::bubble&) {
        EXPECT_TRUE(is<std::runtime_error>(collect_until_error(produce<int>(early)).second));
    });
}

TEST_P(produce_test, a_function_may_close_its_channel_itself) {
    run_clean([](testing::bubble&) {
        EXPECT_EQ(collect(produce<int>([](const send_chan<int>& out) {
                      out.send(1);
                      out.close();
                  })),
                  std::vector<int>{1});
    });
}

TEST_P(produce_test, a_cancel_ends_a_producer_that_watches_its_context) {
    run_clean([](testing::bubble&) {
        auto [ctx, cancel] = with_cancel(background());
        const auto in = produce<int>(ctx, [](const context& c, const send_chan<int>& out) {
            for (int i = 0; out.send(c, i) == op_status::ok; ++i) {
            }
        });
        EXPECT_EQ(in.recv(), 0);
        EXPECT_EQ(in.recv(), 1);
        cancel();
        EXPECT_THROW(collect(in), canceled_error);
        EXPECT_TRUE(is<canceled_error>(in.close_error()));
    });
}

TEST_P(produce_test, a_cancel_ends_a_producer_that_does_not_and_drops_what_is_buffered) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_timeout(background(), 1s);
        const auto in = produce<tracked>(
            ctx,
            [](const send_chan<tracked>& out) {
                for (int i = 0;; ++i) {
                    out.send(tracked(i));
                }
            },
            3);
        world.settle();
        EXPECT_EQ(in.len(), 3U);
        sleep_for(2s);
        world.settle();
        EXPECT_EQ(tracked::alive, 0);
        EXPECT_THROW(in.recv(), timeout_error);
    });
}

TEST_P(produce_test, what_was_complete_before_the_cancel_is_received) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        const auto in = produce<int>(ctx, test::numbers(0, 3), 3);
        world.settle();
        cancel();
        world.settle();
        EXPECT_EQ(collect(in), (std::vector<int>{0, 1, 2}));
    });
}

// The first close() of a channel that has been abandoned may throw what it was abandoned for, and
// produce() itself reports the end of the context: neither has an open channel to go to.
TEST_P(produce_test, a_function_that_closes_its_channel_survives_the_end_of_its_context) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        const auto closed = produce<int>(ctx, [](const context& c, const send_chan<int>& out) {
            out.close();
            c.done().recv();
        });
        const auto told = produce<int>(ctx, [](const context& c, const send_chan<int>& out) {
            out.close();
            c.done().recv();
            throw canceled_error();
        });
        const auto late = produce<int>(ctx, [](const context& c, const send_chan<int>& out) {
            c.done().recv();
            sleep_for(1s);
            out.close();
        });
        EXPECT_EQ(closed.recv(), std::nullopt);
        EXPECT_EQ(told.recv(), std::nullopt);
        world.settle();
        cancel();
        EXPECT_THROW(late.recv(), canceled_error);
        sleep_for(2s);
    });
}

TEST_P(produce_test, a_function_that_always_closes_its_channel_may_lose_its_consumer) {
    run_clean([](testing::bubble&) {
        struct closed_on_every_way_out {
            send_chan<int> out;
            ~closed_on_every_way_out() { out.close(); }
        };
        const auto careful = [](const send_chan<int>& out) {
            const closed_on_every_way_out guard{out};
            test::naturals(out);
        };
        EXPECT_EQ(produce<int>(careful).recv(), 0);
        EXPECT_EQ(produce<int>(background(), careful).recv(), 0);
    });
}

TEST(produce_arguments, a_negative_capacity_is_named) {
    try {
        static_cast<void>(produce<int>(test::naturals, -1));
        FAIL();
    } catch (const std::invalid_argument& e) {
        EXPECT_NE(std::string(e.what()).find("capacity"), std::string::npos);
    }
    EXPECT_THROW(static_cast<void>(consume<int>([](const recv_chan<int>&) {}, -1)),
                 std::invalid_argument);
}

TEST_P(consume_test, receives_what_is_sent_until_it_is_closed) {
    run_clean([](testing::bubble& world) {
        std::vector<int> got;
        const auto out = consume<int>([&got](const recv_chan<int>& in) { got = collect(in); }, 1);
        out.send(1);
        out.send(2);
        out.close();
        world.settle();
        EXPECT_EQ(got, (std::vector<int>{1, 2}));
    });
}

TEST_P(consume_test, sends_end_as_canceled_once_the_function_has_returned) {
    run_clean([](testing::bubble&) {
        const auto out = consume<int>([](const recv_chan<int>& in) { in.recv(); });
        out.send(1);
        EXPECT_THROW(out.send(2), canceled_error);
        EXPECT_NO_THROW(out.close());
    });
}

TEST_P(consume_test, an_exception_reaches_the_producer) {
    run_clean([](testing::bubble& world) {
        const auto broken = [](recv_chan<int> in) {
            in.recv();
            in = {};
            throw std::runtime_error("disk full");
        };
        const auto out = consume<int>(broken);
        out.send(1);
        EXPECT_THROW(out.send(2), std::runtime_error);
        EXPECT_EQ(out.try_send(3), op_status::canceled);
        EXPECT_THROW(out.close(), std::runtime_error);

        const auto only_closes = consume<int>(broken);
        only_closes.send(1);
        world.settle();
        EXPECT_THROW(only_closes.close(), std::runtime_error);
    });
}

TEST_P(consume_test, a_function_that_watches_its_context_ends_with_it) {
    run_clean([](testing::bubble& world) {
        auto [ctx, cancel] = with_cancel(background());
        const auto out = consume<int>(ctx, [](const context& c, const recv_chan<int>& in) {
            int value = 0;
            while (in.recv(c, value) == op_status::ok) {
            }
            throw canceled_error();
        });
        out.send(1);
        cancel();
        world.settle();
        EXPECT_THROW(out.send(2), canceled_error);
    });
}

}  // namespace
}  // namespace runnel
