// SPDX-License-Identifier: Apache-2.0
// Memory that the host has mapped ahead of a guest's break; heap.c has the theory.
#ifndef PLATFORM_SECCOMP_HEAP_H
#define PLATFORM_SECCOMP_HEAP_H
#include "platform/seccomp/guard.h"

#define SC_HEAP_LEN (1ull << 20)  // behind the break

struct sc_heap {
    struct lock lock;
    _Atomic bool on;         // there is some
    _Atomic uint64_t offer;  // SC_HEAP_LEN bytes from here are free, where the break is now; 0: not known
    uint64_t offered_in;     // the notification of the call that it is good for
    int fd;                  // userfaultfd, -1: none
    unsigned ring;           // of the thread that has it
    uint64_t low, open, at, high;
    bool touched;  // the last growth that we know of was touched
    unsigned since;
    bool serves;    // it has served a shrink, and the last one
    unsigned lost;  // times that it was for nothing, since a shrink that it served
};

void sc_heap_init(struct sc_heap *h);
void sc_heap_fini(struct sc_as *as);
// [lock] Its break has moved `calls` times. Bytes of free addresses behind the break that we would like to
// have, 0: none.
uint64_t sc_heap_wanted(struct sc_thread *t, unsigned calls);
// No lock. `as` is held by the caller, and the thread's, unless that has ended meanwhile. For the first op of
// the call that it is held in.
void sc_heap_offer(struct sc_thread *t, struct sc_as *as, uint64_t at);
bool sc_heap_give_up(struct sc_thread *t);                                      // [lock] false: no memory
void sc_heap_begin(struct sc_thread *t, const struct sc_op *o);                 // [lock]
int sc_heap_work(struct sc_thread *t, const struct plat_op *op);                // [lock] as sc_guard_work()
enum sc_touch sc_heap_touched(struct sc_thread *t, uint64_t addr, bool again);  // [lock]
bool sc_heap_admit(struct sc_as *as, const struct iovec *remote, int n);
// Whose range of free addresses it is, the sentry does not know.
bool sc_heap_overlaps(struct sc_as *as, uint64_t addr, uint64_t len);

#endif
