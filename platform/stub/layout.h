// SPDX-License-Identifier: Apache-2.0
// Where the stub's parts lie in every guest address space, and the structs that the sentry and the blob share.
// Included by the sentry's side and by the freestanding blob: no libc headers but <stdint.h>, <stddef.h>.
//
//   base                 the blob's text, read-only and executable: the gate, rt_sigreturn, the handlers
//   base + text_len      a guard page
//   slots                nslots signal stacks of STUB_SLOT_SIZE each (seccomp platform; none under ptrace), private
//                        anonymous memory; each holds, from below: struct stub_slot, the handler's stack, and at its
//                        top the signal frame, always at the same distance from the top (SS_AUTODISARM)
//
// One address is chosen at random for each sandbox; it is the same in all its address spaces. All of it is guest
// memory as far as trust goes: the guest may read the text and scribble over the slots, and then only hurts itself.
#ifndef PLATFORM_STUB_LAYOUT_H
#define PLATFORM_STUB_LAYOUT_H
#include <stddef.h>
#include <stdint.h>

#define STUB_PAGE      4096ull
#define STUB_MAX_GAPS  8
#define STUB_SLOT_SIZE 32768ull  // a power of two; slots are aligned to it. AMX frames need 12 KiB.
#define STUB_MAX_SLOTS 4096u     // host threads of one address space
#define STUB_MAX_OPS   64        // of one batch of queued work; more makes several batches

// The blob begins with this header; offsets from the blob's first byte.
#define STUB_MAGIC 0x627574732d6b6370ull
struct stub_header {
    uint64_t magic;
    uint32_t size;        // bytes of the blob
    uint32_t boot;        // entry of a fresh stub: rdi = struct stub_boot *
    uint32_t gate;        // the one syscall instruction for calls; the event shows gate + 2
    uint32_t sigreturn;   // the syscall instruction that is used for rt_sigreturn alone
    uint32_t restorer;    // sa_restorer
    uint32_t handler;     // sa_handler of all signals
    uint32_t call_int3;   // "syscall; int3" for a tracer: same syscall instruction as the gate
    uint32_t pad;
};

// A host call that the blob is told to make.
struct stub_op {
    uint64_t nr;
    uint64_t args[6];
    uint64_t expect;  // STUB_EXPECT_*
};
#define STUB_EXPECT_ZERO  0  // worked when it returned 0
#define STUB_EXPECT_VALUE 1  // worked when it returned args[0] (mmap) ...
#define STUB_EXPECT_MOVED 2  // ... or args[4] (mremap)
#define STUB_EXPECT_CHILD 3  // a clone: positive in the parent, 0 in the child

// How a fresh stub starts, written by stub_spawn() into the child's own memory at `boot` (slot 0, or its own page).
struct stub_boot {
    uint64_t ngaps;
    struct {
        uint64_t start, len;
    } gaps[STUB_MAX_GAPS];  // to be unmapped: all but the blob, the slots, vdso and vvar
    uint64_t filter;        // address of a struct sock_fprog beside this struct, or 0
    uint64_t filter_flags;  // SECCOMP_FILTER_FLAG_*
    uint64_t mode;          // STUB_MODE_*
    uint64_t notify_page;   // seccomp: shared page (a kept range) whose first word gets 1 + the listener's number,
                            // or the negative error; it is waited for as a futex
};
#define STUB_MODE_PTRACE  0  // after the filter: int3, and the tracer takes it from there
#define STUB_MODE_SECCOMP 1

#endif
