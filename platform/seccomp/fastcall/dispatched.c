// SPDX-License-Identifier: Apache-2.0
// Syscall User Dispatch (prctl(2), Linux 5.11): how threads with hot call sites that cannot be patched
// (code made at run time, sites without room) use the syscall ring all the same. Called by sites.c, ring.c
// and thread.c. Locks: thread->lock.
//
// A byte in the thread's ring, the *selector*, says whether its calls raise SIGSYS before the stubs' filter
// sees them. We set it while the ring is polled. The stub's handler (platform/stub/blob/blob.c:dispatched)
// writes the call into the ring and waits for the answer there. That costs a signal frame, which is less
// than a notification; no bytes travel, since a fault in the handler would be its own. A call that must not
// be answered in the ring is made once more, with the selector off: the filter holds it as ever, and while
// it is held we set the selector again. So does one call in STUB_RING_SAMPLE, so that sites which can be
// patched are found.
//
// The selector is guest memory. Whatever it says, the filter stands behind it: the guest chooses between
// SIGSYS now and the filter's word. The dispatch itself lets all calls of the stub's text pass, of which
// the same filter holds or kills all but rt_sigreturn.
//
// Host calls of ours: none for a call. Once for a thread, one op.
#include "platform/seccomp/sc.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif
#define DISPATCH_OFF 0
#define DISPATCH_ON  1

void sc_dispatch_probe(struct sc_platform *p) {
    p->dispatches = p->rings.mem && prctl(PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0, 0, 0) == 0;
}

bool sc_dispatch_order(struct sc_thread *t) {
    const struct sc_platform *p = sc_plat(t);
    uint64_t selector = sc_slot_addr(t) + STUB_RING_AT + offsetof(struct stub_ring, selector);
    struct sc_op *o = p->dispatches && !atomic_load(&t->dispatched) ? sc_ops_add(t) : NULL;
    if (!o)
        return false;
    o->call = (struct host_call){SYS_prctl,
                                 {PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON, p->place.base, p->place.text_len,
                                  selector}};
    o->expect = STUB_EXPECT_ZERO;
    atomic_store(&t->dispatched, true);
    return true;
}

void sc_dispatch_select(struct sc_platform *p, unsigned ring, bool polled) {
    const struct sc_thread *t = atomic_load(&p->rings.owner[ring - 1]);
    uint8_t selector = polled && t && atomic_load(&t->dispatched) ? STUB_SELECT_RING : STUB_SELECT_FILTER;
    __atomic_store_n(&sc_ring_at(p, ring)->selector, selector, __ATOMIC_RELAXED);
}

void sc_dispatch_again(struct sc_thread *t) {
    unsigned ring = atomic_load(&t->ring_no);
    if (ring && atomic_load(&t->dispatched) && sc_ring_is_polled(sc_plat(t), ring))
        sc_dispatch_select(sc_plat(t), ring, true);
}
