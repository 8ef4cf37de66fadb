// context/signals.hpp: who listens for signals, and the thread that tells them.
//
// Purpose   The handler only counts (os/signals.hpp); one thread, which lives while somebody
//           listens, tells the listeners. It also keeps the runtime from taking a program that
//           waits for nothing but a signal for deadlocked: that thread might still call in.
// Invariants
//   L1  A signal is caught while users_ of it is not 0.                               (add, remove)
//   L2  A listener is told only with a share of it, taken under lock_ while it is listed; whoever
//       destroys it calls remove() first. So remove() need not wait for deliveries.     (deliver)
//   L3  The thread never drops a last share itself: remove() joins it.
// Locks     changing_ < lock_. changing_ is held while the thread is joined, and by no part of the
//           thread. Listeners are told with no lock held.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <thread>
#include <vector>

#include "src/os/signals.hpp"

namespace runnel::detail {

/// A set of signals that can be caught. Throws std::invalid_argument otherwise, or if it is empty.
class signal_set {
public:
    explicit signal_set(std::initializer_list<int> signals);
    [[nodiscard]] bool has(int signal) const noexcept { return (bits_ >> (signal - 1) & 1U) != 0; }

private:
    std::uint64_t bits_ = 0;
};

class signal_listener {
public:
    explicit signal_listener(signal_set wanted) noexcept : wanted_(wanted) {}
    signal_listener(const signal_listener&) = delete;
    signal_listener& operator=(const signal_listener&) = delete;

    /// Does not block, and runs no user code.
    virtual void deliver(int signal) noexcept = 0;
    /// A share; false if the last has gone.
    [[nodiscard]] virtual bool share() noexcept = 0;
    /// Drops it; L3.
    virtual void drop_share() noexcept = 0;

protected:
    virtual ~signal_listener() = default;

private:
    friend class signal_hub;
    const signal_set wanted_;
    bool listed_ = false;  // protected by the hub's changing_
};

class signal_hub {
public:
    /// Throws std::system_error.
    void add(signal_listener& l);
    /// Any number of times.
    void remove(signal_listener& l) noexcept;

private:
    void use(const signal_listener& l);
    void unuse(const signal_listener& l, int end) noexcept;
    void start();
    void stop_if_alone() noexcept;
    void listen() noexcept;
    void deliver(int signal) noexcept;

    std::mutex changing_;
    // Protected by changing_.
    std::array<std::uint32_t, os::last_signal + 1> users_{};
    std::thread thread_;

    std::mutex lock_;
    // Protected by lock_.
    std::vector<signal_listener*> listeners_;
    bool ending_ = false;
};

/// The one of the process; never destroyed.
[[nodiscard]] signal_hub& the_signals();

}  // namespace runnel::detail
