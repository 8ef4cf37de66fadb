// runnel/detail/switch_x86_64.hpp: the context switch for x86-64 (System V).
//
// Memory order
//   The store to from->sp is a release on this machine (stores stay in order): [W-1] of switch.hpp.
#pragma once

namespace runnel::detail {

/// Saves the running context in `from` and resumes `to`; returns when somebody resumes `from`.
/// The compiler saves what is live, because everything is clobbered. rbp is saved by hand: g++
/// refuses it as a clobber where it is the frame pointer. Nothing is pushed (the red zone belongs
/// to the surrounding function), and `from` is published only once rsp has left its stack, so a
/// signal that lands in between finds a stack that nobody else runs on.
[[gnu::always_inline]] inline void switch_fiber(fiber* from, fiber* to) noexcept {
    asm volatile("leaq 1f(%%rip), %%rax\n\t"
                 "movq %%rbp, 8(%[from])\n\t"
                 "movq %%rax, 16(%[from])\n\t"
                 "movq %%rsp, %%rcx\n\t"
                 "movq 0(%[to]), %%rsp\n\t"
                 "movq 8(%[to]), %%rbp\n\t"
                 "movq 16(%[to]), %%rax\n\t"
                 "movq $0, 0(%[to])\n\t"
                 "movq %%rcx, 0(%[from])\n\t"
                 "jmpq *%%rax\n"
                 "1:\n\t"
                 : [from] "+D"(from), [to] "+S"(to)
                 :
                 : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                   "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)",
                   "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
#ifdef __AVX512F__
                   "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
                   "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3",
                   "k4", "k5", "k6", "k7",
#endif
                   "cc", "memory");
}

}  // namespace runnel::detail
