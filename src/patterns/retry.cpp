#include <runnel/patterns/retry.hpp>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <runnel/time.hpp>

#include "src/sched/park.hpp"

namespace runnel::detail {
namespace {

void check(const retry_policy& policy) {
    const auto refuse = [](const char* what) {
        throw std::invalid_argument(std::string("runnel: retry_policy: ") + what);
    };
    if (policy.attempts == 0) {
        refuse("attempts is 0: there must be at least one");
    }
    if (policy.backoff.count() < 0 || policy.max.count() < 0) {
        refuse("a negative wait");
    }
    if (!(policy.factor >= 1)) {  // also for what is not a number
        refuse("factor must be at least 1");
    }
    if (!(policy.jitter >= 0 && policy.jitter <= 1)) {
        refuse("jitter must be between 0 and 1");
    }
}

/// Uniform in [0, 1).
double random_part() {
    constexpr std::uint32_t steps = 1U << 30;
    return random_below(steps) / static_cast<double>(steps);
}

}  // namespace

retry_loop::retry_loop(const context& ctx, const retry_policy& policy)
    : ctx_(ctx), policy_(policy), wait_(static_cast<double>(policy.backoff.count())) {
    check(policy);
}

void retry_loop::before_attempt() {
    if (has_ended(ctx_)) {
        throw_interrupted(ctx_, std::move(errors_));
    }
}

void retry_loop::after_failure(std::exception_ptr error) {
    errors_.push_back(std::move(error));
    if (has_ended(ctx_)) {
        throw_interrupted(ctx_, std::move(errors_));
    }
    if (errors_.size() == policy_.attempts) {
        throw all_failed(std::move(errors_));
    }
    if (sleep_for(ctx_, next_wait()) != op_status::ok) {
        throw_interrupted(ctx_, std::move(errors_));
    }
}

clock::duration retry_loop::next_wait() {
    const auto longest = static_cast<double>(policy_.max.count());
    const double wait = std::min(wait_, longest);
    wait_ = std::min(wait * policy_.factor, longest);
    const double cut = wait * policy_.jitter * random_part();
    // A double beyond the range of a duration cannot be cast to one.
    return clock::duration(
        std::min(static_cast<clock::rep>(std::min(wait - cut, 9.2e18)), policy_.max.count()));
}

}  // namespace runnel::detail
