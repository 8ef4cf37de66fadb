// runnel/detail/switch.hpp: what a goroutine's processor state is, and who may resume it.
//
// Invariants
//   W1  `sp` is null while the fiber runs and until its last instruction on its own stack is done;
//       whoever sees it non-null, and has the right to resume the fiber, may do so.     (switch)
//   W2  At most one party has the right to resume: whoever took the fiber out of a run queue.
// Memory order
//   leaving: fp, pc, then sp (release, in the assembly)  [W-1]
//   resuming: sp.load(acquire), then fp, pc               [W-1]
// The switch is expanded where the user's function blocks: no call or return stands between the two
// frames, so the processor's return predictor stays right on both sides.
#pragma once

#include <atomic>

namespace runnel::detail {

/// The saved processor state of a goroutine, or of a worker's own stack. The assembly knows the
/// offsets of the first three members.
struct fiber {
    std::atomic<void*> sp = nullptr;
    void* fp = nullptr;
    void* pc = nullptr;
    bool exceptions_saved = false;  ///< set when it left with exceptions in flight
    unsigned uncaught_exceptions = 0;
    void* caught_exceptions = nullptr;
};

}  // namespace runnel::detail

#if defined(__x86_64__)
#include <runnel/detail/switch_x86_64.hpp>  // IWYU pragma: export
#elif defined(__aarch64__)
#include <runnel/detail/switch_aarch64.hpp>  // IWYU pragma: export
#else
#error "runnel: no context switch for this instruction set (x86-64 and aarch64 are supported)"
#endif

namespace runnel::detail {

/// What a blocking operation that is compiled tells its inline edge: leave `self` for `to`.
/// `to` is null when there is nothing to leave for: the operation is complete.
struct suspension {
    fiber* self;
    fiber* to;
};

/// Puts the exceptions that `self` had in flight back into the thread that resumed it.
void restore_exceptions(fiber& self) noexcept;

/// Leaves the running goroutine if `s` says so; returns when it has been resumed.
[[gnu::always_inline]] inline void suspend(suspension s) noexcept {
    if (s.to != nullptr) {
        switch_fiber(s.self, s.to);
        if (s.self->exceptions_saved) [[unlikely]] {
            restore_exceptions(*s.self);
        }
    }
}

}  // namespace runnel::detail
