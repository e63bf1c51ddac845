// SPDX-License-Identifier: Apache-2.0
// A task is a guest thread; a thread group (struct tgroup) is a guest process. This header has both objects,
// the contract of system call handlers, and how a call waits.
//
// The life of a call: a worker gets an event from the platform (run.c), copies number and arguments into
// task->call and calls the handler. The handler runs to its end and returns a value, a negative error, or one
// of the SYS_* words below. A handler never sleeps. To wait, it arms what it waits for and returns park(t):
// the task is *parked*, its host thread stays held, and nothing of ours waits for it. When it is woken the
// handler is run again from its start, with what it noted in task->call (progress, deadline, phase).
//
// States of a task (task->state), who changes them, and to what:
//   NEW       being made by clone                        -> GUEST (task_start)
//   GUEST     its host thread runs guest code            -> HANDLING (an event came)
//   HANDLING  one sentry thread acts on it               -> GUEST, PARKED, FLUSHING, STOPPED, DEAD
//   FLUSHING  its host thread does host work             -> HANDLING (OPS_DONE came)
//   PARKED    its call waits                             -> READY (task_wake), HANDLING (woken while parking)
//   STOPPED   by a stop signal, or for its tracer; its   -> READY (SIGCONT, SIGKILL, the tracer),
//             host thread is held                           FLUSHING (task_borrow)
//   READY     on a list of tasks to go on                -> HANDLING
//   DEAD      never runs again
//
// Field letters: [c] constant after creation  [o] only the sentry thread that is handling the task (or the
// task is not yet visible)  [T] kernel->tasks_lock  [S] tg->sig_lock  [a] atomic  [own] a lock of its own
#ifndef SENTRY_TASK_H
#define SENTRY_TASK_H
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/refcount.h"
#include "base/uaddr.h"
#include "base/waitq.h"
#include "fs/vfs.h"
#include "platform/platform.h"
#include "sentry/cpu_timers.h"
#include "sentry/futex.h"
#include "sentry/timer.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct kernel;
struct mm;
struct fdtable;
struct task;
struct tgroup;
struct pgroup;
struct session;

// ---- Handlers ---------------------------------------------------------------------------------------------
struct sysargs {
    uint64_t v[6];
};
typedef int64_t (*sys_fn)(struct task *t, const struct sysargs *a);

// What a handler may return besides a value and -LINUX_E* (1..4095) and -LINUX_ERESTART* (512..):
#define SYS_PARK   INT64_C(-0x10001)  // only through park()
// host work is queued on t->thread: do it, then run me again (call.flush_result)
#define SYS_FLUSH  INT64_C(-0x10002)
#define SYS_RESUME INT64_C(-0x10003)  // the registers are set: go on without a value
#define SYS_GONE   INT64_C(-0x10004)  // the task has ended: do not touch it
#define SYS_AGAIN  INT64_C(-0x10005)  // run me again at once; what is armed stays so (call.armed)
// the task has stopped for its tracer (ptrace_event()): run me again afterwards
#define SYS_STOP   INT64_C(-0x10006)

// What a call has put on queues, and what keeps these there: park.c's alone. It begins empty, is filled by
// park_*(), and ends in one place, park_end(), which the run loop calls at every end of a call, death
// included, before call.cleanup: so a clean-up may give back what the queues belong to. A task that goes back
// to its guest, or is dead, has none.
struct parked {
    struct waiter waiter;   // park_arm(), park_arm_file(), park_waiter()
    // owned: a close by another thread does not free it, and a rerun finds it behind its number
    struct file *file;
    struct waiter *many;    // owned: park_many()
    unsigned nmany;
};

struct call {  // [o] the system call in progress
    uint64_t nr;
    struct sysargs args;
    bool again;            // this is not the first run of the handler
    bool timed_out;        // the deadline passed
    bool context;          // full registers may be had (REGS calls; on ptrace all)
    // it is answered through the registers: a ptrace-stop has taken the thread out of its call
    bool by_regs;
    bool fresh;            // handled by the sentry thread that got the event, since the event
    bool armed;            // a rerun after SYS_AGAIN: the waiters have been on their queues since before it
    unsigned phase;        // the handler's own; 0 at first
    uint64_t proposal;     // as in the event: where mmap might go, or 0
    int64_t done;          // the handler's own: progress, e.g. bytes moved so far
    int64_t flush_result;  // of SYS_FLUSH: 0 or the error of the host
    uint64_t deadline;     // monotonic ns, absolute; 0: none. Survives reruns.
    uint64_t u[6];         // the handler's own
    void *p;               // the handler's own; what cleanup gives back
    // called once when the call ends in any way, death included; may be NULL
    void (*cleanup)(struct task *t);
    struct parked parked;
};

// ---- Waiting (sentry/park.c) ------------------------------------------------------------------------------
// The pattern, in every handler that can block:   park_arm*(t, ...);  r = try();  if (r != would block)
// return r; return park(t);    Arming comes before looking, so that no wake-up is lost; arming again on a
// rerun is right. q is the task's own (its process's, its map's) or there for ever; a queue that is part of
// an open file, or of its inode, goes by park_arm_in(), which keeps the file until the call ends.
void park_arm(struct task *t, struct waitq *q);
void park_arm_in(struct task *t, struct file *f, struct waitq *q);
// The call's waiter, off its queue, for who puts it on one in another way. It wakes t on every event,
// whatever `arg` is; the caller may change that. What the queue belongs to is kept by call.p until
// call.cleanup.
struct waiter *park_waiter(struct task *t);
// n more waiters (zero), the call's until it ends, for calls that wait on many queues; NULL: no memory. Once
// a call.
struct waiter *park_many(struct task *t, unsigned n);
// For files: tries nothing, arms f's poll and returns the events that hold now.
uint32_t park_arm_file(struct task *t, struct file *f, uint32_t events);
// The file of a call that is run again after it has waited for it: borrowed, or NULL: look the number up.
struct file *park_file(struct task *t);
// Sets call.deadline (when it is not set yet) and its timer: afterwards call.timed_out is set and the handler
// rerun.
void park_deadline(struct task *t, uint64_t mono_ns_abs);
// the same with another one in force already; 0: for ever
void park_deadline_move(struct task *t, uint64_t mono_ns_abs);
// SYS_PARK; or -LINUX_ERESTARTSYS when a signal waits; the handler may turn that into EINTR, ERESTARTNOHAND
// ...
int64_t park(struct task *t);
// Waits where only death may interrupt (a vfork parent).
int64_t park_killable(struct task *t);
// Any thread: the parked task is to be run again. Cheap when it is not parked.
void task_wake(struct task *t);
// For a call that has more to do than one turn should take: leaves its progress in task->call, lets others go
// first, and is run again. The rerun begins with park_yielded().
int64_t park_yield(struct task *t);
void park_yielded(struct task *t);
// The task whose handler runs on this thread, or NULL: for what is below the VFS and has no context at hand
// (procfs).
extern _Thread_local struct task *task_current;
// The common loop of blocking reads and writes: call after `r` came from trying f. Returns r, or parks when r
// is -LINUX_EAGAIN and f is blocking.
int64_t park_file_result(struct task *t, struct file *f, uint32_t events, int64_t r);

// ---- Credentials (sentry/cred.c): immutable once published, replaced as a whole ---------------------------
struct cred {
    struct refcount refs;
    uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
    uint64_t cap_permitted, cap_effective, cap_inheritable, cap_bounding, cap_ambient;
    uint32_t securebits;
    bool no_new_privs;
    unsigned ngroups;
    uint32_t groups[];
};

// ---- Process: what threads of a group share ---------------------------------------------------------------
enum tg_state { TG_ALIVE, TG_ZOMBIE, TG_REAPED };

struct tgroup {
    struct refcount refs;
    struct kernel *k;             // [c]
    int32_t pid;                  // [c]
    struct task *leader;          // [T] owned until reaped
    struct list tasks;            // task->tg_link, all alive: changed under T and S, read under either
    _Atomic unsigned nalive;      // [a] changed under T
    struct tgroup *parent;        // [T] NULL for pid 1
    struct task *parent_task;     // [T] which thread of it made us (for PDEATHSIG and __WNOTHREAD)
    struct list children;         // [T] tgroup->sibling
    struct list sibling;          // [T]
    struct pgroup *pgrp;          // [T] owned
    struct list pgrp_link;        // [T]
    enum tg_state state;          // [T]
    int exit_signal;              // [T] what the parent gets; 0: none
    bool sigkilled;               // [S] by SIGKILL: nothing holds it any more
    _Atomic bool exiting;         // [a] group exit has begun (or exec of one thread); set under S
    int group_exit_code;          // [T] wait status: code << 8, or signal; written under S too
    struct task *exec_task;       // [T] the thread that is in exec and waits for the others to go
    struct waitq exit_wait;       // told when it ends: pidfds
    struct waitq child_wait;      // told of every change of a child (wait4) and of threads that end (exec)
    bool subreaper, did_exec, autoreap;  // [T]
    uint64_t start_ns;            // [c] since boot
    uint64_t cpu_ns_children, cpu_ns_dead;  // [T] of reaped children; of exited address spaces after exec
    uint64_t peak_children, peak_dead;      // [T] bytes: the largest of either
    // signals
    struct lock sig_lock;
    struct sighand *sighand;      // [S] owned; shared by CLONE_SIGHAND
    struct sigqueue *shared_pending;  // [S] owned
    struct signalfd *signalfds;   // [S] those that this process made (sentry/signalfd.c)
    struct group_stop {           // [S] a stop under way or in force, and what the parent is to be told
        bool on;                  // every thread that comes to signal_deliver() stops
        unsigned left;            // threads that have not stopped yet
        int sig;
        uint32_t continues;       // counts SIGCONTs: a stop signal that was taken before one has no effect
        bool was_stopped;         // a SIGCONT came after the stop was complete: the parent is to hear of it
    } stop;
    // job control
    bool stopped;                 // [T] group stop is in force
    int stop_sig;                 // [T]
    bool stop_reported, continued;  // [T] for wait4's WUNTRACED and WCONTINUED
    // limits and timers
    struct linux_rlimit64 rlimits[LINUX_RLIM_NLIMITS];  // [S]
    struct ktimer itimer_real;    // [own]
    uint64_t itimer_real_interval, itimer_real_next;  // [S] ns; monotonic ns, 0: stopped
    bool itimer_real_due;         // [S] it has expired; the next expiry is set when the SIGALRM is taken
    struct cpu_timers cpu;        // [S] (sentry/cpu_timers.c)
    struct list posix_timers;     // [S] (sentry/posix_timers.c)
    int32_t next_timer_id;        // [S]
    _Atomic int32_t oom_score_adj;  // [a]
    _Atomic uint32_t dumpable;      // [a]
};

// How a task that has stopped goes on; NOT_STOPPED: it has not.
enum task_stop {
    NOT_STOPPED,
    STOP_SIGNAL,  // by a stop signal: with signal_deliver()
    STOP_RETURN,  // for its tracer, on the way to guest code: the same
    STOP_CALL,    // for its tracer, before its call or in the midst of it: with the call
    STOP_END,     // for its tracer: with its end
    STOP_ENTRY,   // has not yet: its call is to be shown to its tracer, as soon as there are registers
};

enum task_state {
    TASK_NEW,
    TASK_GUEST,
    TASK_HANDLING,
    TASK_FLUSHING,
    TASK_PARKED,
    TASK_STOPPED,
    TASK_READY,
    TASK_DEAD
};

struct task {
    struct refcount refs;
    struct kernel *k;            // [c]
    struct tgroup *tg;           // [c] owned
    int32_t tid;                 // [T] changes only when exec makes a thread the leader
    struct list tg_link;         // [T]
    _Atomic int state;           // [a] enum task_state; see the list above
    _Atomic bool woken;          // [a] a wake-up came; cleared before each run of the handler
    // [a] something must be looked at before guest code goes on: signal, stop, death
    _Atomic bool sigpending;
    _Atomic bool killed;         // [a] must die: SIGKILL, group exit, exec of a sibling
    struct list ready_link;      // [ready list]
    // RANK_READY: letting the host thread go against interrupting or replacing it
    struct lock thread_lock;
    struct plat_thread *thread;  // [o] + thread_lock to change; owned; NULL for the built-in init
    // [thread_lock] its host thread has ended by itself, while the task was handled
    bool host_gone;
    enum task_stop in_stop;      // [o]
    struct call call;            // [o]
    struct ktimer call_timer;    // for call.deadline
    // [o] -LINUX_ERESTART* to be resolved when the registers are at hand; 0: none
    int64_t restart;
    uint64_t restart_nr;         // [o] number of the call to be restarted
    // [o] for ERESTART_RESTARTBLOCK (nanosleep): what restart_syscall(2) goes on with
    uint64_t restart_args[6];
    int64_t (*restart_fn)(struct task *t);  // [o]
    // what clone may share
    struct map_undo {            // [o] what its last call mapped anew: taken back when the host refuses late
        uint64_t start, end;
        uint64_t brk;            // the break before it, when that call was brk, else 0
    } undo;
    struct mm *mm;               // [o] owned; other threads read it under T
    struct fdtable *files;       // [o] owned; changed, and read by other threads, under T: task_set_files()
    struct fs_ctx *fs;           // [o] owned; likewise: task_set_fs()
    struct cred *cred;           // [T] to read from outside; [o] to read from inside; owned
    // signals
    uint64_t blocked;            // [S] written by itself only
    uint64_t saved_mask;         // [o] for sigsuspend, ppoll, pselect, epoll_pwait ...
    bool restore_mask;           // [o] ... put back when no handler runs
    struct sigqueue *pending;    // [S] owned
    struct linux_stack altstack; // [o]
    uint64_t sigwait_set;        // [S] what sigtimedwait waits for: such signals wake it though blocked
    bool stop_counted;           // [S] among tg->stop.left
    struct futex_waiter futex;   // for futex(2) waits; see futex.h
    // odds and ends of Linux threads
    uaddr_t set_child_tid;       // [o] where it writes its number when it first runs
    uaddr_t clear_child_tid;     // [o]
    uaddr_t robust_list;         // [o]
    int pdeath_signal;           // [o]
    char comm[16];               // [T] to read from outside
    int exit_code;               // [o] wait status
    uint32_t fault_trapno, fault_error;  // [o] of the last synchronous fault, for the signal frame
    uint64_t fault_addr;                 // [o]
    _Atomic bool forked_no_exec; // [a]
    struct task *vfork_parent;   // [T] waits until we exec or exit; owned
    _Atomic bool vfork_done;     // [a] for the parent: our child has let go
    // [a] kept for show; others may set and read these
    _Atomic int nice, sched_policy, sched_prio, ioprio;
    _Atomic bool sched_reset;    // [a] SCHED_RESET_ON_FORK
    _Atomic uint64_t cpu_mask;   // [a] 0: all
    _Atomic uint32_t personality, timer_slack, timer_slack_default;  // [a]
    _Atomic bool traced;         // [a] changed under T and S: ptrace->tracer is set
    struct ptrace *_Atomic ptrace;  // [a] set once, under T; owned (sentry/ptrace/ptrace.h)
    struct list tracees;         // [T] struct ptrace.link
    _Atomic bool execing;        // [a] changed under T: between reading who it will be, and being it
};

int32_t tgroup_pgid(struct tgroup *g);

// ---- task_*.c ---------------------------------------------------------------------------------------------
struct task *task_get(struct task *t);
void task_put(struct task *t);
struct tgroup *tgroup_get(struct tgroup *g);
void tgroup_put(struct tgroup *g);
// By number in the sandbox: referenced, or NULL. Any thread.
struct task *task_find(struct kernel *k, int32_t tid);
struct tgroup *tgroup_find(struct kernel *k, int32_t pid);  // zombies included
static inline bool task_is_leader(const struct task *t) { return t->tid == t->tg->pid; }
int32_t tgroup_ppid(struct tgroup *g);

// A view of the caller for the VFS; takes references on root and cwd, given back by vfs_ctx_done().
void task_vfs_ctx(struct task *t, struct vfs_ctx *ctx);
void vfs_ctx_done(struct vfs_ctx *ctx);
#define TASK_VFS_CTX(t, name)                                                                                \
    struct vfs_ctx name __attribute__((cleanup(vfs_ctx_done)));                                              \
    task_vfs_ctx((t), &name)

bool task_capable(const struct task *t, int cap);  // effective
uint64_t task_rlimit(struct task *t, int which);   // soft limit

// Group exit (exit_group, a deadly signal): marks all threads; the caller still has to end itself. status: as
// wait4.
void tgroup_begin_exit(struct tgroup *g, int status);
// The calling task ends now; returns SYS_GONE. (task_exit.c)
int64_t task_exit_self(struct task *t, int status);
// Is anything to be looked at before the guest goes on? One load.
static inline bool task_interrupted(struct task *t) { return atomic_load(&t->sigpending); }
// Replaces the host thread (exec); returns the old one, which the caller destroys. The task is being handled.
struct plat_thread *task_swap_thread(struct task *t, struct plat_thread *next);
// Lets a task that is being handled go on: a new child of clone, or the run loop's own. (run.c)
void task_release(struct task *t, bool with_value, int64_t value);
// The first start of a child that clone made and published. (run.c)
void task_start(struct task *t);
// Ends a task that is being handled: its call's clean-up, then task_exit_self(). (run.c)
void task_die(struct task *t, int status);
// Makes it look: interrupts guest code, or wakes the parked call. Any thread.
void task_notify(struct task *t);
// It is to die: no stop and no call holds it. sig_lock held.
void task_condemn(struct task *t);
// For host work in the process of a task that is stopped for its tracer (run.c): it becomes the caller's, who
// queues work and flushes it, or gives it back. False: it is not there yet, or no more.
bool task_borrow(struct task *t);
void task_flush_borrowed(struct task *t);
void task_give_back(struct task *t);

// fs context (task_fs.c)
struct fs_ctx {
    struct refcount refs;
    struct lock lock;        // RANK_FS_CTX
    struct path root, cwd;   // [lock] owned
    uint32_t umask;          // [lock]
    unsigned execs;          // [lock] execs under way that count on nobody joining: fs_ctx_exec_begin()
};
// takes references
struct fs_ctx *fs_ctx_new(const struct path *root, const struct path *cwd, uint32_t umask);
struct fs_ctx *fs_ctx_copy(struct fs_ctx *old);
// For CLONE_FS: a reference; NULL while an exec counts on not being joined (EAGAIN).
struct fs_ctx *fs_ctx_join(struct fs_ctx *f);
// The exec of t: is its place that of its process alone? Then it stays so until fs_ctx_exec_end() (true);
// else false.
bool fs_ctx_exec_begin(struct task *t);
void fs_ctx_exec_end(struct fs_ctx *f);
void fs_ctx_put(struct fs_ctx *f);
// Another table, another place: by the task itself. Takes the reference over and gives the old one back.
void task_set_files(struct task *t, struct fdtable *files);
void task_set_fs(struct task *t, struct fs_ctx *fs);

// a private copy to be changed, then published:
struct cred *cred_dup(const struct cred *old, unsigned ngroups);
void task_set_cred(struct task *t, struct cred *c);               // takes c over
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);

#endif
