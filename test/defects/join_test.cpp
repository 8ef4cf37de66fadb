// Rows 1 to 8: waiting for goroutines to end.
#include "naive/join.hpp"

#include <chrono>
#include <memory>
#include <string>

#include "naive/exit_status.hpp"
#include "naive/join_many.hpp"
#include "trial.hpp"

namespace runnel::defects {
namespace {

using namespace std::chrono_literals;

// --- One goroutine -------------------------------------------------------------------------------

struct naive_join {
    class job {
    public:
        explicit job(chan<unit> done) : done_(std::move(done)) {}
        bool wait_for(clock::duration d) { return select(on_recv(done_), on_timeout(d)) == 0; }
        /// Whether the goroutine has ended well.
        bool wait() {
            done_.recv();
            return true;
        }

    private:
        chan<unit> done_;
    };

    template <class F>
    static job start(F f) {
        return job(naive::spawn([=](const naive::arguments&) { f(); }));
    }
};

struct our_join {
    class job {
    public:
        explicit job(join_handle<void> handle) : handle_(std::move(handle)) {}
        bool wait_for(clock::duration d) { return handle_.wait_for(d); }
        bool wait() {
            try {
                handle_.join();
                return true;
            } catch (const naive::goexit&) {
                return false;
            }
        }

    private:
        join_handle<void> handle_;
    };

    template <class F>
    static job start(F f) {
        return job(runnel::spawn(f));
    }
};

/// Row 1.
template <class Join>
finding caller_stops_waiting(const setting& with) {
    return look(with, [](trial& t) {
        auto job = Join::start([] { sleep_for(5s); });
        t.expect(!job.wait_for(1s), bite::wrong_result, "the wait ends before the worker");
        sleep_for(1h);  // the worker has ended long ago
    });
}

/// Row 2.
template <class Join>
finding worker_ends_another_way(const setting& with) {
    return look(with, [](trial& t) {
        auto job = Join::start([] { throw naive::goexit(); });
        t.expect(!job.wait(), bite::lost_error, "an abnormal end looks like success");
    });
}

// --- Its status ----------------------------------------------------------------------------------

struct naive_status {
    static naive::error of_a_worker_that_succeeds() {
        return naive::spawn_with_status(naive::status_worker, {5}).recv().value();
    }
    static naive::error of_a_worker_that_fails() {
        return naive::spawn_with_status(naive::status_worker, {}).recv().value();
    }
};

std::error_code worker_with_status(std::chrono::seconds interval) {
    if (interval < 0s) {
        return std::make_error_code(std::errc::invalid_argument);
    }
    sleep_for(interval);
    return {};
}

struct our_status {
    static std::error_code of_a_worker_that_succeeds() {
        return spawn(worker_with_status, 5s).join();
    }
    static std::error_code of_a_worker_that_fails() {
        return spawn(worker_with_status, -5s).join();
    }
};

/// Row 3.
template <class Status>
finding success_counts_as_failure(const setting& with) {
    return look(with, [](trial& t) {
        if (auto err = Status::of_a_worker_that_succeeds()) {  // if err != nil
            t.expect(false, bite::wrong_result, "a caller that asks takes success for a failure");
        }
        t.expect(bool(Status::of_a_worker_that_fails()), bite::lost_error, "no error");
    });
}

// --- Its arguments -------------------------------------------------------------------------------

struct naive_arguments {
    /// Starts the worker with a text in place of a number; true if it then looks as if it had
    /// worked.
    static bool looks_like_success() {
        naive::spawn(naive::worker, {std::string("five")}).recv();
        return true;
    }
};

template <class F, class... Args>
concept can_spawn = requires(F f, Args... args) { spawn(f, args...); };

struct our_arguments {
    static_assert(can_spawn<decltype(&worker_with_status), std::chrono::seconds>);
    static bool looks_like_success() {
        return can_spawn<decltype(&worker_with_status), std::string>;  // it does not compile
    }
};

/// Row 4.
template <class Arguments>
finding bad_argument_looks_like_success(const setting& with) {
    return look(with, [](trial& t) {
        t.expect(!Arguments::looks_like_success(), bite::lost_error,
                 "a worker that got a wrong argument looks like one that has worked");
    });
}

// --- Many goroutines -----------------------------------------------------------------------------

struct naive_group {
    /// n workers that run f(pause), where pause(d) is how a worker waits.
    class running {
    public:
        template <class F>
        running(int n, F f)
            : done_(naive::spawn_group(n, [=](const naive::arguments&) {
                  f([](clock::duration d) { sleep_for(d); });
              })) {}
        bool wait_for(clock::duration d) {
            const timer limit(d);
            return naive::wait_or_time_out(done_, limit.c());
        }
        /// The wait begins late, when work and limit are both over.
        bool wait_late(clock::duration limit, clock::duration late) {
            const timer over(limit);
            sleep_for(late);
            return naive::wait_or_time_out(done_, over.c());
        }
        bool wait() {
            done_.recv();
            return true;
        }

    private:
        chan<unit> done_;
    };
};

struct our_group {
    class running {
    public:
        template <class F>
        running(int n, F f) {
            for (int i = 0; i < n; ++i) {
                workers_.go([f, ctx = workers_.context()] {
                    f([&ctx](clock::duration d) { static_cast<void>(sleep_for(ctx, d)); });
                });
            }
        }
        bool wait_for(clock::duration d) {
            auto [limit, cancel] = with_timeout(background(), d);
            return workers_.wait(limit) == op_status::ok;
        }
        bool wait_late(clock::duration limit, clock::duration late) {
            auto [over, cancel] = with_timeout(background(), limit);
            sleep_for(late);
            return workers_.wait(over) == op_status::ok;
        }
        bool wait() {
            try {
                workers_.wait();
                return true;
            } catch (const naive::goexit&) {
                return false;
            }
        }

    private:
        group workers_;
    };
};

/// The same for a wait_group and a join_handle, which take a point in time.
struct our_waits {
    class running {
    public:
        template <class F>
        running(int n, F f) {
            const auto work = [f] { f([](clock::duration d) { sleep_for(d); }); };
            for (int i = 0; i < n; ++i) {
                workers_.go(work);
            }
            one_ = spawn(work);
        }
        bool wait_late(clock::duration limit, clock::duration late) {
            const auto over = clock::now() + limit;
            sleep_for(late);
            return workers_.wait_until(over) && one_.wait_until(over);
        }

    private:
        wait_group workers_;
        join_handle<void> one_;
    };
};

/// Row 5.
template <class Group>
finding monitor_after_a_timeout(const setting& with) {
    return look(with, [](trial& t) {
        typename Group::running group(5, [](auto pause) { pause(30s); });
        t.expect(!group.wait_for(5s), bite::wrong_result, "no timeout");
        sleep_for(1h);  // the workers have ended long ago
    });
}

/// Row 6.
template <class Group>
finding one_of_many_ends_another_way(const setting& with) {
    return look(with, [](trial& t) {
        typename Group::running group(5, [](auto) { throw naive::goexit(); });
        t.expect(!group.wait(), bite::lost_error, "abnormal ends look like success");
    });
}

/// Row 7.
template <class Group>
finding workers_after_a_timeout(const setting& with) {
    return look(with, [](trial& t) {
        typename Group::running group(5, [](auto pause) { pause(30s); });
        t.expect(!group.wait_for(5s), bite::wrong_result, "no timeout");
    });
}

/// Row 8.
template <class Group>
finding work_and_limit_are_both_over(const setting&) {
    return look_often(100, [](trial& t) {
        typename Group::running group(5, [](auto pause) { pause(1s); });
        t.expect(group.wait_late(5s, 10s), bite::wrong_result,
                 "a timeout although the work is done");
        t.settle();
    });
}

INSTANTIATE_TEST_SUITE_P(
    join, seed_defect,
    ::testing::Combine(
        ::testing::Values(
            row{"row_01", bite::leak, "[chan send]", caller_stops_waiting<naive_join>,
                caller_stops_waiting<our_join>},
            row{"row_02", bite::hang, "[chan recv]", worker_ends_another_way<naive_join>,
                worker_ends_another_way<our_join>},
            row{"row_03", bite::wrong_result, "takes success for a failure",
                success_counts_as_failure<naive_status>, success_counts_as_failure<our_status>},
            row{"row_04", bite::lost_error, "wrong argument",
                bad_argument_looks_like_success<naive_arguments>,
                bad_argument_looks_like_success<our_arguments>},
            row{"row_05", bite::leak, "[chan send]", monitor_after_a_timeout<naive_group>,
                monitor_after_a_timeout<our_group>},
            row{"row_06", bite::hang, "[wait_group wait]",
                one_of_many_ends_another_way<naive_group>, one_of_many_ends_another_way<our_group>},
            row{"row_07", bite::leak, "[sleep]", workers_after_a_timeout<naive_group>,
                workers_after_a_timeout<our_group>},
            row{"row_08_group", bite::wrong_result, "although the work is done",
                work_and_limit_are_both_over<naive_group>, work_and_limit_are_both_over<our_group>},
            row{"row_08_wait_until", bite::wrong_result, "although the work is done",
                work_and_limit_are_both_over<naive_group>,
                work_and_limit_are_both_over<our_waits>}),
        ::testing::Values(1, 2, 8)),
    row_name);

}  // namespace
}  // namespace runnel::defects
