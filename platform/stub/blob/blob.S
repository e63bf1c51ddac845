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
        .long ring_begin - stub_head

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

// The syscall ring. In: rax the call's number, rcx the address behind the syscall instruction of the patched site, the
// rest as at that site. Out: either to that address, with the value in rax, or to the instruction itself, with the
// number in rax. Like the instruction it changes rax, rcx and r11 only: no flag, and no stack, which may have a red zone.
// An interrupt in here is undone by ring_undo() (blob.c), which knows the labels.
#define SCRATCH_ON      (stub_head + 16384)(%rip)
#define SCRATCH_RET     (stub_head + 16384 + 8)(%rip)
#define SCRATCH_NR      (stub_head + 16384 + 16)(%rip)
#define SCRATCH_FLAGS   (stub_head + 16384 + 24)(%rip)
#define RING_STATE  (stub_head + 20480)(%rip)
#define RING_NR     (stub_head + 20480 + 4)(%rip)
#define RING_ARG(n) (stub_head + 20480 + 8 + 8 * n)(%rip)
#define RING_VALUE  (stub_head + 20480 + 56)(%rip)
#define RING_POLLED (stub_head + 20480 + 64)(%rip)
#define SCRATCH_RDI     (stub_head + 16384 + 32)(%rip)
#define SCRATCH_RSI     (stub_head + 16384 + 40)(%rip)
#define SCRATCH_SLOT    (stub_head + 16384 + 48)(%rip)
#define SCRATCH_RSP     (stub_head + 16384 + 56)(%rip)
#define SCRATCH_R8      (stub_head + 16384 + 64)(%rip)
#define SCRATCH_R10     (stub_head + 16384 + 72)(%rip)
#define SCRATCH_VALUE   (stub_head + 16384 + 80)(%rip)
#define SCRATCH_STACK   (stub_head + 16384 + 120)(%rip)
#define PLACE_AT    16                  // of struct stub_slot
#define PLACE_LOW   24
#define PLACE_TOP   32
#define RING_STRLEN (stub_head + 20480 + 68)(%rip)
#define RING_OUTADDR (stub_head + 20480 + 72)(%rip)
#define RING_OUTLEN (stub_head + 20480 + 80)(%rip)
#define RING_ROOM   (stub_head + 20480 + 88)(%rip)
#define RING_TOP    (stub_head + 20480 + 96)(%rip)
#define RING_STR    (stub_head + 20480 + 128)(%rip)
#define RING_OUT    (stub_head + 20480 + 512)(%rip)
#define REQ_SPINS   1000                // 25 us: a poller that runs needs less than 1
#define TAKEN_SPINS 5000

        .globl ring_off, ring_begin, ring_nr_saved, ring_saved, ring_string, ring_post, ring_posted, ring_got, ring_copy
        .globl ring_copied, ring_plain, ring_end, ring_map_saved, ring_gate, ring_mapped, ring_map_valued, ring_map_end
        .hidden ring_off, ring_begin, ring_nr_saved, ring_saved, ring_string, ring_post, ring_posted, ring_got, ring_copy
        .hidden ring_copied, ring_plain, ring_end, ring_map_saved, ring_gate, ring_mapped, ring_map_valued, ring_map_end
        .p2align 6
ring_off:
        leaq    -2(%r11), %rcx
        jmp     *%rcx
ring_begin:                             // With several threads SCRATCH_ON is 0, and then nothing is touched that they share.
        movq    %rcx, %r11
        movq    SCRATCH_ON, %rcx
        jrcxz   ring_off
        movq    %rax, SCRATCH_NR
ring_nr_saved:
        movq    %r11, SCRATCH_RET
        lahf
        seto    %al
        movq    %rax, SCRATCH_FLAGS
ring_saved:
        movl    SCRATCH_NR, %eax
        cmpl    $9, %eax
        je      ring_map
        cmpl    $11, %eax
        je      ring_unmap
ring_any:
        cmpl    $0, RING_POLLED
        je      ring_plain
        movl    %eax, RING_NR
        movq    %rdi, RING_ARG(0)
        movq    %rsi, RING_ARG(1)
        movq    %rdx, RING_ARG(2)
        movq    %r10, RING_ARG(3)
        movq    %r8, RING_ARG(4)
        movq    %r9, RING_ARG(5)
        movl    $0, RING_STRLEN
        movq    $0, RING_OUTLEN
        movq    %rsi, SCRATCH_RSI
        movq    %rdi, SCRATCH_RDI
        cmpl    $262, %eax              // newfstatat, statx: the path is the second argument
        je      ring_string
        cmpl    $332, %eax
        je      ring_string
        cmpl    $4, %eax                // stat, lstat: the first
        je      1f
        cmpl    $6, %eax
        jne     ring_post
1:      movq    %rdi, %rsi
ring_string:                            // from here to ring_post, rsi and rdi are to be restored, and a fault is undone
        leaq    RING_STR, %rdi
        xorl    %ecx, %ecx
1:      movb    (%rsi,%rcx), %al
        movb    %al, (%rdi,%rcx)
        incl    %ecx
        testb   %al, %al
        je      2f
        cmpl    $384, %ecx
        jne     1b
        xorl    %ecx, %ecx
2:      movl    %ecx, RING_STRLEN
        movq    SCRATCH_RSI, %rsi
        movq    SCRATCH_RDI, %rdi
ring_post:
        movl    $TAKEN_SPINS, %ecx
        movl    $1, RING_STATE          // REQ
ring_posted:
        pause
        movl    RING_STATE, %eax
        cmpl    $3, %eax                // DONE
        je      ring_got
        ja      1f
        decl    %ecx
        je      3f
        cmpl    $2, %eax                // TAKEN: the first call after a poller has slept takes long
        je      ring_posted
        cmpl    $TAKEN_SPINS - REQ_SPINS, %ecx
        ja      ring_posted
3:      xorl    %ecx, %ecx
        movl    $1, %eax                // nobody has come: take it back
        lock cmpxchgl %ecx, RING_STATE  // (ecx: 0, FREE)
        jne     2f
        movl    %ecx, RING_POLLED      // the poller does not run: do not wait for it again
        jmp     ring_plain
2:
        cmpl    $3, %eax
        je      ring_got
1:      cmpl    $5, %eax                // REFUSED
        je      ring_plain
        movq    SCRATCH_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH_RET, %rcx
        movl    $0x1fff0001, %eax       // STUB_RING_WAIT
        leaq    -2(%rcx), %rcx
        jmp     *%rcx
ring_got:
        movl    RING_OUTLEN, %ecx
        testl   %ecx, %ecx
        je      ring_copied
        cmpl    $7680, %ecx
        ja      ring_copied
        movq    RING_OUTADDR, %rsi
        leaq    RING_OUT, %rdi
ring_copy:                              // rcx bytes from rdi to rsi, from the end; the direction flag is not ours
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
3:      movq    SCRATCH_RSI, %rsi
        movq    SCRATCH_RDI, %rdi
ring_copied:
        movl    $0, RING_STATE
        movq    SCRATCH_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    RING_VALUE, %rax
        movq    SCRATCH_RET, %rcx
        jmp     *%rcx
ring_plain:
        movq    SCRATCH_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH_NR, %rax
        movq    SCRATCH_RET, %rcx
        leaq    -2(%rcx), %rcx
        jmp     *%rcx

// munmap: the sentry says what needs no host call. Of the place that was proposed last: it is the next proposal, and the
// call itself is made at the site.
ring_unmap:
        cmpq    %rdi, RING_TOP
        je      ring_any
        movq    SCRATCH_SLOT, %rcx
        cmpq    %rdi, PLACE_AT(%rcx)
        jne     ring_plain
        leaq    4095(%rsi), %rax
        andq    $-4096, %rax
        addq    %rax, PLACE_AT(%rcx)
        jmp     ring_plain

// mmap: by the ring when the sentry says so, else as propose() and place() of blob.c make it, through the gate, without a
// signal frame.
ring_map:
        testq   %rdi, %rdi
        jne     ring_plain
        testq   %r9, %r9
        jne     ring_plain
        cmpq    $7, %rdx
        ja      ring_plain
        movq    %r10, %rax
        andq    $~0x24000, %rax         // STUB_PLACE_OPT
        cmpq    $0x22, %rax             // STUB_PLACE_GUEST
        jne     ring_plain
        cmpq    $0x4000000, %rsi        // STUB_PLACE_WINDOW
        ja      ring_plain
        leaq    4095(%rsi), %rcx
        andq    $-4096, %rcx
        je      ring_plain
        cmpl    $3, %edx
        jne     4f
        cmpl    $0, RING_POLLED
        je      4f
        movl    SCRATCH_NR, %eax
        cmpq    RING_ROOM, %rsi
        jbe     ring_any
4:      movq    %rsi, SCRATCH_RSI
        movq    %r8, SCRATCH_R8
        movq    %r10, SCRATCH_R10
        movq    %rsp, SCRATCH_RSP
ring_map_saved:                         // from here to ring_map_end, what is saved is to be restored, and rdi and r9 are 0
        movq    SCRATCH_SLOT, %rax
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
        movq    SCRATCH_RSI, %rsi
        movq    SCRATCH_R8, %r8
        jmp     ring_plain
2:      subq    %rsi, %rdi
        movq    %rdi, PLACE_AT(%rax)
        movq    %r10, %r8
        notq    %r8
        movl    $0x4032, %r10d          // STUB_PLACE_FLAGS
        movl    $4096, %r9d             // STUB_PLACE_RING
        leaq    SCRATCH_STACK, %rsp
        movl    $9, %eax
        call    gate
ring_mapped:
        movq    %rax, SCRATCH_VALUE
ring_map_valued:
        xorl    %edi, %edi
        xorl    %r9d, %r9d
        movq    SCRATCH_RSP, %rsp
        movq    SCRATCH_RSI, %rsi
        movq    SCRATCH_R8, %r8
        movq    SCRATCH_R10, %r10
        cmpq    $-4095, %rax
        jae     4f
        movq    SCRATCH_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH_VALUE, %rax
        movq    SCRATCH_RET, %rcx
        jmp     *%rcx
4:      movq    SCRATCH_FLAGS, %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH_VALUE, %rax
        movq    SCRATCH_RET, %rcx
        leaq    -2(%rcx), %rcx
        notl    %eax                    // -error - 1, without the flags; lea does not touch them either
        leal    0x1fff1001(%rax), %eax  // STUB_RING_FAIL
        jmp     *%rcx
ring_map_end:
ring_end:

        .section .note.GNU-stack, "", @progbits
