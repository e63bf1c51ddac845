// SPDX-License-Identifier: Apache-2.0
// Head of the stub's blob: the two syscall instructions, and the entries that have to be assembly. It is
// linked flat, at address 0, and runs at any address. platform/stub/layout.h has the header's meaning.
#include "gen/stub_offsets.h"
#include <asm/unistd.h>

        .section .text.head, "ax"
        .globl stub_head, stub_gate_call
        .hidden stub_head, stub_gate_call
stub_head:
        .quad STUB_MAGIC
        .long boot_entry - stub_head
        .long gate - stub_head
        .long sigreturn - stub_head
        .long restorer - stub_head
        .long handler - stub_head
        .long 0                         // fsgsbase
        .long ring_begin - stub_head

// long stub_gate_call(nr, a0, a1, a2, a3, a4, a5). A child with a stack of its own "returns" to the address
// on it.
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

// The kernel has put the frame on the slot; its first word is `restorer`. AC would make the C code's accesses
// fault.
        .p2align 4
handler:
        pushfq
        andl    $~0x40000, (%rsp)
        popfq
        jmp     stub_signal

        .p2align 4
restorer:
        movl    $__NR_rt_sigreturn, %eax
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

// The syscall ring. In: rax the call's number, rcx the address behind the syscall instruction of the patched
// site, the rest as at that site. Out: either to that address, with the value in rax, or to the instruction
// itself, with the number in rax. Like the instruction it changes rax, rcx and r11 only: no flag, and no
// stack, which may have a red zone. An interrupt in here is undone by ring_undo() (blob.c), which knows the
// labels.
#define SLOT(field)    %gs:stub_slot_##field
#define SCRATCH(field) %gs:(stub_slot_scratch + stub_scratch_##field)
#define RING(field)    %gs:(STUB_RING_AT + stub_ring_##field)
#define RING_ARG(n)    %gs:(STUB_RING_AT + stub_ring_args + 8 * n)
// The address of a place in the slot.
#define ADDRESS(at, register) rdgsbase register; leaq at(register), register

        .globl ring_off, ring_begin, ring_nr_saved, ring_saved, ring_string
        .globl ring_post, ring_posted, ring_got, ring_copy
        .globl ring_copied, ring_missed, ring_plain, ring_end, ring_map_saved
        .globl ring_gate, ring_mapped, ring_map_valued, ring_map_end, ring_kinds
        .hidden ring_off, ring_begin, ring_nr_saved, ring_saved, ring_string
        .hidden ring_post, ring_posted, ring_got, ring_copy
        .hidden ring_copied, ring_missed, ring_plain, ring_end, ring_map_saved
        .hidden ring_gate, ring_mapped, ring_map_valued, ring_map_end, ring_kinds
        .p2align 6
ring_off:
        leaq    -2(%r11), %rcx
        jmp     *%rcx
        // Where gs is the guest's own, this word is not what it should be, or a fault, which is undone.
ring_begin:
        movq    %rcx, %r11
        movq    SCRATCH(on), %rcx
        leaq    -STUB_RING_ON(%rcx), %rcx
        jrcxz   1f
        jmp     ring_off
1:      movq    %rax, SCRATCH(nr)
ring_nr_saved:
        movq    %r11, SCRATCH(ret)
        lahf
        seto    %al
        movq    %rax, SCRATCH(flags)
ring_saved:
        movl    SCRATCH(nr), %eax
        cmpl    $__NR_mmap, %eax
        je      ring_map
        cmpl    $__NR_munmap, %eax
        je      ring_unmap
        cmpl    $__NR_brk, %eax
        je      ring_brk
ring_any:
        cmpl    $0, RING(polled)
        je      ring_stage
ring_write:
        movl    %eax, RING(nr)
        movq    %rdi, RING_ARG(0)
        movq    %rsi, RING_ARG(1)
        movq    %rdx, RING_ARG(2)
        movq    %r10, RING_ARG(3)
        movq    %r8, RING_ARG(4)
        movq    %r9, RING_ARG(5)
        movl    $0, RING(str_len)
        movq    %rsi, SCRATCH(rsi)
        movq    %rdi, SCRATCH(rdi)
        cmpl    $STUB_RING_NUMBERS, %eax
        jae     ring_post
        leaq    ring_kinds(%rip), %rcx
        movzbl  (%rcx,%rax), %ecx
        testl   %ecx, %ecx              // STUB_KIND_VALUE
        je      ring_post
        cmpl    $STUB_KIND_HOST, %ecx
        jae     ring_post
        cmpl    $STUB_KIND_PATH2, %ecx
        je      ring_string
        cmpl    $STUB_KIND_DATA2, %ecx
        je      ring_data
        cmpl    $STUB_KIND_EVENT4, %ecx
        je      ring_event
        movq    %rdi, %rsi
        // from here to ring_post, rsi and rdi are to be restored, and a fault is undone
ring_string:
        ADDRESS(STUB_RING_AT + stub_ring_str, %rdi)
        xorl    %ecx, %ecx
1:      movb    (%rsi,%rcx), %al
        movb    %al, (%rdi,%rcx)
        incl    %ecx
        testb   %al, %al
        je      2f
        cmpl    $STUB_RING_STR, %ecx
        jne     1b
        xorl    %ecx, %ecx
        jmp     2f
ring_event:
        xorl    %ecx, %ecx
        cmpl    $STUB_EVENT_NONE, %esi
        je      2f
        movq    (%r10), %rax
        movq    %rax, RING(str)
        movl    8(%r10), %eax
        movl    %eax, %gs:(STUB_RING_AT + stub_ring_str + 8)
        movl    $STUB_EVENT_LEN, %ecx
        jmp     2f
ring_data:                              // from the end, as below
        xorl    %ecx, %ecx
        cmpq    $STUB_RING_STR, %rdx
        ja      2f
        ADDRESS(STUB_RING_AT + stub_ring_str, %rdi)
        movl    %edx, %ecx
1:      testl   $7, %ecx
        je      3f
        decl    %ecx
        movb    (%rsi,%rcx), %al
        movb    %al, (%rdi,%rcx)
        jmp     1b
3:      subl    $8, %ecx
        js      4f
        movq    (%rsi,%rcx), %rax
        movq    %rax, (%rdi,%rcx)
        jmp     3b
4:      movl    %edx, %ecx
2:      movl    %ecx, RING(str_len)
        movq    SCRATCH(rsi), %rsi
        movq    SCRATCH(rdi), %rdi
        cmpl    $0, RING(polled)
        je      ring_staged
ring_post:
        movl    $STUB_TAKEN_SPINS, %ecx
        movl    $STUB_RING_REQ, RING(state)
ring_posted:
        pause
        movl    RING(state), %eax
        cmpl    $STUB_RING_DONE, %eax
        je      ring_got
        ja      1f
        decl    %ecx
        je      3f
        cmpl    $STUB_RING_TAKEN, %eax  // the first call after a poller has slept takes long
        je      ring_posted
        cmpl    $STUB_TAKEN_SPINS - STUB_REQ_SPINS, %ecx
        ja      ring_posted
3:      xorl    %ecx, %ecx
        movl    $STUB_RING_REQ, %eax    // nobody has come: take it back
        lock cmpxchgl %ecx, RING(state)  // STUB_RING_FREE is 0, as ecx
        jne     2f
        movl    %ecx, RING(polled)      // the poller does not run: do not wait for it again
        jmp     ring_plain
2:
        cmpl    $STUB_RING_DONE, %eax
        je      ring_got
1:      cmpl    $STUB_RING_REFUSED, %eax
        je      ring_plain
        movq    SCRATCH(flags), %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH(ret), %rcx
        movl    $STUB_RING_WAIT, %eax
        leaq    -2(%rcx), %rcx
        jmp     *%rcx
ring_got:
        movl    RING(out_len), %ecx
        testl   %ecx, %ecx
        je      ring_copied
        cmpl    $STUB_RING_OUT, %ecx
        ja      ring_copied
        cmpl    $STUB_RING_STRING, %ecx
        jb      ring_copy
        // The direction flag is not ours: where does a string instruction go?
        ADDRESS(STUB_RING_AT + stub_ring_out, %rdi)
        movq    %rdi, %rsi
        lodsb
        cmpq    %rdi, %rsi
        jb      ring_copy
        movq    %rdi, %rsi
        movq    RING(out_addr), %rdi
        rep movsb
        jmp     3f
        // rcx bytes from rdi to rsi, from the end
ring_copy:
        movq    RING(out_addr), %rsi
        ADDRESS(STUB_RING_AT + stub_ring_out, %rdi)
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
3:      movq    SCRATCH(rsi), %rsi
        movq    SCRATCH(rdi), %rdi
ring_copied:
        movl    $STUB_RING_FREE, RING(state)
        movq    SCRATCH(flags), %rax
        addb    $0x7f, %al
        sahf
        movq    RING(value), %rax
        movq    SCRATCH(missed), %rcx
        jrcxz   1f
        // the handler goes on from here as if it had been interrupted behind the call
ring_missed:
        ud2
1:      movq    SCRATCH(ret), %rcx
        jmp     *%rcx
ring_plain:
        movq    SCRATCH(flags), %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH(nr), %rax
        movq    SCRATCH(ret), %rcx
        leaq    -2(%rcx), %rcx
        jmp     *%rcx

// Nobody looks at the ring: what the call points to is left there all the same, for the receiver of its
// notification, which comes next.
ring_stage:
        cmpl    $STUB_RING_NUMBERS, %eax
        jae     ring_plain
        leaq    ring_kinds(%rip), %rcx
        movzbl  (%rcx,%rax), %ecx
        subl    $STUB_KIND_PATH1, %ecx
        cmpl    $STUB_KIND_EVENT4 - STUB_KIND_PATH1, %ecx
        jbe     ring_write
        jmp     ring_plain
ring_staged:
        movl    %ecx, RING(staged)
        jmp     ring_plain

// brk: to where the sentry says that it needs no host call.
ring_brk:
        cmpq    RING(heap_low), %rdi
        jb      ring_plain
        cmpq    RING(heap_high), %rdi
        jbe     ring_any
        jmp     ring_plain

// munmap: the sentry says what needs no host call. Of the place that was proposed last: it is the next
// proposal, with what mremap has cut off behind it, and the call itself is made at the site.
ring_unmap:
        cmpq    %rdi, RING(top)
        je      ring_any
        cmpq    %rdi, SLOT(place_at)
        jne     ring_plain
        leaq    4095(%rsi), %rax
        andq    $-4096, %rax
        addq    %rax, SLOT(place_at)
        movq    SLOT(place_at), %rax
        cmpq    %rax, SLOT(hole_at)
        jne     ring_plain
        movq    SLOT(hole_end), %rax
        movq    %rax, SLOT(place_at)
        jmp     ring_plain

// mmap: by the ring when the sentry says so, else as propose() and place() of blob.c make it, through the
// gate, without a signal frame.
ring_map:
        cmpq    $0, SCRATCH(alone)
        je      ring_plain
        testq   %rdi, %rdi
        jne     ring_plain
        testq   %r9, %r9
        jne     ring_plain
        cmpq    $7, %rdx
        ja      ring_plain
        movq    %r10, %rax
        andq    $~STUB_PLACE_OPT, %rax
        cmpq    $STUB_PLACE_GUEST, %rax
        jne     ring_plain
        cmpq    $STUB_PLACE_WINDOW, %rsi
        ja      ring_plain
        leaq    4095(%rsi), %rcx
        andq    $-4096, %rcx
        je      ring_plain
        cmpl    $3, %edx
        jne     4f
        cmpl    $0, RING(polled)
        je      4f
        movl    SCRATCH(nr), %eax
        cmpq    RING(room), %rsi
        jbe     ring_any
4:      movq    %rsi, SCRATCH(rsi)
        movq    %r8, SCRATCH(r8)
        movq    %r10, SCRATCH(r10)
        movq    %rsp, SCRATCH(rsp)
        // from here to ring_map_end, what is saved is to be restored, and rdi and r9 are 0
ring_map_saved:
        movq    %rcx, %rsi
        movq    SLOT(place_low), %rcx
        movq    SLOT(place_at), %rdi
        movq    %rdi, %r8
        subq    %rcx, %r8
        jb      1f
        cmpq    %rsi, %r8
        jae     2f
1:      movq    SLOT(place_top), %rdi
        movq    %rdi, %r8
        subq    %rcx, %r8
        jb      3f
        cmpq    %rsi, %r8
        jb      3f
        testq   %rdi, %rdi
        jne     2f
3:      xorl    %edi, %edi
        movq    SCRATCH(rsi), %rsi
        movq    SCRATCH(r8), %r8
        jmp     ring_plain
2:      subq    %rsi, %rdi
        movq    %rdi, SLOT(place_at)
        movq    %r10, %r8
        notq    %r8
        movl    $STUB_PLACE_FLAGS, %r10d
        movl    $STUB_PLACE_RING, %r9d
        ADDRESS(stub_slot_scratch + stub_scratch_stack_top, %rsp)
        movl    $__NR_mmap, %eax
        call    gate
ring_mapped:
        movq    %rax, SCRATCH(value)
ring_map_valued:
        xorl    %edi, %edi
        xorl    %r9d, %r9d
        movq    SCRATCH(rsp), %rsp
        movq    SCRATCH(rsi), %rsi
        movq    SCRATCH(r8), %r8
        movq    SCRATCH(r10), %r10
        cmpq    $-4095, %rax
        jae     4f
        movq    SCRATCH(flags), %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH(value), %rax
        movq    SCRATCH(ret), %rcx
        jmp     *%rcx
4:      movq    SCRATCH(flags), %rax
        addb    $0x7f, %al
        sahf
        movq    SCRATCH(value), %rax
        movq    SCRATCH(ret), %rcx
        leaq    -2(%rcx), %rcx
        notl    %eax                    // -error - 1, without the flags; lea does not touch them either
        leal    STUB_RING_FAIL + 1(%rax), %eax
        jmp     *%rcx
ring_map_end:
ring_end:

// What comes with a call, by number: STUB_KIND_*.
#define SYSCALL(nr, name, support, context, args, note) .org ring_kinds + nr; .byte STUB_KIND_##context;
ring_kinds:
#include "abi/syscalls.def"
        .org    ring_kinds + STUB_RING_NUMBERS

        .section .note.GNU-stack, "", @progbits
