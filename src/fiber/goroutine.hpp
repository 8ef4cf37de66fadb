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
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
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

class goroutine : public fiber {
public:
    // Links of whatever list the goroutine stands in: a run queue, or the pool's free list.
    goroutine* next = nullptr;
    goroutine* prev = nullptr;

    scheduler* home = nullptr;
    stack* on = nullptr;  ///< null until it first runs

    void (*invoke)(void*) = nullptr;
    void* closure = nullptr;  ///< `inline_closure`, or from the heap
    std::size_t closure_align = 0;

    std::atomic<std::uint64_t> id = 0;
    std::unique_ptr<std::string> name;  ///< null: it has none; reports hold the pool's report lock
    start_place started;
    std::size_t stack_size = 0;  ///< 0: the runtime's default
    goroutine_locals* locals = nullptr;

    std::atomic<goroutine_phase> phase = goroutine_phase::unused;
    std::atomic<wait_kind> waiting = wait_kind::none;
    std::atomic<const void*> where = nullptr;

    sanitizer_stack sanitizer;

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

    /// Takes up to `wanted` records (at least one) as a list linked by `next`. Throws
    /// std::bad_alloc.
    [[nodiscard]] goroutine* take(std::size_t wanted);
    void give(goroutine* list) noexcept;

    /// Held by whoever drops a name, and by reports, which read them.
    [[nodiscard]] spin_lock& names() noexcept { return names_; }

    /// Calls `f(const goroutine&)` for each record that is in use.
    template <class F>
    void for_each(F f) {
        std::vector<slab*> all;
        {
            const std::lock_guard hold(lock_);
            for (const auto& s : slabs_) {
                all.push_back(s.get());
            }
        }
        for (slab* s : all) {
            for (goroutine& g : *s) {
                if (g.phase_now() != goroutine_phase::unused) {
                    f(g);
                }
            }
        }
    }

private:
    static constexpr std::size_t slab_records = 64;
    using slab = std::array<goroutine, slab_records>;

    spin_lock names_;
    spin_lock lock_;
    std::vector<std::unique_ptr<slab>> slabs_;
    goroutine* free_ = nullptr;
};

/// A worker's own free records. Not synchronised.
class goroutine_cache {
public:
    explicit goroutine_cache(goroutine_pool& pool) noexcept : pool_(pool) {}
    ~goroutine_cache() { pool_.give(free_); }
    goroutine_cache(const goroutine_cache&) = delete;
    goroutine_cache& operator=(const goroutine_cache&) = delete;

    [[nodiscard]] goroutine* take() {
        if (free_ == nullptr) {
            refill();
        }
        goroutine* const g = free_;
        free_ = g->next;
        --count_;
        return g;
    }

    void give(goroutine* g) noexcept {
        g->next = free_;
        free_ = g;
        if (++count_ > capacity) {
            shrink();
        }
    }

private:
    static constexpr std::size_t capacity = 256;

    void refill();
    void shrink() noexcept;

    goroutine_pool& pool_;
    goroutine* free_ = nullptr;
    std::size_t count_ = 0;
};

}  // namespace runnel::detail
