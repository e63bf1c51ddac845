// SPDX-License-Identifier: Apache-2.0
// Host processes and address spaces of the seccomp platform as objects. P: platform->lock.
#ifndef PLATFORM_SECCOMP_PROCESS_H
#define PLATFORM_SECCOMP_PROCESS_H
#include "base/list.h"
#include "platform/backend.h"
#include "platform/seccomp/heap.h"
#include "platform/seccomp/premap.h"
#include "platform/stub/layout.h"

struct sc_platform;
struct sc_thread;

// A host process.
struct sc_proc {
    struct list as_link;   // [P] sc_as.procs
    struct list all_link;  // [P] sc_platform.procs
    struct list threads;   // [P] sc_thread.proc_link
    struct sc_as *as;      // holds a reference of its memory
    int pid;               // [P] 0 until the leader has checked in
    unsigned nlive;        // [P] threads that the sentry has not given back
    struct list kept;      // [P] sc_thread.keep_link
    unsigned nkept;        // [P]
    bool killed, dead;     // [P] SIGKILL was sent; the kernel has reported its end
    _Atomic bool fd_used;  // a file has been put into it, or into the one that it is a copy of
};

struct sc_as {
    struct plat_as base;
    struct list procs;              // [P]
    unsigned holds;                 // [P] the sentry's references are one, each thread and process is one
    uint64_t *slots;                // [P] in use, a bit each; owned
    unsigned nslot_words;           // [P] of 64 slots each
    _Atomic bool shared;            // has, or has had, more than one thread
    _Atomic unsigned nthreads;      // host threads that are there, to come, or not known to be gone; not KEPT
    uint16_t *rings;                // [P] of its slots, where they have one (fastcall/ring.c); owned
    unsigned nrings;                // [P] slots that `rings` knows
    // text that is, or was, changed while other threads may run it (fastcall/patch_x86.c)
    _Atomic(const struct sc_thread *) patcher;    // whose ops change it now, NULL: nobody's
    _Atomic unsigned patches;                     // so far
    struct sc_premap premap;
    struct sc_heap heap;
    _Atomic bool unguarded;  // guarding has failed here: no more of either
};

static inline bool sc_as_has_one_thread(const struct sc_as *as) { return atomic_load(&as->nthreads) == 1; }

struct sc_as *sc_as_new(struct sc_platform *p);
void sc_as_release(struct plat_as *as);
void sc_as_hold(struct sc_as *as);              // not with platform->lock
void sc_as_unhold(struct sc_as *as);            // no lock; one hold less
void sc_as_drop(struct sc_as *as);                   // [P] one hold less
struct sc_proc *sc_proc_new(struct sc_as *as);       // no lock
void sc_proc_drop(struct sc_proc *proc);             // [P] it never started, or is dead and has no threads
void sc_proc_kill(struct sc_proc *proc);             // [P]
int sc_slot_take(struct sc_as *as);                  // [P] -1: none left
bool sc_slot_claim(struct sc_as *as, unsigned slot);  // [P] this one, which is free; false: no memory
void sc_slot_give(struct sc_as *as, unsigned slot);  // [P]

#endif
