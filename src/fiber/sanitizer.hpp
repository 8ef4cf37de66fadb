// fiber/sanitizer.hpp: what the tools that watch memory must be told about stacks that we switch.
//
// In a build with AddressSanitizer or ThreadSanitizer the switch is made inside the compiled
// library (`instrumented` is true), so that user code needs no instrumentation of its own and
// nothing instrumented runs between the announcement and the switch. Everything here is empty
// otherwise.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RUNNEL_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define RUNNEL_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define RUNNEL_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define RUNNEL_TSAN 1
#endif

#ifdef RUNNEL_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif
#ifdef RUNNEL_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace runnel::detail {

#if defined(RUNNEL_ASAN) || defined(RUNNEL_TSAN)
inline constexpr bool instrumented = true;
#else
inline constexpr bool instrumented = false;
#endif

/// Threads that the sanitizer itself runs.
#ifdef RUNNEL_TSAN
inline constexpr std::size_t sanitizer_threads = 1;
inline constexpr bool watched_for_races = true;
#else
inline constexpr std::size_t sanitizer_threads = 0;
inline constexpr bool watched_for_races = false;
#endif

/// What a sanitizer knows of one stack.
struct sanitizer_stack {
#if defined(RUNNEL_ASAN) || defined(RUNNEL_TSAN)
    const void* bottom = nullptr;
    std::size_t size = 0;
    void* fake_frames = nullptr;
    void* tsan_fiber = nullptr;
#endif

    /// A new goroutine is about to run on [bottom, bottom + size).
    void begin([[maybe_unused]] const void* low, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RUNNEL_ASAN
        bottom = low;
        size = bytes;
        fake_frames = nullptr;
        __asan_unpoison_memory_region(low, bytes);
#endif
#ifdef RUNNEL_TSAN
        tsan_fiber = __tsan_create_fiber(0);
#endif
    }

    /// The calling thread runs on its own stack, [low, low + bytes), and will switch away from it
    /// and back.
    void adopt_thread([[maybe_unused]] const void* low,
                      [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RUNNEL_ASAN
        bottom = low;
        size = bytes;
#endif
#ifdef RUNNEL_TSAN
        tsan_fiber = __tsan_get_current_fiber();
#endif
    }

    /// The goroutine has left for good, and another stack runs.
    void end() noexcept {
#ifdef RUNNEL_TSAN
        if (tsan_fiber != nullptr) {
            __tsan_destroy_fiber(tsan_fiber);
            tsan_fiber = nullptr;
        }
#endif
    }
};

/// Announces the switch from `from` to `to`; `last`: `from` will not run again.
[[gnu::always_inline]] inline void announce_switch([[maybe_unused]] sanitizer_stack& from,
                                                   [[maybe_unused]] sanitizer_stack& to,
                                                   [[maybe_unused]] bool last) noexcept {
#ifdef RUNNEL_ASAN
    __sanitizer_start_switch_fiber(last ? nullptr : &from.fake_frames, to.bottom, to.size);
#endif
#ifdef RUNNEL_TSAN
    __tsan_switch_to_fiber(to.tsan_fiber, 0);
#endif
}

/// The first thing on a stack that has been switched to. `thread`: the stack that was left, when it
/// was a thread's own, whose bounds are learned here.
[[gnu::always_inline]] inline void arrived([[maybe_unused]] sanitizer_stack& self,
                                           [[maybe_unused]] sanitizer_stack* thread) noexcept {
#ifdef RUNNEL_ASAN
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(self.fake_frames, &bottom, &size);
    if (thread != nullptr && thread->bottom == nullptr) {
        thread->bottom = bottom;
        thread->size = size;
    }
#endif
}

/// Memory that a parked goroutine keeps alive, for the leak check at the end of the process.
inline void register_leak_root([[maybe_unused]] const void* start,
                               [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef RUNNEL_ASAN
    __lsan_register_root_region(start, bytes);
#endif
}

}  // namespace runnel::detail
