// sched/biased_lock.hpp: a lock that costs its owner no locked instruction.
//
// Purpose   A run queue is used by its worker a hundred million times a second and by thieves a few
//           thousand times. The owner only says that it is inside; a thief takes the right away
//           from it with a fence in all threads (membarrier), and gives it back.
// Invariants
//   A1  Only one thread is ever the owner.
//   A2  The owner is inside only if it has seen, after saying so, that nobody claims.
//       (owner_lock)
//   A3  A thief enters only after its claim is visible to the owner and the owner is seen outside.
//   A4  Thieves exclude each other by a lock of their own; `claimed_` is set only under it.
// Memory order
//   owner: inside_.store(true); compiler fence; claimed_.load      thief: claimed_.store(true);
//   fence in all threads; inside_.load                                                       
//   If the owner's load came before the thief's fence in the owner's thread, its store did too, and
//   the thief sees it inside and waits; if after, it sees the claim and stays out. The fence stands
//   in for the one that the owner does without.
//   inside_: release on leaving, acquire by the thief. claimed_: release on leaving, acquire
//   by the owner: each sees what the other has done.
//   Without membarrier, and under ThreadSanitizer, which does not know it, everybody takes the
//   thieves' lock: `biased` is false.
// Tests     biased_lock_test.cpp; the model in test/model/biased_lock.pml fails without the fence
//           or without the wait for `inside_`.
#pragma once

#include <atomic>

#include <runnel/detail/spin_lock.hpp>

#include "src/fiber/sanitizer.hpp"
#include "src/os/membarrier.hpp"

namespace runnel::detail {

class biased_lock {
public:
    biased_lock() noexcept : biased_(!watched_for_races && os::has_all_threads_fence()) {}
    biased_lock(const biased_lock&) = delete;
    biased_lock& operator=(const biased_lock&) = delete;

    void owner_lock() noexcept {
        if (!biased_) [[unlikely]] {
            thieves_.lock();
            return;
        }
        inside_.store(true, std::memory_order_relaxed);
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (claimed_.load(std::memory_order_acquire)) [[unlikely]] {
            wait_for_thief();
        }
    }

    void owner_unlock() noexcept {
        if (!biased_) [[unlikely]] {
            thieves_.unlock();
            return;
        }
        inside_.store(false, std::memory_order_release);
    }

    void thief_lock() noexcept;
    void thief_unlock() noexcept;

private:
    void wait_for_thief() noexcept;

    const bool biased_;
    std::atomic<bool> inside_ = false;
    std::atomic<bool> claimed_ = false;
    spin_lock thieves_;
};

/// Holds a biased_lock as its owner, or as a thief.
class owner_guard {
public:
    explicit owner_guard(biased_lock& lock) noexcept : lock_(lock) { lock_.owner_lock(); }
    ~owner_guard() { lock_.owner_unlock(); }
    owner_guard(const owner_guard&) = delete;
    owner_guard& operator=(const owner_guard&) = delete;

private:
    biased_lock& lock_;
};

class thief_guard {
public:
    explicit thief_guard(biased_lock& lock) noexcept : lock_(lock) { lock_.thief_lock(); }
    ~thief_guard() { lock_.thief_unlock(); }
    thief_guard(const thief_guard&) = delete;
    thief_guard& operator=(const thief_guard&) = delete;

private:
    biased_lock& lock_;
};

}  // namespace runnel::detail
