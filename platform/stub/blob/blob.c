// SPDX-License-Identifier: Apache-2.0
// The code that lies in every guest address space under the seccomp platform: it turns trapped calls, faults
// and interrupts into gate calls, and makes the host calls that the sentry orders. It holds no secret and
// decides nothing: the guest can read it, jump into it and overwrite its stack, and the sentry believes none
// of it. No libc, no data sections, no relocations, no vector registers. Every way out of an impossible state
// is ud2 with all signals blocked, which ends the process.
#include "platform/stub/layout.h"
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stdbool.h>

#define SIG_KILL       9
#define SIG_ILL        4
#define SIG_TRAP       5
#define SIG_BUS        7
#define SIG_SEGV       11
#define SIG_SYS        31
#define SIG_INTR       63
#define SYS_DISPATCH   2  // si_code of Syscall User Dispatch
#define VSYSCALL_PAGE  0xffffffffff600000ull

extern const struct stub_header stub_head __attribute__((visibility("hidden")));
long stub_gate_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
void stub_child_entry(void) __attribute__((visibility("hidden")));

// What is used of the kernel's signal frame; abi/x86_64/sigframe.h has all of it.
struct context {
    uint64_t flags, link, stack_sp, stack_flags, stack_size;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags,
        segments;
    uint64_t err, trapno, oldmask, cr2, fpstate;
};
struct info {
    int32_t signo, error, code, pad;
    uint64_t addr; // SIGSYS: the address behind the call
    int32_t nr;    // SIGSYS only
    uint32_t arch;
};

static inline __attribute__((noreturn)) void die(void) {
    for (;;)
        __asm__ volatile("ud2");
}
_Static_assert(sizeof(struct stub_slot) <= STUB_RING_AT && sizeof(struct stub_ring) == STUB_RING_LEN, "slot");

static inline uint64_t slot_base(uint64_t sp) {
    return sp & ~(STUB_SLOT_SIZE - 1);
}
static inline unsigned slot_index(uint64_t sp) {
    return (unsigned)((slot_base(sp) - (uint64_t)&stub_head) / STUB_SLOT_SIZE) - 1;
}
static long make_call(const struct stub_op *op) {
    return stub_gate_call(op->nr, op->args[0], op->args[1], op->args[2], op->args[3], op->args[4],
                          op->args[5]);
}

// A child reports with its cookie by a call that it needs anyway: a process that the sentry leaves behind
// must end. The sentry lets the call go on when the child may start, and has written the slot by then.
static void check_in(uint64_t cookie) {
    if (stub_gate_call(__NR_prctl, PR_SET_PDEATHSIG, SIG_KILL, cookie, 0, 0, 0) != 0)
        die();
}

// Of the slot's last thread.
static void forget_ring(struct stub_slot *slot) {
    slot->scratch.on = slot->scratch.alone = slot->scratch.missed = 0;
}

// Gives a child that shares this memory a slot with a copy of the frame, ready to return from.
static void prepare_child(const struct stub_op *op, struct context *c) {
    uint64_t mine = slot_base((uint64_t)c), its = slot_base(op->args[1]), delta = its - mine;
    uint64_t *src = (uint64_t *)c, *dst = (uint64_t *)((uint64_t)c + delta);
    struct context *copy = (struct context *)dst;
    uint64_t words = (mine + STUB_SLOT_SIZE - (uint64_t)c) / 8;
    __asm__ volatile("rep movsq" : "+S"(src), "+D"(dst), "+c"(words) : : "memory");
    copy->stack_sp += delta;
    copy->fpstate += delta;
    struct stub_slot *slot = (struct stub_slot *)its;
    slot->cookie = op->args[5];
    forget_ring(slot);
    *(uint64_t *)op->args[1] = (uint64_t)stub_child_entry;
}

static int worked(const struct stub_op *op, long r) {
    switch (op->expect) {
    case STUB_EXPECT_ZERO:
        return r == 0;
    case STUB_EXPECT_VALUE:
        return (uint64_t)r == op->args[0];
    case STUB_EXPECT_MOVED:
        return (uint64_t)r == op->args[4];
    case STUB_EXPECT_STORE:
        return r == 0;
    case STUB_EXPECT_ANY:
        return 1;
    default:
        return r > 0;
    }
}

static void set_bases(uint64_t fs, uint64_t gs) {
    __asm__ volatile("wrfsbase %0" : : "r"(fs));
    __asm__ volatile("wrgsbase %0" : : "r"(gs));
}

// Does what the slot says. The next reply of the sentry, or STUB_GO when the guest is to go on.
static long run_block(struct stub_slot *slot, struct context *c) {
    uint64_t n = slot->nops, done = 0;
    long r = 0;
    if (slot->flags & STUB_DO_RENEW)
        forget_ring(slot);
    for (; done < n && done < STUB_MAX_OPS; done++) {
        const struct stub_op *op = &slot->ops[done];
        uint64_t cookie = op->args[5];
        if (op->expect == STUB_EXPECT_CHILD && op->args[1]) {
            prepare_child(op, c);
            slot->scratch.alone = 0;
        }
        r = op->nr == STUB_NO_CALL ? 0 : make_call(op);
        if (op->expect == STUB_EXPECT_CHILD && r == 0) { // we are the copy, which has no ring
            slot->scratch.on = 0;
            check_in(cookie);
            return STUB_BLOCK;
        }
        if (!worked(op, r))
            break;
        if (op->expect == STUB_EXPECT_STORE)
            *(uint64_t *)op->args[3] = op->args[4];
    }
    if (done < n || (slot->flags & STUB_DO_FLUSH))
        return stub_gate_call(STUB_EV(STUB_EV_DONE, slot_index((uint64_t)slot), 0), done, (uint64_t)r, 0, 0,
                              0, 0);
    if (slot->flags & STUB_DO_BASES)
        set_bases(slot->set_fs, slot->set_gs);
    if (slot->flags & STUB_DO_RAX)
        c->rax = slot->rax;
    return STUB_GO;
}

static void obey(struct stub_slot *slot, struct context *c, long reply) {
    while (reply >= STUB_BLOCK && reply <= STUB_BLOCK_LAST)
        reply = run_block(slot, c);
    if (STUB_IS_ANSWER(reply)) {
        c->rax = (uint64_t)STUB_ANSWER_OF(reply);
    } else if (reply == STUB_GO_EXIT) {
        stub_gate_call(__NR_exit, 0, 0, 0, 0, 0, 0);
        die();
    } else if (reply != STUB_GO) {
        die();
    }
}

// Where memory without a wish is to be: STUB_PLACE_* of layout.h; 0: nowhere.
static uint64_t next_place(struct stub_slot *slot, uint64_t len) {
    uint64_t at = slot->place_at, low = slot->place_low;
    if (at < low || at - low < len)
        at = slot->place_top;
    if (!at || at < low || at - low < len || len > STUB_PLACE_WINDOW)
        return 0;
    return slot->place_at = at - len;
}

// The guest's mmap as the host call that may be made at once; false: it has to be asked about.
static int propose(struct stub_slot *slot, const struct info *si, const struct context *c,
                   struct stub_op *op) {
    uint64_t flags = c->r10, fixed = flags & STUB_PLACE_FIXED;
    uint64_t len = (c->rsi + STUB_PAGE - 1) & ~(STUB_PAGE - 1), at = c->rdi;
    int memory = (flags & ~(STUB_PLACE_OPT | STUB_PLACE_FIXED)) == STUB_PLACE_GUEST && !c->r9;
    int file = (flags & ~STUB_FILE_OPT) == STUB_FILE_GUEST && !(c->r8 >> 30);
    if (si->nr != __NR_mmap || si->arch != AUDIT_ARCH_X86_64 || (si->addr & ~0xfffull) == VSYSCALL_PAGE ||
        !(memory || file) || c->rdx > 7 || !len || len < c->rsi || (fixed ? at & (STUB_PAGE - 1) : at) ||
        !(at = fixed ? at : next_place(slot, len)))
        return 0;
    uint64_t fd = file ? STUB_FILE_FD(STUB_FD(slot_index((uint64_t)slot)), c->r8, flags) : ~flags;
    *op = (struct stub_op){
        __NR_mmap, {at, len, c->rdx, file ? STUB_FILE_FLAGS : STUB_PLACE_FLAGS, fd, c->r9}, 0};
    return 1;
}

// The sentry's reply; STUB_GO when the call was made.
static long place(const struct stub_slot *slot, struct context *c, const struct stub_op *op) {
    long r = make_call(op);
    if ((uint64_t)r == op->args[0]) {
        c->rax = (uint64_t)r;
        return STUB_GO;
    }
    if (r < 0)
        r = stub_gate_call(STUB_EV(STUB_EV_DONE, slot_index((uint64_t)slot), 0), 0, (uint64_t)r, 0, 0, 0, 0);
    return r;
}

static long report_call(unsigned index, const struct info *si, const struct context *c) {
    unsigned nr = (unsigned)si->nr;
    if (si->arch == AUDIT_ARCH_X86_64 && nr < 512 && (si->addr & ~0xfffull) != VSYSCALL_PAGE)
        return stub_gate_call(STUB_EV(STUB_EV_CALL, index, nr), c->rdi, c->rsi, c->rdx, c->r10, c->r8, c->r9);
    return stub_gate_call(STUB_EV(STUB_EV_ODD, index, 0), nr, si->arch, si->addr, 0, 0, 0);
}

// ---- The syscall ring, interrupted: the frame is set to before or behind the call's own instruction, as if
// there were no ring

#define HIDDEN __attribute__((visibility("hidden")))
extern const char ring_off[] HIDDEN, ring_begin[] HIDDEN, ring_nr_saved[] HIDDEN, ring_saved[] HIDDEN,
    ring_string[] HIDDEN, ring_post[] HIDDEN, ring_posted[] HIDDEN, ring_got[] HIDDEN, ring_copied[] HIDDEN,
    ring_missed[] HIDDEN, ring_plain[] HIDDEN, ring_end[] HIDDEN, ring_map_saved[] HIDDEN,
    ring_mapped[] HIDDEN, ring_map_valued[] HIDDEN, ring_map_end[] HIDDEN;

static int in_ring(const struct context *c, const char *from, const char *to) {
    return c->rip >= (uint64_t)from && c->rip < (uint64_t)to;
}

// In the gate for an mmap of the ring's?
static int in_gate(const struct context *c, const struct stub_slot *slot) {
    uint64_t gate = (uint64_t)&stub_head + stub_head.gate;
    return (c->rip == gate || c->rip == gate + 2) && c->rsp == (uint64_t)&slot->scratch.stack[3];
}

// lahf's and seto's work, back into the flags.
static void ring_flags(struct context *c, uint64_t saved) {
    c->eflags = (c->eflags & ~0x8d5ull) | (saved >> 8 & 0xd5) | (saved & 1) << 11;
}

// Retracts a call that nobody has taken. The state before.
static uint32_t ring_retract(struct stub_ring *ring) {
    uint32_t state = STUB_RING_REQ;
    __atomic_compare_exchange_n(&ring->state, &state, STUB_RING_FREE, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    return state;
}

// An mmap: before its host call it is to be made anew, behind it its value is the guest's.
static void ring_undo_map(struct context *c, const struct stub_scratch *ctl) {
    bool made = !in_ring(c, ring_map_saved, ring_mapped) && c->rip != (uint64_t)&stub_head + stub_head.gate;
    uint64_t value = in_ring(c, ring_map_valued, ring_map_end) ? ctl->value : c->rax;
    c->rdi = c->r9 = 0;
    c->rsi = ctl->rsi;
    c->r8 = ctl->r8;
    c->r10 = ctl->r10;
    c->rsp = ctl->rsp;
    ring_flags(c, ctl->flags);
    c->rip = ctl->ret - 2;
    c->rax = ctl->nr;
    if (made && value >= (uint64_t)-4095) {
        c->rax = STUB_RING_FAIL - value;
    } else if (made) {
        c->rax = value;
        c->rip = ctl->ret;
    }
}

static struct stub_ring *ring_of(const struct stub_slot *slot) {
    return (struct stub_ring *)((uint64_t)slot + STUB_RING_AT);
}

// state: of a call that was posted and is not answered, after ring_retract().
static void ring_undo(struct context *c, const struct stub_slot *slot, uint32_t state) {
    const struct stub_scratch *ctl = &slot->scratch;
    struct stub_ring *ring = ring_of(slot);
    if (in_ring(c, ring_map_saved, ring_map_end) || in_gate(c, slot)) {
        ring_undo_map(c, ctl);
        return;
    }
    if (in_ring(c, ring_off, ring_saved)) { // the flags are as they came, and the site is in rcx or r11
        if (in_ring(c, ring_nr_saved, ring_saved))
            c->rax = ctl->nr;
        c->rip = (c->rip == (uint64_t)ring_begin ? c->rcx : c->r11) - 2;
        return;
    }
    bool answered = in_ring(c, ring_copied, ring_plain);
    if (in_ring(c, ring_string, ring_post)) {
        c->rsi = ctl->rsi;
        c->rdi = ctl->rdi;
    }
    ring_flags(c, ctl->flags);
    c->rip = ctl->ret - 2;
    c->rax = ctl->nr;
    if (answered) {
        c->rip = ctl->ret;
        c->rax = ring->value;
        __atomic_store_n(&ring->state, STUB_RING_FREE, __ATOMIC_SEQ_CST);
    } else if (state == STUB_RING_TAKEN || state == STUB_RING_DEFERRED) {
        c->rax = STUB_RING_WAIT;
    }
}

// Where it uses a pointer of the guest's, or its gs, for something that has not begun.
static int ring_may_fault(const struct context *c) {
    return in_ring(c, ring_off, ring_saved) || in_ring(c, ring_string, ring_post);
}

// The answer's bytes cannot be copied: what came by the ring has been done, and is to be ended by the sentry.
static void ring_cannot_copy(struct context *c, const struct stub_scratch *scratch) {
    c->rsi = scratch->rsi;
    c->rdi = scratch->rdi;
    ring_flags(c, scratch->flags);
    c->rip = scratch->ret - 2;
    c->rax = STUB_RING_WAIT;
}

// From the answer on an interrupt waits until its bytes are where they belong.
static int ring_interrupted(struct context *c, struct stub_slot *slot) {
    uint32_t state = STUB_RING_FREE;
    if (in_ring(c, ring_posted, ring_got))
        state = ring_retract(ring_of(slot));
    if (state == STUB_RING_DONE)  // it may have been on its way to come for it
        c->rip = (uint64_t)ring_got;
    slot->scratch.missed = in_ring(c, ring_got, ring_copied);
    if (slot->scratch.missed)
        return 0;
    ring_undo(c, slot, state);
    return SIG_INTR;
}

// A signal that met the ring's code. 0: the code, or the call's own instruction, goes on; else the signal to
// report, with the frame as if there were no ring.
static int ring_signal(int signo, struct context *c, struct stub_slot *slot) {
    if (signo == SIG_TRAP) // the guest steps itself: it sees the step behind the call
        return 0;
    if (signo == SIG_ILL && c->rip == (uint64_t)ring_missed) {
        slot->scratch.missed = 0;
        c->rip = slot->scratch.ret;
        return SIG_INTR;
    }
    if (signo == SIG_INTR)
        return ring_interrupted(c, slot);
    if (signo != SIG_SEGV && signo != SIG_BUS)
        return signo;
    if (in_ring(c, ring_got, ring_copied)) {
        ring_cannot_copy(c, &slot->scratch); // and an interrupt that was missed is sent again
        slot->scratch.missed = 0;
        return 0;
    }
    if (!ring_may_fault(c))
        return signo;
    ring_undo(c, slot, STUB_RING_FREE); // the guest's pointer is bad: let the call say so
    return 0;
}

// ---- Syscall User Dispatch: the calls of a thread whose ring is polled, from sites that cannot be patched

extern const uint8_t ring_kinds[] HIDDEN;

// Waits for a call that was posted. Its state; STUB_RING_FREE: nobody has come, and it is taken back.
static uint32_t ring_wait(struct stub_ring *ring) {
    uint32_t state = STUB_RING_REQ;
    for (unsigned spins = 0; spins < STUB_TAKEN_SPINS; spins++) {
        state = __atomic_load_n(&ring->state, __ATOMIC_SEQ_CST);
        if (state >= STUB_RING_DONE || (state == STUB_RING_REQ && spins >= STUB_REQ_SPINS))
            break;
        __builtin_ia32_pause();
    }
    if (state != STUB_RING_REQ)
        return state;
    state = ring_retract(ring);
    return state == STUB_RING_REQ ? STUB_RING_FREE : state;
}

// Nothing of the guest's memory is touched: a fault here would be a fault in the stub's text.
static uint32_t ring_call(struct stub_ring *ring, unsigned nr, const struct context *c) {
    ring->nr = nr | STUB_RING_BARE;
    ring->args[0] = c->rdi;
    ring->args[1] = c->rsi;
    ring->args[2] = c->rdx;
    ring->args[3] = c->r10;
    ring->args[4] = c->r8;
    ring->args[5] = c->r9;
    ring->str_len = ring->staged = 0;
    __atomic_store_n(&ring->state, STUB_RING_REQ, __ATOMIC_SEQ_CST);
    return ring_wait(ring);
}

// False: the call is to be reported, as one that the filter has trapped. True: the frame says how it goes on;
// that may be the call anew, for the filter to see, until the sentry has the ring used again.
static bool dispatched(struct stub_slot *slot, const struct info *si, struct context *c) {
    struct stub_ring *ring = ring_of(slot);
    unsigned nr = (unsigned)si->nr, kind = nr < STUB_RING_NUMBERS ? ring_kinds[nr] : STUB_KIND_HOST;
    if (si->arch != AUDIT_ARCH_X86_64 || kind == STUB_KIND_REGS)
        return false;
    if (kind != STUB_KIND_HOST && ring->polled && ++ring->dispatched % STUB_RING_SAMPLE) {
        uint32_t state = ring_call(ring, nr, c);
        if (state == STUB_RING_DONE) {
            c->rax = ring->value;
            ring->state = STUB_RING_FREE;
            return true;
        }
        if (state == STUB_RING_FREE)
            ring->polled = 0;  // the poller does not run: do not wait for it again
        if (state == STUB_RING_FREE || state == STUB_RING_REFUSED)
            return false;
        c->rax = STUB_RING_WAIT;
    }
    ring->selector = STUB_SELECT_FILTER;
    c->rip -= 2;
    return true;
}

__attribute__((used, visibility("hidden"))) void stub_signal(int signo, struct info *si, struct context *c);
void stub_signal(int signo, struct info *si, struct context *c) {
    struct stub_slot *slot = (struct stub_slot *)slot_base((uint64_t)c);
    unsigned index = slot_index((uint64_t)c);
    long reply;
    if (index >= STUB_MAX_SLOTS)
        die();
    if ((in_ring(c, ring_off, ring_end) || in_gate(c, slot)) && !(signo = ring_signal(signo, c, slot)))
        return;
    if (signo == SIG_SYS && si->code == SYS_DISPATCH && dispatched(slot, si, c))
        return;
    if (stub_head.fsgsbase) {
        __asm__ volatile("rdfsbase %0" : "=r"(slot->fs_base));
        __asm__ volatile("rdgsbase %0" : "=r"(slot->gs_base));
    }
    struct stub_op op;
    do {
        if (signo == SIG_SYS && propose(slot, si, c, &op))
            reply = place(slot, c, &op);
        else if (signo == SIG_SYS)
            reply = report_call(index, si, c);
        else if (signo == SIG_INTR)
            reply = stub_gate_call(STUB_EV(STUB_EV_INTR, index, 0), c->rip, 0, 0, 0, 0, 0);
        else
            reply =
                stub_gate_call(STUB_EV(STUB_EV_FAULT, index, 0), (uint32_t)signo | (uint64_t)si->code << 32,
                               si->addr, (uint32_t)c->trapno | c->err << 32, c->rip, (uint64_t)c, 0);
    } while (reply == STUB_AGAIN);
    obey(slot, c, reply);
}

// A child on its own slot; `sp` lies below the copied frame, whose distance from the top the clone's stack
// argument tells: the sentry puts the stack right below the ucontext's return address.
__attribute__((used, visibility("hidden"))) struct context *stub_child(uint64_t sp);
struct context *stub_child(uint64_t sp) {
    struct stub_slot *slot = (struct stub_slot *)slot_base(sp);
    struct context *c = (struct context *)(sp + 8);
    check_in(slot->cookie);
    obey(slot, c, STUB_BLOCK);
    return c;
}

__attribute__((used, visibility("hidden"))) void stub_boot_main(const struct stub_boot *b);
void stub_boot_main(const struct stub_boot *b) {
    for (uint64_t i = 0; i < b->ngaps; i++)
        if (stub_gate_call(__NR_munmap, b->gaps[i].start, b->gaps[i].len, 0, 0, 0, 0) != 0)
            die();
    if (b->filter) {
        long r = stub_gate_call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, b->filter_flags, b->filter, 0, 0, 0);
        __atomic_store_n((int32_t *)b->share, (int32_t)r + 1, __ATOMIC_SEQ_CST);
        if (r < 0)
            die();
    }
    if (b->mode == STUB_MODE_SECCOMP) {
        if (stub_gate_call(__NR_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE, 0, 0, 0) != 0)
            die();
        if (stub_gate_call(__NR_munmap, b->share, STUB_PAGE, 0, 0, 0, 0) != 0)
            die();
    }
    __asm__ volatile("int3");
    die();
}
