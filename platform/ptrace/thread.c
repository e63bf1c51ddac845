// SPDX-License-Identifier: Apache-2.0
// Threads, host processes and address spaces of the ptrace platform as objects: making them, finding a thread
// by its host tid, and their end. All under platform.lock; host calls only in the tracer.
#include "base/fault.h"
#include "base/log.h"
#include "platform/ptrace/pt.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct pt_as *pt_new_as(struct pt_platform *p) {
    struct pt_as *as = znew(struct pt_as);
    if (!as)
        return NULL;
    plat_as_init(&as->base, &p->base);
    list_init(&as->threads);
    list_add_tail(&p->spaces, &as->link);
    list_init(&as->kill_link);
    return as;
}

void pt_free_as_if_done(struct pt_as *as) {
    if (!as->released || !list_empty(&as->threads) || list_linked(&as->kill_link))
        return;
    list_del(&as->link);
    plat_as_fini(&as->base);
    free(as);
}

// join: the process that the thread will be in, NULL: one of its own. The thread takes no reference to `as`,
// which lives as long as it has threads.
struct pt_thread *pt_new_thread(struct pt_as *as, struct pt_proc *join) {
    struct pt_thread *t = znew(struct pt_thread);
    struct pt_proc *proc = join ? join : znew(struct pt_proc);
    if (!t || !proc) {
        free(t);
        if (!join)
            free(proc);
        return NULL;
    }
    t->base.p = as->base.p;
    t->base.as = &as->base;
    t->proc = proc;
    proc->as = as;
    proc->nthreads++;
    proc->nlive++;
    t->cpu = -1;
    list_add_tail(&as->threads, &t->as_link);
    list_init(&t->ready_link);
    list_init(&t->command_link);
    list_init(&t->channel_link);
    list_init(&t->work);
    t->state = PT_STARTING;
    return t;
}

static struct pt_thread **hash_slot(struct pt_platform *p, int tid) {
    return &p->hash[(unsigned)tid % PT_HASH];
}

struct pt_thread *pt_lookup(struct pt_platform *p, int tid) {
    struct pt_thread *t = *hash_slot(p, tid);
    while (t && t->tid != tid)
        t = t->hash_next;
    return t;
}

static void hash_remove(struct pt_platform *p, struct pt_thread *t) {
    struct pt_thread **at = hash_slot(p, t->tid);
    while (*at && *at != t)
        at = &(*at)->hash_next;
    if (*at)
        *at = t->hash_next;
}

static bool busy(const struct pt_thread *t, enum pt_state s) {
    return s == PT_RUNNING || s == PT_WORKING || s == PT_EXITING || (s == PT_STARTING && t->tid != 0);
}

static bool running(enum pt_state s) {
    return s == PT_RUNNING || s == PT_WORKING;
}

void pt_set_state(struct pt_thread *t, enum pt_state state) {
    struct pt_platform *p = pt_owner(t);
    invariant(t->state != PT_GONE);
    p->nbusy += (unsigned)busy(t, state) - (unsigned)busy(t, t->state);
    p->nrunning += (unsigned)running(state) - (unsigned)running(t->state);
    t->state = state;
}

// Takes what was seen of `tid` before its clone was noticed.
static struct pt_early *take_early(struct pt_platform *p, int tid) {
    for (struct pt_early **at = &p->early; *at; at = &(*at)->next)
        if ((*at)->tid == tid) {
            struct pt_early *found = *at;
            *at = found->next;
            return found;
        }
    return NULL;
}

void pt_bind(struct pt_thread *t, int tid) {
    struct pt_platform *p = pt_owner(t);
    struct pt_thread **slot = hash_slot(p, tid);
    t->tid = tid;
    t->hash_next = *slot;
    *slot = t;
    p->nbusy++;
    if (t->proc->pid == 0)
        t->proc->pid = tid;
    if (atomic_load(&t->base.as->pid) == 0)
        plat_as_set_pid(t->base.as, tid);
    struct pt_early *early = take_early(p, tid);
    if (!early)
        return;
    bool ended = early->ended;
    int cause = early->cause;
    free(early);
    if (ended)
        pt_gone(t, true, cause);
    else
        pt_started(t);
}

// Another thread shall stand for the memory: t is about to end, and reaping it frees its tid. memory.c's pins
// are waited for here, so nobody copies through a tid that is no longer ours.
void pt_move_memory_pid(struct pt_thread *t) {
    struct pt_as *as = pt_as_of(t->base.as);
    if (t->tid == 0 || atomic_load(&as->base.pid) != t->tid)
        return;
    int other = 0;
    struct pt_thread *it;
    list_for_each (it, &as->threads, as_link) {
        if (it != t && it->tid != 0 && it->state != PT_GONE && it->state != PT_EXITING && !it->proc->killed) {
            other = it->tid;
            break;
        }
    }
    plat_as_set_pid(&as->base, other);
}

// Ends a host process with all its threads; their ends are seen by pt_reap(). Its memory may live on in
// others.
void pt_kill(struct pt_proc *proc) {
    if (proc->pid == 0 || proc->killed)
        return;
    proc->killed = true;
    kill(proc->pid, SIGKILL);
    struct pt_thread *t;
    list_for_each (t, &proc->as->threads, as_link) {
        if (t->proc == proc)
            pt_move_memory_pid(t);
    }
}

static void put_proc(struct pt_proc *proc) {
    if (--proc->nthreads == 0)
        free(proc);
}

void pt_free_thread(struct pt_thread *t) {
    struct pt_as *as = pt_as_of(t->base.as);
    list_del(&t->ready_link);
    list_del(&t->command_link);
    list_del(&t->as_link);
    put_proc(t->proc);
    free(t->fp);
    free(t);
    pt_free_as_if_done(as);
}

static void forget_spare(struct pt_platform *p, struct pt_thread *t) {
    for (unsigned i = 0; i < PT_SPARE; i++)
        if (p->spare[i] == t)
            p->spare[i] = NULL;
}

// report: the sentry is to hear of it (unless it has given the thread up already).
void pt_gone(struct pt_thread *t, bool report, int cause) {
    struct pt_platform *p = pt_owner(t);
    pt_channel_leave(t);
    pt_set_state(t, PT_GONE);
    pt_work_drop(t);
    if (t->tid != 0) {
        pt_move_memory_pid(t);
        hash_remove(p, t);
        if (t->proc->pid == t->tid)
            t->proc->killed = true; // a leader is reaped last: the pid is free for others now
    }
    if (t->internal) {
        forget_spare(p, t);
        if (t == p->zygote)
            return; // stays as a mark that no more stubs can be made; pt_close() frees it
        pt_as_of(t->base.as)->released = true;
        t->destroyed = true;
    }
    if (!t->destroyed)
        t->proc->nlive--;
    if (t->destroyed) {
        pt_free_thread(t);
    } else if (report) {
        t->event.cause = cause;
        pt_post(t, PLAT_DEATH);
    }
}
