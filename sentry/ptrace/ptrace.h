// SPDX-License-Identifier: Apache-2.0
// ptrace(2): who traces whom, how a traced thread stops, and what its tracer may do meanwhile.
//
// A stop is taken by the thread itself, on the sentry thread that handles it, where its full registers are at
// hand. They are copied to struct ptrace; a request works on that copy alone, so that a tracee that is killed
// under its tracer's hands needs no lock against it. When the stop is over the thread's host thread is
// brought to a fresh event, gets the copy's registers (the platform checks them as any others) and goes on
// where it stood.
//
//   stop      made where                                                    then
//   ENTRY     before_call.c of run/: before the call                         the call, as the registers say
//   SECCOMP   before_call.c of run/: a filter has handed the call over      the same, judged again
//   LEAVE     on the way back from a call                                   guest code
//   SIGNAL    signal_deliver(), before the signal is acted on               what the tracer made of it
//   GROUP     the same, joining a group stop; PTRACE_EVENT_STOP             guest code
//   EVENT     clone, vfork, exec: in the midst of the call; a step          the rest of the call
//   ENDS      task_die()                                                    its end
//
// Transitions (ptrace_set() asserts them), all under the thread's sig_lock:
//   RUNS -> a stop       by the thread itself
//   a stop -> RUNS       by its tracer, by the tracer's end, by what kills the thread
//   GROUP -> LISTENS     PTRACE_LISTEN; -> RUNS as above, and by what ends or renews the group stop
//   RUNS -> DEAD         it has ended, and its tracer has not been told (a thread), or not collected it
//                        (a process)
//
// Locks: [T] tasks_lock, [S] sig_lock of the traced thread's process, [o] the thread itself.
#ifndef SENTRY_PTRACE_PTRACE_H
#define SENTRY_PTRACE_PTRACE_H
#include "abi/signal.h"
#include "abi/x86_64/regs.h"
#include "sentry/proc/task.h"

enum ptrace_stop {
    PT_RUNS,
    PT_ENTRY,
    PT_SECCOMP,
    PT_LEAVE,
    PT_SIGNAL,
    PT_GROUP,
    PT_LISTENS,
    PT_EVENT,
    PT_ENDS,
    PT_DEAD
};
enum ptrace_go { GO_CONT, GO_SYSCALL, GO_STEP, GO_SYSEMU, GO_SYSEMU_STEP };  // how far, until the next stop

// Bytes on their way into memory that the tracee itself may not write (memory.c).
#define PTRACE_POKE_MOST 8
struct ptrace_poke {
    enum { POKE_NONE, POKE_OPEN, POKE_CLOSE, POKE_DONE } state;  // [T] to or from NONE and DONE
    uint64_t addr;
    unsigned len, nareas;
    const struct task *caller;  // of no meaning but for being the same: the tracer whose call it is
    struct poke_area {
        uint64_t start, end;
        int prot;
    } areas[2];
    int64_t result;
    unsigned char bytes[PTRACE_POKE_MOST];
};

struct ptrace {  // made when a thread is traced for the first time, freed with it
    struct task *task;           // [c] whose it is
    struct task *tracer;         // [T] NULL: nobody; task->traced says so without a lock
    struct list link;            // [T] tracer->tracees
    uint32_t options;            // [T] and [S] to change: LINUX_PTRACE_O_*
    bool seized;                 // [T] and [S] to change
    enum ptrace_stop stop;       // [S]
    int status;                  // [S] what wait4 is to tell the tracer; 0: nothing
    int code;                    // [S] of the stop: the signal, and the event in the byte above
    uint64_t message;            // [S] GETEVENTMSG
    bool has_info;               // [S] GETSIGINFO: not in the group-stop of a thread that was not seized
    struct linux_siginfo info;   // [S]
    _Atomic int go;              // enum ptrace_go
    int signal;                  // [S] what the tracer sent it on with
    bool trap;                   // [S] a PTRACE_EVENT_STOP is due
    enum ptrace_stop last;       // [o] the stop that is over, or on
    bool leave;                  // [S] a LEAVE is due
    bool emulated;               // [o] the call that ENTRY shows is not to be made: SYSEMU
    bool stepping;               // [o] the trap flag is ours, not the guest's
    bool stepped_into;           // [o] a step has led into a handler: a stop is due
    int injected;                // [o] the signal that SIGNAL ended with; 0: none
    struct lx_regs regs;         // [S] while it is stopped
    struct ptrace_poke poke;     // while the thread is borrowed
    uint64_t dr[8];              // [S] debug registers; watched: [o] what lies there (watch.c)
    uint64_t watched[4];
    bool fp_changed;             // [S]
    size_t fp_size;              // [c]
    unsigned char fp[];          // [S] its XSAVE image, while it is stopped
};

// May the call be left out of account? One load on the paths that every call takes.
static inline bool ptrace_on(const struct task *t) {
    return atomic_load_explicit(&t->traced, memory_order_acquire);
}

// ---- The thread's own side (stop.c) -----------------------------------------------------------------------
// The thread stops for its tracer: true. False: it has none, or must die. regs: as the tracer is to see them.
// code: as in the status word. info: of SIGNAL, else NULL.
bool ptrace_stop(struct task *t, const struct lx_regs *regs, enum ptrace_stop stop, int code,
                 const struct linux_siginfo *info);
bool ptrace_stopped(struct task *t);  // is the stop on?
// The stop is over, and registers can be set: which it was.
enum ptrace_stop ptrace_go_on(struct task *t);
bool ptrace_wants_call(const struct task *t);                     // is there to be an ENTRY?
bool ptrace_entry(struct task *t, const struct lx_regs *regs);    // ... here it is
// A filter hands the call over, with its data: SECCOMP. False: its tracer does not want it, or is none.
bool ptrace_wants_seccomp(struct task *t);
bool ptrace_seccomp(struct task *t, const struct lx_regs *regs, uint16_t data);
// After ENTRY and SECCOMP: what the call is now. False: none; the registers are the result.
bool ptrace_take_call(struct task *t);
void ptrace_call_done(struct task *t);                            // notes what is due on the way back
bool ptrace_exiting(struct task *t, int status);                  // PTRACE_EVENT_EXIT
// signal_deliver()'s: what is due before any signal; a group stop joined; a signal taken: true when it stops.
bool ptrace_traps(struct task *t, const struct lx_regs *regs);
bool ptrace_group(struct task *t, const struct lx_regs *regs);
bool ptrace_signal(struct task *t, const struct lx_regs *regs, int sig, const struct linux_siginfo *info);
int ptrace_injected(struct task *t, struct linux_siginfo *info);  // [S] the signal to be acted on, once; or 0
// its tracer has gone meanwhile
void ptrace_unshown(struct task *t, int sig, const struct linux_siginfo *info);
// the trap flag is the guest's own again: it was ours
bool ptrace_unstep(struct task *t, struct lx_regs *regs);
// A step that nobody waits for any more, for its tracer has gone: the registers are as if it had not been
// made.
bool ptrace_stray_step(struct task *t, int signo, int code);
void ptrace_step_into(struct task *t);                            // a step has led into a signal's handler
// An event of the options: SYS_STOP when the thread has stopped, else 0. In a call with context.
int64_t ptrace_event(struct task *t, int event, uint64_t message);
int64_t ptrace_execed(struct task *t, int32_t old_tid);           // exec's: an event, or SIGTRAP

// ---- What others do to it: [S] ----------------------------------------------------------------------------
bool ptrace_due(const struct task *t);   // something of ours is to be looked at: signal_recalc()
void ptrace_break(struct task *t);       // it is to die: no stop holds it any more
void ptrace_renew(struct task *t);       // a group stop begins or ends: a seized thread tells its tracer
bool ptrace_left(const struct task *t);  // runs, sent on by its tracer, though its group is stopped

// Host work for its tracer is done (memory.c); true: there is more, to be flushed. By the run loop.
bool ptrace_poke_done(struct task *child, int64_t result);
// Writes past the protection of private memory, by way of a thread in mm that t has stopped: len (at most
// PTRACE_POKE_MOST), -LINUX_EAGAIN: it is on its way, child_wait of t's process tells when to ask again;
// -LINUX_EBUSY: not now; -LINUX_EIO.
struct mm;
// What has become of it: the same, or 0 when there is none of this call's. To be asked before anything else.
int64_t ptrace_forced(struct task *t, const struct mm *mm);
int64_t ptrace_force(struct task *t, struct mm *mm, uint64_t addr, const void *bytes, unsigned len);

// ---- Watchpoints (watch.c), by the thread itself ----------------------------------------------------------
// A step is over: is the tracer to hear of it? *info: of the SIGTRAP.
bool ptrace_step_counts(struct task *t, struct linux_siginfo *info);
void ptrace_rearm(struct task *t);  // before guest code: a thread that is watched makes steps

// ---- Links (link.c): [T] ----------------------------------------------------------------------------------
struct ptrace_ended {  // what is given back when tasks_lock is dropped: ptrace_free_ended()
    struct list tasks, groups;
};
void ptrace_free_ended(struct ptrace_ended *e);
bool ptrace_prepare(struct task *t);  // makes t->ptrace; no lock. False: no memory
int ptrace_clone_event(struct task *t, const struct task *child, uint64_t flags);  // which, or 0; no lock
void ptrace_inherit(struct task *parent, struct task *child);
void ptrace_tracer_ends(struct task *t, struct ptrace_ended *e);  // all that t traces is let go
bool ptrace_thread_ends(struct task *t, int status);   // true: it stays until its tracer has been told
bool ptrace_process_ends(struct tgroup *g);            // true: the tracer is told first, the parent later
bool ptrace_holds(const struct tgroup *g);             // a zombie that its parent does not see yet
void ptrace_forget(struct task *t);                    // no longer traced, and nobody is told

// ---- wait4 (wait.c): [T] ----------------------------------------------------------------------------------
struct cred;
struct mm;
struct wait_req;
struct wait_result;
// 1: *res is filled; 0: there is a tracee that fits, without news; -LINUX_ECHILD: none fits.
int ptrace_wait(struct task *t, const struct wait_req *r, struct wait_result *res, struct ptrace_ended *e);
bool ptrace_traced_by(const struct task *t, const struct tgroup *g);

// ---- Access (access.c) ------------------------------------------------------------------------------------
enum ptrace_creds { PTRACE_FSCREDS, PTRACE_REALCREDS };
// ptrace(2), "Ptrace access mode checking": may `me` look into t? [T]
bool ptrace_may_access(const struct task *me, const struct task *t, enum ptrace_creds how);
// ... and into the memory of one that is traced already? [T]
bool ptrace_may_see(const struct cred *c, const struct mm *mm);
// t has no tracer, or one with CAP_SYS_PTRACE: exec may gain privileges
bool ptrace_tracer_capable(struct task *t);

#endif
