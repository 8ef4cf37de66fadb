// fiber/entry_aarch64.cpp: the outermost frame of a goroutine on aarch64; see entry.cpp.
asm(R"(
        .text
        .globl runnel_goroutine_entry
        .hidden runnel_goroutine_entry
        .type runnel_goroutine_entry, %function
        .p2align 4
runnel_goroutine_entry:
        .cfi_startproc
        hint #34
        .cfi_undefined x30
        .cfi_undefined x29
        mov x29, #0
        mov x30, #0
        ldr x9, [sp]
        blr x9
        brk #1
        .cfi_endproc
        .size runnel_goroutine_entry, .-runnel_goroutine_entry
)");
