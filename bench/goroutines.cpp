// Workloads on goroutines themselves: switching, starting, joining, parking, locking.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include <runnel/runnel.hpp>

#include "proc.hpp"
#include "workloads.hpp"

namespace bench {

void yield(const row& r, const report& out) {
    const std::int64_t goroutines = r.size("goroutines");
    const std::int64_t each = r.share(goroutines);
    std::vector<std::int64_t> yields(static_cast<std::size_t>(goroutines));
    runnel::wait_group running;
    running.add(goroutines);
    const stopwatch watch;
    for (std::int64_t& mine : yields) {
        runnel::go([&running, &mine, each] {
            std::int64_t done = 0;
            for (; done < each; ++done) {
                runnel::yield();
            }
            mine = done;
            running.done();
        });
    }
    running.wait();
    const auto time = watch.elapsed();
    std::int64_t total = 0;
    for (const std::int64_t mine : yields) {
        total += mine;
    }
    check("yields", total, r.count);
    out.ns_each(time, r.count);
}

void spawn_join(const row& r, const report& out) {
    std::int64_t sum = 0;
    const stopwatch watch;
    for (std::int64_t i = 0; i < r.count; ++i) {
        sum += runnel::spawn([i] { return i; }).join();
    }
    const auto time = watch.elapsed();
    check("sum of results", sum, sum_below(r.count));
    out.ns_each(time, r.count);
}

void spawn_many(const row& r, const report& out) {
    const std::int64_t batch = r.size("batch");
    const std::int64_t batches = r.count / batch;
    check("goroutines", batches * batch, r.count);
    std::vector<std::int32_t> ran(static_cast<std::size_t>(batch));
    const stopwatch watch;
    for (std::int64_t b = 0; b < batches; ++b) {
        runnel::wait_group running;
        running.add(batch);
        for (std::int32_t& mine : ran) {
            runnel::go([&running, &mine] {
                ++mine;
                running.done();
            });
        }
        running.wait();
    }
    const auto time = watch.elapsed();
    for (const std::int32_t times : ran) {
        check("runs of a goroutine", times, batches);
    }
    out.ns_each(time, r.count);
}

void mem(const row& r, const report& out) {
    const auto gate = runnel::make_chan<runnel::unit>();
    runnel::wait_group started;
    runnel::wait_group finished;
    std::atomic<std::int64_t> closed = 0;
    started.add(r.count);
    finished.add(r.count);
    const memory before = memory_now();
    const stopwatch creation;
    for (std::int64_t i = 0; i < r.count; ++i) {
        runnel::go([&] {
            started.done();
            if (!gate.recv()) {
                ++closed;
            }
            finished.done();
        });
    }
    started.wait();
    const auto create_time = creation.elapsed();
    const memory parked = memory_now();
    const stopwatch ending;
    gate.close();
    finished.wait();
    const auto finish_time = ending.elapsed();
    check("goroutines that saw the close", closed, r.count);
    const auto each = [&](std::int64_t bytes) {
        return static_cast<double>(bytes) / static_cast<double>(r.count);
    };
    out.figure("resident", each(parked.resident - before.resident), "bytes");
    out.figure("page_tables", each(parked.page_tables - before.page_tables), "bytes");
    out.ms("create", create_time);
    out.ms("finish", finish_time);
}

void mutex(const row& r, const report& out) {
    const std::int64_t goroutines = r.size("goroutines");
    const std::int64_t each = r.share(goroutines);
    runnel::mutex lock;
    std::int64_t counter = 0;  // protected by lock
    runnel::wait_group running;
    running.add(goroutines);
    const stopwatch watch;
    for (std::int64_t g = 0; g < goroutines; ++g) {
        runnel::go([&] {
            for (std::int64_t i = 0; i < each; ++i) {
                const std::lock_guard guard(lock);
                ++counter;
            }
            running.done();
        });
    }
    running.wait();
    const auto time = watch.elapsed();
    check("counter", counter, r.count);
    out.ns_each(time, r.count);
}

void rwmutex(const row& r, const report& out) {
    const std::int64_t goroutines = r.size("goroutines");
    const std::int64_t write_every = r.size("write_every");
    const std::int64_t each = r.share(goroutines);
    runnel::shared_mutex lock;
    std::int64_t counter = 0;             // protected by lock
    std::atomic<std::int64_t> ahead = 0;  // looks that saw more than there will be
    const std::int64_t writes = goroutines * ((each + write_every - 1) / write_every);
    runnel::wait_group running;
    running.add(goroutines);
    const stopwatch watch;
    for (std::int64_t g = 0; g < goroutines; ++g) {
        runnel::go([&] {
            std::int64_t most = 0;
            for (std::int64_t i = 0; i < each; ++i) {
                if (i % write_every == 0) {
                    const std::lock_guard guard(lock);
                    ++counter;
                } else {
                    const std::shared_lock guard(lock);
                    most = std::max(most, counter);
                }
            }
            ahead += most > writes ? 1 : 0;
            running.done();
        });
    }
    running.wait();
    const auto time = watch.elapsed();
    check("counter", counter, writes);
    check("goroutines that saw too much", ahead, 0);
    out.ns_each(time, r.count);
}

}  // namespace bench
