// runnel/sync/barrier.hpp: a group that waits for each other, again and again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <runnel/detail/limits.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>
#include <runnel/error.hpp>

namespace runnel {

class context;

namespace detail {

/// The phases of a barrier, and those who wait for their end.
class barrier_phases {
public:
    constexpr explicit barrier_phases(std::ptrdiff_t expected)
        : expected_(expected), pending_(expected) {
        if (expected < 0) {
            throw std::invalid_argument("runnel: barrier: a negative count");
        }
    }
    ~barrier_phases();
    barrier_phases(const barrier_phases&) = delete;
    barrier_phases& operator=(const barrier_phases&) = delete;

    struct arrival {
        std::uint64_t phase;
        bool last;  ///< the caller completes the phase: it calls finish()
    };
    /// Counts `n` arrivals; `drops` of them come no more in later phases.
    arrival arrive(std::ptrdiff_t n, std::ptrdiff_t drops);
    /// Begins the next phase and wakes who waits for it.
    void finish() noexcept;
    /// Blocks until the phase is over or the limits; returns whether it is over.
    bool wait(std::uint64_t phase, const wait_limits& limits, const void* where) noexcept;
    op_status wait(std::uint64_t phase, const context& ctx, const void* where) noexcept;

private:
    spin_lock lock_;
    // Protected by lock_.
    std::ptrdiff_t expected_;
    std::ptrdiff_t pending_;
    std::uint64_t phase_ = 0;
    wait_queue waiters_;
};

struct no_completion {
    void operator()() const noexcept {}
};

}  // namespace detail

/// std's barrier: a phase is over when `expected` arrivals have come. The last one runs the
/// completion, under no lock, while the others wait; then the next phase begins. What std leaves
/// undefined throws. May be destroyed as soon as the last wait has returned.
///
/// Order: the arrivals of a phase happen before its completion, and that before the return of every
/// wait for the phase.
template <class Completion = detail::no_completion>
class barrier {
    static_assert(std::is_nothrow_invocable_v<Completion&>,
                  "runnel: barrier: the completion must be noexcept and take no argument");

public:
    /// Says which phase an arrival was for.
    class arrival_token {
        friend class barrier;
        explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}
        std::uint64_t phase_;
    };

    /// Throws std::invalid_argument if `expected` is negative.
    constexpr explicit barrier(std::ptrdiff_t expected, Completion completion = Completion())
        : phases_(expected), completion_(std::move(completion)) {}
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept {
        return std::numeric_limits<std::ptrdiff_t>::max();
    }

    /// Counts `n` arrivals; does not block. Throws std::invalid_argument, and changes nothing, if
    /// `n` is not positive or more than the phase still expects.
    [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) { return count(n, 0); }

    /// Blocks until the phase of `token` is over.
    void wait(arrival_token&& token) const {
        static_cast<void>(
            phases_.wait(token.phase_, detail::wait_limits{}, __builtin_return_address(0)));
    }
    /// The same, which gives ok, or until `ctx` ends: canceled, or timeout if it was its deadline;
    /// the token may then be waited for again. A phase that is over gives ok whatever the context.
    op_status wait(const context& ctx, const arrival_token& token) const {
        return phases_.wait(token.phase_, ctx, __builtin_return_address(0));
    }
    /// The same until the time is over; returns whether the phase is over.
    template <class Rep, class Period>
    [[nodiscard]] bool wait_for(const arrival_token& token,
                                std::chrono::duration<Rep, Period> d) const {
        return phases_.wait(token.phase_, detail::after(d), __builtin_return_address(0));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool wait_until(const arrival_token& token,
                                  std::chrono::time_point<Clock, Duration> t) const {
        return phases_.wait(token.phase_, detail::at(t), __builtin_return_address(0));
    }

    /// arrive(), then wait for the end of the phase. The arrival counts also if `ctx` ends the
    /// wait.
    void arrive_and_wait() {
        static_cast<void>(
            phases_.wait(count(1, 0).phase_, detail::wait_limits{}, __builtin_return_address(0)));
    }
    op_status arrive_and_wait(const context& ctx) {
        return phases_.wait(count(1, 0).phase_, ctx, __builtin_return_address(0));
    }
    /// Arrives for this phase, and is expected no more in later ones. Does not block.
    void arrive_and_drop() { static_cast<void>(count(1, 1)); }

private:
    arrival_token count(std::ptrdiff_t n, std::ptrdiff_t drops) {
        const auto arrived = phases_.arrive(n, drops);
        if (arrived.last) {
            completion_();
            phases_.finish();
        }
        return arrival_token(arrived.phase);
    }

    mutable detail::barrier_phases phases_;
    [[no_unique_address]] Completion completion_;
};

}  // namespace runnel
