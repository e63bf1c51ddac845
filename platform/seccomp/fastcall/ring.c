// SPDX-License-Identifier: Apache-2.0
// The syscall ring: calls of a busy single-threaded guest without any host call. Called by poller.c, which
// finds them, by resume.c, which answers them, and by dispatch.c for threads that come for their value.
// Locks: thread->lock.
//
// The *ring* is two pages that an address space with one thread shares with us: one call's number, arguments
// and value. The blob's ring code (platform/stub/blob/blob.S), to which patched sites jump, writes the call
// there. A thread whose call is not taken soon takes it back and makes it. One that was taken and must not,
// or cannot, be answered in the ring (an interrupt, host ops, a call that sleeps) is told to come by a host
// call (STUB_RING_WAIT); from then on it is held by a plain notification.
//
// All of it is guest memory. A ring says nothing about who calls: a polled ring belongs to one thread, which
// must be RUNNING, and each field is read once. A guest that goes on while its call is TAKEN makes its next
// host call in the wrong state, and is killed. No signal is sent to a thread while its call is TAKEN: it is
// HELD, and a call of one to which a signal is under way is not taken.
#include "abi/errno.h"
#include "abi/syscalls.h"
#include "platform/seccomp/sc.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Thread_local struct sc_thread *call_of;  // whose call, taken from its ring, this thread handles
static _Thread_local bool answered;              // ... and was it answered in the ring?

// ---- Rings ------------------------------------------------------------------------------------------------

void sc_rings_open(struct sc_platform *p) {
    void *at = MAP_FAILED;
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

static struct stub_ring *ring_of(const struct sc_as *as) {
    return (struct stub_ring *)(sc_of(as->base.p)->rings.mem + (as->ring - 1) * STUB_RING_LEN);
}

bool sc_ring_alloc(struct sc_as *as) {
    struct sc_platform *p = sc_of(as->base.p);
    lock_nested(&p->lock);
    if (~p->rings.used) {
        as->ring = (unsigned)__builtin_ctzll(~p->rings.used) + 1;
        p->rings.used |= 1ull << (as->ring - 1);
    }
    lock_drop(&p->lock);
    return as->ring != 0;
}

void sc_ring_free(struct sc_as *as) {
    if (!as->ring)
        return;
    memset(ring_of(as), 0, STUB_RING_LEN);
    sc_of(as->base.p)->rings.used &= ~(1ull << (as->ring - 1));
    as->ring = 0;
}

void sc_ring_premap_hint(struct sc_as *as, uint64_t room, uint64_t top) {
    if (!as->ring)
        return;
    struct stub_ring *ring = ring_of(as);
    __atomic_store_n(&ring->room, room, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->top, top, __ATOMIC_RELAXED);
}

void sc_ring_set_polled(struct sc_as *as, bool polled) {
    __atomic_store_n(&ring_of(as)->polled, polled, __ATOMIC_SEQ_CST);
}

bool sc_ring_is_polled(const struct sc_as *as) {
    return __atomic_load_n(&ring_of(as)->polled, __ATOMIC_RELAXED);
}

// ---- A call in the ring -----------------------------------------------------------------------------------

static void set_ring_state(struct sc_as *as, uint32_t state) {
    __atomic_store_n(&ring_of(as)->state, state, __ATOMIC_SEQ_CST);
}

bool sc_ring_has_call(const struct sc_as *as) {
    return __atomic_load_n(&ring_of(as)->state, __ATOMIC_SEQ_CST) == STUB_RING_REQ;
}

// [lock] May a call of it be taken now? It runs, alone, and no signal is under way.
static bool may_take(const struct sc_as *as, const struct sc_thread *t) {
    return t->base.as == &as->base && t->state == SC_RUNNING && t->intr == INTR_NONE && !t->to_handler &&
           !t->doomed && sc_as_has_one_thread(as);
}

bool sc_ring_take(struct sc_as *as, struct sc_thread *t, struct plat_event *ev) {
    struct stub_ring *ring = ring_of(as);
    uint32_t req = STUB_RING_REQ;
    LOCKED(&t->lock);
    if (!may_take(as, t) || !__atomic_compare_exchange_n(&ring->state, &req, STUB_RING_TAKEN, false,
                                                         __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return false;
    uint32_t nr = __atomic_load_n(&ring->nr, __ATOMIC_RELAXED);
    if (!sc_ring_serves(sc_plat(t), atomic_load(&as->premap.on), nr)) {
        set_ring_state(as, STUB_RING_REFUSED);
        return false;
    }
    sc_hold(t, 0, HOLD_VALUE);
    t->ring.state = RING_HELD;
    call_of = t;
    answered = false;
    *ev = (struct plat_event){.kind = PLAT_SYSCALL, .thread = &t->base, .owner = atomic_load(&t->base.owner)};
    ev->call.nr = t->call.nr = nr;
    for (unsigned i = 0; i < 6; i++)
        ev->call.args[i] = __atomic_load_n(&ring->args[i], __ATOMIC_RELAXED);
    t->call.args[0] = ev->call.args[0];
    t->call.args[1] = ev->call.args[1];
    if (nr == SYS_mmap)
        ev->call.proposal = sc_premap_proposal(t, ev->call.args);
    return true;
}

bool sc_ring_last_is_over(struct sc_as *as, struct sc_thread *t) {
    bool over = !call_of || answered;
    call_of = NULL;
    if (over)
        return true;
    LOCKED(&t->lock);
    if (t->base.as == &as->base && t->state == SC_HELD)
        sc_ring_defer(t);
    return false;
}

void sc_ring_answer(struct sc_thread *t, int64_t value) {
    struct stub_ring *ring = ring_of(sc_as(t));
    t->ring.value = value;
    t->ring.state = RING_ANSWERED;
    answered = true;
    sc_set_state(t, SC_RUNNING);
    ring->out_addr = t->ring.out_addr;
    __atomic_store_n(&ring->out_len, t->ring.out_len, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->value, (uint64_t)value, __ATOMIC_RELAXED);
    set_ring_state(sc_as(t), STUB_RING_DONE);
}

void sc_ring_defer(struct sc_thread *t) {
    if (t->ring.state != RING_HELD)
        return;
    t->ring.state = RING_DEFERRED;
    set_ring_state(sc_as(t), STUB_RING_DEFERRED);
}

// The thread has come for what it waits for in the ring.
static void arrive_held(struct sc_thread *t, uint64_t id) {
    bool resume = t->ring.state == RING_RESUME_ON_ARRIVAL;
    set_ring_state(sc_as(t), STUB_RING_FREE);
    t->ring.state = RING_NONE;
    t->notif.id = id;
    t->call.nr = (uint64_t)-1;  // what it stands in is not what it asked for
    if (resume)
        sc_resume_held(t);
}

bool sc_ring_arrive(struct sc_thread *t, uint64_t id) {
    if (!sc_as(t)->ring)
        return false;
    if (t->state == SC_HELD && t->ring.state != RING_NONE) {
        arrive_held(t, id);
        return true;
    }
    if (t->state != SC_RUNNING || t->ring.state != RING_ANSWERED || t->to_handler)
        return false;
    sc_ring_copy_now(t, &t->ring.value);
    t->ring.state = RING_NONE;  // it was answered while it was on its way
    set_ring_state(sc_as(t), STUB_RING_FREE);
    t->notif.id = id;
    sc_reply(t, t->ring.value);
    return true;
}

// ---- Copies that travel with the call ---------------------------------------------------------------------

static bool in_ring(const struct sc_thread *t) { return t->state == SC_HELD && t->ring.state != RING_NONE; }

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
    if (call_of != t)
        return -LINUX_EAGAIN;
    LOCKED(&t->lock);
    if (!in_ring(t))
        return -LINUX_EAGAIN;
    const struct stub_ring *ring = ring_of(sc_as(t));
    uint32_t len = __atomic_load_n(&ring->str_len, __ATOMIC_RELAXED);
    int path = path_argument(t->call.nr);
    if (path < 0 || !len || len > STUB_RING_STR || len > size || src != t->call.args[path])
        return -LINUX_EAGAIN;
    memcpy(dst, ring->str, len);
    const char *nul = memchr(dst, 0, len);  // it may have changed
    return nul ? nul - dst : -LINUX_EAGAIN;
}

// One piece for each call; others are copied at once.
bool sc_ring_copy_later(struct plat_thread *pt, uint64_t dst, const void *src, size_t len) {
    struct sc_thread *t = sc_thread_of(pt);
    if (len == 0 || len > STUB_RING_OUT)
        return false;
    LOCKED(&t->lock);
    if (t->state != SC_HELD || t->ring.state != RING_HELD || t->ring.out_len)
        return false;
    memcpy(ring_of(sc_as(t))->out, src, len);
    t->ring.out_addr = dst;
    t->ring.out_len = len;
    return true;
}

void sc_ring_copy_now(struct sc_thread *t, int64_t *value) {
    struct ring_call *r = &t->ring;
    if (!r->out_len)
        return;
    struct iovec local = {ring_of(sc_as(t))->out, r->out_len}, remote = {(void *)r->out_addr, r->out_len};
    if (plat_memory_raw(t->base.as, true, &local, 1, &remote, 1) != (int64_t)r->out_len && *value >= 0)
        *value = -LINUX_EFAULT;
    r->out_len = 0;
}
