// SPDX-License-Identifier: Apache-2.0
// Premapped memory: small maps and unmaps of a busy single-threaded guest without any work of the host.
//
// The host's own mmap and munmap cost two switches to the sentry and back each, since each must be approved.
// So when a patched munmap site is hot (fastcall/sites.c), and the sentry has named free addresses
// (free_range()), its process maps SC_PREMAP_LEN of private anonymous memory there, *guarded* (guard.c). To
// own guarded memory is a matter of our books:
//
//   low ......... free ......... at ......... guarded, the guest's ......... top
//
//   map     The ring's mmap proposes the highest free place (`at` goes down). The sentry's decision to map it
//           there is carried out by no host call.
//   unmap   Of the last one, untouched: `at` goes up again. Nothing to do for the host either.
//   touch   A page in [at, top): all of it becomes ordinary memory (*opened*: one ioctl of ours, the stub has
//           no part in it), and the guest, or the copy, goes on. A page in [low, at): the guest has no memory
//           there, and is told so.
//   else    Any other work on [at, top) opens it first. Other work on [low, at), a fork, a second thread: the
//           premapped memory is given up, that is unmapped, before it is done.
//
// So host map and books agree on each page whenever somebody could tell: a page without an owner faults, and
// what is opened is the host's memory like any other. When the last maps were touched, the next are opened as
// they are made, or, when they are small and unmapped one before the other, *filled* with pages: that costs
// less than the fault.
//
// Host calls: none for a map, none for the unmap of what was not touched; one ioctl for a map that is opened
// or filled. Called by guard.c, fastcall/, and process.c. Locks: sc_premap.lock, for moments.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/fdcharge.h"
#include "base/log.h"
#include "platform/seccomp/sc.h"
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define SC_PREMAP_LEN   (16ull << 20)
#define SC_PREMAP_MOST  (1ull << 20)  // of one map
#define SC_PREMAP_LEAST (2ull << 20)  // when less is free, there is to be new memory
#define SC_FILL         (2 * STUB_PAGE)
#define SC_GUESS        32  // maps that are opened at once before one is left guarded, to see

void sc_premap_init(struct sc_premap *s) {
    lock_init(&s->lock, RANK_LEAF);
    s->fd = -1;
}

// What the ring's code in the stub goes by (layout.h): a hint, as all that lies there.
static void tell_stub(struct sc_as *as) {
    const struct sc_premap *s = &as->premap;
    uint64_t room = s->at - s->low;
    sc_ring_premap_hint(sc_of(as->base.p), s->ring, room < SC_PREMAP_MOST ? room : SC_PREMAP_MOST,
                        s->n ? s->at : 0);
}

// [premap.lock] Closing the descriptor ends the guard of all that it was registered for.
static void forget_range(struct sc_as *as) {
    struct sc_premap *s = &as->premap;
    if (s->fd >= 0)
        fdcharge_close(s->fd);
    s->fd = -1;
    s->low = s->at = s->top = s->high = s->n = 0;
    s->filled = false;
    atomic_store(&s->on, false);
    tell_stub(as);
}

void sc_premap_fini(struct sc_as *as) {
    if (as->premap.fd >= 0)
        fdcharge_close(as->premap.fd);
    lock_destroy(&as->premap.lock);
}

// [premap.lock] All that the guest has of it becomes ordinary memory.
static void open_all(struct sc_as *as) {
    struct sc_premap *s = &as->premap;
    sc_guard_open(as, s->fd, s->at, s->top);
    s->fill = s->fill && !s->filled;
    s->filled = false;
    s->top = s->at;
    s->n = 0;
    tell_stub(as);
}

// [premap.lock] The map at `at` alone gets its pages now.
static void fill_map(struct sc_as *as, uint64_t len) {
    static const char zeros[SC_FILL];
    struct sc_premap *s = &as->premap;
    struct uffdio_copy c = {.dst = s->at, .src = (uint64_t)zeros, .len = len};
    s->n = 0;
    s->filled = ioctl(s->fd, UFFDIO_COPY, &c) == 0;
    if (!s->filled)
        open_all(as);
}

// ---- Getting it -------------------------------------------------------------------------------------------

uint64_t sc_premap_wanted(struct sc_thread *t) {
    const struct sc_as *as = sc_as(t);
    const struct sc_premap *s = &as->premap;
    bool full = !atomic_load(&s->on) || s->at - s->low < SC_PREMAP_LEAST;
    return full && sc_guard_possible(as) ? SC_PREMAP_LEN : 0;
}

// [lock, premap.lock] The free part goes. False: no memory for the order.
static bool give_range_up(struct sc_thread *t) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (s->at > s->low && !sc_guard_order_unmap(t, s->low, s->at - s->low))
        return false;
    forget_range(as);
    return true;
}

bool sc_premap_give_up(struct sc_thread *t) {
    if (!atomic_load(&sc_as(t)->premap.on))
        return true;
    LOCKED(&sc_as(t)->premap.lock);
    return give_range_up(t);
}

void sc_premap_make(struct sc_thread *t, const struct sc_as *as, uint64_t addr, uint64_t len) {
    LOCKED(&t->lock);
    bool asked = t->state == SC_HELD && sc_as(t) == as && t->hold == HOLD_VALUE && t->ring.state == RING_NONE;
    if (!asked || len != SC_PREMAP_LEN || !sc_premap_wanted(t) || !sc_premap_give_up(t))
        return;
    unsigned before = t->queue.n;
    if (!sc_guard_order_map(t, addr, len, SC_PREMAP_BEGIN))
        t->queue.n = before;
}

// The memory has been mapped, or could not be; `o` is the call that comes next, the one behind it undoes it.
void sc_premap_begin(struct sc_thread *t, const struct sc_op *o) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    const uint64_t *undo = o[1].call.args;
    int fd = sc_guard_take(t, undo[0], undo[1]);
    if (fd < 0)
        return;
    LOCKED(&s->lock);
    s->fd = fd;
    s->ring = atomic_load(&t->ring_no);
    s->low = undo[0];
    s->at = s->top = s->high = undo[0] + undo[1];
    t->touched_at = 0;
    plat_count_one(t->base.p, STAT_PREMAPPED);
    atomic_store(&s->on, true);
    tell_stub(as);
}

// ---- Using it ---------------------------------------------------------------------------------------------

uint64_t sc_premap_proposal(struct sc_thread *t, const uint64_t a[6]) {
    const struct sc_premap *s = &sc_as(t)->premap;
    uint64_t len = (a[1] + STUB_PAGE - 1) & ~(STUB_PAGE - 1);
    return a[0] == 0 && a[1] <= SC_PREMAP_MOST && len && len <= s->at - s->low ? s->at - len : 0;
}

static bool take_map(struct sc_thread *t, const struct plat_op *op) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_MAP || op->fd >= 0 || op->prot != (LINUX_PROT_READ | LINUX_PROT_WRITE) ||
        op->flags != PLAT_NORESERVE || op->addr + op->len != s->at || op->addr < s->low ||
        t->hold != HOLD_VALUE)
        return false;
    bool guess = s->touched && ++s->since % SC_GUESS;
    if (s->n == SC_PREMAP_DEPTH || s->filled)
        open_all(as);
    s->at = s->start[s->n++] = op->addr;
    if (guess && s->fill && s->n == 1 && op->len <= SC_FILL)
        fill_map(as, op->len);
    else if (guess)
        open_all(as);
    else
        s->fill = true;  // once in a while it may be worth it
    tell_stub(as);
    return true;
}

static bool give_map(struct sc_as *as, const struct plat_op *op) {
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_UNMAP || !s->n || op->addr != s->at ||
        op->addr + op->len != (s->n > 1 ? s->start[s->n - 2] : s->top))
        return false;
    s->at += op->len;
    s->n--;
    s->touched = false;
    tell_stub(as);
    return true;
}

// The host unmaps it; its pages keep the guard no longer than itself.
static bool unmap_filled(struct sc_as *as, const struct plat_op *op) {
    struct sc_premap *s = &as->premap;
    if (op->kind != OP_UNMAP || !s->filled || op->addr != s->at || op->addr + op->len != s->top)
        return false;
    s->filled = false;
    s->top = s->at;
    return true;
}

int sc_premap_work(struct sc_thread *t, const struct plat_op *op) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    if (!atomic_load(&s->on))
        return 0;
    LOCKED(&s->lock);
    if (take_map(t, op) || give_map(as, op))
        return 1;
    if (unmap_filled(as, op))
        return 0;
    if (sc_guard_concerns(op, s->low, s->at))
        return give_range_up(t) ? 0 : -LINUX_ENOMEM;
    if (sc_guard_concerns(op, s->at, s->top))
        open_all(as);
    return 0;
}

bool sc_premap_overlaps(struct sc_as *as, uint64_t addr, uint64_t len) {
    LOCKED(&as->premap.lock);
    return sc_guard_overlaps(addr, len, as->premap.low, as->premap.high);
}

// ---- Touching it ------------------------------------------------------------------------------------------

enum sc_touch sc_premap_touched(struct sc_thread *t, uint64_t addr, bool again) {
    struct sc_as *as = sc_as(t);
    struct sc_premap *s = &as->premap;
    LOCKED(&s->lock);
    if (addr >= s->low && addr < s->at)
        return TOUCH_NOTHING;
    if (addr < s->at || addr >= s->high || (addr >= s->top && again))
        return TOUCH_OTHER;
    s->touched = true;
    if (addr < s->top)
        open_all(as);
    return TOUCH_OPENED;
}

// A copy has met a page that refuses. True: it may be one of these; try again.
bool sc_premap_admit(struct sc_as *as, const struct iovec *remote, int n) {
    struct sc_premap *s = &as->premap;
    if (!atomic_load(&s->on))
        return false;
    LOCKED(&s->lock);
    for (int i = 0; i < n; i++) {
        if (sc_guard_overlaps((uint64_t)remote[i].iov_base, remote[i].iov_len, s->at, s->top)) {
            s->touched = true;
            open_all(as);
            return true;
        }
    }
    return false;
}
