// SPDX-License-Identifier: Apache-2.0
// Where the stub's parts lie in every guest address space, and the structs that the sentry and the blob
// share. Included by the sentry's side and by the freestanding blob: no libc headers but <stdint.h>,
// <stddef.h>.
//
//   base                   the blob's text, read-only and executable: the gate, rt_sigreturn, the handlers
//   base + STUB_SLOT_SIZE   nslots slots of STUB_SLOT_SIZE each, one for each thread (seccomp platform; under
//                           ptrace one, scratch), private anonymous memory; each holds, from below: struct
//                           stub_slot; at STUB_RING_AT the thread's syscall ring, two pages shared with the
//                           sentry, where it has one; the handler's stack, and at its top the signal frame,
//                           always at the same distance from the top (the alternate stack is set with
//                           SS_AUTODISARM, so the frame never goes anywhere else)
//   then                    one page that zygote and sentry share while the zygote starts; unmapped then
//
// One address is chosen at random for each sandbox; it is the same in all its address spaces. All of it is
// guest memory as far as trust goes: the guest may read the text and scribble over the slots, and then only
// hurts itself.
#ifndef PLATFORM_STUB_LAYOUT_H
#define PLATFORM_STUB_LAYOUT_H
#include <stddef.h>
#include <stdint.h>

#define STUB_PAGE      4096ull
#define STUB_MAX_GAPS  8
#define STUB_SLOT_SIZE 32768ull // a power of two; base and slots are aligned to it. AMX frames need 12 KiB.
#define STUB_MAX_SLOTS 16384u   // host threads of one address space; 14 bits of an event's number
#define STUB_MAX_OPS   32       // of one batch; longer queues go in several batches

// The blob begins with this header; offsets from the blob's first byte.
#define STUB_MAGIC 0x627574732d6b6370ull
struct stub_header {
    uint64_t magic;
    uint32_t boot;      // entry of a fresh stub: rdi = struct stub_boot *
    uint32_t gate;      // the one syscall instruction for host calls; `ret` stands behind it
    uint32_t sigreturn; // the syscall instruction that is used for rt_sigreturn alone
    uint32_t restorer;  // sa_restorer
    uint32_t handler;   // sa_handler of all signals
    uint32_t fsgsbase;  // set by stub_spawn(): the CPU lets programs read and write fs and gs base
    uint32_t ring;      // where patched call sites jump to
};

// A host call that the blob is told to make. nr STUB_NO_CALL: none, it counts as one that returned 0.
#define STUB_NO_CALL (~0ull)
struct stub_op {
    uint64_t nr;
    uint64_t args[6];
    uint64_t expect; // STUB_EXPECT_*
};
#define STUB_EXPECT_ZERO  0 // worked when it returned 0
#define STUB_EXPECT_VALUE 1 // worked when it returned args[0] (mmap) ...
#define STUB_EXPECT_MOVED 2 // ... or args[4] (mremap)
// Worked when it returned 0; then args[4] is stored at args[3], which the kernel does not look at.
#define STUB_EXPECT_STORE 4
#define STUB_EXPECT_ANY   5 // whatever it returned
// A clone: positive in the parent, 0 in the child. args[5], which the kernel does not look at, is the child's
// cookie; with args[1] (a stack, inside the child's slot) the signal frame is copied to the child's slot
// first.
#define STUB_EXPECT_CHILD 3

// The ring code's own: registers that it uses, so that blob.c can undo it when it is interrupted.
#define STUB_RING_ON 0x52494e47u // "RING"
struct stub_scratch {
    uint64_t on;    // STUB_RING_ON: the thread has a ring
    uint64_t alone; // its address space has no other: it may propose maps (STUB_PLACE_RING)
    uint64_t missed; // an interrupt came while the answer's bytes were copied: it is told of afterwards
    uint64_t ret, nr, flags, rdi, rsi;
    uint64_t rsp, r8, r10, value;
    uint64_t stack[4]; // for the gate's return address; the last field
};

// The bottom of a slot. The handler writes the bases before each event, the ring's code its scratch, the
// sentry the rest. While the guest's own gs base is 0, the register holds the address of the thread's slot
// instead: by that the ring's code finds it.
struct stub_slot {
    uint64_t fs_base, gs_base;
    // where the handler proposes new anonymous memory: see STUB_PLACE
    uint64_t place_at, place_low, place_top;
    uint64_t hole_at, hole_end;              // a mapping that ended here was made shorter; 0: none
    uint64_t flags;                          // STUB_DO_*, after all ops
    uint64_t rax;
    uint64_t set_fs, set_gs;
    uint64_t nops;
    struct stub_op ops[STUB_MAX_OPS];
    uint64_t cookie; // of a child on its way: written by its parent
    uint64_t rest_set; // the signal that wakes a thread whose call waits for long
    struct stub_scratch scratch;
};
#define STUB_DO_FLUSH 1u // report EV_DONE and wait for the next word
#define STUB_DO_RAX   2u // rax of the frame = slot->rax
#define STUB_DO_BASES 4u // fs and gs base = set_fs, set_gs (only with fsgsbase)
#define STUB_DO_RENEW 8u  // before the ops: the slot is another thread's now, which has no ring yet

// A guest's mmap of private anonymous memory that leaves the place to us: the handler makes the host call at
// once, at a place of its own choice: right below the last one, from place_top down to place_low and then
// from the top again. The sentry takes that call as the guest's, and lets it go on if it is what it has
// decided on too; else its reply is that to an event, but never STUB_ANSWER (an error of the host is
// told by STUB_EV_DONE). As the descriptor, which the kernel does not look at, the handler passes ~(the
// guest's flags). Private maps of files, and those at a fixed place, it makes at once too: a file's
// descriptor is that of the thread (struct sc_op), with the guest's own in the upper half, which the kernel
// does not look at (STUB_FILE_*). A patched site (below) does the same without a signal; its offset, which
// the kernel does not look at either, is STUB_PLACE_RING. It has no frame for orders: the reply is the call's
// value.
#define STUB_PLACE_RING 4096ull
#define STUB_PLACE_WINDOW (64ull << 20)
#define STUB_PLACE_GUEST  0x22ull    // MAP_PRIVATE | MAP_ANONYMOUS, and perhaps ...
#define STUB_PLACE_OPT    0x24000ull // ... MAP_NORESERVE, MAP_STACK
#define STUB_PLACE_FIXED  0x10ull    // MAP_FIXED; from the handler only
#define STUB_PLACE_FLAGS  0x4032ull  // MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
#define STUB_FILE_GUEST   0x2ull     // MAP_PRIVATE, and perhaps ...
#define STUB_FILE_OPT     0x810ull   // ... MAP_FIXED, MAP_DENYWRITE
#define STUB_FILE_FLAGS   0x4012ull  // MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE
#define STUB_FILE_FD(stub, guest, flags) \
    ((uint64_t)(stub) | (uint64_t)(guest) << 32 | ((flags)&0x10ull) << 58 | ((flags)&0x800ull) << 52)
#define STUB_FILE_FD_STUB(word)  ((uint32_t)(word))
#define STUB_FILE_FD_GUEST(word) ((word) >> 32 & 0x3fffffff)
#define STUB_FILE_FD_FLAGS(word) (STUB_FILE_GUEST | ((word) >> 58 & 0x10) | ((word) >> 52 & 0x800))
// The number at which a file lies that the thread of a slot maps.
#define STUB_FD(slot) (3 + (slot))

// Events: the numbers of gate calls that are no host calls. kind << 24 | slot << 9 | guest call number.
#define STUB_EV_TAG 0x20000000u
#define STUB_EV(kind, slot, nr)                                                                              \
    (STUB_EV_TAG | (unsigned)(kind) << 24 | (unsigned)(slot) << 9 | (unsigned)(nr))
#define STUB_EV_TAG_MASK 0xf0800000u
#define STUB_EV_IS(nr)   (((nr)&STUB_EV_TAG_MASK) == STUB_EV_TAG)
#define STUB_EV_KIND(nr) ((nr) >> 24 & 0xf)
#define STUB_EV_SLOT(nr) ((nr) >> 9 & 0x3fff)
#define STUB_EV_NR(nr)   ((nr)&0x1ff)
enum stub_event {
    STUB_EV_CALL = 1, // a guest call by its number (0..511), args: its arguments
    STUB_EV_ODD,      // any other trapped call: nr, arch, address behind it
    STUB_EV_FAULT,    // signo | code << 32, address, trapno | error << 32, rip, address of the ucontext
    STUB_EV_INTR,     // rip
    STUB_EV_DONE,     // number of ops that worked, result of the last one
};
// The sentry's reply to an event. One that goes with a file (hostops.c) is the file's number, or arrives as
// 0 when the sentry's thread is interrupted: the kernel has taken its word back then, and the slot holds it
// all. -ENOSYS, which the kernel gives when the sentry is gone, is none of these: the stub ends itself.
#define STUB_BLOCK        0                       // do what the slot says; and so all up to ...
#define STUB_BLOCK_LAST   0x7fff                  // ... this: numbers of files
#define STUB_GO           0x8001                  // go on as the frame says
#define STUB_GO_EXIT      0x8002                  // the thread ends: exit(0) through the gate
#define STUB_AGAIN        0x8003                  // say it again (while the first stub starts, to time it)
#define STUB_ANSWER(rax)  ((int64_t)((uint64_t)(rax) << 16 | 0x8000))  // the value, of 48 bits: go on
#define STUB_IS_ANSWER(r) (((r)&0xffff) == 0x8000)
#define STUB_ANSWER_OF(r) ((r) >> 16)

// The syscall ring (platform/seccomp/fastcall/). Patched sites jump to the blob's ring code with the number
// in rax and the address behind the site's syscall instruction in rcx. It writes the call into the ring and
// waits for a sentry thread that polls it.
#define STUB_RING_AT  4096ull // from the slot's start
#define STUB_RING_LEN 8192ull
enum stub_ring_state {
    STUB_RING_FREE,
    STUB_RING_REQ,     // a call is there (guest)
    STUB_RING_TAKEN,   // the sentry has it; the thread is held
    STUB_RING_DONE,    // the value is there
    STUB_RING_DEFERRED,    // the sentry has it, and the thread is to come for the value with STUB_RING_WAIT
    STUB_RING_REFUSED, // not for the ring: the thread is to make the call itself
};
// The number of the call by which a thread comes for its value; made at the patched site.
#define STUB_RING_WAIT 0x1fff0001u
// And the one by which it tells that the map that it has proposed has failed, plus the error (1..4095).
#define STUB_RING_FAIL 0x1fff1000u
// A thread under Syscall User Dispatch (fastcall/dispatched.c) writes its calls from its handler, which
// copies nothing for the guest: with this bit in the number.
#define STUB_RING_BARE   0x80000000u
#define STUB_RING_SAMPLE 64  // of so many such calls one goes by the filter, which sees where it comes from
#define STUB_RING_STR 384
#define STUB_RING_OUT    7664
#define STUB_RING_STRING 512  // so many bytes are copied by a string instruction
// How a call goes through a ring, by its number: its value alone; with the path that is its first or second
// argument, or the bytes that the second, or the struct epoll_event that the fourth points to; not (it may go
// on as it stands, or needs registers), but for maps that are premapped.
#define STUB_RING_NUMBERS  512
#define STUB_KIND_VALUE    0
#define STUB_KIND_PATH1    1
#define STUB_KIND_PATH2    2
#define STUB_KIND_DATA2    3
#define STUB_KIND_EVENT4   4
#define STUB_KIND_HOST     5
#define STUB_KIND_REGS     6
#define STUB_EVENT_LEN     12
#define STUB_EVENT_NONE    2     // the operation (EPOLL_CTL_DEL) that reads none
#define STUB_REQ_SPINS     1000  // 25 us: a poller that runs needs less than 1
#define STUB_TAKEN_SPINS   5000  // until it is answered
#define STUB_SELECT_FILTER 0     // calls go to the filter
#define STUB_SELECT_RING   1     // calls raise SIGSYS first
struct stub_ring {
    // One cache line goes there and back for each call, and no other when no bytes come along.
    uint32_t state;
    union {
        uint32_t nr;      // (guest) with REQ
        uint32_t out_len; // (sentry) with DONE: so many bytes of `out` are to be copied to out_addr by the
                          // thread, which comes by STUB_RING_WAIT when it cannot
    };
    uint64_t args[6];
    union {
        // (guest) with REQ: length of what came along in `str`: of the path that is an argument, its NUL
        // included, or of the bytes that it points to; 0: nothing
        uint32_t str_len;
        uint64_t value; // (sentry) with DONE
    };
    // The second is seldom written by the sentry.
    uint32_t polled; // (sentry) somebody looks at it; (guest) cleared when nobody came
    uint8_t selector;    // (both) of Syscall User Dispatch: STUB_SELECT_*
    uint8_t dispatched;  // (guest) counts such calls
    uint64_t room; // (sentry) maps of up to so many bytes need no host call: they are to come by the ring ...
    uint64_t top;  // (sentry) ... and the munmap of what begins here; 0: none
    uint64_t heap_low;   // (sentry) brk() to between these two needs no host call; ...
    uint64_t heap_high;  // (sentry) ... 0: there are none
    char pad[24];
    // (guest) A call that nobody polls for, with a path or bytes: so many of these, 0: none, are in `str`,
    // and its number and arguments above, when the thread comes with it by notification; (sentry) cleared
    // then.
    uint32_t staged;
    uint32_t pad2;
    char str[STUB_RING_STR];
    uint64_t out_addr;
    char out[STUB_RING_OUT];
};
// How a fresh stub starts: at the bottom of the last slot, its boot stack is the same slot's top.
struct stub_boot {
    uint64_t ngaps;
    struct {
        uint64_t start, len;
    } gaps[STUB_MAX_GAPS]; // to be unmapped: all but the blob, the slots, vdso and vvar
    uint64_t filter;       // address of a struct sock_fprog behind this struct, or 0
    uint64_t filter_flags; // SECCOMP_FILTER_FLAG_*
    uint64_t mode;         // STUB_MODE_*
    uint64_t share;        // the shared page; its first 32-bit word gets the result of seccomp(2), plus 1
};
#define STUB_MODE_PTRACE  0 // after the filter: int3, and the tracer takes it from there
#define STUB_MODE_SECCOMP 1 // tell the listener, close all descriptors, unmap the shared page, int3

#endif
