// SPDX-License-Identifier: Apache-2.0
// The seccomp platform: guest calls are stopped by a seccomp filter and answered through its listener.
//
// A guest call that needs only a value arrives as a plain notification: one host call to receive it, one to
// answer. Calls that need registers or host work, faults and interrupts arrive as *gate* notifications: the
// guest thread is in the blob's signal handler (platform/stub/blob), its registers are in the signal frame at
// a fixed place of its slot, and the handler does what the sentry orders by making host calls through the
// gate. Each such call is let go on (CONTINUE) only when it is exactly the next one that this thread was
// ordered to make, number and all arguments: the arguments are in registers of a thread that is stopped, so
// they cannot change between check and use. Everything in guest memory, the slots too, may be forged; what is
// read from there can only mislead the sentry about the wishes and the state of that same guest. A process
// that steps out of this protocol is killed.
//
// What a stub says, and what becomes of it when it lies:
//   an event's slot, kind      must be the thread's and one that is due, else the process ends
//   a call, its arguments      wishes, as any guest may have them
//   a fault, an interrupt      of the five signals, else the process ends; its own thread's concern
//   work has failed            maps are unmapped, by calls that we see, before the sentry takes them back (run.c);
//                              after anything else the process ends
//   work was done, or silence  cannot be told from the truth: the host's map may have what ours has not, so it never
//                              allows more than ours did, and seals are the host's to grant (sentry/mm/mm.c)
//   a clone was refused        the child is killed by its first call; one that makes none uses time until the sandbox
//                              ends, with the zygote's process group (open.c)
//   a child's number           used for a child alone that never checks in: the liar's own is given up
//   a check-in                 by a cookie of its own address space, and where the kernel says that it lives
//   bases, frame, FP state     the guest's registers: rt_sigreturn and our own setters check them
//   a proposal                 a wish; goes on only when it is what was decided
//   the ring                   a call of the one thread that must be running; values and hints are ours, its copies of
//                              them its own concern (ring.c); a failure as that of work
//   a guard's descriptor       fetched and registered by us: the kernel says whether it is one (premap.c)
//
// States of a thread (sc_thread.state), who changes them, to what:
//   STARTING  its host thread does not exist yet, or has not checked in  -> HELD (its check-in), DEAD
//   HELD      we have its notification, or its call in the syscall ring (hold says of which kind)
//                                                                        -> RUNNING, OPS (let go), DEAD
//   OPS       it makes ordered host calls                                -> RUNNING (after the last), HELD
//                                                                        (report)
//   RUNNING   in guest code, or on its way to or from there              -> HELD (an event)
//   DEAD      the host process is gone (the reaper)                      -> FREE
//   FREE      not in use; the memory stays a thread's, so that a stale pointer of the tid table can be locked
// A thread that the sentry has given back (destroyed) lives on as a *doomed* one until its host thread is
// gone: what it does is answered here, never reported.
//
// Locks, in this order: thread->lock; platform->lock (processes, slots, lists, pool); platform->wait_lock.
// Nothing sleeps with a lock held. A reply that lets a thread go is sent when its lock is dropped (sc_unlock()): the
// thread may take this very CPU at once, and whoever then serves it on another must not find our locks taken.
#ifndef PLATFORM_SECCOMP_SC_H
#define PLATFORM_SECCOMP_SC_H
#include "base/list.h"
#include "base/lock.h"
#include "platform/backend.h"
#include "platform/stub/spawn.h"
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>

// A file to be mapped lies at a number of its thread's own, so that threads of one process do not take each other's. The
// number is a reply tag too: each of them has STUB_TAG_BLOCK in its low bits.
#define SC_STUB_FD    3
#define SC_FD_STRIDE  4
#define SC_POOL       2 // clean processes kept ready
#define SC_MAX_TID    4194304 // PID_MAX_LIMIT of the kernel on 64-bit machines
#define SC_LOST       32
#define SC_SITES      64 // call sites of a thread that are counted; a power of two
#define SC_HEAT       64 // calls from a site before it is patched
#define SC_RINGS      64 // one bit each in sc_platform.rings_used
#define SC_LISTENERS  2  // waiters that must be there before others become pollers
#define SC_POLLERS   2
#define SC_SLOT_WORDS (STUB_MAX_SLOTS / 64)
#define SC_PREMAP_DEPTH 16 // maps of premapped memory that may be untouched at a time

enum sc_state { SC_FREE, SC_STARTING, SC_HELD, SC_OPS, SC_RUNNING, SC_DEAD };
// PROPOSAL: the call itself stands in the gate, as the guest's handler would make it.
// LANE: it stands in no host call, its call is in the syscall ring.
enum sc_hold { HOLD_VALUE, HOLD_EVENT, HOLD_CHECKIN, HOLD_PROPOSAL, HOLD_RING };
// A thread to be: nobody has been told to make it; its parent has the order; the host does it, so it may
// appear at any moment; the order was taken back or has failed, so it never will.
enum sc_birth { BIRTH_NONE, BIRTH_ORDERED, BIRTH_LAUNCHED, BIRTH_OFF };
enum sc_go { GO_NOT, GO_RESUME, GO_FLUSH };
// Orders that mean something to premap.c when they come up.
enum sc_special { SC_ORDINARY, SC_PREMAP_BEGIN, SC_PREMAP_UNDO };

struct sc_map {
    uint64_t addr, len; // len 0: none
};
struct sc_op {
    struct host_call call;
    uint64_t expect;        // STUB_EXPECT_*
    enum sc_special special;
    int fd;                 // owned; -1: none
};

// A host process.
struct sc_proc {
    struct list as_link;   // [P] sc_as.procs
    struct list all_link;  // [P] sc_platform.procs
    struct list threads;   // [P] sc_thread.proc_link
    struct sc_as *as;      // holds a reference of its memory
    int pid;               // [P] 0 until the leader has checked in
    unsigned nlive;        // [P] threads that the sentry has not given back
    bool killed, dead;     // [P] SIGKILL was sent; the kernel has reported its end
    _Atomic bool fd_used;  // a file has been put into it, or into the one that it is a copy of
};

// premap.c
struct sc_premap {
    struct lock lock;
    _Atomic bool on;         // there is some
    int fd;                  // userfaultfd, -1: none
    uint64_t low, at, top;   // [low, at) is free, [at, top) the guest's and guarded
    uint64_t high;           // where it once ended
    unsigned n;              // maps in [at, top)
    uint64_t start[SC_PREMAP_DEPTH]; // theirs, falling
    bool touched;            // the last that we know of was touched
    unsigned since;
    bool fill;               // worth trying
    bool filled;             // [at, top) is one map that has its pages
};

struct sc_as {
    struct plat_as base;
    _Atomic unsigned ring;         // its number plus one; 0: none (ring.c)
    _Atomic(struct sc_thread *) ring_thread; // whose
    unsigned poll_pause;          // the poller's
    _Atomic unsigned poll_skip;   // so many times it is not to be polled
    struct list procs;             // [P]
    unsigned holds;                // [P] the sentry's references count as one, each thread and process as one
    uint64_t slots[SC_SLOT_WORDS]; // [P] in use
    _Atomic bool shared;           // has, or has had, more than one thread
    _Atomic unsigned nthreads;     // host threads that are there, to come, or not known to be gone
    struct sc_premap premap;
};

struct sc_platform;
struct sc_thread {
    struct plat_thread base;
    struct lock lock;
    // [P]
    struct list proc_link, pool_link;
    struct list link; // the free list, or what the zygote has to make, or pending children
    struct sc_proc *proc;
    struct list death_link; // [W] sc_platform.deaths
    int death_cause;        // [W]
    // [lock]
    enum sc_state state;
    enum sc_hold hold;
    enum sc_go go; // STARTING: what to do at check-in
    int tid;
    unsigned slot;
    uint64_t id; // of the notification in our hands
    bool has_reply;
    struct seccomp_notif_resp reply; // to be sent when the lock is dropped
    bool leader, doomed, exiting, internal;
    _Atomic int birth; // STARTING: enum sc_birth; its parent's thread changes it
    bool clean;        // made by the zygote
    bool intr_wanted, intr_sent;
    bool may_fail; // RUNNING: the last op may still be reported as failed
    struct sc_map last_map; // RUNNING, may_fail: what it was, if it was a map
    int64_t undo;  // a map is being undone, which failed with this; 0: none is
    uint64_t cookie;
    uint64_t call_nr;         // of a SYSCALL event, else -1
    uint64_t call_args[3];    // HOLD_VALUE, HOLD_PROPOSAL: its first arguments
    bool proposed;            // the held call is one that goes on if it is what is decided
    bool to_handler;          // RUNNING: interrupted so that it does its queued work
    struct sc_op *ops;        // queue
    unsigned nops, cap, next; // next: the first that has not been let go on
    unsigned batch, batch_n;  // the part of the queue that the slot holds
    bool flush;
    int fd_ready; // index of the op whose file is at the thread's number already, -1: none
    bool fd_dirty; // a file may be open there
    bool have_rax, have_regs, regs_dirty, bases_dirty;
    int64_t rax;
    struct lx_regs regs;
    void *fp; // FP state to be written at check-in; owned
    size_t fp_len;
    struct sc_thread *child; // being made by the queue's clone
    int hint;                // [P] STARTING: the number that the parent's stub says it has
    // ring.c
    struct sc_heat {
        uint64_t ip;
        unsigned calls;
        enum { SITE_PLAIN, SITE_TRIED, SITE_PATCHED } state;
    } heat[SC_SITES];
    unsigned proposals; // that came by the handler
    uint64_t ring_since;
    unsigned ring_calls; // from patched sites, by notification, since then
    uint64_t hot_site;     // HELD: to be patched, if the sentry lets us; 0: none
    uint64_t premap_wanted; // HELD: bytes of free addresses that we would like to have, 0: none
    bool ring_on;        // its process uses patched sites, as far as we know
    bool ring_hot;       // somebody should poll its ring
    bool ring_slow;      // HOLD_RING: it was told to come for its value
    bool ring_go;        // HOLD_RING: it is to be let go when it comes
    bool ring_done;      // RUNNING: it has a value in the ring, and may come for it all the same
    int64_t ring_value;
    uint64_t out_addr, out_len; // what is to be copied with the value: in the ring's `out`; 0: nothing
    uint64_t touched_at; // the last fault at memory that may have been premap.c's
};

struct sc_chunk {
    struct sc_chunk *next;
    struct sc_thread threads[16];
};

struct sc_waiter {
    struct list link;
    _Atomic int word;
};

// A waiter that polls rings (ring.c) and does nothing else.
struct sc_poller {
    cpu_set_t cpus;               // where it runs
    _Atomic bool there;
    _Atomic(struct sc_as *) work; // to be polled next; held
    _Atomic int word;             // futex: there is work
};

struct sc_platform {
    struct platform base;
    struct stub_place place;
    int listener;
    uint64_t gate_ip;  // what a notification from the gate shows
    uint64_t uc_off;   // of the ucontext in a slot
    uint64_t fp_off;   // of the XSAVE area in a slot
    uint32_t fp_len;   // without the magic word
    uint8_t fp_sw[48]; // the software bytes that the kernel wants to see there
    uint64_t fp_features;
    bool fsgsbase;
    _Atomic(struct sc_thread *) *tids; // by host tid; SC_MAX_TID entries, touched sparsely
    struct lock lock;
    struct list procs, pending, free_threads, pool, to_make; // [P]
    struct sc_chunk *chunks;                                 // [P] memory of threads
    unsigned npool;                                          // [P] threads in pool, made or not
    int null_fd; // an empty file, to push another one out of a stub
    // Host threads of one address space: each has a descriptor number of its own in the stub.
    // LIMIT: where the hard RLIMIT_NOFILE is below 16388, there are fewer than 4096 (1024: 255).
    unsigned nslots;
    struct sc_thread *zygote;
    bool zygote_busy;  // [P]
    int lost[SC_LOST]; // [P] numbers of children that died unknown, round robin
    unsigned nlost;
    _Atomic bool unsettled;    // sc_settle_children() has something to do
    _Atomic unsigned nrunning; // threads in guest code
    // ring.c
    char *rings; // SC_RINGS pages, NULL: none here
    int ring_fd; // the same
    uint64_t rings_used;              // [P]
    unsigned ncpus;
    bool ring_calls[512];             // may go through a ring, by number
    _Atomic bool premaps;              // premapped memory is possible here
    struct sc_poller pollers[SC_POLLERS];
    _Atomic unsigned nwaiters; // that have come so far
    _Atomic bool polled;      // a ring is being polled, or going to be
    _Atomic bool closed;       // pollers return
    // waiting (listener.c)
    struct lock wait_lock;
    struct list idle;      // [W] sc_waiter, most recent first
    struct list deaths;    // [W]
    bool kicked, shutdown; // [W]
    _Atomic int attention; // look at the above before the next sleep
    _Atomic int receiver;  // tid of the thread that sits on the listener, 0: none
    _Atomic int active;    // threads between two plat_wait() that do not block
    pthread_t reaper;
    bool reaper_runs;            // [W]
    _Atomic bool reaper_started; // reaper_runs, to be seen without the lock
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
static inline struct sc_platform *sc_plat(const struct sc_thread *t) {
    return sc_of(t->base.p);
}
static inline struct sc_as *sc_as(const struct sc_thread *t) {
    return sc_as_of(t->base.as);
}
static inline uint64_t sc_slot_addr(const struct sc_thread *t) {
    return stub_slot_addr(&sc_plat(t)->place, t->slot);
}

// No two threads of a process have the same: what one may map only to read, another might be about to map for writing.
static inline int sc_stub_fd(const struct sc_thread *t) {
    return SC_STUB_FD + SC_FD_STRIDE * (int)t->slot;
}

// filter.c: the stub's filter. The caller frees prog->filter. 0 or -LINUX_ENOMEM.
int sc_filter_build(const struct stub_place *pl, const bool *needs_context, struct sock_fprog *prog);
// How the filter decides one call, for tests: simulates the program.
uint32_t sc_filter_run(const struct sock_fprog *prog, const struct seccomp_data *data);

// notify.c: the listener's calls.
#define SC_EINTR 4
int sc_recv(struct sc_platform *p, struct seccomp_notif *n); // 0, -LINUX_EINTR (attention), -LINUX_E*
void sc_send(struct sc_platform *p, uint64_t id, int64_t value);
void sc_send_continue(struct sc_platform *p, uint64_t id);
// [lock] The reply to t->id, sent by sc_unlock().
void sc_reply(struct sc_thread *t, int64_t value);
void sc_reply_error(struct sc_thread *t, int error); // error: -LINUX_E*
void sc_reply_continue(struct sc_thread *t);
void sc_unlock(struct sc_thread *t, struct lock *outer); // drops t->lock, and `outer` if it is not NULL; then sends
int sc_addfd(struct sc_platform *p, uint64_t id, int fd, int at, bool send); // 0 or -LINUX_E*
bool sc_notif_valid(struct sc_platform *p, uint64_t id);
void sc_kick_handler_install(void);

// listener.c
int sc_wait(struct platform *p, struct plat_event *ev);
void sc_block_begin(struct platform *p);
void sc_block_end(struct platform *p);
void sc_kick(struct platform *p);
void sc_shutdown(struct platform *p);
void sc_queue_death(struct sc_thread *t, int cause); // [P] or no lock
void sc_unqueue_death(struct sc_thread *t);
void sc_thread_runs(struct sc_platform *p); // a thread is let go: somebody must listen

// dispatch.c: handles one notification; true when *ev is for the sentry.
bool sc_handle(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev);

void sc_hold(struct sc_thread *t, uint64_t id, enum sc_hold how); // [lock]

// ring.c: the syscall ring. See there.
void sc_fastcall_open(struct sc_platform *p, const bool *needs_context); // without rings when it cannot
void sc_fastcall_close(struct sc_platform *p);
// [lock] `calls` more have come from the site: it, when it should be patched now, or 0
uint64_t sc_site_count(struct sc_thread *t, uint64_t ip, uint64_t nr, unsigned calls);
uint64_t sc_site_premap_wanted(struct sc_thread *t, uint64_t ip, uint64_t nr);
int64_t sc_ring_string(struct plat_thread *t, uint64_t src, char *dst, size_t size);
bool sc_ring_copy_later(struct plat_as *as, uint64_t dst, const void *src, size_t len);
void sc_ring_copy_now(struct sc_thread *t, int64_t *value); // [lock] what was to be copied later
// No lock; the receiver, before the sentry has the event: asks it what it lets us do for this call's site and memory.
void sc_ask_guest(struct sc_thread *t);
void sc_poller_wake(struct sc_thread *t);       // no lock; the event's receiver
bool sc_poller_begin(struct sc_platform *p); // a new waiter: is it to be a poller?
int sc_poller_wait(struct sc_platform *p, struct plat_event *ev); // as plat_wait(); a poller's
void sc_pollers_close(struct sc_platform *p);
void sc_ring_answer(struct sc_thread *t, int64_t value);         // [lock]
void sc_ring_defer(struct sc_thread *t);                        // [lock]
bool sc_ring_arrive(struct sc_thread *t, uint64_t id);           // [lock] false: it had nothing to come for
void sc_ring_free(struct sc_as *as);                           // [P]
void sc_ring_premap_hint(struct sc_as *as, uint64_t room, uint64_t top); // hints for the stub: what comes by the ring

// premap.c: memory that the host has mapped already.
void sc_premap_probe(struct sc_platform *p);
void sc_premap_init(struct sc_premap *s);
void sc_premap_fini(struct sc_as *as);
uint64_t sc_premap_wanted(struct sc_thread *t); // bytes of free addresses, 0: none
void sc_premap_make(struct sc_thread *t, uint64_t addr, uint64_t len); // no lock
bool sc_premap_give_up(struct sc_thread *t); // [lock] false: no memory
void sc_premap_begin(struct sc_thread *t, const struct sc_op *o); // [lock]
uint64_t sc_premap_proposal(struct sc_thread *t, const uint64_t args[6]); // [lock] for an mmap; 0: none
int sc_premap_work(struct sc_thread *t, const struct plat_op *op); // [lock] 1: done; 0: go on; -LINUX_ENOMEM
enum sc_touch { TOUCH_OTHER, TOUCH_NOTHING, TOUCH_OPENED }; // not ours; free memory: none there; try again
enum sc_touch sc_premap_touched(struct sc_thread *t, uint64_t addr); // [lock] by SIGBUS
bool sc_premap_admit(struct plat_as *as, const struct iovec *remote, int n);

// run.c: letting threads go, and their host work.
void sc_answer(struct plat_thread *t, int64_t value, struct lock *outer);
void sc_resume(struct plat_thread *t, struct lock *outer);
void sc_flush(struct plat_thread *t);
void sc_interrupt(struct plat_thread *t);
int sc_queue(struct plat_thread *t, const struct plat_op *op);
void sc_send_intr(struct sc_thread *t);                  // [lock]
void sc_interrupt_running(struct sc_thread *t);          // [lock] wants it; sends it when it runs
void sc_at_handler(struct sc_thread *t, uint64_t id);    // [lock]
void sc_let_go(struct sc_thread *t);                     // [lock]
void sc_set_state(struct sc_thread *t, enum sc_state s); // [lock] counts who runs
void sc_ops_clear(struct sc_thread *t);                  // [lock]
struct sc_op *sc_ops_add(struct sc_thread *t);           // [lock] NULL: no memory
bool sc_ops_approve(struct sc_thread *t, const struct seccomp_notif *n); // [lock] false: not what was ordered
// [lock] a report of the handler. 0: handled here; 1: *result is for the sentry; -1: not possible
int sc_ops_report(struct sc_thread *t, uint64_t done, int64_t value, int64_t *result);
// [lock] HELD; the host is said to have failed. True: maps that were not made are being undone, by calls that we see, and
// the error is reported afterwards. False: there is none.
bool sc_ops_undo(struct sc_thread *t, int64_t error);

// regs.c
int sc_get_regs(struct plat_thread *t, struct lx_regs *regs);
int sc_set_regs(struct plat_thread *t, const struct lx_regs *regs);
int64_t sc_get_fpstate(struct plat_thread *t, void *buf, size_t len);
int sc_set_fpstate(struct plat_thread *t, const void *buf, size_t len);
int sc_regs_load(struct sc_thread *t); // [lock] reads the frame; 0 or -LINUX_E*
// [lock] the general registers as they stand in the frame, SC_FRAME_REGS words from SC_FRAME_AT of the
// ucontext
#define SC_FRAME_AT   40
#define SC_FRAME_REGS 18
void sc_regs_to_frame(const struct lx_regs *r, uint64_t frame[SC_FRAME_REGS]);
void sc_regs_from_frame(const uint64_t frame[SC_FRAME_REGS], struct lx_regs *r);
int sc_fpstate_write(struct sc_thread *t, const void *buf, size_t len); // [lock]

// thread.c: threads, processes, address spaces as objects.
// STARTING; in `proc`, or in the process of `sibling`. NULL: no memory, or that process is gone.
struct sc_thread *sc_thread_new(struct sc_as *as, struct sc_proc *proc, const struct sc_thread *sibling);
void sc_thread_free(struct sc_thread *t); // [lock] the host thread is gone, the sentry's handle too
void sc_thread_destroy(struct plat_thread *t);
void sc_thread_lost(struct sc_thread *t, int cause); // no lock; the reaper: its process is gone
void sc_doom(struct sc_thread *t);                   // [lock] an event of a doomed thread: make it end
struct sc_as *sc_as_new(struct sc_platform *p);
void sc_as_release(struct plat_as *as);
void sc_as_drop(struct sc_as *as);             // [P] one hold less
struct sc_proc *sc_proc_new(struct sc_as *as); // no lock
void sc_proc_drop(struct sc_proc *proc);       // [P] it never started, or is dead and has no threads
void sc_proc_kill(struct sc_proc *proc);       // [P]
void sc_violation(struct sc_thread *t, const char *what); // [lock] kills its process
int sc_host_tid(const struct plat_thread *t);
int sc_host_pid(const struct plat_thread *t);
int sc_slot_take(struct sc_as *as); // [P] -1: none left

// clone.c: plat_clone(), and what it shares with the pool.
// [lock of t] Orders the clone that makes `child`; flags: SC_CLONE_*. 0 or -LINUX_ENOMEM.
#define SC_CLONE_COPY   CLONE_PARENT
#define SC_CLONE_VM     (CLONE_PARENT | CLONE_VM)
#define SC_CLONE_THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
int sc_order_clone(struct sc_thread *t, struct sc_thread *child, uint64_t flags);
// A space with one process and one thread to be, in slot `slot`; no lock. NULL: no memory.
struct sc_thread *sc_space_new(struct sc_platform *p, unsigned slot);
int sc_clone(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as);

// checkin.c: check-in of children, and those that never come.
void sc_child_off(struct sc_thread *t);                                 // [lock]
void sc_child_hint(struct sc_thread *t, int64_t tid);                   // [lock]
bool sc_started(const struct plat_thread *t);
// False: not a child of ours. *got: *ev is for the sentry.
bool sc_check_in(struct sc_platform *p, const struct seccomp_notif *n, struct plat_event *ev, bool *got);
void sc_settle_children(struct sc_platform *p); // no lock; cheap when there is nothing

// pool.c: clean processes kept ready, made by the zygote.
int sc_as_create(struct platform *p, struct plat_as **as, struct plat_thread **thread);
void sc_pool_fill(struct sc_platform *p);
void sc_zygote_report(struct sc_platform *p, int64_t result); // no lock
void sc_pool_forget(struct sc_thread *t);                     // [P] a pooled process has died

// reap.c
void sc_reaper_start(struct sc_platform *p);
void sc_reap_all(struct sc_platform *p); // after everything was killed

// open.c
int sc_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen);
void sc_close(struct platform *p);

#endif
