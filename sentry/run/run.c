// SPDX-License-Identifier: Apache-2.0
// The run loop. A worker takes an event from the platform, acts on the task that it belongs to, and lets the
// task's host thread go again; then it does the same for the tasks that became ready meanwhile. Reads top
// down: run_worker, handle_event, run_call, call_return, task_release.
//
// Cost of a call on the seccomp platform: two host calls (receive, answer), no wake-up of another core, and
// in between no lock but the task's own thread_lock, which nobody contends.
//
// Locks: none is held when a handler is called or has returned; thread_lock around letting a host thread go.
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fuse/ask.h"
#include "sentry/fd/async.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task_impl.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/fuse_wait.h"
#include "sentry/run/impl.h"
#include "sentry/run/park.h"
#include "sentry/run/run.h"
#include "sentry/run/worker.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/signal.h"
#include "sentry/strace/strace.h"
#include "sentry/strace/trace.h"
#include "sentry/syscalls/table.h"
#include <string.h>

_Thread_local struct task *task_current;

static bool claim(struct task *t, int from) {
    return atomic_compare_exchange_strong(&t->state, &from, TASK_HANDLING);
}

// A task goes back to its guest, or ends, with nothing registered and nothing held by its call: whatever
// stayed on a queue would be walked when its memory is another's. A few loads, in every build.
void task_assert_idle(struct task *t) {
    invariant(park_ended(t) && !t->call.cleanup && !t->call.own.any);
#ifdef PICKET_DEBUG
    bool turn = false, exec;
    if (t->mm) {
        LOCKED(&t->mm->lock);
        turn = t->mm->op_task == t;
    }
    {
        LOCKED(&t->k->tasks_lock);
        exec = t->tg->exec_task == t;
    }
    invariant(!turn && !exec);
#endif
}

// ---- Letting go -------------------------------------------------------------------------------------------
// The task's host thread goes on to guest code; with a value, or as its registers say. A signal that came
// while the task was handled finds it here: `sigpending` is looked at under the lock that task_notify() takes
// to interrupt.
void task_release(struct task *t, bool with_value, int64_t value) {
    lock_assert_none("task_release");
    task_assert_idle(t);
    lock_take(&t->thread_lock);
    if (t->host_gone) {
        lock_drop(&t->thread_lock);
        task_die(t, t->tg->group_exit_code);
        return;
    }
    atomic_store(&t->state, TASK_GUEST);
    if (atomic_load(&t->sigpending) || t->restart)
        plat_interrupt(t->thread);
    if (with_value)
        plat_answer_unlock(t->thread, value, &t->thread_lock);
    else
        plat_resume_unlock(t->thread, &t->thread_lock);
}

// Its host thread does the host work and comes back. (The lock: until it has gone, its death must not end the
// task.)
static void flush(struct task *t) {
    bool gone;
    {
        LOCKED(&t->thread_lock);
        gone = t->host_gone;
        if (!gone) {
            atomic_store(&t->state, TASK_FLUSHING);
            plat_flush(t->thread);
        }
    }
    if (gone)
        task_die(t, t->tg->group_exit_code);
}

// The one place where a call ends: first what it waits on, then what it holds. What a handler finds in the
// next call is zero, or rubbish where a sanitizer or a debugger looks.
void call_undo(struct task *t) {
    struct call *c = &t->call;
    park_end(t);
    if (c->cleanup) {
        void (*cleanup)(struct task *) = c->cleanup;
        c->cleanup = NULL;
        cleanup(t);
    }
    c->own.any = NULL;
#ifdef PICKET_DEBUG
    memset(&c->notes, 0xa5, sizeof c->notes);
#endif
}
void call_end(struct task *t) {
    struct call *c = &t->call;
    call_undo(t);
    if (c->fuse)
        fuse_asked_end(take_ptr(c->fuse));
    c->undone = false;
}

// ---- Stops ------------------------------------------------------------------------------------------------
// A group stop holds until somebody wakes the task for any reason; a ptrace-stop until it is over.
static bool stop_holds(struct task *t) { return t->in_stop != STOP_SIGNAL && ptrace_stopped(t); }

// True: t has stopped, and whoever wakes it goes on with continue_after_stop(). False: the stop is over
// already.
static bool stop_settle(struct task *t) {
    do {
        if (task_settle(t, TASK_STOPPED))
            return true;
        atomic_store(&t->woken, false);
    } while (stop_holds(t));
    return false;
}
bool stop_here(struct task *t, enum task_stop how) {
    t->in_stop = how;
    if (stop_settle(t))
        return true;
    t->in_stop = NOT_STOPPED;
    return false;
}

void task_die(struct task *t, int status) {
    call_end(t);
    if (ptrace_on(t) && ptrace_exiting(t, status)) {
        t->exit_code = status;
        if (stop_here(t, STOP_END))
            return;
    }
    task_exit_self(t, status);
}

bool task_borrow(struct task *t) {
    int stopped = TASK_STOPPED;
    if (!atomic_compare_exchange_strong(&t->state, &stopped, TASK_HANDLING))
        return false;
    if (t->in_stop != STOP_SIGNAL && t->in_stop != STOP_END)
        return true;
    task_give_back(t);
    return false;
}

void task_flush_borrowed(struct task *t) { flush(t); }

void task_give_back(struct task *t) {
    atomic_store(&t->state, TASK_STOPPED);
    if (atomic_load(&t->woken))
        task_notify(t);
}

// ---- With full registers ----------------------------------------------------------------------------------
// Signals, restarts and stops are settled here, and nowhere else; then guest code goes on as the registers
// say.
void return_with_regs(struct task *t) {
    struct lx_regs regs;
    do {
        atomic_store(&t->woken, false);
        if (atomic_load(&t->killed)) {
            task_die(t, t->tg->group_exit_code);
            return;
        }
        if (!task_interrupted(t) && !t->restart)
            break;
        if (plat_get_regs(t->thread, &regs) < 0)
            break;  // the host thread is gone: its death is on the way
        int64_t r = signal_deliver(t, &regs);
        if (r == SYS_GONE)
            return;
        if (plat_set_regs(t->thread, &regs) < 0) {
            task_die(t, LINUX_SIGSEGV);
            return;
        }
        if (r == SYS_PARK && stop_here(t, STOP_SIGNAL))
            return;
        if (r == SYS_STOP) {
            if (stop_here(t, STOP_RETURN))
                return;
            ptrace_go_on(t);
        }
    } while (task_interrupted(t));
    if (ptrace_on(t))
        ptrace_rearm(t);
    task_release(t, false, 0);
}

// A stop is over, or may be. The registers may be out of reach on this thread (ptrace), so a fresh event
// brings them: resume() goes on then.
static void continue_after_stop(struct task *t) {
    atomic_store(&t->woken, false);
    if (stop_holds(t) && stop_settle(t))
        return;
    if (t->in_stop == STOP_END) {
        task_exit_self(t, t->exit_code);
    } else if (atomic_load(&t->killed)) {
        task_die(t, t->tg->group_exit_code);
    } else {
        atomic_store(&t->sigpending, true);
        task_release(t, false, 0);
    }
}

// ---- System calls -----------------------------------------------------------------------------------------
void call_answer(struct task *t, int64_t value) {
    struct call *c = &t->call;
    if (ptrace_on(t))
        ptrace_call_done(t);
    bool settle = (t->restart || task_interrupted(t)) && c->context && c->fresh;
    if (settle || c->by_regs) {
        struct lx_regs regs;
        if (plat_get_regs(t->thread, &regs) == 0) {
            regs.rax = (uint64_t)value;
            plat_set_regs(t->thread, &regs);
        }
    }
    if (settle)
        return_with_regs(t);
    else
        task_release(t, !c->by_regs, value);
}

static void call_return(struct task *t, int64_t value) {
    if (value <= -LINUX_ERESTARTSYS && value > SYS_PARK) {
        t->restart = value;
        t->restart_nr = t->call.nr;
        value = -LINUX_EINTR;
    }
    call_answer(t, value);
}

// True: t has stopped in the midst of its call. False: it goes on with it.
static bool stop_in_call(struct task *t) {
    if (stop_here(t, STOP_CALL))
        return true;
    ptrace_go_on(t);
    t->call.by_regs = true;
    return false;
}

static void send_due(struct kernel *k) {
    if (async_is_due(&k->async))
        async_send_due(k);
}

// The call's handler; before it, where a filter of the guest's says so, that filter's supervisor.
static int64_t call_handler(struct task *t) {
    struct call *c = &t->call;
    struct sysargs args = c->args;
    if (c->supervised) {
        int64_t r = seccomp_supervised(t);
        if (c->supervised)
            return r;
        call_end(t);
        c->again = c->timed_out = c->armed = false;
    }
    return syscall_call(t, c->nr, &args);
}

// Runs the call's handler, as often as it takes, until the call is answered, parked, or handed to the host.
void run_call(struct task *t) {
    struct call *c = &t->call;
    struct kernel *k = t->k;  // t may end in its handler
    for (bool armed = false;; c->again = true) {
        atomic_store(&t->woken, false);
        c->armed = armed;
        armed = false;
        fuse_wait_over(t);
        if (c->again) {
            if (!c->armed)
                park_disarm(t);
            if (c->deadline && mono_ns() >= c->deadline)
                c->timed_out = true;
        }
        if (atomic_load(&t->killed)) {
            task_die(t, t->tg->group_exit_code);
            return;
        }
        task_current = t;
        int64_t r = fuse_wait(t, call_handler(t));
        task_current = NULL;
        lock_assert_none("handler");
        send_due(k);
        switch (r) {
        case SYS_AGAIN:
            armed = true;
            continue;
        case SYS_PARK:
            c->fresh = false;
            plat_park(t->thread);
            if (task_settle(t, TASK_PARKED))
                return;
            continue;
        case SYS_STOP:
            if (stop_in_call(t))
                return;
            continue;
        case SYS_FLUSH:
            flush(t);
            return;
        case SYS_GONE:
            return;
        case SYS_ANSWER:
            trace_exit(t, c->value);
            call_end(t);
            call_answer(t, c->value);
            return;
        case SYS_RESUME:
            call_end(t);
            if (ptrace_on(t))
                ptrace_call_done(t);
            return_with_regs(t);
            return;
        default:
            trace_exit(t, r);
            call_end(t);
            call_return(t, r);
            return;
        }
    }
}

// A task that has stopped is at hand again, with its registers.
static void resume(struct task *t) {
    enum task_stop how = t->in_stop;
    t->in_stop = NOT_STOPPED;
    if (atomic_load(&t->killed)) {
        task_die(t, t->tg->group_exit_code);
    } else if (how == STOP_ENTRY) {
        call_with_regs(t);
    } else if (how == STOP_CALL) {
        enum ptrace_stop stop = ptrace_go_on(t);
        if (stop == PT_ENTRY || stop == PT_SECCOMP) {
            call_after_stop(t, stop);
            return;
        }
        t->call.by_regs = t->call.again = true;
        signal_recalc(t);
        run_call(t);
    } else {
        if (how == STOP_RETURN)
            ptrace_go_on(t);
        return_with_regs(t);
    }
}

// True: the host thread changes text that others may run; until it has, the turn to change the map is ours.
static bool begin_text_work(struct task *t) {
    if (!mm_turn_try(t))
        return false;
    if (!plat_text_work(t->thread)) {
        mm_op_end(t);
        return false;
    }
    t->call.map_work = MAP_WORK_TEXT;
    flush(t);
    return true;
}

static void map_work_done(struct task *t, const struct plat_event *ev) {
    bool growth = t->call.map_work == MAP_WORK_GROWTH;
    t->call.map_work = MAP_WORK_NONE;
    mm_op_end(t);
    if (ev->result < 0) {  // the host's map is not what it was, or not ours
        mm_end_process(t, ev->result);
        task_die(t, LINUX_SIGKILL);
        return;
    }
    if (growth) {
        return_with_regs(t);
        return;
    }
    t->call.context = ev->context;
    start_call(t);
}

static void begin_call(struct task *t, const struct plat_event *ev) {
    struct call *c = &t->call;
    c->nr = ev->call.nr;
    memcpy(c->args.v, ev->call.args, sizeof c->args.v);
    c->again = c->timed_out = c->by_regs = c->supervised = false;
    c->context = ev->context;
    c->fresh = true;
    c->phase = 0;
    c->done = 0;
    c->flush_result = 0;
    c->proposal = ev->call.proposal;
    if (!ev->call.text_work || !begin_text_work(t))
        start_call(t);
}

// int 0x80, sysenter and the vsyscall page: a machine without them faults.
static void foreign_call(struct task *t, const struct plat_event *ev) {
    struct linux_siginfo info = {.si_signo = LINUX_SIGSEGV, .si_code = LINUX_SI_KERNEL};
    signal_force(t, LINUX_SIGSEGV, &info);
    return_with_regs(t);
}

// ---- Other events -----------------------------------------------------------------------------------------
static void fault(struct task *t, const struct plat_event *ev) {
    enum fault_way way = fault_take(t, ev);
    if (way == FAULT_FLUSH)
        flush(t);
    else if (way == FAULT_AGAIN)
        task_release(t, false, 0);
    else
        return_with_regs(t);
}

// As Linux's schedule_tail(): a child writes its own number, when its memory is there.
static void write_child_tid(struct task *t) {
    int32_t tid = task_vtid(t);
    copy_out(t, t->set_child_tid, &tid, sizeof tid);
    t->set_child_tid = UADDR_NULL;
}

void task_start(struct task *t) {
    if (!uaddr_is_null(t->set_child_tid)) {
        if (!plat_started(t->thread)) {
            flush(t);
            return;
        }
        write_child_tid(t);
    }
    task_release(t, false, 0);
}

static void first_run(struct task *t) {
    write_child_tid(t);
    return_with_regs(t);
}

// Host work that its tracer wanted: t is stopped as before.
static void borrowed_work_done(struct task *t, int64_t result) {
    if (ptrace_poke_done(t, result)) {
        flush(t);
        return;
    }
    if (!stop_settle(t))
        continue_after_stop(t);
}

static void ops_done(struct task *t, const struct plat_event *ev) {
    if (claim(t, TASK_FLUSHING)) {
        if (t->in_stop != NOT_STOPPED) {
            borrowed_work_done(t, ev->result);
            return;
        }
        if (t->call.map_work != MAP_WORK_NONE) {
            map_work_done(t, ev);
            return;
        }
        if (!uaddr_is_null(t->set_child_tid) && ev->result == 0) {
            first_run(t);
            return;
        }
        t->call.flush_result = ev->result;
        t->call.again = true;
        run_call(t);
        return;
    }
    // Host work that went along with an answer has failed: our map and the host's differ, the process cannot
    // go on.
    if (!claim(t, TASK_GUEST))
        return;
    int64_t answer = ev->result;
    // ... unless it was a new mapping, which is taken back: the call failed
    bool taken_back = mm_late_failure(t, &answer);
    mm_settle(t);
    if (taken_back) {
        task_release(t, true, answer);
        return;
    }
    mm_end_process(t, ev->result);
    task_die(t, LINUX_SIGKILL);
}

// The host thread is gone without our doing: killed by the host (out of memory), or by the platform for an
// offence.
static void host_death(struct task *t, const struct plat_event *ev) {
    bool current;
    {
        LOCKED(&t->thread_lock);
        current = t->thread == ev->thread;
    }
    if (!current)
        return;
    log_info("thread %d: its host thread ended with signal %d", t->tid, ev->cause);
    if (!atomic_load(&t->tg->exiting))
        tgroup_blame(t->tg, ev->violation || ev->cause == LINUX_SIGSYS ? END_VIOLATION : END_HOST);
    tgroup_begin_exit(t->tg, ev->cause ? ev->cause : LINUX_SIGKILL);
    bool mine;
    {
        LOCKED(&t->thread_lock);
        mine = claim(t, TASK_GUEST) || claim(t, TASK_FLUSHING);
        t->host_gone = !mine; // whoever handles it ends it, instead of letting a thread go that is no more
    }
    if (mine)
        task_die(t, t->tg->group_exit_code);
}

static void handle_event(const struct plat_event *ev) {
    struct task *t = ev->owner;
    if (ev->kind == PLAT_NOTHING || !t)
        return;
    if (ev->kind == PLAT_DEATH) {
        host_death(t, ev);
        task_put(t);
        return;
    }
    if (ev->kind == PLAT_OPS_DONE) {
        ops_done(t, ev);
        return;
    }
    if (!claim(t, TASK_GUEST))
        return;  // it is being ended
    mm_settle(t);
    switch (ev->kind) {
    case PLAT_SYSCALL:
        if (ev->call.foreign)
            foreign_call(t, ev);
        else
            begin_call(t, ev);
        break;
    case PLAT_FAULT:
        fault(t, ev);
        break;
    default:
        if (t->in_stop != NOT_STOPPED)
            resume(t);
        else
            return_with_regs(t);
        break;
    }
}

// The first program of a process: exec was begun by boot.c outside of a call; its second half runs as
// execve's.
void run_first_exec(struct task *t) {
    t->call.nr = LINUX_NR_execve;
    t->call.again = true;
    flush(t);
}

void run_ready(struct kernel *k) {
    for (struct task *t; send_due(k), (t = ready_pop());) {
        if (claim(t, TASK_READY)) {
            if (t->worker) {
                worker_go_on(t->worker);
            } else if (t->in_stop) {
                continue_after_stop(t);
            } else {
                t->call.again = true;
                run_call(t);
            }
        }
        task_put(t);
    }
}

bool run_turn(struct kernel *k) {
    struct plat_event ev;
    if (plat_wait(k->platform, &ev) < 0)
        return false;
    handle_event(&ev);
    run_ready(k);
    lock_assert_none("run_turn");
    return true;
}

void run_worker(struct kernel *k) {
    while (run_turn(k))
        ;
}
