// test/go/context_helpers.hpp: what the suites of Go's package context share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <stdexcept>
#include <string>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/go/helpers.hpp"

namespace runnel::test {

/// Runs a test body with 1, 2 and 8 workers, on virtual time, and on a plain thread, on real time.
class anywhere : public ::testing::TestWithParam<int> {
protected:
    template <class F>
    void run(F body) {
        if (GetParam() == 0) {
            body();
            return;
        }
        runnel::testing::bubble world{{.workers = static_cast<std::size_t>(GetParam())}};
        world.run(body);
    }
};
inline const auto all_places = ::testing::Values(0, 1, 2, 8);
inline std::string place_name(const ::testing::TestParamInfo<int>& info) {
    return info.param == 0 ? "plain_thread" : worker_name(info);
}

inline constexpr std::chrono::milliseconds short_time{2};
inline constexpr std::chrono::hours long_time{100};

[[nodiscard]] inline bool is_closed(const recv_chan<unit>& ch) {
    unit u;
    return ch.try_recv(u) == op_status::closed;
}

/// `ctx` has ended with `error`, and says so everywhere; or has not, if `error` is none.
inline void expect_end(const context& ctx, std::error_code error) {
    EXPECT_EQ(ctx.err(), error);
    EXPECT_EQ(is_closed(ctx.done()), static_cast<bool>(error));
    EXPECT_EQ(ctx.cause() != nullptr, static_cast<bool>(error));
    const bool ended = select(on_done(ctx), otherwise()) == 0;
    EXPECT_EQ(ended, static_cast<bool>(error));
}

/// What a cause says.
[[nodiscard]] inline std::string text_of(const std::exception_ptr& cause) {
    if (cause == nullptr) {
        return "none";
    }
    try {
        std::rethrow_exception(cause);
    } catch (const canceled_error&) {
        return "canceled";
    } catch (const timeout_error& e) {
        return e.code() == errc::deadline_exceeded ? "deadline" : "timeout";
    } catch (const std::exception& e) {
        return e.what();
    }
}

[[nodiscard]] inline std::exception_ptr because(const std::string& why) {
    return std::make_exception_ptr(std::runtime_error(why));
}

}  // namespace runnel::test
