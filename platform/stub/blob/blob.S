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
        .long lane_begin - stub_head

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

// The fast lane. In: rax the call's number, rcx the address behind the syscall instruction of the patched site, the
// rest as at that site. Out: either to that address, with the value in rax, or to the instruction itself, with the
// number in rax. Like the instruction it changes rax, rcx and r11 only: no flag, and no stack, which may have a red zone.
// An interrupt in here is undone by lane_undo() (blob.c), which knows the labels.
#define CTL_ON      (stub_head + 16384)(%rip)
#define CTL_RET     (stub_head + 16384 + 8)(%rip)
#define CTL_NR      (stub_head + 16384 + 16)(%rip)
#define CTL_FLAGS   (stub_head + 16384 + 24)(%rip)
#define LANE_STATE  (stub_head + 20480)(%rip)
#define LANE_NR     (stub_head + 20480 + 4)(%rip)
#define LANE_ARG(n) (stub_head + 20480 + 8 + 8 * n)(%rip)
#define LANE_VALUE  (stub_head + 20480 + 56)(%rip)
#define LANE_WATCHED (stub_head + 20480 + 64)(%rip)
#define CTL_RDI     (stub_head + 16384 + 32)(%rip)
#define CTL_RSI     (stub_head + 16384 + 40)(%rip)
#define LANE_STRLEN (stub_head + 20480 + 68)(%rip)
#define LANE_OUTADDR (stub_head + 20480 + 72)(%rip)
#define LANE_OUTLEN (stub_head + 20480 + 80)(%rip)
#define LANE_STR    (stub_head + 20480 + 128)(%rip)
#define LANE_OUT    (stub_head + 20480 + 512)(%rip)
#define SPINS       1000

        .globl lane_begin, lane_nr_saved, lane_saved, lane_string, lane_post, lane_posted, lane_got, lane_copy
        .globl lane_copied, lane_plain, lane_end
        .hidden lane_begin, lane_nr_saved, lane_saved, lane_string, lane_post, lane_posted, lane_got, lane_copy
        .hidden lane_copied, lane_plain, lane_end
        .p2align 6
lane_begin:
        movq    %rax, CTL_NR
lane_nr_saved:
        movq    %rcx, CTL_RET
        lahf
        seto    %al
        movq    %rax, CTL_FLAGS
lane_saved:
        cmpl    $0, CTL_ON
        je      lane_plain
        cmpl    $0, LANE_WATCHED
        je      lane_plain
        movl    CTL_NR, %eax
        movl    %eax, LANE_NR
        movq    %rdi, LANE_ARG(0)
        movq    %rsi, LANE_ARG(1)
        movq    %rdx, LANE_ARG(2)
        movq    %r10, LANE_ARG(3)
        movq    %r8, LANE_ARG(4)
        movq    %r9, LANE_ARG(5)
        movl    $0, LANE_STRLEN
        movq    $0, LANE_OUTLEN
        movq    %rsi, CTL_RSI
        movq    %rdi, CTL_RDI
        cmpl    $262, %eax              // newfstatat, statx: the path is the second argument
        je      lane_string
        cmpl    $332, %eax
        je      lane_string
        cmpl    $4, %eax                // stat, lstat: the first
        je      1f
        cmpl    $6, %eax
        jne     lane_post
1:      movq    %rdi, %rsi
lane_string:                            // from here to lane_post, rsi and rdi are to be restored, and a fault is undone
        leaq    LANE_STR, %rdi
        xorl    %ecx, %ecx
1:      movb    (%rsi,%rcx), %al
        movb    %al, (%rdi,%rcx)
        incl    %ecx
        testb   %al, %al
        je      2f
        cmpl    $384, %ecx
        jne     1b
        xorl    %ecx, %ecx
2:      movl    %ecx, LANE_STRLEN
        movq    CTL_RSI, %rsi
        movq    CTL_RDI, %rdi
lane_post:
        movl    $SPINS, %ecx
        movl    $1, LANE_STATE          // REQ
lane_posted:
        pause
        movl    LANE_STATE, %eax
        cmpl    $3, %eax                // DONE
        je      lane_got
        ja      1f
        decl    %ecx
        jnz     lane_posted
        movl    $1, %eax                // nobody has come: take it back
        lock cmpxchgl %ecx, LANE_STATE  // (ecx: 0, FREE)
        jne     2f
        movl    %ecx, LANE_WATCHED      // the watcher does not run: do not wait for it again
        jmp     lane_plain
2:
        cmpl    $3, %eax
        je      lane_got
1:      cmpl    $5, %eax                // REFUSED
        je      lane_plain
        movq    CTL_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    CTL_RET, %rcx
        movl    $0x1fff0001, %eax       // STUB_LANE_WAIT
        leaq    -2(%rcx), %rcx
        jmp     *%rcx
lane_got:
        movl    LANE_OUTLEN, %ecx
        testl   %ecx, %ecx
        je      lane_copied
        cmpl    $7680, %ecx
        ja      lane_copied
        movq    LANE_OUTADDR, %rsi
        leaq    LANE_OUT, %rdi
lane_copy:                              // rcx bytes from rdi to rsi, from the end; the direction flag is not ours
1:      testl   $7, %ecx
        je      2f
        decl    %ecx
        movb    (%rdi,%rcx), %al
        movb    %al, (%rsi,%rcx)
        jmp     1b
2:      subl    $8, %ecx
        js      3f
        movq    (%rdi,%rcx), %rax
        movq    %rax, (%rsi,%rcx)
        jmp     2b
3:      movq    CTL_RSI, %rsi
        movq    CTL_RDI, %rdi
lane_copied:
        movl    $0, LANE_STATE
        movq    CTL_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    LANE_VALUE, %rax
        movq    CTL_RET, %rcx
        jmp     *%rcx
lane_plain:
        movq    CTL_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    CTL_NR, %rax
        movq    CTL_RET, %rcx
        leaq    -2(%rcx), %rcx
        jmp     *%rcx
lane_end:

        .section .note.GNU-stack, "", @progbits
