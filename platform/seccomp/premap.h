// SPDX-License-Identifier: Apache-2.0
// Memory that the host has mapped ahead of a guest's small maps; premap.c has the theory.
#ifndef PLATFORM_SECCOMP_PREMAP_H
#define PLATFORM_SECCOMP_PREMAP_H
#include "base/lock.h"
#include "platform/seccomp/guard.h"

#define SC_PREMAP_DEPTH 16  // maps that may be untouched at a time

struct sc_premap {
    struct lock lock;
    _Atomic bool on;                  // there is some
    int fd;                           // userfaultfd, -1: none
    unsigned ring;                    // of the thread that has it
    uint64_t low, at, top;            // [low, at) is free, [at, top) the guest's and guarded
    uint64_t high;                    // where it once ended
    unsigned n;                       // maps in [at, top)
    uint64_t start[SC_PREMAP_DEPTH];  // theirs, falling
    bool touched;                     // the last that we know of was touched
    unsigned since;
    bool fill;    // worth trying
    bool filled;  // [at, top) is one map that has its pages
};

void sc_premap_init(struct sc_premap *s);
void sc_premap_fini(struct sc_as *as);
uint64_t sc_premap_wanted(struct sc_thread *t);                            // bytes of free addresses, 0: none
// No lock. `as` is held by the caller, and the thread's, unless that has ended meanwhile.
void sc_premap_make(struct sc_thread *t, const struct sc_as *as, uint64_t addr, uint64_t len);
bool sc_premap_give_up(struct sc_thread *t);                               // [lock] false: no memory
void sc_premap_begin(struct sc_thread *t, const struct sc_op *o);          // [lock]
uint64_t sc_premap_proposal(struct sc_thread *t, const uint64_t args[6]);  // [lock] for an mmap; 0: none
int sc_premap_work(struct sc_thread *t, const struct plat_op *op);         // [lock] as sc_guard_work()
enum sc_touch sc_premap_touched(struct sc_thread *t, uint64_t addr, bool again);  // [lock]
// Whose range of free addresses it is, the sentry does not know.
bool sc_premap_overlaps(struct sc_as *as, uint64_t addr, uint64_t len);
bool sc_premap_admit(struct sc_as *as, const struct iovec *remote, int n);

#endif
