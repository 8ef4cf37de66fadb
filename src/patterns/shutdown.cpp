// patterns/shutdown.cpp
//
// Purpose   One goroutine for each component, and the caller, who waits for them up to the limit.
//           Whoever is late keeps what it needs alive and ends by itself: nobody waits for it.
// Invariants
//   D1  part::error, exception and taken are written before ended.set(), and read after it.
//   D2  A component is released by its own goroutine, before ended.set().
//   D3  Every component has been called when the call returns: one whose turn comes after the limit
//       is waited for until it runs, which takes no longer than the goroutines before it in the
//       queue. (call_patience is for a process whose workers have stopped.)
// The limit
//   A component that keeps its own limit ends at the very moment the call's does, and which of the
//   two timers is served first is chance. So the call looks again after the limit, as long as a
//   bounded number of turns; so does sequential_shutdown() for those that come after the limit. The
//   outcome does not hang on it for a component that reports its own time-out: error() is
//   errc::timed_out, or equivalent to std::errc::timed_out, either way.
#include <runnel/patterns/shutdown.hpp>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include <runnel/detail/closure.hpp>
#include <runnel/detail/event.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/go_options.hpp>
#include <runnel/goroutine.hpp>

namespace runnel {

std::error_code any_shutdowner::shutdown(clock::duration d) const {
    if (is_null()) {
        throw std::invalid_argument("runnel: shutdown: the component" +
                                    (name_.empty() ? name_ : " '" + name_ + "'") + " is null");
    }
    return model_->shutdown(d);
}

std::error_code shutdown_report::error() const noexcept {
    bool all_finished = true;
    for (const component_report& each : components_) {
        if (each.finished && each.error) {
            return each.error;
        }
        all_finished = all_finished && each.finished;
    }
    return all_finished ? std::error_code() : limit_;
}

namespace detail {
namespace {

using std::chrono::nanoseconds;

constexpr auto call_patience = std::chrono::seconds(1);
/// How much the call may take after its limit to look again, as a number of turns and, on a busy
/// machine, as real time.
constexpr int late_turns = 1000;
constexpr auto late_time = std::chrono::milliseconds(1);
constexpr auto late_time_in_all = std::chrono::milliseconds(10);

struct part {
    any_shutdowner component;
    std::string name;
    ticks started = 0;
    one_time_event begun;
    one_time_event ended;
    // D1
    std::error_code error;
    std::exception_ptr exception;
    nanoseconds taken{};
};

/// In a catch block.
std::error_code code_of_current() {
    try {
        throw;
    } catch (const std::system_error& e) {
        return e.code();
    } catch (const std::invalid_argument&) {
        return std::make_error_code(std::errc::invalid_argument);
    } catch (...) {
        return errc::exception_thrown;
    }
}

/// Shared by the call and its goroutines.
class shutdown_run : public std::enable_shared_from_this<shutdown_run> {
public:
    explicit shutdown_run(std::vector<any_shutdowner> components)
        : parts_(components.size()), open_(components.size()) {
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            parts_[i].name =
                components[i].name().empty() ? std::to_string(i) : components[i].name();
            parts_[i].component = std::move(components[i]);
        }
        if (parts_.empty()) {
            all_ended_.close();
        }
    }

    [[nodiscard]] std::vector<part>& parts() noexcept { return parts_; }
    [[nodiscard]] recv_chan<unit> all_ended() const { return all_ended_; }

    /// Calls `p`'s component in a goroutine of its own.
    void start(part& p, nanoseconds left, const void* where) {
        p.started = now();
        try {
            const go_options options{.name = p.name};
            start_closure({.pc = where, .options = &options},
                          [self = shared_from_this(), &p, left] { self->call(p, left); });
        } catch (...) {  // no goroutine to be had: this component has failed, the others go on
            fail(p);
            end(p);
        }
    }

private:
    void call(part& p, nanoseconds left) noexcept {
        p.begun.set();
        try {
            p.error = p.component.shutdown(left);
        } catch (...) {
            fail(p);
        }
        end(p);
    }
    /// In a catch block.
    static void fail(part& p) noexcept {
        p.exception = std::current_exception();
        p.error = code_of_current();
    }
    void end(part& p) noexcept {
        p.component = any_shutdowner();
        p.taken = nanoseconds(now() - p.started);
        p.begun.set();
        p.ended.set();
        if (open_.fetch_sub(1) == 1) {
            all_ended_.close();
        }
    }

    std::vector<part> parts_;
    std::atomic<std::size_t> open_;
    const chan<unit> all_ended_ = make_chan<unit>();
};

/// The caller's side.
class shutdown_call {
public:
    shutdown_call(const context& ctx, nanoseconds timeout, shutdown_run& run, const void* where)
        : ctx_(ctx), limits_(limits_of(ctx)), run_(run), where_(where) {
        if (timeout.count() < never - start_) {
            limits_.deadline = start_ + std::max(timeout, nanoseconds(0)).count();
        }
        if (const auto end = ctx.deadline()) {
            handed_until_ = end->time_since_epoch().count();
        }
        handed_until_ = std::min(handed_until_, limits_.deadline);
    }

    void all_at_once() {
        const nanoseconds left = time_left(start_);
        for (part& p : run_.parts()) {
            run_.start(p, left, where_);
        }
        for (part& p : run_.parts()) {
            await(p);
        }
    }
    void one_by_one() {
        for (part& p : run_.parts()) {
            run_.start(p, time_left(now()), where_);
            await(p);
        }
    }

    [[nodiscard]] shutdown_report report() const {
        const std::error_code limit =
            has_ended(ctx_) ? ctx_.err() : make_error_code(errc::timed_out);
        std::vector<component_report> all;
        all.reserve(run_.parts().size());
        const ticks at_present = now();
        for (const part& p : run_.parts()) {
            component_report& r = all.emplace_back();
            r.name = p.name;
            r.finished = p.ended.is_set();
            r.error = r.finished ? p.error : limit;
            r.exception = r.finished ? p.exception : nullptr;
            r.taken = r.finished ? p.taken : nanoseconds(at_present - p.started);
        }
        return {std::move(all), limit, run_.all_ended()};
    }

private:
    [[nodiscard]] nanoseconds time_left(ticks at_present) const noexcept {
        if (has_ended(ctx_)) {
            return nanoseconds(0);
        }
        if (handed_until_ == never) {
            return nanoseconds::max();
        }
        return std::max(nanoseconds(0), nanoseconds(handed_until_ - at_present));
    }

    void await(part& p) {
        if (p.ended.wait(limits_, wait_kind::join, where_)) {
            return;
        }
        p.begun.wait(after(call_patience), wait_kind::join, where_);  // D3
        look_again(p);
    }

    /// See "The limit" above.
    void look_again(const part& p) {
        using real_clock = std::chrono::steady_clock;
        const auto start = real_clock::now();
        const auto end = start + std::min<nanoseconds>(late_time, late_left_);
        for (int i = 0; i < late_turns && !p.ended.is_set(); ++i) {
            yield();
            if (real_clock::now() >= end) {
                break;
            }
        }
        late_left_ -= real_clock::now() - start;
    }

    const context& ctx_;
    const ticks start_ = now();
    wait_limits limits_;
    ticks handed_until_ = never;
    shutdown_run& run_;
    const void* where_;
    nanoseconds late_left_ = late_time_in_all;
};

}  // namespace

shutdown_report shut_down(shutdown_order order, const context& ctx, nanoseconds timeout,
                          std::vector<any_shutdowner> components, const void* where) {
    const auto run = std::make_shared<shutdown_run>(std::move(components));
    shutdown_call call(ctx, timeout, *run, where);
    if (order == shutdown_order::sequential) {
        call.one_by_one();
    } else {
        call.all_at_once();
    }
    return call.report();
}

}  // namespace detail
}  // namespace runnel
