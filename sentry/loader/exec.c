// SPDX-License-Identifier: Apache-2.0
// exec, as phases of one call. Used by sys_exec.c and, for the first program, by run/boot.c.
//
//   do_exec        loads the program into an address space and host thread of its own; the task's host
//                  thread is swapped for the new one, which is flushed. The old one is kept, held, and
//                  nothing of it is touched.
//   FLUSHED        the host has mapped everything: stack and registers are written.
//   ALONE          the other threads of the process are told to end, and waited for.
//   commit         the point of no return, which cannot fail: the old program goes.
//
// Until then every failure puts the old host thread back and answers the call. (Linux has its point of no
// return earlier and kills the process there.) Locks: tasks_lock for what others read of a task.
#include "sentry/loader/exec.h"
#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/ipc/futex.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task_impl.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/strace/trace.h"
#include "sentry/time/posix_timers.h"
#include "sentry/time/time_ns.h"
#include <stdlib.h>
#include <string.h>

enum exec_phase { EXEC_NONE, EXEC_FLUSHED, EXEC_ALONE, EXEC_DONE };  // call.phase

struct exec {  // call.own
    struct exec_image *im;
    struct plat_thread *old;  // owned; NULL for the first program
    struct sighand *sighand;  // owned: a private copy when the old one is shared
    struct fdtable *files;    // owned: likewise
};

static struct plat_thread *restore(struct task *t, struct exec *e) {
    struct plat_thread *old = take_ptr(e->old);
    task_swap_thread(t, old);
    return old;
}
static void exec_free(struct exec *e) {
    if (e->im)
        exec_image_free(e->im);
    if (e->sighand)
        sighand_put(e->sighand);
    if (e->files)
        fdtable_put(e->files);
    free(e);
}
// As call.cleanup too: the task ends in the middle.
static void exec_abort(struct task *t) {
    struct exec *e = take_ptr(t->call.own.exec);
    if (!e)
        return;
    t->call.cleanup = NULL;
    atomic_store(&t->execing, false);
    {
        LOCKED(&t->k->tasks_lock);
        if (t->tg->exec_task == t)
            t->tg->exec_task = NULL;
    }
    restore(t, e);
    exec_free(e);
}

static unsigned walk_flags(unsigned at_flags) {
    return (at_flags & LINUX_AT_EMPTY_PATH ? WALK_EMPTY : 0) |
           (at_flags & LINUX_AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
}

int exec_refusal(struct task *t, const struct path *base, const char *path, unsigned at_flags, int err) {
    TASK_VFS_CTX(t, ctx);
    struct file *f cleanup_file = NULL;
    unsigned flags = VFS_O_EXEC | (at_flags & LINUX_AT_SYMLINK_NOFOLLOW ? LINUX_O_NOFOLLOW : 0);
    plat_block_begin(t->k->platform);
    int r = vfs_open(&ctx, base, path, flags, 0, walk_flags(at_flags), &f);
    plat_block_end(t->k->platform);
    return r < 0 ? r : err;
}

int64_t do_exec(struct task *t, const struct path *base, const char *path, unsigned at_flags,
                struct exec_args *args) {
    TASK_VFS_CTX(t, ctx);
    struct exec *e = znew(struct exec);
    if (!e) {
        exec_args_free(args);
        return -LINUX_ENOMEM;
    }
    atomic_store(&t->execing, true);
    plat_block_begin(t->k->platform);
    int r = exec_load(t, &ctx, base, path, walk_flags(at_flags), args, &e->im);
    plat_block_end(t->k->platform);
    if (r < 0) {
        atomic_store(&t->execing, false);
        free(e);
        return r;
    }
    e->old = task_swap_thread(t, e->im->thread);
    t->call.own.exec = e;
    t->call.cleanup = exec_abort;
    t->call.phase = EXEC_FLUSHED;
    return SYS_FLUSH;
}

bool exec_begun(const struct task *t) { return t->call.phase != EXEC_NONE; }

// The new program cannot start: the old one gets the error. The first program has none to go back to.
static int64_t fail(struct task *t, int64_t err) {
    bool first = !t->call.own.exec->old;
    exec_abort(t);
    if (!first)
        return err;
    log_error("the first program could not be started: error %d", (int)-err);
    tgroup_begin_exit(t->tg, 126 << 8);
    return task_exit_self(t, 126 << 8);
}

// ---- The other threads ------------------------------------------------------------------------------------
// 0: t is the only one left. Each that ends wakes tg->exec_task.
static int64_t be_alone(struct task *t) {
    struct tgroup *g = t->tg;
    {
        LOCKED(&t->k->tasks_lock);
        if (atomic_load(&g->exiting) || (g->exec_task && g->exec_task != t))
            return -LINUX_EAGAIN;
        bool told = g->exec_task == t;
        if (atomic_load(&g->nalive) == 1)
            return 0;
        g->exec_task = t;
        struct task *other;
        LOCKED(&g->sig_lock);
        if (!told)
            list_for_each(other, &g->tasks, tg_link)
                if (other != t)
                    task_condemn(other);
    }
    return park_killable(t);
}

// The process keeps its number: a thread that is not the leader takes over the (dead) leader's.
static void become_leader(struct task *t) {
    struct kernel *k = t->k;
    struct tgroup *g = t->tg;
    struct task *old = NULL;
    {
        LOCKED(&k->tasks_lock);
        g->exec_task = NULL;
        if (g->leader == t)
            return;
        old = g->leader;
        ptrace_forget(old);  // as if it had never been: its number is t's, whose tracer hears of the exec
        k->pids[t->tid] = NULL;
        pid_settle(k, t->tid);
        LOCKED(&g->sig_lock);  // timers look threads up by number
        t->tid = g->pid;
        k->pids[g->pid] = t;
        g->leader = t;
        cgroup_count(g, -1);  // the old one
        struct tgroup *c;
        list_for_each(c, &g->children, sibling)
            if (c->parent_task == old)
                c->parent_task = t;
    }
    task_put(old);
}

// ---- The old program goes ---------------------------------------------------------------------------------
// Handlers and descriptors that another process shares become private first, while that may still fail.
static int make_private(struct task *t, struct exec *e) {
    struct sighand *h;
    {
        LOCKED(&t->tg->sig_lock);
        h = t->tg->sighand;  // only this process replaces it, and t is its only thread
    }
    if (ref_read(&h->refs) > 1 && !(e->sighand = sighand_copy(h)))
        return -LINUX_ENOMEM;
    if (ref_read(&t->files->refs) > 1 && !(e->files = fdtable_copy(t->files)))
        return -LINUX_ENOMEM;
    return time_ns_enter_children(t);
}

static void new_signals(struct task *t, struct exec *e) {
    struct tgroup *g = t->tg;
    struct sighand *old = NULL;
    if (e->sighand) {
        LOCKED(&g->sig_lock);
        old = g->sighand;
        g->sighand = take_ptr(e->sighand);
    }
    if (old)
        sighand_put(old);
    sighand_reset_for_exec(g->sighand);
    posix_timers_exec(g);
    t->altstack = (struct linux_stack){0};
    t->restore_mask = false;
    t->restart = 0;
    t->restart_fn = NULL;
}

static void new_files(struct task *t, struct exec *e) {
    struct fdtable *old = NULL;
    if (e->files) {
        LOCKED(&t->k->tasks_lock);
        old = t->files;
        t->files = take_ptr(e->files);
    }
    if (old)
        fdtable_put(old);
    fdtable_close_exec(t->files);
}

static void new_memory(struct task *t, struct exec *e) {
    struct mm *old;
    if (t->mm)
        futex_exit_task(t);
    t->clear_child_tid = t->robust_list = UADDR_NULL;
    mm_use(e->im->mm);
    {
        LOCKED(&t->k->tasks_lock);
        old = t->mm;
        if (old && old->peak > t->tg->peak_dead)
            t->tg->peak_dead = old->peak;
        t->mm = take_ptr(e->im->mm);
    }
    vfork_release(t);
    e->im->thread = NULL;  // the task's own from here on
    struct plat_thread *th = take_ptr(e->old);
    if (th) {
        uint64_t ns = plat_cpu_ns(th);  // while its process is there to be asked
        {
            LOCKED(&t->k->tasks_lock);
            t->tg->cpu_ns_dead += ns;
        }
        plat_thread_destroy(th);
    }
    if (old) {
        mm_unuse(old);
        mm_put(old);
    }
}

static void new_identity(struct task *t, struct exec *e) {
    const struct exec_image *im = e->im;
    struct tgroup *g = t->tg;
    {
        LOCKED(&t->k->tasks_lock);
        memcpy(t->comm, im->comm, sizeof t->comm);
        g->did_exec = true;
    }
    t->personality &= ~im->personality_clear;
    t->forked_no_exec = false;
    if (im->secure)
        t->pdeath_signal = 0;
    task_set_cred(t, take_ptr(e->im->cred));
}

static int64_t commit(struct task *t) {
    struct exec *e = take_ptr(t->call.own.exec);
    int32_t tid = t->tid;
    t->call.cleanup = NULL;
    become_leader(t);
    if (e->old)
        trace_exit(t, 0);
    uring_task_ends(t);
    new_signals(t, e);
    new_identity(t, e);
    new_memory(t, e);
    new_files(t, e);
    keys_exec(t);
    exec_free(e);
    atomic_store(&t->execing, false);
    t->call.phase = EXEC_DONE;
    int64_t stop = ptrace_execed(t, tid);
    return stop ? stop : SYS_RESUME;
}

int64_t exec_continue(struct task *t) {
    struct exec *e = t->call.own.exec;
    int64_t r;
    if (t->call.phase == EXEC_DONE)
        return SYS_RESUME;
    if (t->call.phase == EXEC_FLUSHED) {
        r = t->call.flush_result;
        if (r == 0)
            r = exec_finish(t, e->im);
        if (r < 0)
            return fail(t, r);
        t->call.phase = EXEC_ALONE;
    }
    r = be_alone(t);
    if (r == SYS_PARK)
        return r;
    if (r == 0)
        r = make_private(t, e);
    return r < 0 ? fail(t, r) : commit(t);
}
