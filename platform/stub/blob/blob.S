// SPDX-License-Identifier: Apache-2.0
// Head of the stub's blob: the two syscall instructions, and the entries that have to be assembly. It is linked flat,
// at address 0, and runs at any address. platform/stub/layout.h has the header's meaning.
        .section .text.head, "ax"
        .globl stub_head, stub_gate_call
        .hidden stub_head, stub_gate_call
stub_head:
        .quad 0x627574732d6b6370
        .long boot_entry - stub_head
        .long gate - stub_head
        .long sigreturn - stub_head
        .long restorer - stub_head
        .long handler - stub_head
        .long 0                         // fsgsbase

// long stub_gate_call(nr, a0, a1, a2, a3, a4, a5). A child with a stack of its own "returns" to the address on it.
        .p2align 4
stub_gate_call:
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rdx, %rsi
        movq    %rcx, %rdx
        movq    %r8, %r10
        movq    %r9, %r8
        movq    8(%rsp), %r9
gate:   syscall
        ret

// The kernel has put the frame on the slot; its first word is `restorer`. AC would make the C code's accesses fault.
        .p2align 4
handler:
        pushfq
        andl    $~0x40000, (%rsp)
        popfq
        jmp     stub_signal

        .p2align 4
restorer:
        movl    $15, %eax
sigreturn:
        syscall
        ud2

        .p2align 4
boot_entry:
        call    stub_boot_main
        ud2

// First code of a child on its own slot; stub_child() returns the address of its frame's ucontext.
        .globl stub_child_entry
        .hidden stub_child_entry
        .p2align 4
stub_child_entry:
        movq    %rsp, %rdi
        call    stub_child
        movq    %rax, %rsp
        jmp     restorer

        .section .note.GNU-stack, "", @progbits
