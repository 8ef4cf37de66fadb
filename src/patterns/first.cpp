// patterns/first.cpp: how a race of attempts is decided.
//
// A failure counts when the caller has received its number: then the exception is there to be read.
// When the context ends, whatever had been sent by then is looked at first: a result that is there
// is not thrown away.
#include <runnel/patterns/first.hpp>

#include <algorithm>
#include <string>

#include <runnel/clock.hpp>
#include <runnel/detail/failure.hpp>
#include <runnel/select.hpp>

namespace runnel {
namespace {

std::string describe(const std::vector<std::exception_ptr>& errors) {
    std::string text = "runnel: all " + std::to_string(errors.size()) + " attempts failed";
    for (std::size_t i = 0; i < errors.size(); ++i) {
        text += (i == 0 ? ": " : "; ") + detail::text_of(errors[i]);
    }
    return text;
}

}  // namespace

all_failed::all_failed(std::vector<std::exception_ptr> errors)
    : std::runtime_error(describe(errors)), attempt_errors(std::move(errors)) {}

namespace detail {
namespace {

class race_call {
public:
    race_call(const context& ctx, race_base& race, std::chrono::nanoseconds delay,
              const std::function<void(std::size_t)>& start)
        : ctx_(ctx), race_(race), delay_(delay), start_(start), seen_(race.errors.size()) {}

    std::size_t run() {
        start_next();
        for (std::optional<std::size_t> next;;) {
            while (started_ < seen_.size() && (delay_ <= delay_.zero() || failed_ == started_)) {
                start_next();
            }
            switch (wait(next)) {
                case 0:
                    if (succeeded(*next)) {
                        return *next;
                    }
                    break;
                case 1:
                    return last_look();
                default:
                    start_next();
            }
        }
    }

private:
    void start_next() {
        start_(started_++);
        due_ = clock::now() + std::min(delay_, clock::time_point::max() - clock::now());
    }

    /// 0: an attempt has ended, 1: the context has, 2: it is time for the next attempt.
    std::size_t wait(std::optional<std::size_t>& next) {
        if (started_ < seen_.size()) {
            return select(on_recv(race_.ended, next), on_done(ctx_), on_deadline(due_));
        }
        return select(on_recv(race_.ended, next), on_done(ctx_));
    }

    /// False: it has failed. Throws if it was the last one.
    bool succeeded(std::size_t i) {
        if (!race_.errors[i]) {
            return true;
        }
        seen_[i] = race_.errors[i];
        if (++failed_ < seen_.size()) {
            return false;
        }
        const bool interrupted = std::any_of(seen_.begin(), seen_.end(),
                                             [this](const auto& e) { return is_echo(ctx_, e); });
        if (interrupted) {
            throw_interrupted(ctx_, std::move(seen_));
        }
        throw all_failed(std::move(seen_));
    }

    /// The context has ended.
    std::size_t last_look() {
        std::size_t i = 0;
        while (race_.ended.try_recv(i) == op_status::ok) {
            if (succeeded(i)) {
                return i;
            }
        }
        throw_interrupted(ctx_, std::move(seen_));
    }

    const context& ctx_;
    race_base& race_;
    const std::chrono::nanoseconds delay_;
    const std::function<void(std::size_t)>& start_;
    std::vector<std::exception_ptr> seen_;
    std::size_t started_ = 0;
    std::size_t failed_ = 0;
    clock::time_point due_;
};

}  // namespace

std::size_t run_race(const context& ctx, race_base& race, std::chrono::nanoseconds delay,
                     const std::function<void(std::size_t)>& start) {
    if (race.errors.empty()) {
        throw_no_attempts();
    }
    if (has_ended(ctx)) {
        throw_interrupted(ctx, std::vector<std::exception_ptr>(race.errors.size()));
    }
    return race_call(ctx, race, delay, start).run();
}

void throw_interrupted(const context& ctx, std::vector<std::exception_ptr> errors) {
    if (status_of(ctx) == op_status::timeout) {
        throw attempts_timed_out(std::move(errors));
    }
    throw attempts_canceled(std::move(errors));
}

void throw_no_attempts() {
    throw std::invalid_argument("runnel: first, hedge: there is no attempt to make");
}

}  // namespace detail
}  // namespace runnel
