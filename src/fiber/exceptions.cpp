#include "src/fiber/exceptions.hpp"

#include <cxxabi.h>

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

}  // namespace runnel::detail
