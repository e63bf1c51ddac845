// SPDX-License-Identifier: Apache-2.0
// Limits of single containers of a pod, see limits.h. A container is known by the number that its processes
// bear; its entry is one of a table that stays, so that who looks for a number that has gone finds nothing.
// LIMIT: of a pod's container its processes' own memory counts for its limit; tmpfs, pipes and sockets are
// the pod's.
#include "sentry/control.h"
#include "sentry/kernel.h"
#include "sentry/proc/task_impl.h"
#include "sentry/run/limits.h"
#include "sentry/run/limits_impl.h"

struct limit_part *limits_part(struct limits *l, uint64_t number) {
    for (struct limit_part *p = l->parts; number && p < l->parts + LIMIT_PARTS; p++)
        if (atomic_load(&p->number) == number)
            return p;
    return NULL;
}

// The smallest limit of memory of all, 0: there is none.
uint64_t limits_tightest(struct limits *l) {
    uint64_t least = l->max.memory;
    for (struct limit_part *p = l->parts; p < l->parts + LIMIT_PARTS; p++) {
        uint64_t its = atomic_load(&p->number) ? atomic_load(&p->memory) : 0;
        if (its && (!least || its < least))
            least = its;
    }
    return least;
}

void limits_watch(struct limits *l) {
    uint64_t least = limits_tightest(l);
    atomic_store(&l->pool.threshold, least / 2);
    if (least)
        l->pool.over(&l->pool);
}

void limits_join(struct kernel *k, uint64_t number, uint64_t memory, uint64_t pids) {
    struct limits *l = k->limits;
    struct limit_part *p = l->parts;
    while (p < l->parts + LIMIT_PARTS && atomic_load(&p->number))
        p++;
    if (p == l->parts + LIMIT_PARTS)
        return;  // as many as connections: there is always room
    p->memory = memory;
    p->pids = pids;
    p->used = p->peak = p->killed_at = 0;
    p->kills = 0;
    {
        LOCKED(&k->tasks_lock);
        p->being_made = 0;
    }
    atomic_store(&p->number, number);
    limits_watch(l);
}

void limits_leave(struct kernel *k, uint64_t number) {
    struct limit_part *p = limits_part(k->limits, number);
    if (p)
        atomic_store(&p->number, 0);
    limits_watch(k->limits);
}

void limits_change_part(struct kernel *k, uint64_t number, uint64_t memory, uint64_t pids) {
    struct limit_part *p = limits_part(k->limits, number);
    if (p && memory != CONTROL_KEEP)
        atomic_store(&p->memory, memory);
    if (p && pids != CONTROL_KEEP)
        atomic_store(&p->pids, pids);
    limits_watch(k->limits);
}

struct limits_of_part limits_tell_part(struct kernel *k, uint64_t number) {
    const struct limit_part *p = limits_part(k->limits, number);
    return p ? (struct limits_of_part){atomic_load(&p->kills), atomic_load(&p->peak)}
             : (struct limits_of_part){0};
}

// Of its processes and threads that are or will be. tasks_lock is held. Linear in the numbers that are used.
static uint64_t members(const struct kernel *k, const struct limit_part *p, uint64_t number) {
    uint64_t n = p->being_made;
    for (int pid = 1; pid < k->pid_end; pid++) {
        const struct tgroup *g = k->tgs[pid];
        if (g && g->member == number)
            n += g->state == TG_ALIVE ? atomic_load(&g->nalive) : 1;
    }
    return n;
}

bool limits_part_takes_pid(struct kernel *k, uint64_t number) {
    struct limit_part *p = limits_part(k->limits, number);
    uint64_t most = p ? atomic_load(&p->pids) : 0;
    if (most && members(k, p, number) >= most)
        return false;
    if (p)
        p->being_made++;
    return true;
}
void limits_part_gives_pid(struct kernel *k, uint64_t number) {
    struct limit_part *p = limits_part(k->limits, number);
    if (p && p->being_made)
        p->being_made--;
}

bool limits_may_promise(const struct task *t, uint64_t bytes) {
    return !t->k || !t->k->mem_total || bytes <= limits_mem_total(t->k, t->tg);
}

uint64_t limits_mem_total(struct kernel *k, const struct tgroup *g) {
    uint64_t all = k->mem_total;
    const struct limit_part *p = g && k->limits ? limits_part(k->limits, g->member) : NULL;
    uint64_t its = p ? atomic_load(&p->memory) : 0;
    return its && its < all ? its : all;
}
