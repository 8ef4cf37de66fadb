#include <runnel/detail/flow.hpp>

#include <stdexcept>
#include <string>

namespace runnel::detail {

void check_capacity(std::ptrdiff_t capacity) {
    if (capacity < 0) {
        throw std::invalid_argument("runnel: capacity is negative: " + std::to_string(capacity));
    }
}

void check_not_zero(const char* name, std::size_t n) {
    if (n == 0) {
        throw std::invalid_argument(std::string("runnel: ") + name + " is 0");
    }
}

void check_positive(const char* name, clock::duration d) {
    if (d <= clock::duration::zero()) {
        throw std::invalid_argument(std::string("runnel: ") + name +
                                    " is not positive: " + std::to_string(d.count()) + " ns");
    }
}

void close_flow(const context& ctx, chan_core* c, const std::exception_ptr& error) {
    if (!chan_try_close(c, error) && error && !chan_is_abandoned(c) && !is_echo(ctx, error)) {
        std::rethrow_exception(error);
    }
}

void check_wanted(chan_core* c) {
    if (chan_is_abandoned(c)) {
        throw canceled_error();
    }
}

void abandon_ended(const context& ctx, chan_core* c) noexcept {
    try {
        throw_ended(ctx);
    } catch (...) {
        static_cast<void>(chan_abandon(c, std::current_exception()));
    }
}

}  // namespace runnel::detail
