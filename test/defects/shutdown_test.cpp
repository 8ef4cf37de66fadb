// Rows 16 to 24: graceful shutdown.
#include "naive/shutdown.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "trial.hpp"

namespace runnel::defects {
namespace {

using namespace std::chrono_literals;

/// A component as the checks describe it: how it acts when asked to end within a time.
struct component {
    std::string name;
    std::function<std::error_code(clock::duration)> shutdown;
};

/// What an implementation tells its caller.
struct answer {
    bool failed = false;
    bool is_timeout = false;  ///< it compares equal to a code
    std::vector<std::string> late;
};

component takes(const std::string& name, clock::duration time) {
    return {name, [=](clock::duration) {
                sleep_for(time);
                return std::error_code();
            }};
}

/// Watches its limit: works until then at most.
component cooperates(const std::string& name, clock::duration time) {
    return {name, [=](clock::duration limit) {
                sleep_for(std::min(time, limit));
                return std::error_code();
            }};
}

const std::error_code disk_full = std::make_error_code(std::errc::no_space_on_device);

component fails(const std::string& name) {
    return {name, [](clock::duration) { return disk_full; }};
}

using components = std::vector<component>;

// --- The naive form ------------------------------------------------------------------------------

std::vector<naive::shutdowner> naive_shutdowners(const components& all) {
    std::vector<naive::shutdowner> shutdowners;
    for (const component& c : all) {
        shutdowners.push_back(c.shutdown == nullptr ? naive::shutdowner() : [=](clock::duration d) {
            return c.shutdown(d) ? naive::error("failed") : naive::error();
        });
    }
    return shutdowners;
}

answer answer_of(naive::error err) {
    return {.failed = bool(err), .is_timeout = false, .late = {}};  // a text made on the spot
}

struct naive_concurrent {
    static answer shutdown(clock::duration limit, const components& all) {
        return answer_of(naive::concurrent_shutdown(limit, naive_shutdowners(all)));
    }
};

struct naive_sequential {
    static answer shutdown(clock::duration limit, const components& all) {
        return answer_of(naive::sequential_shutdown(limit, naive_shutdowners(all)));
    }
};

struct naive_suite {
    static std::string run() { return naive::test_concurrent_shutdown(); }
};

// --- Ours ----------------------------------------------------------------------------------------

std::vector<any_shutdowner> our_shutdowners(const components& all) {
    std::vector<any_shutdowner> shutdowners;
    for (const component& c : all) {
        shutdowners.emplace_back(named(c.name, c.shutdown));
    }
    return shutdowners;
}

answer answer_of(const shutdown_report& report) {
    answer got{.failed = bool(report.error()),
               .is_timeout = report.error() == std::errc::timed_out,
               .late = {}};
    for (const auto& each : report.components()) {
        if (!each.finished) {
            got.late.push_back(each.name);
        }
    }
    return got;
}

struct our_concurrent {
    static answer shutdown(clock::duration limit, const components& all) {
        return answer_of(concurrent_shutdown(limit, our_shutdowners(all)));
    }
};

struct our_sequential {
    static answer shutdown(clock::duration limit, const components& all) {
        return answer_of(sequential_shutdown(limit, our_shutdowners(all)));
    }
};

/// The seed's test with components that watch their limit, and a wait for those that were late.
struct our_suite {
    static std::string run() {
        const component f1 = cooperates("f1", 2s);
        const component f2 = takes("f2", 6s);
        if (concurrent_shutdown(10s, our_shutdowners({f1, f2})).error()) {
            return "want nil";
        }
        const shutdown_report report = concurrent_shutdown(4s, our_shutdowners({f1, f2}));
        if (!report.error()) {
            return "want timeout, actual nil";
        }
        report.stragglers().recv();
        return "";
    }
};

// --- The checks ----------------------------------------------------------------------------------

/// Rows 16 and 20: what a shutdown leaves that has run out of time.
template <class Shutdown>
finding goroutines_after_a_timeout(const setting& with) {
    return look(with, [](trial& t) {
        const answer got = Shutdown::shutdown(4s, {takes("fast", 2s), takes("slow", 6s)});
        t.expect(got.failed, bite::wrong_result, "no timeout");
        sleep_for(1h);  // every component has returned long ago
    });
}

/// Rows 17 and 20: a component's error.
template <class Shutdown>
finding error_of_a_component(const setting& with) {
    return look(with, [](trial& t) {
        const answer got = Shutdown::shutdown(4s, {takes("fast", 2s), fails("disk")});
        t.expect(got.failed, bite::lost_error, "a component failed, and nobody hears of it");
    });
}

/// Row 18: a component that gives up when its time is over, which on a real machine is a little
/// before or after the caller's own timer. Whichever comes first, the answer must be the same.
template <class Shutdown>
finding component_that_keeps_its_limit(const setting& with) {
    std::set<bool> answers;
    finding left;
    for (const clock::duration jitter : {-1us, 0us, 1us}) {
        const finding found = look(with, [&answers, jitter](trial&) {
            const component gives_up{"exact", [=](clock::duration limit) {
                                         sleep_for(limit + jitter);
                                         return std::make_error_code(std::errc::timed_out);
                                     }};
            answers.insert(Shutdown::shutdown(4s, {gives_up, takes("quick", 0s)}).failed);
            sleep_for(1h);
        });
        left = left.what == bite::none ? found : left;
    }
    if (answers.size() > 1) {
        return {bite::wrong_result, "the answer depends on which of two timers is first"};
    }
    return left;
}

/// Row 21: the time is over before a component's turn.
template <class Shutdown>
finding no_time_left_for_a_component(const setting& with) {
    return look(with, [](trial& t) {
        auto handed = make_chan<clock::duration>(1);
        const component asks{"asks", [=](clock::duration limit) {
                                 handed.send(limit);
                                 return std::error_code();
                             }};
        Shutdown::shutdown(-1s, {asks});
        t.expect(handed.recv().value() == 0s, bite::wrong_result,
                 "the component is handed a negative time");
        sleep_for(1h);
    });
}

/// Row 19: who is late.
template <class Shutdown>
finding what_a_timeout_tells(const setting& with) {
    return look(with, [](trial& t) {
        const answer got = Shutdown::shutdown(4s, {takes("fast", 2s), takes("slow", 6s)});
        t.expect(got.is_timeout, bite::lost_error, "nobody can tell that it is a timeout");
        t.expect(got.late == std::vector<std::string>{"slow"}, bite::lost_error,
                 "it does not say who is late");
        sleep_for(1h);
    });
}

/// Row 19: a component that throws.
template <class Shutdown>
finding component_that_throws(const setting& with) {
    return look(with, [](trial& t) {
        const component throws{"throws", [](clock::duration) -> std::error_code {
                                   throw std::runtime_error("cannot stop");
                               }};
        const answer got = Shutdown::shutdown(4s, {takes("fast", 2s), throws});
        t.expect(got.failed, bite::lost_error, "the exception is lost");
    });
}

/// Row 19: a function that is none.
template <class Shutdown>
finding component_that_is_null(const setting& with) {
    return look(with, [](trial& t) {
        try {
            const answer got = Shutdown::shutdown(4s, {takes("fast", 2s), {"null", nullptr}});
            t.expect(got.failed, bite::lost_error, "it passes unseen");
        } catch (const std::invalid_argument&) {  // refused before anything has begun
        }
    });
}

/// Row 22.
template <class Shutdown>
finding components_after_the_slow_one(const setting& with) {
    return look(with, [](trial& t) {
        auto closed = std::make_shared<std::atomic<bool>>(false);
        const component files{"files", [=](clock::duration) {
                                  *closed = true;
                                  return std::error_code();
                              }};
        const answer got = Shutdown::shutdown(4s, {takes("slow", 6s), files});
        t.expect(got.failed, bite::wrong_result, "no timeout");
        sleep_for(1h);
        t.expect(*closed, bite::wrong_result, "the component after the slow one was never asked");
    });
}

/// Row 24.
template <class Suite>
finding what_a_test_of_it_leaves(const setting& with) {
    return look(with, [](trial& t) {
        const std::string complaint = Suite::run();
        t.expect(complaint.empty(), bite::wrong_result, complaint);
    });
}

INSTANTIATE_TEST_SUITE_P(
    shutdown, seed_defect,
    ::testing::Combine(
        ::testing::Values(
            row{"row_16", bite::leak, "[chan send]", goroutines_after_a_timeout<naive_concurrent>,
                goroutines_after_a_timeout<our_concurrent>},
            row{"row_17", bite::lost_error, "nobody hears of it",
                error_of_a_component<naive_concurrent>, error_of_a_component<our_concurrent>},
            row{"row_18", bite::wrong_result, "timers is first",
                component_that_keeps_its_limit<naive_concurrent>,
                component_that_keeps_its_limit<our_concurrent>},
            row{"row_19_late", bite::lost_error, "nobody can tell",
                what_a_timeout_tells<naive_concurrent>, what_a_timeout_tells<our_concurrent>},
            row{"row_19_panic", bite::panic, "panicked", component_that_throws<naive_concurrent>,
                component_that_throws<our_concurrent>},
            row{"row_19_null", bite::panic, "panicked", component_that_is_null<naive_concurrent>,
                component_that_is_null<our_concurrent>},
            row{"row_20_leak", bite::leak, "[chan send]",
                goroutines_after_a_timeout<naive_sequential>,
                goroutines_after_a_timeout<our_sequential>},
            row{"row_20_error", bite::lost_error, "nobody hears of it",
                error_of_a_component<naive_sequential>, error_of_a_component<our_sequential>},
            row{"row_21", bite::wrong_result, "a negative time",
                no_time_left_for_a_component<naive_sequential>,
                no_time_left_for_a_component<our_sequential>},
            row{"row_22", bite::wrong_result, "never asked",
                components_after_the_slow_one<naive_sequential>,
                components_after_the_slow_one<our_sequential>},
            row{"row_24", bite::leak, "[sleep]", what_a_test_of_it_leaves<naive_suite>,
                what_a_test_of_it_leaves<our_suite>}),
        ::testing::Values(1, 2, 8)),
    row_name);

}  // namespace
}  // namespace runnel::defects
