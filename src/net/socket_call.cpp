#include "src/net/socket_call.hpp"

#include "src/sched/park.hpp"

namespace runnel::detail {
namespace {

/// After so many calls in a row that need not wait, others get a turn.
constexpr std::uint8_t patience = 64;

}  // namespace

socket_call::socket_call(poll_desc* d, poll_direction direction, const context& ctx,
                         const void* where) noexcept
    : desc_(d != nullptr && d->begin_use() ? d : nullptr),
      direction_(direction),
      ctx_(ctx),
      where_(where) {}

socket_call::~socket_call() {
    if (desc_ != nullptr) {
        desc_->end_use();
    }
}

std::error_code socket_call::refusal() const noexcept {
    if (desc_ == nullptr) {
        return errc::closed;
    }
    if (has_ended(ctx_)) {
        return ctx_.err();
    }
    const ticks deadline = desc_->deadline(direction_);
    if (deadline != never && deadline <= now()) {
        return errc::timed_out;
    }
    return {};
}

std::error_code socket_call::wait(ticks until) const noexcept {
    const socket_wait w{.direction = direction_,
                        .cancel = limits_of(ctx_).cancel,
                        .until = until,
                        .drained = expects_nothing(),
                        .where = where_};
    desc_->side(direction_).at_once.store(0, std::memory_order_relaxed);  // [P-1]
    switch (const int how = w.on(*desc_); how) {
        case 0:
            return {};
        case -ETIMEDOUT:
            return errc::timed_out;
        case -ECANCELED:
            return ctx_.err();
        case -EBADF:
            return errc::closed;
        default:
            return system_error_code(how);
    }
}

void socket_call::note_drained(bool yes) noexcept {
    desc_->side(direction_).drained.store(yes, std::memory_order_relaxed);  // [P-1]
}

bool socket_call::expects_nothing() const noexcept {
    return desc_->side(direction_).drained.load(std::memory_order_relaxed);  // [P-1]
}

void socket_call::note_success(bool waited) noexcept {
    auto& at_once = desc_->side(direction_).at_once;
    const std::uint8_t count = at_once.load(std::memory_order_relaxed);  // [P-1]
    if (waited || count + 1 < patience) {
        at_once.store(waited ? 0 : count + 1, std::memory_order_relaxed);  // [P-1]
        return;
    }
    at_once.store(0, std::memory_order_relaxed);  // [P-1]
    suspend(begin_yield());
}

}  // namespace runnel::detail
