// SPDX-License-Identifier: Apache-2.0
// Memory ahead of the break: a busy single-threaded guest that moves its break up and down has that done
// without any work of the host. When the call site of brk(2) is hot (fastcall/sites.c), and the sentry has
// said that the addresses behind the break are free (heap_room()), the next shrink maps
// guarded memory (guard.c) from the new break on, where it has just unmapped, and SC_HEAP_LEN further:
//
//   low ... ordinary ... open ... guarded, the guest's ... at ... guarded, free ... high
//
//   grow    From `at`, the break, up to `high`: `at` goes up.
//   shrink  To `open` or above: nothing below the old break has been touched, so `at` goes down.
//   touch   A page in [open, at): all of it is opened. In [at, high): the guest has no memory there.
//   else    A shrink below `open`, work on [at, high), a fork, a second thread: the free part is unmapped
//           before that is done. Other work on [open, at) opens it first.
//
// So what is released has never been touched, or is the host's to clear. When the last growth was touched,
// the next are opened as they are made. The ring's code has the range of breaks that need no host work, as a
// hint. Called by guard.c and fastcall/. Locks: sc_heap.lock, for moments.
#include "platform/seccomp/heap.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/fdcharge.h"
#include "platform/seccomp/sc.h"
#include <sys/syscall.h>

#define HEAP_TRIES 8  // of so many moves of a break that goes up and down, one is a shrink
#define MOST_LOST  8
#define SC_GUESS   32  // growths that are opened at once before one is left guarded, to see

void sc_heap_init(struct sc_heap *h) {
    lock_init(&h->lock, RANK_LEAF);
    h->fd = -1;
}

void sc_heap_fini(struct sc_as *as) {
    if (as->heap.fd >= 0)
        fdcharge_close(as->heap.fd);
    lock_destroy(&as->heap.lock);
}

// A hint, as all that lies there.
static void tell_stub(struct sc_as *as) {
    const struct sc_heap *h = &as->heap;
    sc_ring_heap_hint(sc_of(as->base.p), h->ring, h->open, h->high);
}

// ---- Getting it -------------------------------------------------------------------------------------------

static bool may_have(const struct sc_thread *t) {
    const struct sc_as *as = sc_as(t);
    return sc_guard_possible(as) && !atomic_load(&as->heap.on) && sc_as_has_one_thread(as) &&
           atomic_load(&t->ring_no);
}

// The seldomer the more often it was for nothing.
uint64_t sc_heap_wanted(struct sc_thread *t, unsigned calls) {
    unsigned lost = sc_as(t)->heap.lost, every = SC_HEAT << (lost < MOST_LOST ? lost : MOST_LOST);
    return calls % every < HEAP_TRIES && may_have(t) ? SC_HEAP_LEN : 0;
}

void sc_heap_offer(struct sc_thread *t, struct sc_as *as, uint64_t at) {
    LOCKED(&t->lock);
    if (!sc_may_order(t, as) || t->call.nr != SYS_brk || !may_have(t))
        return;
    as->heap.offered_in = t->notif.id;
    atomic_store(&as->heap.offer, at);
}

// [lock, heap.lock] The shrink that the offer was for. It is done in any case; that there is no memory for
// what comes then is no failure.
static int make(struct sc_thread *t, const struct plat_op *op, uint64_t offer) {
    unsigned before = t->queue.n;
    if (op->kind != OP_UNMAP || op->addr + op->len != offer || t->call.nr != SYS_brk ||
        t->notif.id != sc_as(t)->heap.offered_in || !may_have(t))
        return 0;
    if (sc_guard_order_unmap(t, op->addr, op->len)) {
        t->queue.ops[before].expect = STUB_EXPECT_ZERO;
        if (sc_guard_order_map(t, op->addr, op->len + SC_HEAP_LEN, SC_HEAP_BEGIN))
            return 1;
    }
    t->queue.n = before;
    return 0;
}

// It has been mapped, or could not be; `o` is the call that comes next, the one behind it undoes it.
void sc_heap_begin(struct sc_thread *t, const struct sc_op *o) {
    struct sc_as *as = sc_as(t);
    struct sc_heap *h = &as->heap;
    const uint64_t *undo = o[1].call.args;
    int fd = sc_guard_take(t, undo[0], undo[1]);
    LOCKED(&h->lock);
    h->serves = false;
    h->lost += fd < 0;
    if (fd < 0)
        return;
    h->fd = fd;
    h->ring = atomic_load(&t->ring_no);
    h->low = h->open = h->at = undo[0];
    h->high = undo[0] + undo[1];
    t->touched_at = 0;
    plat_count_one(t->base.p, STAT_HEAPS);
    atomic_store(&h->on, true);
    tell_stub(as);
}

// ---- Giving it up -----------------------------------------------------------------------------------------

// [lock, heap.lock] The free part goes; closing the descriptor opens the rest. False: no memory for the
// order.
static bool give_range_up(struct sc_thread *t) {
    struct sc_as *as = sc_as(t);
    struct sc_heap *h = &as->heap;
    if (h->high > h->at && !sc_guard_order_unmap(t, h->at, h->high - h->at))
        return false;
    h->lost += !h->serves;
    fdcharge_close(h->fd);
    h->fd = -1;
    h->low = h->open = h->at = h->high = 0;
    atomic_store(&h->on, false);
    tell_stub(as);
    return true;
}

bool sc_heap_give_up(struct sc_thread *t) {
    if (!atomic_load(&sc_as(t)->heap.on))
        return true;
    LOCKED(&sc_as(t)->heap.lock);
    return give_range_up(t);
}

// ---- Using it ---------------------------------------------------------------------------------------------

static void open_all(struct sc_as *as) {
    struct sc_heap *h = &as->heap;
    sc_guard_open(as, h->fd, h->open, h->at);
    h->open = h->at;
    tell_stub(as);
}

static bool grow(struct sc_as *as, const struct plat_op *op) {
    struct sc_heap *h = &as->heap;
    if (op->kind != OP_MAP || op->fd >= 0 || op->prot != (LINUX_PROT_READ | LINUX_PROT_WRITE) ||
        op->flags != PLAT_NORESERVE || op->addr != h->at || op->len > h->high - h->at)
        return false;
    h->at += op->len;
    if (h->touched && ++h->since % SC_GUESS)
        open_all(as);
    return true;
}

static bool shrink(struct sc_as *as, const struct plat_op *op) {
    struct sc_heap *h = &as->heap;
    if (op->kind != OP_UNMAP || op->addr < h->open || op->addr + op->len != h->at)
        return false;
    h->at = op->addr;
    h->touched = false;
    h->serves = true;
    h->lost = 0;
    return true;
}

int sc_heap_work(struct sc_thread *t, const struct plat_op *op) {
    struct sc_as *as = sc_as(t);
    struct sc_heap *h = &as->heap;
    uint64_t offer = atomic_load(&h->offer);
    if (!offer && !atomic_load(&h->on))
        return 0;
    LOCKED(&h->lock);
    atomic_store(&h->offer, 0);
    if (!atomic_load(&h->on))
        return make(t, op, offer);
    if (grow(as, op) || shrink(as, op))
        return 1;
    const bool below = op->kind == OP_UNMAP && op->addr < h->open && op->addr + op->len == h->at;
    h->serves = h->serves && !below;
    if (below || sc_guard_concerns(op, h->at, h->high))
        return give_range_up(t) ? 0 : -LINUX_ENOMEM;
    if (sc_guard_concerns(op, h->open, h->at))
        open_all(as);
    return 0;
}

bool sc_heap_overlaps(struct sc_as *as, uint64_t addr, uint64_t len) {
    LOCKED(&as->heap.lock);
    return sc_guard_overlaps(addr, len, as->heap.low, as->heap.high);
}

// ---- Touching it ------------------------------------------------------------------------------------------

enum sc_touch sc_heap_touched(struct sc_thread *t, uint64_t addr, bool again) {
    struct sc_as *as = sc_as(t);
    struct sc_heap *h = &as->heap;
    LOCKED(&h->lock);
    if (addr >= h->at && addr < h->high)
        return TOUCH_NOTHING;
    if (addr < h->low || addr >= h->high || (addr < h->open && again))
        return TOUCH_OTHER;
    h->touched = true;
    open_all(as);
    return TOUCH_OPENED;
}

// A copy has met a page that refuses. True: it may be one of these; try again.
bool sc_heap_admit(struct sc_as *as, const struct iovec *remote, int n) {
    struct sc_heap *h = &as->heap;
    if (!atomic_load(&h->on))
        return false;
    LOCKED(&h->lock);
    for (int i = 0; i < n; i++) {
        if (sc_guard_overlaps((uint64_t)remote[i].iov_base, remote[i].iov_len, h->open, h->at)) {
            h->touched = true;
            open_all(as);
            return true;
        }
    }
    return false;
}
