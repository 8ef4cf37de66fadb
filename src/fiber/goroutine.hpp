// fiber/goroutine.hpp: the record of a goroutine, and the pool that records come from.
//
// A record is all that a goroutine costs before it first runs: its closure is stored inside (larger
// ones on the heap), and its stack is given to it by the worker that first picks it. Records are
// never returned to the system while their runtime lives, so a report may look at any of them at
// any time.
//
// Memory order
//   phase, waiting, where, id, started: written by the owner with relaxed stores, read by reports,
//   which accept a value that is a moment old [G-1]. A record in use is otherwise touched by its
//   owner alone: the goroutine itself, or whoever took it out of a run queue.
//   sp in prefetch_frames: an address that is never used but as a hint [G-2].
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <runnel/detail/closure.hpp>
#include <runnel/detail/park.hpp>
#include <runnel/detail/spin_lock.hpp>
#include <runnel/detail/switch.hpp>

#include "src/fiber/sanitizer.hpp"
#include "src/fiber/stack.hpp"

namespace runnel::detail {

class scheduler;
class goroutine_locals;

enum class goroutine_phase : std::uint8_t { unused, fresh, running };

/// Where a goroutine was started, as reports read it.
struct start_place {
    std::atomic<const char*> file = nullptr;
    std::atomic<std::uint32_t> line = 0;
    std::atomic<const void*> pc = nullptr;

    void set(const start_info& info) noexcept {
        file.store(info.file, std::memory_order_relaxed);  // [G-1]
        line.store(info.line, std::memory_order_relaxed);  // [G-1]
        pc.store(info.pc, std::memory_order_relaxed);      // [G-1]
    }
};

/// Four cache lines where no sanitizer is: what a switch needs, what parking and the end need, what
/// the start alone needs, and the closure.
class alignas(64) goroutine : public fiber {
public:
    // Links of whatever list the goroutine stands in: a run queue, or the pool's free list.
    goroutine* next = nullptr;
    goroutine* prev = nullptr;
    stack* on = nullptr;  ///< null until it first runs

    std::atomic<goroutine_phase> phase = goroutine_phase::unused;
    std::atomic<wait_kind> waiting = wait_kind::none;
    std::uint8_t closure_align_log = 0;  ///< of one from the heap
    std::atomic<const void*> where = nullptr;
    scheduler* home = nullptr;
    void (*invoke)(void*) = nullptr;
    void* closure = nullptr;            ///< `inline_closure`, or from the heap
    std::unique_ptr<std::string> name;  ///< null: it has none; reports hold the pool's report lock
    goroutine_locals* locals = nullptr;
    std::size_t stack_size = 0;  ///< 0: the runtime's default

    std::atomic<std::uint64_t> id = 0;
    start_place started;

    [[no_unique_address]] sanitizer_stack sanitizer;

    static constexpr std::size_t inline_closure_bytes = 96;
    alignas(16) std::array<std::byte, inline_closure_bytes> inline_closure;

    [[nodiscard]] goroutine_phase phase_now() const noexcept {
        return phase.load(std::memory_order_relaxed);  // [G-1]
    }
    void set_phase(goroutine_phase p) noexcept {
        phase.store(p, std::memory_order_relaxed);  // [G-1]
    }
    [[nodiscard]] wait_kind waiting_now() const noexcept {
        return waiting.load(std::memory_order_relaxed);  // [G-1]
    }
    void set_waiting(wait_kind kind, const void* at) noexcept {
        where.store(at, std::memory_order_relaxed);      // [G-1]
        waiting.store(kind, std::memory_order_relaxed);  // [G-1]
    }

    /// Fetches what running on needs into the cache, if it is not just leaving its stack.
    void prefetch_frames() const noexcept {
        const auto* const frames =
            static_cast<const std::byte*>(sp.load(std::memory_order_relaxed));  // [G-2]
        for (std::size_t line = 0; line < 4; ++line) {
            __builtin_prefetch(frames + line * 64);
        }
    }

    /// Gives the record room for a closure. Throws std::bad_alloc.
    void* make_room(std::size_t size, std::size_t align);
    void drop_room() noexcept;
};

/// All records of a runtime. Any thread.
class goroutine_pool {
public:
    goroutine_pool() = default;
    goroutine_pool(const goroutine_pool&) = delete;
    goroutine_pool& operator=(const goroutine_pool&) = delete;

    /// Records linked by `next`. Counted, and with its end at hand: records that nobody uses are in
    /// no cache, so nobody walks along a list.
    struct chain {
        goroutine* first = nullptr;
        goroutine* last = nullptr;
        std::size_t count = 0;

        void push(goroutine* g) noexcept {
            g->next = first;
            last = first != nullptr ? last : g;
            first = g;
            ++count;
        }
        goroutine* pop() noexcept {
            goroutine* const g = std::exchange(first, first->next);
            --count;
            return g;
        }
    };

    /// Takes up to `wanted` records, at least one. Throws std::bad_alloc.
    [[nodiscard]] chain take(std::size_t wanted);
    void give(const chain& records) noexcept;

    /// Held by whoever drops a name, and by reports, which read them.
    [[nodiscard]] spin_lock& names() noexcept { return names_; }

    /// Calls `f(const goroutine&)` for each record that is in use.
    template <class F>
    void for_each(F f) {
        std::vector<std::span<goroutine>> all;
        {
            const std::lock_guard hold(lock_);
            for (const slab& s : slabs_) {
                all.push_back(s.records());
            }
        }
        for (const std::span<goroutine> records : all) {
            for (goroutine& g : records) {
                if (g.phase_now() != goroutine_phase::unused) {
                    f(g);
                }
            }
        }
    }

private:
    /// Some pages full of records.
    class slab {
    public:
        explicit slab(std::size_t pages);
        ~slab();
        slab(slab&& from) noexcept
            : memory_(std::exchange(from.memory_, nullptr)), count_(from.count_) {}
        slab(const slab&) = delete;
        slab& operator=(const slab&) = delete;
        slab& operator=(slab&&) = delete;

        [[nodiscard]] std::span<goroutine> records() const noexcept { return {memory_, count_}; }

    private:
        goroutine* memory_;
        std::size_t count_;
    };
    static constexpr std::size_t first_slab = 4;  // pages
    static constexpr std::size_t largest_slab = 64;

    chain take_free(std::size_t wanted) noexcept;
    void make_more();
    void append(const chain& records) noexcept;

    spin_lock names_;
    spin_lock lock_;
    std::vector<slab> slabs_;
    std::size_t next_slab_ = first_slab;
    chain free_;
};

/// A worker's own free records. Not synchronised.
class goroutine_cache {
public:
    explicit goroutine_cache(goroutine_pool& pool) noexcept : pool_(pool) {}
    ~goroutine_cache() {
        pool_.give(free_);
        pool_.give(spare_);
    }
    goroutine_cache(const goroutine_cache&) = delete;
    goroutine_cache& operator=(const goroutine_cache&) = delete;

    [[nodiscard]] goroutine* take() {
        if (free_.first == nullptr) {
            refill();
        }
        return free_.pop();
    }

    void give(goroutine* g) noexcept {
        free_.push(g);
        if (free_.count == batch) {
            pool_.give(spare_);
            spare_ = std::exchange(free_, {});
        }
    }

private:
    static constexpr std::size_t batch = 128;

    void refill();

    goroutine_pool& pool_;
    goroutine_pool::chain free_;
    goroutine_pool::chain spare_;  ///< a batch, or nothing
};

}  // namespace runnel::detail
