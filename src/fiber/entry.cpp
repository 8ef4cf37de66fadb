#include "src/fiber/entry.hpp"

// The outermost frame of every goroutine, one per instruction set: calls the function whose address
// lies at the stack pointer. Its unwind information says that nothing called it, so that debuggers
// and exceptions end there.
extern "C" void runnel_goroutine_entry();

namespace runnel::detail {

void prepare_entry(fiber& f, const stack& s, void (*body)()) noexcept {
    auto* const sp = reinterpret_cast<void (**)()>(s.top - 64);
    *sp = body;
    f.fp = nullptr;
    f.pc = reinterpret_cast<void*>(&runnel_goroutine_entry);
    f.sp.store(sp);
}

}  // namespace runnel::detail
