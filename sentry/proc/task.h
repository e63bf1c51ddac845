// SPDX-License-Identifier: Apache-2.0
// A task is a guest thread; a thread group (struct tgroup) is a guest process. How a call of a task goes, and
// how it waits: sentry/run/call.h and park.h.
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
#ifndef SENTRY_PROC_TASK_H
#define SENTRY_PROC_TASK_H
#include "abi/resource.h"
#include "abi/signal.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/refcount.h"
#include "base/uaddr.h"
#include "base/waitq.h"
#include "sentry/cgroup/cgroup.h"
#include "sentry/ipc/futex.h"
#include "sentry/keys/keys.h"
#include "sentry/run/call.h"
#include "sentry/report.h"
#include "sentry/time/cpu_timers.h"
#include "sentry/time/timer.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct cred;
struct fdtable;
struct fs_ctx;
struct kernel;
struct mm;
struct nsproxy;
struct pgroup;
struct pid_ns;
struct plat_thread;
struct seccomp_filter;
struct session;
struct sighand;
struct signalfd;
struct sigqueue;
struct worker;

// ---- Process: what threads of a group share ---------------------------------------------------------------
enum tg_state { TG_ALIVE, TG_ZOMBIE, TG_REAPED };

struct tgroup {
    struct refcount refs;
    struct cgroup_member cgroup;  // [T] (sentry/cgroup/)
    struct kernel *k;             // [c]
    int32_t pid;                  // [c]
    struct pid_ns *pid_ns;        // [c] owned: that it is in
    struct task *leader;          // [T] owned until reaped
    struct list tasks;            // task->tg_link, all alive: changed under T and S, read under either
    _Atomic unsigned nalive;      // [a] changed under T
    _Atomic uint64_t pidfd_ino;   // [a] set once: of all its pidfds, and of no other process's
    struct tgroup *parent;        // [T] NULL for pid 1
    struct task *parent_task;     // [T] which thread of it made us (for PDEATHSIG and __WNOTHREAD)
    struct list children;         // [T] tgroup->sibling
    struct list sibling;          // [T]
    struct pgroup *pgrp;          // [T] owned
    struct list pgrp_link;        // [T]
    enum tg_state state;          // [T]
    int exit_signal;              // [T] what the parent gets; 0: none
    bool unkillable;              // [S] the init of a namespace: signals from inside have no default action
    uint64_t member;              // [c] which container of a pod it is in (sentry/run/member.h); 0: the first
    bool leads_member;            // [c] that one ends with it
    bool sigkilled;               // [S] by SIGKILL: nothing holds it any more
    _Atomic bool exiting;         // [a] group exit has begun (or exec of one thread); set under S
    int group_exit_code;          // [T] wait status: code << 8, or signal; written under S too
    struct task *exec_task;       // [T] the thread that is in exec and waits for the others to go
    struct waitq exit_wait;       // told when it ends: pidfds
    struct waitq child_wait;      // told of every change of a child (wait4) and of threads that end (exec)
    bool subreaper, did_exec, autoreap;  // [T]
    uint64_t start_ns;            // [c] since boot
    _Atomic uint64_t sys_ns;      // [a] system time (sentry/time/systime.h)
    uint64_t sys_ns_children;     // [T] of reaped children
    uint64_t cpu_ns_children, cpu_ns_dead;  // [T] of reaped children; of exited address spaces after exec
    uint64_t peak_children, peak_dead;      // [T] bytes: the largest of either
    // signals
    struct lock sig_lock;
    struct sighand *sighand;      // [S] owned; shared by CLONE_SIGHAND
    struct sigqueue *shared_pending;  // [S] owned
    struct signalfd *signalfds;   // [S] those that this process made (sentry/fd/signalfd.c)
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
    struct cpu_timers cpu;        // [S] (sentry/time/cpu_timers.c)
    struct list posix_timers;     // [S] (sentry/time/posix_timers.c)
    int32_t next_timer_id;        // [S]
    _Atomic int32_t oom_score_adj;  // [a]
    _Atomic uint32_t end_cause;     // [a] enum end_cause, when something is to blame for its end
    struct key *keyring;            // [the keys' lock] owned; NULL: none
    _Atomic uint32_t coredump_filter;       // [a]
    _Atomic bool dumped;                    // [a] a thread of it writes the core, or has
    _Atomic uint32_t mce_kill;              // [a] LINUX_PR_MCE_KILL_*: kept and shown
    _Atomic bool thp_disabled, io_flusher;  // [a] the same
};

// How a task that has stopped goes on; NOT_STOPPED: it has not.
enum task_stop {
    NOT_STOPPED,
    STOP_SIGNAL,  // by a stop signal: with signal_deliver()
    STOP_RETURN,  // for its tracer, on the way to guest code: the same
    STOP_CALL,    // for its tracer, before its call or in the midst of it: with the call
    STOP_END,     // for its tracer: with its end
    // has not yet: its call is to be shown to its tracer, or judged, as soon as there are registers
    STOP_ENTRY,
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
    union call_notes restart_notes;
    int64_t (*restart_fn)(struct task *t);  // [o]
    // what clone may share
    _Atomic bool pi_ends;        // it ends, and tells who waits for locks that it owns (ipc/futex_pi.c)
    struct map_undo {            // [o] what its last call mapped anew: taken back when the host refuses late
        uint64_t start, end;
        uint64_t brk;            // the break before it, when that call was brk, else 0
    } undo;
    struct map_unsettled {       // [o], and the map's lock to write: where its last call has changed the map,
        struct list link;        // which its host thread does before its next event
        uint64_t start, end;     // end 0: nothing
    } unsettled;
    struct mm *mm;               // [o] owned; other threads read it under T
    struct fdtable *files;       // [o] owned; changed, and read by other threads, under T: task_set_files()
    struct fs_ctx *fs;           // [o] owned; likewise: task_set_fs()
    struct nsproxy *nsproxy;     // [T] to read from outside; [o] from inside; owned; NULL: it has ended
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
    struct task_keys keys;       // [the keys' lock]
    struct task *vfork_parent;   // [T] waits until we exec or exit; owned
    _Atomic bool vfork_done;     // [a] for the parent: our child has let go
    // [a] kept for show; others may set and read these
    _Atomic int nice, sched_policy, sched_prio, ioprio;
    _Atomic bool sched_reset;    // [a] SCHED_RESET_ON_FORK
    // [T] of SCHED_DEADLINE: ns
    struct {
        uint64_t runtime, deadline, period;
    } sched_dl;
    _Atomic uint64_t cpu_mask;   // [a] 0: all
    _Atomic uint32_t personality, timer_slack, timer_slack_default;  // [a]
    uint32_t mempolicy;          // [o] set_mempolicy(2), kept for show: mode and its flags
    _Atomic bool traced;         // [a] changed under T and S: ptrace->tracer is set
    struct ptrace *_Atomic ptrace;  // [a] set once, under T; owned (sentry/ptrace/ptrace.h)
    struct list tracees;         // [T] struct ptrace.link
    struct seccomp_filter *_Atomic seccomp;  // [a] changed under T; owned (sentry/seccomp/seccomp.h)
    _Atomic int seccomp_mode;                // [a] LINUX_SECCOMP_MODE_*, the same
    _Atomic bool no_new_privs_synced;        // [a] as cred->no_new_privs, by another thread's word
    struct worker *worker;    // [c] it does work of the sentry's own (run/worker.h); NULL: a guest's thread
    _Atomic bool uses_uring;  // [a] requests were made in its name (sentry/uring/)
    _Atomic bool execing;        // [a] changed under T: between reading who it will be, and being it
};

int32_t tgroup_pgid(struct tgroup *g);

// ---- task_*.c ---------------------------------------------------------------------------------------------
struct task *task_get(struct task *t);
void task_put(struct task *t);
struct tgroup *tgroup_get(struct tgroup *g);
void tgroup_put(struct tgroup *g);
// By number in the sandbox: referenced, or NULL. Any thread.
// Why g ends, when it does; the first one counts.
static inline void tgroup_blame(struct tgroup *g, enum end_cause why) {
    uint32_t none = END_NONE;
    atomic_compare_exchange_strong(&g->end_cause, &none, (uint32_t)why);
}
// The host's number of its stub, in the sentry's pid namespace: tasks_lock held; 0: there is none.
int tgroup_host_pid(struct tgroup *g);
// ... as `by` calls it.
struct task *task_find(struct task *by, int32_t tid);
struct tgroup *tgroup_find(struct task *by, int32_t pid);  // zombies included
static inline bool task_is_leader(const struct task *t) { return t->tid == t->tg->pid; }
int32_t tgroup_ppid(struct tgroup *g);

uint64_t task_rlimit(struct task *t, int which);  // soft limit

// Group exit (exit_group, a deadly signal): marks all threads; the caller still has to end itself. status: as
// wait4.
void tgroup_begin_exit(struct tgroup *g, int status);
// Ends the init of t's pid namespace, or of its container, as by the signal sig, and so all in it.
void tgroup_end_init(struct task *t, int sig);
// A wait status as LINUX_CLD_*: exited, killed, or killed with a core file.
static inline int status_cld(int status) {
    if (!(status & 0x7f))
        return LINUX_CLD_EXITED;
    return status & 0x80 ? LINUX_CLD_DUMPED : LINUX_CLD_KILLED;
}
// The calling task ends now; returns SYS_GONE. (task_exit.c)
int64_t task_exit_self(struct task *t, int status);
// Is anything to be looked at before the guest goes on? One load.
static inline bool task_interrupted(struct task *t) { return atomic_load(&t->sigpending); }
// Replaces the host thread (exec); returns the old one, which the caller destroys. The task is being handled.
struct plat_thread *task_swap_thread(struct task *t, struct plat_thread *next);
// Another table of descriptors: by the task itself. Takes the reference over and gives the old one back.
void task_set_files(struct task *t, struct fdtable *files);

#endif
