// Rows 26, 27 and 30: pipelines, fan-out and fan-in.
#include "naive/pipeline.hpp"

#include <exception>
#include <optional>
#include <utility>

#include "naive/fan_out.hpp"
#include "trial.hpp"

namespace runnel::defects {
namespace {

struct naive_pipeline {
    static recv_chan<int> squares_of_even(int count) {
        return naive::spawn_stage(
            naive::square,
            naive::spawn_stage(naive::filter_odd, naive::new_num_generator(1, count)));
    }
    /// A stage whose work on 3 runs `fail`, which does not return or, at worst, has nothing to say.
    template <class F>
    static recv_chan<int> failing_at_3(F fail) {
        return naive::spawn_stage(
            [=](int number) {
                if (number == 3) {
                    fail();
                    return std::pair(0, false);  // the only thing that it can return
                }
                return std::pair(number, true);
            },
            naive::new_num_generator(1, 5));
    }
    static void say_failure() {}  // there is no way to say it
};

struct naive_fan_out {
    static recv_chan<int> squares_of_even(int count) {
        return naive::spawn_fan_out(
            2, naive::square,
            naive::spawn_fan_out(3, naive::filter_odd, naive::new_num_generator(1, count)));
    }
    template <class F>
    static recv_chan<int> failing_at_3(F fail) {
        return naive::spawn_fan_out(
            2,
            [=](int number) {
                if (number == 3) {
                    fail();
                }
                return std::pair(number, true);
            },
            naive::new_num_generator(1, 5));
    }
};

recv_chan<int> generate(int count) {
    return produce<int>([=](const send_chan<int>& out) {
        for (int i = 1; i <= count; ++i) {
            out.send(i);
        }
    });
}

struct failure : std::exception {};

template <class F>
auto fails_at_3(F fail) {
    return [=](int number) {
        if (number == 3) {
            fail();
        }
        return number;
    };
}

struct our_pipeline {
    static recv_chan<int> squares_of_even(int count) {
        return generate(count) | filter([](int n) { return n % 2 == 0; }) |
               transform([](int n) { return n * n; });
    }
    template <class F>
    static recv_chan<int> failing_at_3(F fail) {
        return generate(5) | transform(fails_at_3(fail));
    }
    static void say_failure() { throw failure(); }
};

struct our_fan_out {
    static recv_chan<int> squares_of_even(int count) {
        auto even = stage(generate(count),
                          [](int n) { return n % 2 == 0 ? std::optional(n) : std::nullopt; },
                          {.workers = 3});
        return stage(std::move(even), [](int n) { return n * n; }, {.workers = 2});
    }
    template <class F>
    static recv_chan<int> failing_at_3(F fail) {
        return stage(generate(5), fails_at_3(fail), {.workers = 2});
    }
};

/// The same, in order.
struct our_ordered_fan_out {
    static recv_chan<int> squares_of_even(int count) {
        auto even = stage(generate(count),
                          [](int n) { return n % 2 == 0 ? std::optional(n) : std::nullopt; },
                          {.workers = 3, .ordered = true});
        return stage(std::move(even), [](int n) { return n * n; }, {.workers = 2, .ordered = true});
    }
    template <class F>
    static recv_chan<int> failing_at_3(F fail) {
        return stage(generate(5), fails_at_3(fail), {.workers = 2, .ordered = true});
    }
};

/// Rows 26 and 30.
template <class Pipeline>
finding consumer_that_leaves_early(const setting& with) {
    return look(with, [](trial& t) {
        const recv_chan<int> squares = Pipeline::squares_of_even(1000);
        t.expect(squares.recv().has_value(), bite::wrong_result, "nothing comes out");
    });
}

/// Rows 27 and 30: a stage that ends another way.
template <class Pipeline>
finding stage_that_ends_another_way(const setting& with) {
    return look(with, [](trial& t) {
        const recv_chan<int> numbers = Pipeline::failing_at_3([] { throw naive::goexit(); });
        bool told = false;
        try {
            while (numbers.recv()) {
            }
        } catch (const naive::goexit&) {
            told = true;
        }
        t.expect(told, bite::lost_error, "the abnormal end looks like the end of the numbers");
    });
}

/// Row 27: an error in a stage.
template <class Pipeline>
finding error_in_a_stage(const setting& with) {
    return look(with, [](trial& t) {
        const recv_chan<int> numbers = Pipeline::failing_at_3(Pipeline::say_failure);
        bool told = false;
        try {
            while (numbers.recv()) {
            }
        } catch (const failure&) {
            told = true;
        }
        t.expect(told, bite::lost_error, "the consumer takes the rest for all there is");
    });
}

INSTANTIATE_TEST_SUITE_P(
    pipeline, seed_defect,
    ::testing::Combine(::testing::Values(row{"row_26", bite::leak, "[chan send]",
                                             consumer_that_leaves_early<naive_pipeline>,
                                             consumer_that_leaves_early<our_pipeline>},
                                         row{"row_27_hang", bite::hang, "[chan recv]",
                                             stage_that_ends_another_way<naive_pipeline>,
                                             stage_that_ends_another_way<our_pipeline>},
                                         row{"row_27_error", bite::lost_error, "for all there is",
                                             error_in_a_stage<naive_pipeline>,
                                             error_in_a_stage<our_pipeline>},
                                         row{"row_30_leak", bite::leak, "[chan send]",
                                             consumer_that_leaves_early<naive_fan_out>,
                                             consumer_that_leaves_early<our_fan_out>},
                                         row{"row_30_hang", bite::hang, "[wait_group wait]",
                                             stage_that_ends_another_way<naive_fan_out>,
                                             stage_that_ends_another_way<our_fan_out>},
                                         row{"row_30_ordered_leak", bite::leak, "[chan send]",
                                             consumer_that_leaves_early<naive_fan_out>,
                                             consumer_that_leaves_early<our_ordered_fan_out>},
                                         row{"row_30_ordered_hang", bite::hang, "[wait_group wait]",
                                             stage_that_ends_another_way<naive_fan_out>,
                                             stage_that_ends_another_way<our_ordered_fan_out>}),
                       ::testing::Values(1, 2, 8)),
    row_name);

}  // namespace
}  // namespace runnel::defects
