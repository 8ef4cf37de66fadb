// runnel/testing/bubble.hpp: goroutines on virtual time, for tests that do not sleep.
//
// A bubble is a runtime of its own whose clock stands still until every goroutine in it is durably
// blocked: on a channel, a select, a sleep, a condition, a wait_group, a semaphore, a latch, a
// barrier or a join. Then time jumps to the next timer. A goroutine blocked on a mutex, a
// shared_mutex, the call_once of another, in a system call or in blocking() is not durably blocked:
// somebody outside may wake it, so time waits. (Go's testing/synctest) A mutex, a shared_mutex or a
// call_once that never becomes free is a deadlock all the same: at once if the process has no other
// thread that could help, else when nothing has moved for options.shutdown_limit of real time.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <runnel/detail/closure.hpp>
#include <runnel/runtime.hpp>

namespace runnel::testing {

/// A bubble's goroutines are deadlocked, or some are left at its end.
class bubble_error : public std::runtime_error {
public:
    bubble_error(const std::string& what, std::vector<std::string> goroutines);
    /// Who waits where: one line for each goroutine.
    [[nodiscard]] const std::vector<std::string>& goroutines() const noexcept {
        return goroutines_;
    }

private:
    std::vector<std::string> goroutines_;
};

class bubble {
public:
    /// options.seed decides the order of timers that are due at one time, and every other choice;
    /// with one worker a seed replays a run.
    explicit bubble(const runtime_options& options = {});
    ~bubble();
    bubble(const bubble&) = delete;
    bubble& operator=(const bubble&) = delete;

    /// Runs `f` as the bubble's root goroutine, on virtual time; blocks the calling thread until it
    /// and all others have ended. Throws bubble_error if all are blocked for good (a deadlock), or
    /// if some are left, blocked, when the root has returned: time stands still from then on. An
    /// exception that leaves `f` is rethrown. Not from a goroutine.
    template <class F>
    void run(F f, const std::source_location& where = std::source_location::current()) {
        run_root(
            {.file = where.file_name(), .line = where.line()},
            [](void* body) { std::invoke(*static_cast<F*>(body)); }, &f);
    }

    /// Called in the bubble: blocks until every other goroutine of it is durably blocked. Time does
    /// not move. Afterwards nothing runs until the caller blocks or wakes somebody.
    void settle();

private:
    class state;

    void run_root(const detail::start_info& info, void (*body)(void*), void* argument);

    std::unique_ptr<state> state_;
};

}  // namespace runnel::testing
