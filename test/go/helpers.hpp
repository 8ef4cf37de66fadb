// test/go/helpers.hpp: what Go's programs need here: proof of blocking, and an end.
//
// Go's tests sleep a little to see that a goroutine is blocked, and leave goroutines behind when
// main returns. Ours run in a bubble, where settle() returns once every goroutine is blocked, and
// end every goroutine that they start.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <runnel/runnel.hpp>
#include <runnel/testing/bubble.hpp>

#include "test/support/support.hpp"

namespace runnel::test {

/// For suites whose parameter is a type, so that they run their bodies at each count themselves.
inline constexpr std::array<std::size_t, 3> worker_numbers{1, 2, 8};

/// Runs a test body on virtual time, with 1, 2 and 8 workers.
class in_bubble : public ::testing::TestWithParam<int> {
protected:
    /// Calls `body(bubble)` as the root of a new bubble.
    template <class F>
    void run(F body) {
        runnel::testing::bubble world{{.workers = static_cast<std::size_t>(GetParam())}};
        world.run([&] { body(world); });
    }

    /// True if `f`, alone in the world, never returns: its bubble then reports a deadlock. The
    /// goroutine is left behind in `f` for good, so what `f` holds is kept as long as the program.
    template <class F>
    [[nodiscard]] bool blocks_for_ever(const F& f) {
        const auto kept = std::make_shared<F>(f);
        left_behind().push_back(kept);
        bool returned = false;
        try {
            run([&](runnel::testing::bubble&) {
                (*kept)();
                returned = true;
            });
        } catch (const runnel::testing::bubble_error&) {
            return !returned;
        }
        return false;
    }

private:
    // Never destroyed: a channel that somebody waits on must not be.
    static std::vector<std::shared_ptr<const void>>& left_behind() {
        static auto* const all = new std::vector<std::shared_ptr<const void>>();
        return *all;
    }
};

/// Goroutines that work until the crew is dismissed: a channel operation that waits through the
/// crew then throws `dismissed`, which ends its goroutine.
class crew {
public:
    struct dismissed {};

    crew() = default;
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    ~crew() {
        stop_.close();
        running_.wait();
    }

    template <class F>
    void go(F f) {
        running_.go([f = std::move(f)]() mutable {
            try {
                f();
            } catch (const dismissed&) {  // the end of the work, not an error
            }
        });
    }

    /// Closed when the crew is dismissed: for selects with more cases than send and recv have.
    [[nodiscard]] const chan<unit>& stop() const { return stop_; }

    template <class Ch, class T>
    void send(const Ch& out, T value) const {
        if (select(on_send(out, std::move(value)), on_recv(stop_)) == 1) {
            throw dismissed{};
        }
    }

    template <class Ch>
    auto recv(const Ch& in) const {
        auto value = decltype(in.recv()){};
        if (select(on_recv(in, value), on_recv(stop_)) == 1) {
            throw dismissed{};
        }
        return std::move(value).value();
    }

private:
    chan<unit> stop_ = make_chan<unit>();
    wait_group running_;
};

/// Receives a value and forgets it.
template <class Ch>
void drop(const Ch& in) {
    std::ignore = in.recv();
}

}  // namespace runnel::test
