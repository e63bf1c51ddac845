// SPDX-License-Identifier: Apache-2.0
// The syscall ring: calls of a busy thread without any host call. Called by poller.c, which finds them, by
// resume.c, which answers them, and by dispatch.c for threads that come for their value. Locks: thread->lock.
//
// The *ring* is two pages in a thread's slot that it shares with us: one call's number, arguments and value.
// The blob's ring code (platform/stub/blob/blob.S), to which patched sites jump, finds it by the gs register
// and writes the call there. A thread whose call is not taken soon takes it back and makes it. One that was
// taken and must not, or cannot, be answered in the ring (an interrupt, host ops, a call that sleeps) is told
// to come by a host call (STUB_RING_WAIT); from then on it is held by a plain notification.
//
// All of it is guest memory. A ring says nothing about who calls: it belongs to one thread, which must be
// RUNNING, and each field is read once. A thread that writes into a sibling's ring makes calls in that one's
// name: they share their memory, and so gain nothing that a changed return address would not give. A guest
// that goes on while its call is TAKEN makes its next host call in the wrong state, and is killed. No signal
// is sent to a thread while its call is TAKEN: it is HELD, and a call of one to which a signal is under way
// is not taken.
#include "abi/errno.h"
#include "abi/syscalls.h"
#include "platform/seccomp/sc.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct sc_thread *call_of;  // whose call, taken from its ring, this thread handles
static _Thread_local bool answered;              // ... and was it answered in the ring?

// ---- Rings ------------------------------------------------------------------------------------------------

void sc_rings_open(struct sc_platform *p) {
    void *at = MAP_FAILED;
    if (!p->frame.fsgsbase)
        return;
    if ((p->rings.fd = memfd_create("picket-rings", MFD_CLOEXEC)) < 0)
        return;
    if (ftruncate(p->rings.fd, SC_RINGS * (off_t)STUB_RING_LEN) == 0)
        at = mmap(NULL, SC_RINGS * STUB_RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, p->rings.fd, 0);
    if (at != MAP_FAILED)
        p->rings.mem = at;
}

void sc_rings_close(struct sc_platform *p) {
    if (p->rings.mem)
        munmap(p->rings.mem, SC_RINGS * STUB_RING_LEN);
    if (p->rings.fd >= 0)
        close(p->rings.fd);
}

struct stub_ring *sc_ring_at(const struct sc_platform *p, unsigned ring) {
    return (struct stub_ring *)(p->rings.mem + (ring - 1) * STUB_RING_LEN);
}

static struct stub_ring *ring_of(const struct sc_thread *t) {
    return sc_ring_at(sc_plat(t), atomic_load_explicit(&t->ring_no, memory_order_relaxed));
}

// [P] Room in the space's table for a slot.
static bool know_slot(struct sc_as *as, unsigned slot) {
    if (slot < as->nrings)
        return true;
    unsigned n = (slot | 15) + 1;
    uint16_t *rings = realloc(as->rings, n * sizeof *rings);
    if (!rings)
        return false;
    memset(rings + as->nrings, 0, (n - as->nrings) * sizeof *rings);
    as->rings = rings;
    as->nrings = n;
    return true;
}

// [P] The number of a free one, or 0.
static unsigned take_number(struct sc_rings *r) {
    for (unsigned w = 0; w < SC_RINGS / 64; w++) {
        if (r->used[w] == ~0ull)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(~r->used[w]);
        r->used[w] |= 1ull << bit;
        return w * 64 + bit + 1;
    }
    return 0;
}

// [P] What a thread has left there is nothing to the next.
static void give_number(struct sc_platform *p, unsigned ring) {
    memset(sc_ring_at(p, ring), 0, STUB_RING_LEN);
    p->rings.used[(ring - 1) / 64] &= ~(1ull << (ring - 1) % 64);
}

void sc_ring_bind(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    const struct sc_as *as = sc_as(t);
    unsigned ring = t->slot < as->nrings ? as->rings[t->slot] : 0;
    atomic_store(&t->ring_no, ring);
    if (!ring)
        return;
    memset(sc_ring_at(p, ring), 0, offsetof(struct stub_ring, str));
    atomic_store(&p->rings.owner[ring - 1], t);
}

void sc_ring_unbind(struct sc_thread *t) {
    unsigned ring = atomic_exchange(&t->ring_no, 0);
    if (ring)
        atomic_store(&sc_plat(t)->rings.owner[ring - 1], NULL);
}

bool sc_ring_alloc(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    lock_nested(&p->lock);
    unsigned ring = know_slot(as, t->slot) ? take_number(&p->rings) : 0;
    if (ring) {
        as->rings[t->slot] = (uint16_t)ring;
        sc_ring_bind(t);
    }
    lock_drop(&p->lock);
    return ring != 0;
}

void sc_ring_take_back(struct sc_thread *t) {
    struct sc_platform *p = sc_plat(t);
    struct sc_as *as = sc_as(t);
    lock_nested(&p->lock);
    sc_ring_unbind(t);
    if (t->slot < as->nrings && as->rings[t->slot]) {
        give_number(p, as->rings[t->slot]);
        as->rings[t->slot] = 0;
    }
    lock_drop(&p->lock);
}

bool sc_ring_order(struct sc_thread *t) {
    uint64_t at = sc_slot_addr(t) + STUB_RING_AT;
    if (atomic_load(&t->ring_no))
        return true;
    int fd = fcntl(sc_plat(t)->rings.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return false;
    struct sc_op *o = sc_ring_alloc(t) ? sc_ops_add(t) : NULL;
    if (!o) {
        close(fd);
        return false;
    }
    *o = (struct sc_op){.call = {SYS_mmap,
                                 {at, STUB_RING_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                  (uint64_t)sc_stub_fd(t), (atomic_load(&t->ring_no) - 1) * STUB_RING_LEN}},
                        .expect = STUB_EXPECT_VALUE,
                        .file = SC_FILE_RINGS,
                        .fd = fd};
    if (!(o = sc_ops_add(t)))
        return false;
    *o = (struct sc_op){.call = {SYS_madvise, {at, STUB_RING_LEN, MADV_DONTFORK}}, .fd = -1};
    return true;
}

void sc_rings_free(struct sc_as *as) {
    for (unsigned i = 0; i < as->nrings; i++)
        if (as->rings[i])
            give_number(sc_of(as->base.p), as->rings[i]);
    free(as->rings);
    as->rings = NULL;
    as->nrings = 0;
}

void sc_ring_premap_hint(struct sc_platform *p, unsigned no, uint64_t room, uint64_t top) {
    if (!no)
        return;
    struct stub_ring *ring = sc_ring_at(p, no);
    __atomic_store_n(&ring->room, room, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->top, top, __ATOMIC_RELAXED);
}

void sc_ring_heap_hint(struct sc_platform *p, unsigned no, uint64_t low, uint64_t high) {
    if (!no)
        return;
    struct stub_ring *ring = sc_ring_at(p, no);
    __atomic_store_n(&ring->heap_low, low, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->heap_high, high, __ATOMIC_RELAXED);
}

void sc_ring_set_polled(struct sc_platform *p, unsigned ring, bool polled) {
    __atomic_store_n(&sc_ring_at(p, ring)->polled, polled, __ATOMIC_SEQ_CST);
    sc_dispatch_select(p, ring, polled);
}

bool sc_ring_is_polled(const struct sc_platform *p, unsigned ring) {
    return __atomic_load_n(&sc_ring_at(p, ring)->polled, __ATOMIC_RELAXED);
}

// ---- A call in the ring -----------------------------------------------------------------------------------

static void set_ring_state(const struct sc_thread *t, uint32_t state) {
    __atomic_store_n(&ring_of(t)->state, state, __ATOMIC_SEQ_CST);
}

bool sc_ring_has_call(const struct sc_platform *p, unsigned ring) {
    return __atomic_load_n(&sc_ring_at(p, ring)->state, __ATOMIC_SEQ_CST) == STUB_RING_REQ;
}

// [lock] May a call of it be taken now? It runs, and no signal is under way.
static bool may_take(const struct sc_thread *t, unsigned ring) {
    return atomic_load(&t->ring_no) == ring && t->state == SC_RUNNING && t->intr == INTR_NONE &&
           !t->to_handler && !t->doomed;
}

// What the guest has written, all of it at once: the line is still ours, and its thread will ask for it back.
struct ring_request {
    uint32_t nr;
    uint64_t args[6];
};

static struct ring_request read_request(const struct stub_ring *ring) {
    struct ring_request r = {.nr = __atomic_load_n(&ring->nr, __ATOMIC_RELAXED)};
    for (unsigned i = 0; i < 6; i++)
        r.args[i] = __atomic_load_n(&ring->args[i], __ATOMIC_RELAXED);
    return r;
}

bool sc_ring_take(struct sc_platform *p, unsigned no, struct plat_event *ev) {
    struct stub_ring *ring = sc_ring_at(p, no);
    struct sc_thread *t = atomic_load(&p->rings.owner[no - 1]);
    uint32_t posted = STUB_RING_REQ;
    if (!t)
        return false;
    LOCKED(&t->lock);
    if (!may_take(t, no) || !__atomic_compare_exchange_n(&ring->state, &posted, STUB_RING_TAKEN, false,
                                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    const struct ring_request req = read_request(ring);
    uint64_t nr = req.nr & ~STUB_RING_BARE;
    t->ring.bare = req.nr & STUB_RING_BARE;
    if (!sc_ring_serves(t, nr)) {
        set_ring_state(t, STUB_RING_REFUSED);
        return false;
    }
    plat_count_one(&p->base, STAT_RING);
    sc_hold(t, 0, HOLD_VALUE);
    t->ring.state = RING_HELD;
    call_of = t;
    answered = false;
    *ev = (struct plat_event){.kind = PLAT_SYSCALL, .thread = &t->base, .owner = atomic_load(&t->base.owner)};
    ev->call.nr = t->call.nr = nr;
    memcpy(ev->call.args, req.args, sizeof req.args);
    memcpy(t->call.args, req.args, 4 * sizeof *req.args);
    if (nr == SYS_mmap)
        ev->call.proposal = sc_premap_proposal(t, ev->call.args);
    return true;
}

// The thread may be gone, and another in its place: then that one has no call of ours.
unsigned sc_ring_settle_last(void) {
    struct sc_thread *t = call_of;
    call_of = NULL;
    if (!t || answered)
        return 0;
    LOCKED(&t->lock);
    sc_ring_defer(t);
    return atomic_load(&t->ring_no);
}

void sc_ring_answer(struct sc_thread *t, int64_t value) {
    struct stub_ring *ring = ring_of(t);
    t->ring.value = value;
    t->ring.state = RING_ANSWERED;
    answered = true;
    sc_set_state(t, SC_RUNNING);
    if (t->ring.out_len)
        ring->out_addr = t->ring.out_addr;
    __atomic_store_n(&ring->out_len, (uint32_t)t->ring.out_len, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->value, (uint64_t)value, __ATOMIC_RELAXED);
    set_ring_state(t, STUB_RING_DONE);
}

void sc_ring_defer(struct sc_thread *t) {
    if (t->state != SC_HELD || t->ring.state != RING_HELD)
        return;
    t->ring.state = RING_DEFERRED;
    set_ring_state(t, STUB_RING_DEFERRED);
}

// The thread has come for what it waits for in the ring.
static void arrive_held(struct sc_thread *t, uint64_t id) {
    bool resume = t->ring.state == RING_RESUME_ON_ARRIVAL;
    set_ring_state(t, STUB_RING_FREE);
    t->ring.state = RING_NONE;
    sc_dispatch_again(t);
    t->notif.id = id;
    t->call.nr = (uint64_t)-1;  // what it stands in is not what it asked for
    if (resume)
        sc_resume_held(t);
}

bool sc_ring_arrive(struct sc_thread *t, uint64_t id) {
    if (!atomic_load(&t->ring_no))
        return false;
    if (t->state == SC_HELD && t->ring.state != RING_NONE) {
        arrive_held(t, id);
        return true;
    }
    if (t->state != SC_RUNNING || t->ring.state != RING_ANSWERED || t->to_handler)
        return false;
    sc_ring_copy_now(t, &t->ring.value);
    sc_interrupt_again(t);
    t->ring.state = RING_NONE;  // it was answered while it was on its way
    set_ring_state(t, STUB_RING_FREE);
    sc_dispatch_again(t);
    t->notif.id = id;
    sc_reply(t, t->ring.value);
    return true;
}

// ---- Copies that travel with the call ---------------------------------------------------------------------

// [lock] How many bytes of `str` belong to the call that the calling thread handles for it.
static uint32_t bytes_along(const struct sc_thread *t) {
    if (t->state != SC_HELD)
        return 0;
    if (t->ring.state == RING_NONE)
        return t->ring.staged;
    return call_of == t ? __atomic_load_n(&ring_of(t)->str_len, __ATOMIC_RELAXED) : 0;
}

// Which argument of the call is the path that comes with it; -1: none does.
static int path_argument(uint64_t nr) {
    const struct sysdesc *d = sysdesc((unsigned)nr);
    if (d && d->context == SYSCALL_PATH1)
        return 0;
    return d && d->context == SYSCALL_PATH2 ? 1 : -1;
}

// A path: the thread has copied it with its own rights, as it stands in its own memory.
int64_t sc_ring_string(struct plat_thread *pt, uint64_t src, char *dst, size_t size) {
    struct sc_thread *t = sc_thread_of(pt);
    LOCKED(&t->lock);
    uint32_t len = bytes_along(t);
    int path = len ? path_argument(t->call.nr) : -1;
    if (path < 0 || len > STUB_RING_STR || len > size || src != t->call.args[path])
        return -LINUX_EAGAIN;
    memcpy(dst, ring_of(t)->str, len);
    const char *nul = memchr(dst, 0, len);  // it may have changed
    return nul ? nul - dst : -LINUX_EAGAIN;
}

// Which argument points to the bytes that come with the call; -1: none does.
static int data_argument(uint64_t nr) {
    const struct sysdesc *d = sysdesc((unsigned)nr);
    if (d && d->context == SYSCALL_DATA2)
        return 1;
    return d && d->context == SYSCALL_EVENT4 ? 3 : -1;
}

// Bytes, in the same way: all of [src, src + len), which is part of them.
int64_t sc_ring_data(struct plat_thread *pt, uint64_t src, void *dst, size_t len) {
    struct sc_thread *t = sc_thread_of(pt);
    if (len > STUB_RING_STR)
        return -LINUX_EAGAIN;
    LOCKED(&t->lock);
    uint64_t have = bytes_along(t);
    int data = have ? data_argument(t->call.nr) : -1;
    if (data < 0)
        return -LINUX_EAGAIN;
    uint64_t from = src - t->call.args[data];
    if (have > STUB_RING_STR || from > have || len > have - from)
        return -LINUX_EAGAIN;
    memcpy(dst, ring_of(t)->str + from, len);
    return (int64_t)len;
}

uint32_t sc_ring_take_staged(struct sc_thread *t, const struct seccomp_notif *n) {
    unsigned no = atomic_load(&t->ring_no);
    struct stub_ring *ring = no ? sc_ring_at(sc_plat(t), no) : NULL;
    uint32_t len = ring ? __atomic_load_n(&ring->staged, __ATOMIC_RELAXED) : 0;
    if (!len)
        return 0;
    __atomic_store_n(&ring->staged, 0, __ATOMIC_RELAXED);
    const struct ring_request r = read_request(ring);
    bool same = len <= STUB_RING_STR && r.nr == (uint32_t)n->data.nr;
    for (unsigned i = 0; i < 6; i++)
        same = same && r.args[i] == n->data.args[i];
    if (!same)
        return 0;
    plat_count_one(t->base.p, STAT_STAGED);
    return len;
}

// One piece for each call; others are copied at once.
bool sc_ring_copy_later(struct plat_thread *pt, uint64_t dst, const void *src, size_t len) {
    struct sc_thread *t = sc_thread_of(pt);
    if (len == 0 || len > STUB_RING_OUT)
        return false;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->ring.state != RING_HELD || t->ring.bare || t->ring.out_len)
        return false;
    memcpy(ring_of(t)->out, src, len);
    t->ring.out_addr = dst;
    t->ring.out_len = len;
    return true;
}

void sc_ring_copy_now(struct sc_thread *t, int64_t *value) {
    struct ring_call *r = &t->ring;
    if (!r->out_len)
        return;
    struct iovec local = {ring_of(t)->out, r->out_len}, remote = {(void *)r->out_addr, r->out_len};
    if (plat_memory_raw(t->base.as, true, &local, 1, &remote, 1) != (int64_t)r->out_len && *value >= 0)
        *value = -LINUX_EFAULT;
    r->out_len = 0;
}
