// SPDX-License-Identifier: Apache-2.0
// A held thread costs nothing but an entry in the kernel's list of notifications; but each receive and each
// answer walks that list. So when more than SC_PARKED_MOST calls wait there, those that have waited for long
// are moved, the longest first (to move who is back soon would cost more than the walks, which are dearer the
// more there are: patience()). A thread is brought to the stub's handler and told to sleep there, by
// rt_sigtimedwait(2) for the signal that interrupts stubs. When its call is answered it is woken by that
// signal, reports, and goes on with what was decided. To the sentry it is held all the time.
//
// Called by platform.c for threads whose calls park, by resume.c and thread.c when they are to go on, and by
// dispatch.c for what they report. Locks: thread->lock, then sc_parked.lock.
//
// Host calls of ours: to move one, a signal, three answers and a write to its slot; to wake it, a signal and
// one answer more than else.
#include "abi/errno.h"
#include "base/clock.h"
#include "platform/seccomp/sc.h"
#include <string.h>
#include <sys/syscall.h>

#define SC_PARKED_MOST 64        // a walk of so many costs less than a tenth of a call
#define SC_PARKED_NS   50000000  // of waiting, when there are just as many

void sc_parked_init(struct sc_parked *p) {
    lock_init(&p->lock, RANK_LEAF);
    list_init(&p->list);
}

// ---- Who is parked ----------------------------------------------------------------------------------------

static void remove_parked(struct sc_parked *p, struct sc_thread *t) {
    list_del(&t->park_link);
    atomic_store(&t->parked, false);
    atomic_fetch_sub(&p->n, 1);
}

void sc_unpark(struct sc_thread *t) {
    struct sc_parked *p = &sc_plat(t)->parked;
    if (!atomic_load_explicit(&t->parked, memory_order_relaxed))
        return;
    LOCKED(&p->lock);
    if (atomic_load(&t->parked))
        remove_parked(p, t);
}

static void add_parked(struct sc_thread *t) {
    struct sc_parked *p = &sc_plat(t)->parked;
    LOCKED(&p->lock);
    if (atomic_load(&t->parked))
        return;
    t->parked_at = mono_ns();
    list_add_tail(&p->list, &t->park_link);
    atomic_store(&t->parked, true);
    atomic_fetch_add(&p->n, 1);
}

static uint64_t patience(const struct sc_parked *p) {
    return (uint64_t)SC_PARKED_NS * SC_PARKED_MOST / atomic_load(&p->n);
}

// One that is to be moved, or NULL. It may have gone on when it is looked at.
static struct sc_thread *take_longest(struct sc_parked *p) {
    LOCKED(&p->lock);
    if (atomic_load(&p->n) <= SC_PARKED_MOST)
        return NULL;
    struct sc_thread *t = list_first(&p->list, struct sc_thread, park_link);
    if (mono_ns() - t->parked_at < patience(p))
        return NULL;
    remove_parked(p, t);
    return t;
}

// [lock] Is a notification all that it has? Then it can be moved.
static bool may_rest(const struct sc_thread *t) {
    return t->state == SC_HELD && t->rest == REST_AWAKE && !t->doomed && !t->to_handler &&
           t->intr == INTR_NONE && t->ring.state == RING_NONE && !t->queue.n && !t->queue.flush &&
           !t->call.proposed && !t->cache.dirty_regs && !t->cache.have_rax &&
           (t->hold == HOLD_VALUE || t->hold == HOLD_EVENT) && !atomic_load(&t->parked);
}

static void order_sleep(struct sc_thread *t) {
    const uint64_t set = sc_slot_addr(t) + offsetof(struct stub_slot, rest_set);
    const uint64_t signal = 1ull << (PLAT_INTR_SIGNAL - 1);
    struct {
        uint64_t flags, rax, fs, gs, nops;
        struct stub_op op;
    } s = {.flags = STUB_DO_FLUSH,
           .nops = 1,
           .op = {.nr = SYS_rt_sigtimedwait, .args = {set, 0, 0, sizeof signal}, .expect = STUB_EXPECT_ANY}};
    static_assert(offsetof(struct stub_slot, ops) - offsetof(struct stub_slot, flags) == 5 * 8, "slot");
    struct iovec local[2] = {{&s, sizeof s}, {(void *)(uintptr_t)&signal, sizeof signal}};
    struct iovec remote[2] = {{(void *)(sc_slot_addr(t) + offsetof(struct stub_slot, flags)), sizeof s},
                              {(void *)set, sizeof signal}};
    if (plat_memory_raw(t->base.as, true, local, 2, remote, 2) != (int64_t)(sizeof s + sizeof signal)) {
        sc_violation(t, "its slot cannot be written");
        return;
    }
    t->rest = REST_ORDERED;
    sc_reply(t, STUB_BLOCK);
}

static void move(struct sc_thread *t) {
    lock_take(&t->lock);
    if (may_rest(t) && t->hold == HOLD_EVENT) {
        order_sleep(t);
    } else if (may_rest(t) && sc_send_interrupt(t)) {
        t->rest = REST_CALLED;
        sc_reply(t, -LINUX_EINTR);
    }
    sc_unlock(t, NULL);
}

void sc_parked_trim(struct sc_platform *p) {
    if (atomic_load_explicit(&p->parked.n, memory_order_relaxed) <= SC_PARKED_MOST)
        return;
    struct sc_thread *t = take_longest(&p->parked);
    if (t)
        move(t);
}

// Trims one more than comes: many may have come at once.
void sc_park(struct plat_thread *pt) {
    struct sc_platform *p = sc_of(pt->p);
    struct sc_thread *t = sc_thread_of(pt);
    lock_take(&t->lock);
    t->ring.staged = 0;  // others may change its memory meanwhile: what came along is old when it goes on
    lock_drop(&t->lock);
    add_parked(t);
    sc_parked_trim(p);
    sc_parked_trim(p);
}

// ---- Going on ---------------------------------------------------------------------------------------------

bool sc_rest_wake(struct sc_thread *t) {
    if (t->rest == REST_AWAKE)
        return false;
    t->rest_over = true;
    if (t->rest == REST_ASLEEP && sc_send_interrupt(t))
        t->rest = REST_WAKING;
    return true;
}

// [lock] What was decided meanwhile.
static void go_on(struct sc_thread *t) {
    bool over = t->rest_over;
    t->rest = REST_AWAKE;
    t->rest_over = false;
    if (t->doomed)
        sc_doom(t);
    else if (over)
        sc_resume_held(t);
}

void sc_rest_arrive(struct sc_thread *t, uint64_t id) {
    bool called = t->rest == REST_CALLED;
    t->notif.id = id;
    t->hold = HOLD_EVENT;
    if (called && !t->rest_over && !t->doomed)
        order_sleep(t);
    else
        go_on(t);
}

bool sc_rest_approve(struct sc_thread *t, const struct seccomp_notif *n) {
    const uint64_t want[6] = {sc_slot_addr(t) + offsetof(struct stub_slot, rest_set), 0, 0, 8, 0, 0};
    if (t->rest != REST_ORDERED || n->data.nr != SYS_rt_sigtimedwait ||
        memcmp(n->data.args, want, sizeof want))
        return false;
    t->notif.id = n->id;
    if (t->rest_over || t->doomed) {
        t->rest = REST_WAKING;
        sc_reply(t, 0);
    } else {
        plat_count_one(t->base.p, STAT_RESTED);
        t->rest = REST_ASLEEP;
        sc_reply_continue(t);
    }
    return true;
}
