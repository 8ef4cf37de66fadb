// runnel/detail/switch_aarch64.hpp: the context switch for aarch64 (AAPCS64).
//
// Memory order
//   from->sp is published with a store-release (stlr): [W-1] of switch.hpp.
#pragma once

namespace runnel::detail {

/// Saves the running context in `from` and resumes `to`; returns when somebody resumes `from`.
/// The compiler saves what is live, because everything is clobbered; x29 is saved by hand, as it
/// may be the frame pointer. x18 too: on Linux it is one more register for the compiler to use, and
/// what would otherwise be the only one left is where it would keep `from`.
[[gnu::always_inline]] inline void switch_fiber(fiber* from, fiber* to) noexcept {
    register fiber* x0 asm("x0") = from;
    register fiber* x1 asm("x1") = to;
    asm volatile("adr x9, 1f\n\t"
                 "stp x29, x9, [x0, #8]\n\t"
                 "ldr x10, [x1]\n\t"
                 "ldp x29, x16, [x1, #8]\n\t"
                 "str xzr, [x1]\n\t"
                 "mov x12, sp\n\t"
                 "mov sp, x10\n\t"
                 "stlr x12, [x0]\n\t"
                 "br x16\n"
                 "1:\n\t"
                 "hint #38\n\t"  // bti jc, where the program enforces landing pads
                 : "+r"(x0), "+r"(x1)
                 :
                 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                   "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                   "x25", "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",
                   "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                   "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                   "v30", "v31",
#ifdef __ARM_FEATURE_SVE
                   "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12",
                   "p13", "p14", "p15", "ffr",
#endif
                   "cc", "memory");
}

}  // namespace runnel::detail
