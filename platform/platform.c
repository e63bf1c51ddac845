// SPDX-License-Identifier: Apache-2.0
// platform.h on top of a backend: chooses one, checks what the sentry asks (ranges, alignment, addresses in
// registers) before a backend sees it, and counts. No locks of its own.
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/syscalls.h"
#include "base/fdcharge.h"
#include "base/fault.h"
#include "base/log.h"
#include "platform/backend.h"
#include "platform/stub/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int open_backend(const struct plat_backend *b, const struct plat_config *config, struct platform **out,
                        char *why, size_t whylen) {
    int err = b->open(config, out, why, whylen);
    if (!err) {
        (*out)->ops = b;
        (*out)->guest = config->guest;
        (*out)->another_waiter = config->another_waiter;
        (*out)->waiters = config->waiters;
    }
    return err;
}

void plat_prepare(void) {
    stub_find_vdso();
    pt_prepare();
}

static int open_any(const struct plat_config *config, struct platform **out, char *why, size_t whylen) {
    char first[160] = "";
    if (config->kind == PLAT_SECCOMP)
        return open_backend(&plat_seccomp, config, out, why, whylen);
    if (config->kind == PLAT_PTRACE)
        return open_backend(&plat_ptrace, config, out, why, whylen);
    if (open_backend(&plat_seccomp, config, out, first, sizeof first) == 0) {
        snprintf(why, whylen, "%s", first);
        return 0;
    }
    char second[160] = "";
    int err = open_backend(&plat_ptrace, config, out, second, sizeof second);
    snprintf(why, whylen, "%s; without seccomp: %s", second, first);
    return err;
}

struct once {
    void (*work)(void *arg);  // NULL: done
    void *arg;
};
static void do_once(void *arg) {
    struct once *o = arg;
    if (o->work)
        o->work(o->arg);
    o->work = NULL;
}

int plat_open(const struct plat_config *config, struct platform **out, char *why, size_t whylen) {
    struct once beside = {config->meanwhile, config->meanwhile_arg};
    struct plat_config with = *config;
    with.meanwhile = do_once;
    with.meanwhile_arg = &beside;
    int err = open_any(&with, out, why, whylen);
    do_once(&beside);
    return err;
}

void plat_close(struct platform *p) {
    p->ops->close(p);
}
void plat_leave(struct platform *p) { p->ops->leave(p); }
const char *plat_name(const struct platform *p) {
    return p->ops->name;
}
const struct plat_layout *plat_layout(const struct platform *p) {
    return &p->layout;
}
void plat_get_stats(const struct platform *p, struct plat_stats *out) {
    uint64_t n[PLAT_NSTATS];
    for (int i = 0; i < PLAT_NSTATS; i++)
        n[i] = atomic_load_explicit(&p->stats[i], memory_order_relaxed);
    *out = (struct plat_stats){
        .plain = n[STAT_PLAIN],
        .context = n[STAT_CONTEXT],
        .ring = n[STAT_RING],
        .patched = n[STAT_PATCHED] + n[STAT_PATCHED_SHARED],
        .patched_shared = n[STAT_PATCHED_SHARED],
        .known = n[STAT_KNOWN],
        .dispatched = n[STAT_DISPATCHED],
        .premapped = n[STAT_PREMAPPED],
        .heaps = n[STAT_HEAPS],
        .polled = n[STAT_POLLED],
        .staged = n[STAT_STAGED],
        .rested = n[STAT_RESTED],
        .renewed = n[STAT_RENEWED],
        .aside = n[STAT_ASIDE],
        .moved = n[STAT_MOVED],
    };
}
unsigned plat_max_waiters(const struct platform *p) {
    return p->max_waiters;
}
int plat_wait(struct platform *p, struct plat_event *ev) {
    return p->ops->wait(p, ev);
}
void plat_block_begin(struct platform *p) {
    p->ops->block_begin(p);
}
void plat_block_end(struct platform *p) {
    p->ops->block_end(p);
}
void plat_kick(struct platform *p) {
    p->ops->kick(p);
}
void plat_shutdown(struct platform *p) {
    p->ops->shutdown(p);
}

bool plat_range_ok(const struct platform *p, uint64_t start, uint64_t len) {
    const struct plat_layout *l = &p->layout;
    if ((start | len) & (GUEST_PAGE_SIZE - 1) || len == 0 || start < l->lo || start >= l->hi ||
        len > l->hi - start)
        return false;
    for (unsigned i = 0; i < l->nreserved; i++)
        if (start < l->reserved[i].end && start + len > l->reserved[i].start)
            return false;
    return true;
}

int plat_as_create(struct platform *p, struct plat_as **as, struct plat_thread **thread) {
    return p->ops->as_create(p, as, thread);
}

// ---- Address spaces ---------------------------------------------------------------------------------------

void plat_as_init(struct plat_as *as, struct platform *p) {
    as->p = p;
    atomic_store(&as->refs, 1);
    atomic_store(&as->pid, 0);
    atomic_store(&as->pins, 0);
    atomic_store(&as->mem_fd, -1);
    as->mem_pid = 0;
    pthread_mutex_init(&as->lock, NULL);
    pthread_mutex_init(&as->word_lock, NULL);
    atomic_fetch_add(&p->nspaces, 1);
}

void plat_as_fini(struct plat_as *as) {
    int fd = atomic_load(&as->mem_fd);
    if (fd >= 0)
        fdcharge_close(fd);
    pthread_mutex_destroy(&as->lock);
    pthread_mutex_destroy(&as->word_lock);
}

struct plat_as *plat_as_get(struct plat_as *as) {
    unsigned old = atomic_fetch_add(&as->refs, 1);
    invariant(old > 0);
    return as;
}

void plat_as_put(struct plat_as *as) {
    unsigned old = atomic_fetch_sub(&as->refs, 1);
    invariant(old > 0);
    if (old == 1) {
        atomic_fetch_sub(&as->p->nspaces, 1);
        as->p->ops->as_release(as);
    }
}

void plat_as_set_pid(struct plat_as *as, int pid) {
    atomic_store(&as->pid, pid);
    // Copies are short; they are longer than a moment only while a page of theirs is read from a disk.
    while (atomic_load(&as->pins) != 0)
        sched_yield();
}

// ---- Threads ----------------------------------------------------------------------------------------------

struct plat_as *plat_thread_as(const struct plat_thread *t) {
    return t->as;
}
void plat_set_owner(struct plat_thread *t, void *owner) {
    atomic_store(&t->owner, owner);
}
void plat_thread_destroy(struct plat_thread *t) {
    t->p->ops->thread_destroy(t);
}
void plat_answer(struct plat_thread *t, int64_t value) {
    t->p->ops->answer(t, value, NULL);
}
void plat_resume(struct plat_thread *t) {
    t->p->ops->resume(t, NULL);
}
void plat_answer_unlock(struct plat_thread *t, int64_t value, struct lock *held) {
    t->p->ops->answer(t, value, held);
}
void plat_resume_unlock(struct plat_thread *t, struct lock *held) {
    t->p->ops->resume(t, held);
}
void plat_flush(struct plat_thread *t) {
    t->p->ops->flush(t);
}
void plat_interrupt(struct plat_thread *t) {
    t->p->ops->interrupt(t);
}
int plat_get_regs(struct plat_thread *t, struct lx_regs *regs) {
    return t->p->ops->get_regs(t, regs);
}

int plat_set_regs(struct plat_thread *t, const struct lx_regs *regs) {
    if (regs->rip >= LINUX_TASK_SIZE || regs->fs_base >= LINUX_TASK_SIZE || regs->gs_base >= LINUX_TASK_SIZE)
        return -LINUX_EPERM;
    return t->p->ops->set_regs(t, regs);
}

int64_t plat_get_fpstate(struct plat_thread *t, void *buf, size_t len) {
    return t->p->ops->get_fpstate(t, buf, len);
}

int plat_set_fpstate(struct plat_thread *t, const void *buf, size_t len) {
    int err = plat_fpstate_check(&t->p->layout, buf, len);
    return err ? err : t->p->ops->set_fpstate(t, buf, len);
}

int plat_clone(struct plat_thread *t, unsigned flags, struct plat_thread **child, struct plat_as **as) {
    if (flags != 0 && flags != PLAT_CLONE_VM && flags != (PLAT_CLONE_VM | PLAT_CLONE_THREAD) &&
        flags != PLAT_CLONE_THREAD)
        return -LINUX_EINVAL;
    if (flags & PLAT_CLONE_THREAD)
        flags |= PLAT_CLONE_VM;
    return t->p->ops->clone(t, flags, child, as);
}

bool plat_started(const struct plat_thread *t) {
    return t->p->ops->started && t->p->ops->started(t);
}

void plat_park(struct plat_thread *t) {
    if (t->p->ops->park)
        t->p->ops->park(t);
}

void plat_place_below(struct plat_thread *t, uaddr_t top) {
    const struct plat_layout *l = &t->p->layout;
    if (t->p->ops->place_below && top.v > l->lo && top.v <= l->hi && !(top.v & (GUEST_PAGE_SIZE - 1)))
        t->p->ops->place_below(t, top.v);
}

bool plat_text_work(struct plat_thread *t) {
    return t->p->ops->text_work && t->p->ops->text_work(t);
}

int64_t plat_call_string(struct plat_thread *t, uaddr_t src, char *dst, size_t size) {
    return t->p->ops->call_string ? t->p->ops->call_string(t, src.v, dst, size) : -LINUX_EAGAIN;
}

int64_t plat_call_data(struct plat_thread *t, uaddr_t src, void *dst, size_t len) {
    return t->p->ops->call_data ? t->p->ops->call_data(t, src.v, dst, len) : -LINUX_EAGAIN;
}

int plat_host_tid(const struct plat_thread *t) {
    return t->p->ops->host_tid(t);
}
int plat_host_pid(const struct plat_thread *t) {
    return t->p->ops->host_pid(t);
}

uint64_t plat_cpu_ns(const struct plat_thread *t) {
    int pid = plat_host_pid(t);
    struct timespec ts;
    // The clock of another process: clock_getcpuclockid(3) without its probing call.
    if (pid <= 0 || clock_gettime((clockid_t)(~(unsigned)pid << 3 | 2), &ts))
        return 0;
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

void plat_count(const struct platform *p, unsigned *threads, unsigned *spaces) {
    *threads = atomic_load(&p->nthreads);
    *spaces = atomic_load(&p->nspaces);
}

// ---- Queued work ------------------------------------------------------------------------------------------

static int queue(struct plat_thread *t, struct plat_op *op) {
    if (!plat_range_ok(t->p, op->addr, op->len) ||
        op->prot & ~(LINUX_PROT_READ | LINUX_PROT_WRITE | LINUX_PROT_EXEC))
        return -LINUX_EINVAL;
    return t->p->ops->queue(t, op);
}

int plat_map(struct plat_thread *t, uaddr_t addr, uint64_t len, int prot, unsigned flags, int fd,
             uint64_t offset) {
    struct plat_op op = {.kind = OP_MAP,
                         .addr = addr.v,
                         .len = len,
                         .prot = prot,
                         .flags = flags,
                         .fd = fd < 0 ? -1 : fd,
                         .file = fdcharge_id(fd),
                         .offset = fd >= 0 ? offset : 0};
    if (op.offset & (GUEST_PAGE_SIZE - 1) || (int64_t)op.offset < 0 ||
        flags & ~(PLAT_SHARED | PLAT_NORESERVE | PLAT_POPULATE) || !plat_range_ok(t->p, addr.v, len))
        return -LINUX_EINVAL;
    return queue(t, &op);
}

int plat_unmap(struct plat_thread *t, uaddr_t addr, uint64_t len) {
    struct plat_op op = {.kind = OP_UNMAP, .addr = addr.v, .len = len, .fd = -1};
    return queue(t, &op);
}

int plat_protect(struct plat_thread *t, uaddr_t addr, uint64_t len, int prot) {
    struct plat_op op = {.kind = OP_PROTECT, .addr = addr.v, .len = len, .prot = prot, .fd = -1};
    return queue(t, &op);
}

int plat_remap(struct plat_thread *t, uaddr_t from, uint64_t oldlen, uaddr_t to, uint64_t newlen) {
    struct plat_op op = {
        .kind = OP_REMAP, .addr = from.v, .len = oldlen, .to = to.v, .to_len = newlen, .fd = -1};
    if (!plat_range_ok(t->p, to.v, newlen))
        return -LINUX_EINVAL;
    return queue(t, &op);
}

int plat_advise(struct plat_thread *t, uaddr_t addr, uint64_t len, int advice) {
    struct plat_op op = {.kind = OP_ADVISE, .addr = addr.v, .len = len, .advice = advice, .fd = -1};
    switch (advice) { // what touches nothing but this memory
    case LINUX_MADV_NORMAL:
    case LINUX_MADV_RANDOM:
    case LINUX_MADV_SEQUENTIAL:
    case LINUX_MADV_WILLNEED:
    case LINUX_MADV_DONTNEED:
    case LINUX_MADV_FREE:
    case LINUX_MADV_REMOVE:
    case LINUX_MADV_DONTFORK:
    case LINUX_MADV_DOFORK:
    case LINUX_MADV_HUGEPAGE:
    case LINUX_MADV_NOHUGEPAGE:
    case LINUX_MADV_WIPEONFORK:
    case LINUX_MADV_KEEPONFORK:
    case LINUX_MADV_COLD:
    case LINUX_MADV_PAGEOUT:
    case LINUX_MADV_POPULATE_READ:
    case LINUX_MADV_POPULATE_WRITE:
    case LINUX_MADV_COLLAPSE:
    case LINUX_MADV_GUARD_INSTALL:
    case LINUX_MADV_GUARD_REMOVE:
        return queue(t, &op);
    default:
        return -LINUX_EINVAL;
    }
}

int plat_incore(struct plat_thread *t, uaddr_t addr, uint64_t len, uaddr_t vec) {
    uint64_t pages = len / GUEST_PAGE_SIZE;
    struct plat_op op = {
        .kind = OP_INCORE, .addr = addr.v, .len = len, .to = vec.v, .to_len = pages, .fd = -1};
    if (!plat_memory_ok(t->p, vec.v, pages))
        return -LINUX_EFAULT;
    return queue(t, &op);
}

void plat_op_call(const struct plat_op *op, int stub_fd, struct host_call *c) {
    uint64_t flags;
    switch (op->kind) {
    case OP_MAP:
        flags = LINUX_MAP_FIXED | (op->flags & PLAT_SHARED ? LINUX_MAP_SHARED : LINUX_MAP_PRIVATE) |
                (op->fd < 0 ? LINUX_MAP_ANONYMOUS : 0) |
                (op->flags & PLAT_NORESERVE ? LINUX_MAP_NORESERVE : 0) |
                (op->flags & PLAT_POPULATE ? LINUX_MAP_POPULATE : 0);
        *c = (struct host_call){LINUX_NR_mmap,
                                {op->addr, op->len, (uint64_t)op->prot, flags,
                                 op->fd < 0 ? (uint64_t)-1 : (uint64_t)stub_fd, op->offset}};
        return;
    case OP_UNMAP:
        *c = (struct host_call){LINUX_NR_munmap, {op->addr, op->len}};
        return;
    case OP_PROTECT:
        *c = (struct host_call){LINUX_NR_mprotect, {op->addr, op->len, (uint64_t)op->prot}};
        return;
    case OP_REMAP: // in place: without FIXED, which refuses overlapping ranges; it may not move then
        if (op->addr == op->to)
            *c = (struct host_call){LINUX_NR_mremap, {op->addr, op->len, op->to_len, 0, op->addr}};
        else
            *c = (struct host_call){
                LINUX_NR_mremap,
                {op->addr, op->len, op->to_len, LINUX_MREMAP_MAYMOVE | LINUX_MREMAP_FIXED, op->to}};
        return;
    case OP_ADVISE:
        *c = (struct host_call){LINUX_NR_madvise, {op->addr, op->len, (uint64_t)op->advice}};
        return;
    case OP_INCORE:
        *c = (struct host_call){LINUX_NR_mincore, {op->addr, op->len, op->to}};
        return;
    }
    panic("unknown operation %d", op->kind);
}

bool plat_call_ok(const struct host_call *c, int64_t result) {
    if (c->nr == LINUX_NR_mmap)
        return (uint64_t)result == c->args[0];
    if (c->nr == LINUX_NR_mremap)
        return (uint64_t)result == c->args[4];
    return result == 0 || (c->nr == LINUX_NR_madvise && plat_advice_is_free((int)c->args[2]));
}
