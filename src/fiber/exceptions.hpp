// fiber/exceptions.hpp: the exceptions that a goroutine has in flight move with it.
//
// The C++ runtime keeps, per thread, the stack of caught exceptions and the count of uncaught ones.
// A goroutine that blocks inside a catch block, or in a destructor during unwinding, takes both
// along and finds them again on whatever thread resumes it.
#pragma once

#include <runnel/detail/switch.hpp>

namespace runnel::detail {

/// The per-thread state of the C++ runtime, as the Itanium C++ ABI lays it out.
struct exception_globals {
    void* caught_exceptions;
    unsigned uncaught_exceptions;
};

/// Those of the calling thread. Not inlined: the address must not be kept across a switch.
[[nodiscard]] exception_globals* thread_exception_globals() noexcept;

/// Moves what is in flight on this thread (`globals` is its own) into `f`, which is about to leave.
inline void save_exceptions(fiber& f, exception_globals& globals) noexcept {
    if (globals.caught_exceptions != nullptr || globals.uncaught_exceptions != 0) [[unlikely]] {
        f.caught_exceptions = globals.caught_exceptions;
        f.uncaught_exceptions = globals.uncaught_exceptions;
        f.exceptions_saved = true;
        globals = {};
    }
}

}  // namespace runnel::detail
