#include <runnel/join_handle.hpp>

#include <mutex>
#include <string>

#include <runnel/detail/shared_exception.hpp>

#include "src/base/fatal.hpp"
#include "src/sched/report.hpp"

namespace runnel::detail {

void join_state_base::exit() noexcept {
    if (error) {
        share_exception(error);
        who = describe_self() + ", never joined for";
    }
    chan<unit> done;
    {
        const std::lock_guard hold(done_lock_);
        done = done_;
        ending_ = true;
    }
    exited.set();
    if (done) {
        done.close();
    }
    drop();
}

recv_chan<unit> join_state_base::done() {
    auto fresh = make_chan<unit>();
    {
        const std::lock_guard hold(done_lock_);
        if (!done_) {
            done_ = fresh;
            if (!ending_) {
                return fresh;
            }
        } else {
            return done_;
        }
    }
    fresh.close();
    return fresh;
}

void join_state_base::drop_handle() noexcept {
    if (std::uncaught_exceptions() > 0) {
        error_taken = true;  // one error at a time: whoever drops it has no chance to ask
    }
    drop();
}

void join_state_base::drop() noexcept {
    if (shares_.fetch_sub(1) == 1) {
        check_error_taken();
        delete this;
    }
}

void join_state_base::check_error_taken() const noexcept {
    if (!error || error_taken) {
        return;
    }
    try {
        std::rethrow_exception(error);
    } catch (...) {
        report_untaken(who.c_str());
    }
}

}  // namespace runnel::detail
