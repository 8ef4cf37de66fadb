// fiber/entry_x86_64.cpp: the outermost frame of a goroutine on x86-64; see entry.cpp.
asm(R"(
        .text
        .globl runnel_goroutine_entry
        .hidden runnel_goroutine_entry
        .type runnel_goroutine_entry, @function
        .p2align 4
runnel_goroutine_entry:
        .cfi_startproc
        .cfi_undefined rip
        .cfi_undefined rbp
        xorl %ebp, %ebp
        call *(%rsp)
        ud2
        .cfi_endproc
        .size runnel_goroutine_entry, .-runnel_goroutine_entry
)");
