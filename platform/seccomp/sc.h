// SPDX-License-Identifier: Apache-2.0
// The seccomp platform: guest calls are stopped by a seccomp filter and answered through its listener.
//
// A guest call that needs only a value arrives as a plain notification: one host call to receive it, one to
// answer. Calls that need registers or host work, faults and interrupts arrive as *gate* notifications: the
// guest thread is in the blob's signal handler (platform/stub/blob), its registers are in the signal frame at
// a fixed place of its slot, and the handler does what the sentry orders by making host calls through the
// gate. Each such host op is approved (CONTINUE) only when it is exactly the next one that this thread was
// ordered to make, number and all arguments: the arguments are in registers of a thread that is stopped, so
// they cannot change between check and use. Everything in guest memory, the slots too, may be forged; what is
// read from there can only mislead the sentry about the wishes and the state of that same guest. A process
// that steps out of this protocol is killed.
//
// What a stub says, and what becomes of it when it lies:
//   an event's slot, kind      must be the thread's and one that is due, else the process ends
//   a call, its arguments      wishes, as any guest may have them
//   a fault, an interrupt      of the five signals, else the process ends; its own thread's concern
//   work has failed            maps are unmapped, by calls that we see, before the sentry takes them back
//                              (hostops.c); after anything else the process ends
//   work was done, or silence  cannot be told from the truth: the host's map may have what ours has not, so
//                              it never allows more than ours did, and seals are the host's to grant
//                              (sentry/mm/mm.c)
//   a clone was refused        the child is killed by its first call; one that makes none uses time until the
//                              sandbox ends, with the zygote's process group (open.c)
//   a child's number           used for a child alone that never checks in: the liar's own is given up
//   a check-in                 by a cookie of its own address space, and where the kernel says that it lives
//   bases, frame, FP state     the guest's registers: rt_sigreturn and our own setters check them
//   a proposal                 a wish; goes on only when it is what was decided
//   the ring                   a call of the one thread that must be running; values and hints are ours, its
//                              copies of them its own concern (fastcall/ring.c); a failure as that of work
//   a guard's descriptor       fetched and registered by us: the kernel says whether it is one (guard.c)
//
// States of a thread: thread.h.
//
// Locks, in this order: thread->lock; platform->lock (processes, slots, lists, pool); platform->wait.lock.
// Nothing sleeps with a lock held. A reply that resumes a thread is sent when its lock is dropped
// (sc_unlock()): the thread may take this very CPU at once, and whoever then serves it on another must not
// find our locks taken.
#ifndef PLATFORM_SECCOMP_SC_H
#define PLATFORM_SECCOMP_SC_H
#include "platform/seccomp/clone.h"
#include "platform/seccomp/fastcall/poller.h"
#include "platform/seccomp/fastcall/ring.h"
#include "platform/seccomp/fastcall/sites.h"
#include "platform/seccomp/guard.h"
#include "platform/seccomp/heap.h"
#include "platform/seccomp/listener.h"
#include "platform/seccomp/notify.h"
#include "platform/seccomp/premap.h"
#include "platform/seccomp/process.h"
#include "platform/seccomp/regs.h"
#include "platform/seccomp/rest.h"
#include "platform/seccomp/thread.h"
#include "platform/stub/spawn.h"
#include <linux/filter.h>
#include <pthread.h>

// A file to be mapped lies at a number of its thread's own, so that threads of one process do not take each
// other's. The number is a reply too: all of them mean STUB_BLOCK.
#define SC_POOL      2        // clean processes kept ready
#define SC_MAX_TID   4194304  // PID_MAX_LIMIT of the kernel on 64-bit machines
#define SC_LOST      32

struct sc_chunk {
    struct sc_chunk *next;
    struct sc_thread threads[16];
};

struct sc_platform {
    struct platform base;
    struct stub_place place;
    uint64_t gate_ip;  // what a notification from the gate shows
    struct sc_frame frame;
    int null_fd;  // an empty file, to push another one out of a stub
    // Host threads of one address space: each has a descriptor number of its own in the stub.
    // LIMIT: where the hard RLIMIT_NOFILE is below 16388, there are fewer than 16384.
    unsigned nslots;
    _Atomic(struct sc_thread *) *tids;  // by host tid; SC_MAX_TID entries, touched sparsely
    struct sc_listener wait;
    struct lock lock;                 // P
    struct list procs, free_threads;  // [P]
    struct sc_chunk *chunks;          // [P] memory of threads
    unsigned nkept;                   // [P] KEPT threads
    _Atomic unsigned nrunning;        // threads in guest code
    unsigned notified_ns;             // a call by notification, there and back; timed at start
    struct sc_parked parked;
    // clean processes, and children on their way
    struct sc_thread *zygote;   // [P] NULL: it is dead
    struct sc_thread *first;    // its thread, dead or alive
    bool zygote_busy;           // [P]
    struct list pool, to_make;  // [P]
    unsigned npool;             // [P] threads in pool, made or not
    // [P] how many are kept ready: one for the first program, which has no second as often as not, so then
    // none; SC_POOL from the second on
    unsigned pool_most;
    struct list pending;        // [P] children that have not checked in
    int lost[SC_LOST];          // [P] numbers of children that died unknown, round robin
    unsigned nlost;             // [P]
    _Atomic bool unsettled;     // sc_settle_children() has something to do
    // fast calls
    bool ring_serves[512];  // may go through a ring, by number
    _Atomic uint64_t known[SC_KNOWN];  // hot sites by their place in a file (fastcall/known.c); 0: none
    struct sc_rings rings;
    bool dispatches;  // Syscall User Dispatch is here, and of use
    struct sc_pollers pollers;
    _Atomic bool premaps;  // guarded memory is possible here
    // ends
    pthread_t reaper;
    bool reaper_runs;             // [W]
    _Atomic bool reaper_started;  // reaper_runs, to be seen without the lock
    _Atomic bool closing;
};

static inline struct sc_platform *sc_of(struct platform *p) {
    return container_of(p, struct sc_platform, base);
}
static inline struct sc_thread *sc_thread_of(const struct plat_thread *t) {
    return container_of((struct plat_thread *)(uintptr_t)t, struct sc_thread, base);
}
static inline struct sc_as *sc_as_of(const struct plat_as *as) {
    return container_of((struct plat_as *)(uintptr_t)as, struct sc_as, base);
}
static inline struct sc_platform *sc_plat(const struct sc_thread *t) { return sc_of(t->base.p); }
static inline struct sc_as *sc_as(const struct sc_thread *t) { return sc_as_of(t->base.as); }
static inline uint64_t sc_slot_addr(const struct sc_thread *t) {
    return stub_slot_addr(&sc_plat(t)->place, t->slot);
}

// No two threads of a process have the same: what one may map only to read, another might be about to map for
// writing.
static inline int sc_stub_fd(const struct sc_thread *t) { return STUB_FD((int)t->slot); }

// open.c
int sc_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen);
void sc_close(struct platform *p);

// filter.c: the stub's filter. The caller frees prog->filter. 0 or -LINUX_ENOMEM.
int sc_filter_build(const struct stub_place *pl, const bool *needs_context, struct sock_fprog *prog);
// How the filter decides one call, for tests: simulates the program.
uint32_t sc_filter_run(const struct sock_fprog *prog, const struct seccomp_data *data);

// dispatch.c: handles one notification; true when *ev is for the sentry.
bool sc_handle(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev);

// reap.c
void sc_reaper_start(struct sc_platform *p);
void sc_reap_all(struct sc_platform *p);  // after everything was killed
void sc_kill_all(struct sc_platform *p);  // no new process is made from now on

#endif
