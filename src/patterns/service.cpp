#include <runnel/patterns/service.hpp>

namespace runnel {

service& service::operator=(service&& other) noexcept {
    if (this != &other) {
        finish();
        context_ = std::move(other.context_);
        cancel_ = std::move(other.cancel_);
        failure_ = std::move(other.failure_);
        goroutine_ = std::move(other.goroutine_);
    }
    return *this;
}

op_status service::outcome(op_status waited) {
    if (waited == op_status::ok) {
        failure_->rethrow();
    }
    return waited;
}

void service::finish() noexcept {
    if (!goroutine_.joinable()) {
        return;
    }
    stop();
    goroutine_.join();
    failure_->check_taken("whose service nobody waited for");
}

}  // namespace runnel
