#include "src/fiber/exceptions.hpp"

#include <cxxabi.h>

#include <cstddef>
#include <new>

#include <runnel/detail/shared_exception.hpp>

#include "src/fiber/sanitizer.hpp"

namespace runnel::detail {

[[gnu::noinline]] exception_globals* thread_exception_globals() noexcept {
    return reinterpret_cast<exception_globals*>(abi::__cxa_get_globals());
}

[[gnu::noinline]] void restore_exceptions(fiber& self) noexcept {
    exception_globals* const globals = thread_exception_globals();
    globals->caught_exceptions = self.caught_exceptions;
    globals->uncaught_exceptions = self.uncaught_exceptions;
    self.exceptions_saved = false;
}

void share_exception(const std::exception_ptr& error) noexcept {
    if constexpr (watched_for_races) {
        alignas(std::exception_ptr) std::byte never_destroyed[sizeof(std::exception_ptr)];
        ::new (never_destroyed) std::exception_ptr(error);
    }
}

}  // namespace runnel::detail
