// fiber/stack.hpp: goroutine stacks: reserved in large mappings, committed by touching them,
// guarded.
//
// Purpose   A stack costs address space until it is carved, and one page from then on. Stacks of
//           the default size are carved from arenas in batches, because the system calls for many
//           cost little more than for one (docs/design/0003-timers.md), and recycled, hot ones
//           first; other sizes are mapped one by one.
// Invariants
//   K1  A stack in a cache belongs to one worker alone; in the depot, to the depot's lock.
//   K2  A goroutine that ends may put the stack it still stands on into its own worker's cache:
//       nobody else takes from it, and the worker takes again only after the switch.
//       (finishing goroutine)
//   K3  discard() is never applied to a stack that somebody stands on: only to stacks that have
//       been in the cache since before the worker's last switch.               (stack_cache, worker
//       loop)
//   K4  Stacks in `hot_` are as they were left. Memory goes back by age, not at once: what has lain
//       in the depot for a whole interval (its lowest level in that time) is taken out in small
//       portions by sleeping workers. Discarding is dear (other processors are interrupted), and
//       many sleepers that wake one by one want the same stacks again.          (give, scavenge)
//   K5  A batch is its carver's alone until take() has returned: guards and pages are made outside
//       the lock.                                                                       (carve)
// Locks     depot lock_ (leaf). Held across mmap; never while a goroutine is made ready.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <runnel/detail/spin_lock.hpp>

#include "src/os/pages.hpp"

namespace runnel::detail {

/// One stack; the descriptor lives apart from it, so an unused stack has no page.
struct stack {
    std::byte* low = nullptr;  ///< lowest usable byte; the guard ends here
    std::byte* top = nullptr;
    stack* next = nullptr;
    bool guarded = false;
    bool used = false;    ///< given out since the last trim
    bool pooled = false;  ///< false: mapped for one goroutine
    bool empty = false;   ///< has given all its memory back

    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(top - low); }
};

struct stack_policy {
    std::size_t size = 256 * 1024;  ///< usable bytes, whole pages
    os::guard_method method = os::guard_method::none;
    std::size_t guard_budget = 0;  ///< how many stacks may be guarded by mprotect
    bool warn_unguarded = false;
};

inline constexpr std::size_t guard_bytes = 16 * 1024;  // frames larger than a page still hit it
inline constexpr std::size_t min_stack_size = 16 * 1024;
inline constexpr std::size_t max_stack_size = std::size_t{1} << 30;

/// Where a runtime's stacks come from. All members may be called from any thread.
class stack_depot {
public:
    explicit stack_depot(const stack_policy& policy) noexcept : policy_(policy) {}
    ~stack_depot();
    stack_depot(const stack_depot&) = delete;
    stack_depot& operator=(const stack_depot&) = delete;

    [[nodiscard]] const stack_policy& policy() const noexcept { return policy_; }

    /// Takes up to `wanted` stacks as a list, at least one; terminates when the system has no more
    /// address space. The last page of each is in memory. Works in `room`, which is not empty.
    [[nodiscard]] stack* take(std::size_t wanted, std::span<os::page_range> room) noexcept;
    [[nodiscard]] stack* take(std::size_t wanted) noexcept;
    /// Takes a list back, with its memory (K4).
    void give(stack* list) noexcept;

    /// Gives the memory of some stacks that have not been needed of late back to the system; `at`
    /// is the time. Returns whether there are more. Call it now and then while stocked().
    bool scavenge(std::int64_t at) noexcept;
    [[nodiscard]] bool stocked() const noexcept { return hot_count_.load() != 0; }

    static constexpr std::int64_t keep_for = 5'000'000'000;  ///< nanoseconds

    /// Maps a stack of `size` bytes for one goroutine.
    [[nodiscard]] stack* map_one(std::size_t size) noexcept;
    void unmap_one(stack* s) noexcept;

    [[nodiscard]] std::size_t unguarded() const noexcept { return unguarded_.load(); }

private:
    struct arena {
        std::byte* start;
        std::size_t bytes;
        std::vector<stack> stacks;
        std::size_t carved = 0;
    };
    /// In which a batch must fit: more page tables at once, and a hypervisor that shadows them
    /// drops what it knows of all others (docs/design/0003-timers.md).
    static constexpr std::size_t batch_bytes = std::size_t{2} << 20;

    stack* take_from_stock(std::size_t wanted) noexcept;
    stack* carve(std::size_t wanted, std::span<os::page_range> room) noexcept;
    static void fill(stack* list, std::span<os::page_range> room) noexcept;
    std::span<stack> cut(std::size_t wanted) noexcept;
    bool guard(std::byte* start) noexcept;
    void guard_all(std::span<stack> batch, std::span<os::page_range> room) noexcept;
    void open_arena() noexcept;

    const stack_policy policy_;
    // Protected by lock_.
    spin_lock lock_;
    std::vector<arena> arenas_;
    std::size_t carved_ = 0;
    stack* hot_ = nullptr;                    ///< given back, with their memory
    std::atomic<std::size_t> hot_count_ = 0;  ///< written under lock_, read anywhere as a hint
    std::size_t lowest_ = 0;                  ///< of hot_count_ since marked_at_
    std::size_t surplus_ = 0;                 ///< of them to be scavenged
    std::int64_t marked_at_ = 0;
    stack* cool_ = nullptr;  ///< scavenged
    std::size_t cool_count_ = 0;
    // Statistics and the mapping budget.
    std::atomic<std::size_t> guards_ = 0;
    std::atomic<std::size_t> unguarded_ = 0;
};

/// A worker's own hot stacks. Not synchronised (K1).
class stack_cache {
public:
    explicit stack_cache(stack_depot& depot) noexcept : depot_(depot) {}
    ~stack_cache() { flush(); }
    stack_cache(const stack_cache&) = delete;
    stack_cache& operator=(const stack_cache&) = delete;

    [[nodiscard]] stack* take() noexcept {
        if (free_ == nullptr) {
            refill();
        }
        stack* const s = free_;
        free_ = s->next;
        --count_;
        s->used = true;
        return s;
    }

    /// The caller may still stand on `s` (K2).
    void give(stack* s) noexcept {
        s->next = free_;
        free_ = s;
        ++count_;
        untrimmed_ = true;
    }

    [[nodiscard]] bool overfull() const noexcept { return count_ > capacity; }
    /// Hands half of an overfull cache to the depot. Not from a stack that is in the cache.
    void shrink() noexcept;
    /// Gives back the deep pages of stacks used since the last call. Not from a cached stack.
    void trim() noexcept;
    [[nodiscard]] bool untrimmed() const noexcept { return untrimmed_; }
    void flush() noexcept;

private:
    static constexpr std::size_t capacity = 64;

    void refill() noexcept;

    stack_depot& depot_;
    stack* free_ = nullptr;
    std::size_t count_ = 0;
    std::array<os::page_range, 32> room_;
    bool untrimmed_ = false;
};

}  // namespace runnel::detail
