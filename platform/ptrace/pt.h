// SPDX-License-Identifier: Apache-2.0
// The ptrace platform: guest code runs in traced stubs with PTRACE_SYSEMU, so that no system call of the
// guest ever reaches the host kernel. Slow (a call is two context switches and six host calls), but it works
// nearly everywhere.
//
// One sentry thread, the *tracer* (the one that called plat_open()), makes every ptrace, wait and kill call:
// ptrace demands it, and since only the tracer reaps, a host tid that it uses cannot have been recycled. What
// other sentry threads ask for is noted in the thread under platform.lock and put on a queue;
// PLAT_KICK_SIGNAL wakes the tracer.
//
// A thread's states and who changes them (all under the lock, all in the tracer but for the first):
//
//   STARTING  no stop was seen yet          made by as_create, clone; -> STOPPED at its first stop
//   RUNNING   in guest code                 -> STOPPED at a stop
//   STOPPED   the sentry has it (let ==     -> RUNNING, WORKING, QUEUED when the sentry lets it go, EXITING
//             LET_NONE), or has let it go
//   WORKING   makes an injected host call   -> WORKING (the next one), STOPPED, QUEUED
//   QUEUED    stopped, has to wait for the  -> WORKING when the channel becomes free
//             descriptor channel
//   EXITING   makes its last host call      -> GONE
//   GONE      reaped, or never came to be   freed once the sentry has destroyed it too; from every state
//
// Injected calls: registers are set so that the stub's gate runs, which is `syscall; ret`, and the thread is
// let go with PTRACE_CONT. Its stack pointer is one that no address space has, so that the `ret` faults and
// stops the thread again: one stop for a call (single-stepping takes two, since it also stops on the way out
// of the guest's call), and no memory is involved that a guest could change. A filter in the stub lets host
// calls pass only from the gate, and only those that are injected (filter.c); SYSEMU reports before filters
// run, so guest calls never meet it. Arguments are in registers alone, but for recvmsg's header.
//
// A file to be mapped reaches the stub through the *channel*: one socket pair for the sandbox, whose far end
// is descriptor 0 of every stub. The sentry sends the descriptor, the thread is made to call recvmsg (which
// then receives it as descriptor 1, the lowest free one), mmap and close. One thread at a time owns the
// channel. Guest code cannot make host calls, so descriptors of the stub are out of its reach.
//
// recvmsg is the one injected call that follows a pointer, into memory that a sibling thread can write while
// the call runs: it may fail before or after the descriptor is there, or succeed without one. So nothing is
// concluded from its result but whether to go on. Before it, number 1 is closed and the channel empty but for
// the one message; after it, number 1 is that message's file or closed; then it is closed, whatever happened,
// and what was not taken is discarded. All other calls have their arguments in registers, and the results of
// all are the kernel's word.
#ifndef PLATFORM_PTRACE_PT_H
#define PLATFORM_PTRACE_PT_H
#include "base/list.h"
#include "base/lock.h"
#include "platform/backend.h"
#include "platform/stub/layout.h"
#include "platform/stub/spawn.h"
#include <sched.h>
#include <sys/types.h>

#define PT_HASH      256u
#define PT_SPARE     2u // clean stubs that are made ahead
#define PT_XSAVE_MAX 16384u

// Not canonical: a `ret` there faults without touching memory.
#define PT_NO_STACK 0x8000000000000000ull

// What every stub has for descriptors: the far end of the channel, and a file while it is being mapped.
#define PT_FD_CHANNEL 0
#define PT_FD_FILE    1

enum pt_state { PT_STARTING, PT_RUNNING, PT_STOPPED, PT_WORKING, PT_QUEUED, PT_EXITING, PT_GONE };
enum pt_let { LET_NONE, LET_ANSWER, LET_RESUME, LET_FLUSH };
enum pt_step { STEP_CALL, STEP_RECEIVE, STEP_CLOSE, STEP_POPULATE };
enum pt_dirty { REGS_CLEAN, REGS_RAX, REGS_ALL };

// A host process. Locks: platform.lock for everything.
struct pt_proc {
    struct pt_as *as;
    int pid;           // 0: not there yet
    unsigned nthreads; // structs that point here
    unsigned nlive;    // of them: neither destroyed nor gone
    bool killed;
};

struct pt_as {
    struct plat_as base;
    struct list link;    // pt_platform.spaces
    struct list threads; // pt_thread.as_link
    struct list kill_link;
    bool released;
};

// One piece of host work: an operation, or a clone.
struct pt_work {
    struct list link;
    struct plat_op op;
    struct pt_thread *child; // a clone; NULL: an operation
    uint64_t clone_flags;
};

struct pt_thread {
    struct plat_thread base;
    struct pt_proc *proc;
    struct list as_link, ready_link, command_link, channel_link;
    struct pt_thread *hash_next;
    int tid; // 0: not there yet
    enum pt_state state;
    enum pt_let let;
    int64_t value;       // LET_ANSWER
    bool interrupt;      // plat_interrupt() was asked for and not reported yet
    bool interrupt_sent; // PTRACE_INTERRUPT is on its way
    bool destroyed;
    bool internal; // the zygote, or a spare stub: makes no events
    // Host work.
    struct list work;
    struct pt_work *now;
    bool cloning;          // `now` is a clone that is under way
    struct host_call call; // the injected call that is under way
    enum pt_step step;
    int64_t result; // first failure, 0
    int64_t undo;   // the same while the maps that were not made are undone
    // Registers: the guest's, as fetched at the last stop or as set since then.
    struct lx_regs regs;
    enum pt_dirty dirty;
    void *fp;                // FP image to be set at the first stop, NULL
    bool fresh;              // STARTING as a clean stub: its FP state is the initial one
    int cpu;                 // the one it is bound to (follow.c), -1: none
    struct plat_event event; // to be reported, while on the ready list
};

// A child of which a stop or the end was seen before the clone that made it had been noticed.
struct pt_early {
    struct pt_early *next;
    int tid;
    bool ended;
    int cause;
};

struct pt_platform {
    struct platform base;
    struct lock lock;
    pthread_t tracer;
    int tracer_tid, self_pid;
    struct stub_place place;
    size_t xsave_len;         // of an XSAVE image as the host kernel wants it; at least layout.fpstate_size
    int channel, channel_far; // socket pair; the far end is kept to discard what a stub did not take
    struct pt_thread *channel_owner;
    struct list channel_waiters;
    struct pt_thread *zygote;
    int pgid; // all stubs: the zygote's process group
    struct pt_thread *spare[PT_SPARE];
    struct list ready;    // threads with an event to report
    struct list commands; // threads of which another sentry thread asked something
    struct list kills;    // released address spaces
    struct list spaces;   // all address spaces
    struct pt_early *early;
    unsigned nclones; // clones under way: only then may a tid be unknown
    struct pt_thread *hash[PT_HASH];
    unsigned nbusy;    // threads from which a stop may come
    unsigned nrunning; // in guest code or working
    bool sleeping, kicked, down;
    bool drained;   // no SIGCHLD has come since there was nothing more to collect
    bool reap_due;  // ... nothing more to reap
    bool no_spares; // the host refused the last one: none are made ahead until one is needed
    // follow.c
    cpu_set_t cpus; // all that we may use
    int cpu;        // the one that tracer and guest are bound to, -1: none
    unsigned calm, bound_calls;
    bool no_follow;
};

static inline struct pt_platform *pt_of(const struct platform *p) {
    return (struct pt_platform *)p;
}
static inline struct pt_thread *pt_thread_of(const struct plat_thread *t) {
    return (struct pt_thread *)t;
}
static inline struct pt_as *pt_as_of(const struct plat_as *as) {
    return (struct pt_as *)as;
}
static inline struct pt_platform *pt_owner(const struct pt_thread *t) {
    return pt_of(t->base.p);
}

// open.c
int pt_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen);
void pt_close(struct platform *p);

// filter.c: the filter of all stubs.
#define PT_FILTER_MAX 64
unsigned pt_filter(uint64_t call_ip, struct sock_filter *out);
// The only flags with which a stub may be cloned; CLONE_PTRACE makes the tracer see the child from its first
// moment.
#define PT_CLONE_FORK (CLONE_PARENT | CLONE_PTRACE | SIGCHLD)
#define PT_CLONE_VM   (CLONE_VM | PT_CLONE_FORK)
#define PT_CLONE_THREAD                                                                                      \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PTRACE)

// wait.c
int pt_wait(struct platform *p, struct plat_event *ev);
void pt_kick(struct platform *p);
void pt_shutdown(struct platform *p);
void pt_wake(struct pt_platform *p); // lock held: the tracer, out of its sleep
bool pt_in_tracer(const struct pt_platform *p);
void pt_reap(struct pt_platform *p); // lock held, tracer: collects all that have ended

// stop.c; lock held, tracer
void pt_stop(struct pt_platform *p, int tid, int status);
void pt_post(struct pt_thread *t, enum plat_event_kind kind); // t->event.kind and on the ready list

// thread.c; lock held
struct pt_as *pt_new_as(struct pt_platform *p);
struct pt_thread *pt_new_thread(struct pt_as *as, struct pt_proc *join);
struct pt_thread *pt_lookup(struct pt_platform *p, int tid);
void pt_set_state(struct pt_thread *t, enum pt_state state);
void pt_bind(struct pt_thread *t, int tid); // its host thread is there
void pt_gone(struct pt_thread *t, bool report,
             int cause);                      // its host thread is not there (any more); may free t
void pt_move_memory_pid(struct pt_thread *t); // t's tid shall not stand for its address space
void pt_kill(struct pt_proc *proc);
void pt_free_thread(struct pt_thread *t);
void pt_free_as_if_done(struct pt_as *as);

// run.c; lock held, tracer
void pt_apply(struct pt_thread *t); // does what was asked of t, as far as its state allows it now; may free t
void pt_go(struct pt_thread *t);    // STOPPED -> RUNNING
void pt_started(struct pt_thread *t); // its first stop has come
// run.c: platform.h's
void pt_answer(struct plat_thread *t, int64_t value, struct lock *outer);
void pt_resume(struct plat_thread *t, struct lock *outer);
void pt_flush(struct plat_thread *t);
void pt_interrupt(struct plat_thread *t);
void pt_thread_destroy(struct plat_thread *t);

// work.c; lock held, tracer
void pt_work_begin(struct pt_thread *t);
void pt_work_stop(struct pt_thread *t, int status);
void pt_work_drop(struct pt_thread *t); // what is left will not be done
void pt_free_work(struct pt_work *w);
void pt_orphans(struct pt_platform *p);     // ends children of clones that nobody can tell of any more
void pt_channel_leave(struct pt_thread *t); // owner or waiter: no more
int pt_inject(struct pt_thread *t, const struct host_call *call);
// work.c: platform.h's
int pt_queue(struct plat_thread *t, const struct plat_op *op);
int pt_clone(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as);

// space.c
int pt_as_create(struct platform *p, struct plat_as **as, struct plat_thread **thread);
void pt_as_release(struct plat_as *as);
bool pt_refill(
    struct pt_platform *p); // lock held, tracer: has more spare stubs made; true when it did something

// regs.c
int pt_fetch_regs(struct pt_thread *t); // lock held, tracer: the host's registers into t->regs. 0 or -errno
int pt_store_regs(struct pt_thread *t); // lock held, tracer: what was changed
int pt_store_fp(struct pt_platform *p, int tid, const void *image, size_t len);
int pt_get_regs(struct plat_thread *t, struct lx_regs *regs);
int pt_set_regs(struct plat_thread *t, const struct lx_regs *regs);
int64_t pt_get_fpstate(struct plat_thread *t, void *buf, size_t len);
int pt_set_fpstate(struct plat_thread *t, const void *buf, size_t len);
void pt_initial_fp(void *image, size_t len);
bool pt_foreign_call(struct pt_thread *t);
bool pt_restart_code(uint64_t rax);

// follow.c: lock held, tracer
void pt_follow_init(struct pt_platform *p);
void pt_follow(struct pt_thread *t);
void pt_unfollow(struct pt_platform *p);
unsigned pt_patience(const struct pt_platform *p);

#endif
