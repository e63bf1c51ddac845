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
#define CTL_SLOT    (stub_head + 16384 + 48)(%rip)
#define CTL_RSP     (stub_head + 16384 + 56)(%rip)
#define CTL_R8      (stub_head + 16384 + 64)(%rip)
#define CTL_R10     (stub_head + 16384 + 72)(%rip)
#define CTL_VALUE   (stub_head + 16384 + 80)(%rip)
#define CTL_STACK   (stub_head + 16384 + 120)(%rip)
#define PLACE_AT    16                  // of struct stub_slot
#define PLACE_LOW   24
#define PLACE_TOP   32
#define LANE_STRLEN (stub_head + 20480 + 68)(%rip)
#define LANE_OUTADDR (stub_head + 20480 + 72)(%rip)
#define LANE_OUTLEN (stub_head + 20480 + 80)(%rip)
#define LANE_ROOM   (stub_head + 20480 + 88)(%rip)
#define LANE_TOP    (stub_head + 20480 + 96)(%rip)
#define LANE_STR    (stub_head + 20480 + 128)(%rip)
#define LANE_OUT    (stub_head + 20480 + 512)(%rip)
#define REQ_SPINS   1000                // 25 us: a watcher that runs needs less than 1
#define TAKEN_SPINS 5000

        .globl lane_off, lane_begin, lane_nr_saved, lane_saved, lane_string, lane_post, lane_posted, lane_got, lane_copy
        .globl lane_copied, lane_plain, lane_end, lane_map_saved, lane_gate, lane_mapped, lane_map_valued, lane_map_end
        .hidden lane_off, lane_begin, lane_nr_saved, lane_saved, lane_string, lane_post, lane_posted, lane_got, lane_copy
        .hidden lane_copied, lane_plain, lane_end, lane_map_saved, lane_gate, lane_mapped, lane_map_valued, lane_map_end
        .p2align 6
lane_off:
        leaq    -2(%r11), %rcx
        jmp     *%rcx
lane_begin:                             // With several threads CTL_ON is 0, and then nothing is touched that they share.
        movq    %rcx, %r11
        movq    CTL_ON, %rcx
        jrcxz   lane_off
        movq    %rax, CTL_NR
lane_nr_saved:
        movq    %r11, CTL_RET
        lahf
        seto    %al
        movq    %rax, CTL_FLAGS
lane_saved:
        movl    CTL_NR, %eax
        cmpl    $9, %eax
        je      lane_map
        cmpl    $11, %eax
        je      lane_unmap
lane_any:
        cmpl    $0, LANE_WATCHED
        je      lane_plain
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
        movl    $TAKEN_SPINS, %ecx
        movl    $1, LANE_STATE          // REQ
lane_posted:
        pause
        movl    LANE_STATE, %eax
        cmpl    $3, %eax                // DONE
        je      lane_got
        ja      1f
        decl    %ecx
        je      3f
        cmpl    $2, %eax                // TAKEN: the first call after a watcher has slept takes long
        je      lane_posted
        cmpl    $TAKEN_SPINS - REQ_SPINS, %ecx
        ja      lane_posted
3:      xorl    %ecx, %ecx
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

// munmap: the sentry says what needs no host call. Of the place that was proposed last: it is the next proposal, and the
// call itself is made at the site.
lane_unmap:
        cmpq    %rdi, LANE_TOP
        je      lane_any
        movq    CTL_SLOT, %rcx
        cmpq    %rdi, PLACE_AT(%rcx)
        jne     lane_plain
        leaq    4095(%rsi), %rax
        andq    $-4096, %rax
        addq    %rax, PLACE_AT(%rcx)
        jmp     lane_plain

// mmap: by the lane when the sentry says so, else as propose() and place() of blob.c make it, through the gate, without a
// signal frame.
lane_map:
        testq   %rdi, %rdi
        jne     lane_plain
        testq   %r9, %r9
        jne     lane_plain
        cmpq    $7, %rdx
        ja      lane_plain
        movq    %r10, %rax
        andq    $~0x24000, %rax         // STUB_PLACE_OPT
        cmpq    $0x22, %rax             // STUB_PLACE_GUEST
        jne     lane_plain
        cmpq    $0x4000000, %rsi        // STUB_PLACE_WINDOW
        ja      lane_plain
        leaq    4095(%rsi), %rcx
        andq    $-4096, %rcx
        je      lane_plain
        cmpl    $3, %edx
        jne     4f
        cmpl    $0, LANE_WATCHED
        je      4f
        movl    CTL_NR, %eax
        cmpq    LANE_ROOM, %rsi
        jbe     lane_any
4:      movq    %rsi, CTL_RSI
        movq    %r8, CTL_R8
        movq    %r10, CTL_R10
        movq    %rsp, CTL_RSP
lane_map_saved:                         // from here to lane_map_end, what is saved is to be restored, and rdi and r9 are 0
        movq    CTL_SLOT, %rax
        movq    %rcx, %rsi
        movq    PLACE_LOW(%rax), %rcx
        movq    PLACE_AT(%rax), %rdi
        movq    %rdi, %r8
        subq    %rcx, %r8
        jb      1f
        cmpq    %rsi, %r8
        jae     2f
1:      movq    PLACE_TOP(%rax), %rdi
        movq    %rdi, %r8
        subq    %rcx, %r8
        jb      3f
        cmpq    %rsi, %r8
        jb      3f
        testq   %rdi, %rdi
        jne     2f
3:      xorl    %edi, %edi
        movq    CTL_RSI, %rsi
        movq    CTL_R8, %r8
        jmp     lane_plain
2:      subq    %rsi, %rdi
        movq    %rdi, PLACE_AT(%rax)
        movq    %r10, %r8
        notq    %r8
        movl    $0x4032, %r10d          // STUB_PLACE_FLAGS
        movl    $4096, %r9d             // STUB_PLACE_LANE
        leaq    CTL_STACK, %rsp
        movl    $9, %eax
        call    gate
lane_mapped:
        movq    %rax, CTL_VALUE
lane_map_valued:
        xorl    %edi, %edi
        xorl    %r9d, %r9d
        movq    CTL_RSP, %rsp
        movq    CTL_RSI, %rsi
        movq    CTL_R8, %r8
        movq    CTL_R10, %r10
        cmpq    $-4095, %rax
        jae     4f
        movq    CTL_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    CTL_VALUE, %rax
        movq    CTL_RET, %rcx
        jmp     *%rcx
4:      movq    CTL_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    CTL_VALUE, %rax
        movq    CTL_RET, %rcx
        leaq    -2(%rcx), %rcx
        notl    %eax                    // -error - 1, without the flags; lea does not touch them either
        leal    0x1fff1001(%rax), %eax  // STUB_LANE_FAIL
        jmp     *%rcx
lane_map_end:
lane_end:

        .section .note.GNU-stack, "", @progbits
