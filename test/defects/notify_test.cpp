// Rows 9 to 15: asking goroutines to end, and waiting until they have.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "naive/notify_many.hpp"
#include "naive/notify_one.hpp"
#include "trial.hpp"

namespace runnel::defects {
namespace {

using namespace std::chrono_literals;

// --- One worker ----------------------------------------------------------------------------------

struct naive_one {
    class worker {
    public:
        template <class F>
        explicit worker(F f) : quit_(naive::spawn_notified(f, job_)) {}
        void submit(int j) { job_.send(j); }
        void stop() { quit_.send("exit"); }
        std::string stop_and_wait(clock::duration limit) {
            return naive::notify_and_wait(quit_, limit);
        }

    private:
        chan<int> job_ = make_chan<int>();
        chan<std::string> quit_;
    };
};

struct our_one {
    class worker {
    public:
        template <class F>
        explicit worker(F f)
            : job_(make_chan<int>()), service_([f, job = job_](const context& stop) {
                  std::optional<int> j;
                  while (select(on_recv(job, j), on_done(stop)) == 0) {
                      f(*j);
                  }
              }) {}
        void submit(int j) { job_.send(j); }
        void stop() { service_.stop(); }
        std::string stop_and_wait(clock::duration limit) {
            return service_.stop_and_wait(limit) == op_status::ok ? "ok" : "";
        }

    private:
        chan<int> job_;
        service service_;
    };
};

/// Row 9.
template <class One>
finding worker_that_said_it_ends(const setting& with) {
    return look(with, [](trial& t) {
        typename One::worker worker([](int) {});
        sleep_for(5s);
        t.expect(worker.stop_and_wait(10s) == "ok", bite::wrong_result, "no acknowledgement");
    });
}

/// Row 10.
template <class One>
finding busy_worker_and_the_limit(const setting& with) {
    return look(with, [](trial& t) {
        typename One::worker worker([](int hours) { sleep_for(hours * 1h); });
        worker.submit(1);
        const auto asked = clock::now();
        worker.stop_and_wait(10s);
        t.expect(clock::now() - asked <= 10s, bite::hang, "the limit of 10 s does not hold");
        sleep_for(2h);
    });
}

/// Row 11, what it answers.
template <class One>
finding two_ask_a_worker_to_end(const setting& with) {
    return look(with, [](trial& t) {
        typename One::worker worker([](int seconds) { sleep_for(seconds * 1s); });
        worker.submit(1);
        auto status = make_chan<std::string>(2);
        for (int i = 0; i < 2; ++i) {
            go([&worker, status] { status.send(worker.stop_and_wait(10s)); });
        }
        for (int i = 0; i < 2; ++i) {
            const std::string got = status.recv().value();
            t.expect(got == "ok", bite::wrong_result, "who asks second gets '" + got + "'");
        }
    });
}

/// Row 11, what it leaves.
template <class One>
finding nobody_waits_for_the_acknowledgement(const setting& with) {
    return look(with, [](trial&) {
        typename One::worker worker([](int) {});
        worker.stop();
    });
}

// --- Many workers --------------------------------------------------------------------------------

struct naive_many {
    class pool {
    public:
        template <class F>
        pool(int n, F f) : quit_(naive::spawn_pool(n, f, job_)) {}
        /// Whether the job was accepted.
        bool submit(int j) {
            job_.send(j);
            return true;
        }
        bool close_and_wait(clock::duration limit) {
            return naive::notify_pool_and_wait(quit_, limit);
        }

    private:
        chan<int> job_ = make_chan<int>();
        chan<unit> quit_;
    };
    template <class F>
    static void start(F f) {
        naive::go(f);
    }
};

struct our_many {
    class pool {
    public:
        template <class F>
        pool(int n, F f) : pool_(n, f) {}
        bool submit(int j) { return pool_.submit(background(), j) == op_status::ok; }
        bool close_and_wait(clock::duration limit) {
            return pool_.close_and_wait(limit) == op_status::ok;
        }

    private:
        worker_pool<int> pool_;
    };
    template <class F>
    static void start(F f) {
        go(f);
    }
};

/// Row 13.
template <class Many>
finding the_pool_runs_what_it_was_given(const setting& with) {
    return look(with, [](trial& t) {
        std::atomic<int> run = 0;
        typename Many::pool pool(5, [&](int) { ++run; });
        for (int j = 0; j < 10; ++j) {
            pool.submit(j);
        }
        t.expect(pool.close_and_wait(1h), bite::hang, "the pool does not end");
        t.expect(run == 10, bite::wrong_result,
                 "the function was called " + std::to_string(run) + " times for 10 jobs");
    });
}

/// Row 14.
template <class Many>
finding live_producer_when_the_pool_closes(const setting& with) {
    return look(with, [](trial& t) {
        typename Many::pool pool(5, [](int seconds) { sleep_for(seconds * 1s); });
        auto refused = make_chan<unit>(1);
        Many::start([&pool, refused] {
            while (pool.submit(1)) {
                sleep_for(1s);
            }
            refused.send();
        });
        sleep_for(2500ms);
        t.expect(pool.close_and_wait(10s), bite::hang, "the pool does not end");
        t.expect(select(on_recv(refused), on_timeout(1h)) == 0, bite::panic,
                 "the producer's end has come without a word");
    });
}

/// Row 15, what it leaves.
template <class Many>
finding monitor_of_a_pool_after_a_timeout(const setting& with) {
    return look(with, [](trial& t) {
        typename Many::pool pool(5, [](int seconds) { sleep_for(seconds * 1s); });
        pool.submit(30);
        t.expect(!pool.close_and_wait(5s), bite::wrong_result, "no timeout");
        sleep_for(1h);
    });
}

/// Row 15, who asks again.
template <class Many>
finding pool_that_is_asked_twice(const setting& with) {
    return look(with, [](trial& t) {
        typename Many::pool pool(5, [](int seconds) { sleep_for(seconds * 1s); });
        pool.submit(30);
        t.expect(!pool.close_and_wait(5s), bite::wrong_result, "no timeout");
        t.expect(pool.close_and_wait(1h), bite::wrong_result, "the second call times out, too");
    });
}

INSTANTIATE_TEST_SUITE_P(
    notify, seed_defect,
    ::testing::Combine(
        ::testing::Values(
            row{"row_09", bite::leak, "[select]", worker_that_said_it_ends<naive_one>,
                worker_that_said_it_ends<our_one>},
            row{"row_10", bite::hang, "the limit of 10 s", busy_worker_and_the_limit<naive_one>,
                busy_worker_and_the_limit<our_one>},
            row{"row_11_status", bite::wrong_result, "gets 'exit'",
                two_ask_a_worker_to_end<naive_one>, two_ask_a_worker_to_end<our_one>},
            row{"row_11_leak", bite::leak, "[chan send]",
                nobody_waits_for_the_acknowledgement<naive_one>,
                nobody_waits_for_the_acknowledgement<our_one>},
            row{"row_13", bite::wrong_result, "called 0 times",
                the_pool_runs_what_it_was_given<naive_many>,
                the_pool_runs_what_it_was_given<our_many>},
            row{"row_14", bite::panic, "panicked", live_producer_when_the_pool_closes<naive_many>,
                live_producer_when_the_pool_closes<our_many>},
            row{"row_15_leak", bite::leak, "[chan send]",
                monitor_of_a_pool_after_a_timeout<naive_many>,
                monitor_of_a_pool_after_a_timeout<our_many>},
            row{"row_15_hang", bite::hang, "[chan send]", pool_that_is_asked_twice<naive_many>,
                pool_that_is_asked_twice<our_many>}),
        ::testing::Values(1, 2, 8)),
    row_name);

}  // namespace
}  // namespace runnel::defects
