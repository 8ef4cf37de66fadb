// runnel/patterns/worker_pool.hpp: a number of goroutines that share the jobs they are given.
//
//     worker_pool<job> pool(8, [](job j) { run(j); });
//     pool.submit(next);
//     ...
//     pool.close_and_wait(10s);  // all that was accepted is done; rethrows the first failure
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <system_error>
#include <type_traits>
#include <utility>

#include <runnel/chan.hpp>
#include <runnel/clock.hpp>
#include <runnel/context.hpp>
#include <runnel/detail/closure.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/detail/limits.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/error.hpp>
#include <runnel/select.hpp>

namespace runnel {

namespace detail {

/// What the workers of a pool and its owner share, but for the jobs.
class pool_base {
public:
    explicit pool_base(context ctx) noexcept : ctx_(std::move(ctx)) {}
    pool_base(const pool_base&) = delete;
    pool_base& operator=(const pool_base&) = delete;
    virtual ~pool_base() = default;

    [[nodiscard]] const context& ctx() const noexcept { return ctx_; }

    /// One more worker is about to start; end_worker() tells that it has ended.
    void begin_worker() noexcept { running_.fetch_add(1); }
    void end_worker() noexcept;

    /// In a catch block: a job has failed.
    void job_failed() noexcept { failure_.keep(ctx_); }

    /// Waits for the end of all workers, then rethrows the first failure.
    op_status wait(const wait_limits& limits, op_status otherwise, const void* where);
    /// The owner goes: waits without a limit, takes care of a failure that nobody has been given.
    void finish() noexcept;

protected:
    /// All workers have ended: destroys the function, before anybody is told.
    virtual void let_go() noexcept = 0;

private:
    const context ctx_;
    first_failure failure_;
    one_time_event ended_;
    // Sequentially consistent. The owner counts as one until all workers have started.
    std::atomic<std::size_t> running_ = 1;
};

[[noreturn]] void throw_pool_ended();
[[noreturn]] void throw_no_pool();
/// Throws std::invalid_argument unless `n` is positive.
void check_workers(std::ptrdiff_t n);

template <class Job>
class job_pool : public pool_base {
public:
    using pool_base::pool_base;
    virtual void run(Job&& job) = 0;

    /// Takes jobs until there are no more, or the context ends.
    void work() noexcept {
        for (;;) {
            std::optional<Job> job;
            if (select(on_recv(jobs, job), on_done(ctx())) == 1 || !job) {
                break;
            }
            try {
                run(std::move(*job));
            } catch (...) {
                job_failed();
            }
        }
        end_worker();
    }

    /// Unbuffered: a job is accepted when a worker has it.
    const chan<Job> jobs = make_chan<Job>();
};

template <class Job, class F>
class job_pool_of final : public job_pool<Job> {
public:
    template <class G>
    job_pool_of(context ctx, G&& f)
        : job_pool<Job>(std::move(ctx)), f_(std::in_place, std::forward<G>(f)) {}
    void run(Job&& job) override {
        if constexpr (std::invocable<F&, const context&, Job>) {
            std::invoke(*f_, this->ctx(), std::move(job));
        } else {
            std::invoke(*f_, std::move(job));
        }
    }

private:
    void let_go() noexcept override { f_.reset(); }

    std::optional<F> f_;
};

}  // namespace detail

/// Goroutines that run jobs. Every job that was accepted runs exactly once, also when the pool is
/// closed or its context ends meanwhile; a job's exception ends that job alone, and the first one
/// is kept for close_and_wait(). Movable; the destructor closes and waits. All members may be
/// called from any goroutine or thread. Of one that has been moved from, what submits or waits
/// throws std::logic_error. The function is destroyed before a wait for the end returns.
///
/// An exception that nobody has been given by close_and_wait() when the pool is destroyed ends the
/// process as one that left a go() goroutine does, unless the stack is unwinding. That a job
/// reports the end of the pool's context is not such an exception.
///
/// Order: a submit happens before the job; the end of all jobs before the return of the wait.
template <class Job>
class [[nodiscard]] worker_pool {
    static_assert(std::is_object_v<Job> && std::movable<Job>,
                  "runnel: a worker_pool's job must be an object type that models std::movable");

public:
    /// Starts `n` workers, which all call the same decay-copied `f(job)`, at the same time. Throws
    /// std::invalid_argument unless `n` is positive.
    template <class F>
        requires std::invocable<std::decay_t<F>&, Job>
    worker_pool(std::ptrdiff_t n, F&& f,
                const std::source_location& where = std::source_location::current()) {
        start(background(), n, std::forward<F>(f), where);
    }
    /// The same with a context: when it ends, the pool accepts nothing any more, and the jobs that
    /// run may see it, if `f` is `f(ctx, job)`.
    template <class F>
        requires(std::invocable<std::decay_t<F>&, Job> ||
                 std::invocable<std::decay_t<F>&, const context&, Job>)
    worker_pool(const context& ctx, std::ptrdiff_t n, F&& f,
                const std::source_location& where = std::source_location::current()) {
        start(ctx, n, std::forward<F>(f), where);
    }

    worker_pool(worker_pool&&) noexcept = default;
    /// Closes what was there, and waits for it.
    worker_pool& operator=(worker_pool&& other) noexcept {
        if (this != &other) {
            finish();
            pool_ = std::move(other.pool_);
        }
        return *this;
    }
    ~worker_pool() { finish(); }

    /// Gives a job to a worker. Blocks while all are busy. Throws channel_closed if the pool is
    /// closed or its context has ended, also when that happens while it waits.
    void submit(Job job) {
        detail::job_pool<Job>& pool = there();
        if (select(on_send(pool.jobs, std::move(job)), on_done(pool.ctx())) == 1) {
            detail::throw_pool_ended();
        }
    }
    /// The same unless `ctx` ends first: ok, closed, canceled, or timeout if it was its deadline.
    /// `job` is untouched unless it is ok.
    op_status submit(const context& ctx, Job&& job) { return submit_for_context(ctx, job); }
    op_status submit(const context& ctx, const Job& job)
        requires std::copyable<Job>
    {
        Job copy(job);
        return submit_for_context(ctx, copy);
    }
    /// Gives a job to a worker that has nothing to do: ok, full if there is none, or closed. `job`
    /// is untouched unless it is ok.
    op_status try_submit(Job&& job) {
        detail::job_pool<Job>& pool = there();
        return detail::has_ended(pool.ctx()) ? op_status::closed
                                             : pool.jobs.try_send(std::move(job));
    }
    op_status try_submit(const Job& job)
        requires std::copyable<Job>
    {
        return try_submit(Job(job));
    }

    /// Accepts nothing any more; the workers end when the jobs have. Does not block; may be called
    /// many times.
    void close() noexcept {
        if (pool_ != nullptr) {
            detail::chan_close_if_open(pool_->jobs.core());
        }
    }

    /// Closes, and blocks until every job has ended, which gives ok, or until the time is over:
    /// timeout. It may be waited for again then. Rethrows the first exception of a job, to
    /// everybody who waits.
    template <class Rep, class Period>
    op_status close_and_wait(std::chrono::duration<Rep, Period> d) {
        close();
        return there().wait(detail::after(d), op_status::timeout, __builtin_return_address(0));
    }
    /// The same until `ctx` ends: canceled, or timeout if it was its deadline.
    op_status close_and_wait(const context& ctx) {
        close();
        const op_status s =
            there().wait(detail::limits_of(ctx), op_status::canceled, __builtin_return_address(0));
        return s == op_status::canceled ? detail::status_of(ctx) : s;
    }

    /// close_and_wait() as a component of a shutdown (shutdown.hpp).
    std::error_code shutdown(clock::duration d) {
        return close_and_wait(d) == op_status::ok ? std::error_code() : errc::timed_out;
    }

private:
    template <class F>
    void start(const context& ctx, std::ptrdiff_t n, F&& f, const std::source_location& where) {
        detail::check_workers(n);
        pool_ =
            std::make_shared<detail::job_pool_of<Job, std::decay_t<F>>>(ctx, std::forward<F>(f));
        try {
            for (; n > 0; --n) {
                pool_->begin_worker();
                detail::start_closure({.file = where.file_name(), .line = where.line()},
                                      [shared = pool_] { shared->work(); });
            }
        } catch (...) {
            pool_->end_worker();  // the one that did not start
            pool_->end_worker();
            finish();
            throw;
        }
        pool_->end_worker();  // the owner's own place
    }

    [[nodiscard]] detail::job_pool<Job>& there() const {
        if (pool_ == nullptr) {
            detail::throw_no_pool();
        }
        return *pool_;
    }

    op_status submit_for_context(const context& ctx, Job& job) {
        detail::job_pool<Job>& pool = there();
        if (detail::has_ended(pool.ctx())) {
            return op_status::closed;
        }
        try {
            switch (select(on_send(pool.jobs, std::move(job)), on_done(ctx), on_done(pool.ctx()))) {
                case 0:
                    return op_status::ok;
                case 1:
                    return detail::status_of(ctx);
                default:
                    return op_status::closed;
            }
        } catch (const channel_closed&) {
            return op_status::closed;
        }
    }

    void finish() noexcept {
        if (pool_ != nullptr) {
            close();
            pool_->finish();
            pool_.reset();
        }
    }

    std::shared_ptr<detail::job_pool<Job>> pool_;
};

}  // namespace runnel
