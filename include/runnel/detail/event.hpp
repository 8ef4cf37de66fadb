// runnel/detail/event.hpp: something that happens once, and those who wait for it.
//
// Invariants: E1 set_ only goes from false to true, under lock_. E2 nobody lines up once it is
// true. Memory order: set_ is released under the lock, and acquired by readers without it [E-1]:
// what came before set() is visible to whoever sees it.
// Locks: lock_ (leaf).
#pragma once

#include <atomic>

#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/wait_node.hpp>

namespace runnel::detail {

class one_time_event {
public:
    constexpr explicit one_time_event(bool set = false) noexcept : set_(set) {}
    one_time_event(const one_time_event&) = delete;
    one_time_event& operator=(const one_time_event&) = delete;

    [[nodiscard]] bool is_set() const noexcept {
        return set_.load(std::memory_order_acquire);  // [E-1]
    }
    [[nodiscard]] bool is_waited_for() const noexcept { return !waiters_.empty(); }
    /// Wakes everybody who waits. Afterwards the event is not touched.
    void set() noexcept;
    /// Blocks until set() or the limits; returns whether it is set. If so, set() is through with
    /// the event.
    bool wait(const wait_limits& limits, wait_kind kind, const void* where) noexcept;

private:
    spin_lock lock_;
    std::atomic<bool> set_;
    wait_queue waiters_;
};

/// Ends every waiter in `queue`, whose lock the caller holds, and returns them as a list.
[[nodiscard]] wait_node* end_all(wait_queue& queue) noexcept;
/// Wakes a list that end_all() has made. Hold no lock.
void wake_all(wait_node* list) noexcept;

}  // namespace runnel::detail
