#include <runnel/detail/failure.hpp>

#include <mutex>
#include <system_error>
#include <utility>

#include "src/sched/report.hpp"

namespace runnel::detail {

bool first_failure::keep(const context& ctx) noexcept {
    const std::exception_ptr error = std::current_exception();
    const bool echo = is_echo(ctx, error);
    std::string who = describe_self();
    const std::lock_guard hold(lock_);
    if (error_ && !(echo_ && !echo && !taken_)) {
        return false;
    }
    error_ = error;
    who_.swap(who);
    echo_ = echo;
    return true;
}

void first_failure::rethrow() {
    std::exception_ptr error;
    {
        const std::lock_guard hold(lock_);
        taken_ = true;
        error = error_;
    }
    if (error) {
        std::rethrow_exception(std::move(error));
    }
}

void first_failure::check_taken(const char* owner) noexcept {
    std::exception_ptr error;
    {
        const std::lock_guard hold(lock_);
        if (!taken_ && !echo_) {
            error = error_;
        }
    }
    if (!error || std::uncaught_exceptions() > 0) {
        return;
    }
    try {
        std::rethrow_exception(std::move(error));
    } catch (...) {
        report_untaken((who_ + ", " + owner).c_str());
    }
}

bool is_echo(const context& ctx, const std::exception_ptr& error) noexcept {
    if (!has_ended(ctx)) {
        return false;
    }
    if (error == ctx.cause()) {
        return true;
    }
    try {
        std::rethrow_exception(error);
    } catch (const std::system_error& e) {
        return e.code() == errc::canceled || e.code() == errc::deadline_exceeded;
    } catch (...) {
        return false;
    }
}

void throw_ended(const context& ctx) {
    if (status_of(ctx) == op_status::timeout) {
        throw timeout_error(errc::deadline_exceeded);
    }
    throw canceled_error();
}

std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& e) {
        return e.what();
    } catch (...) {
        return "an exception that is not a std::exception";
    }
}

}  // namespace runnel::detail
