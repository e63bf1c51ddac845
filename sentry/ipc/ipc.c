// SPDX-License-Identifier: Apache-2.0
// See ipc.h. Called by sem.c and msg.c. (Shared memory has its own table: a segment lives as long as its
// attachments.)
#include "sentry/ipc/ipc.h"
#include "abi/caps.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/ipc/msg.h"
#include "sentry/ipc/sem.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>

#define MIN_CYCLE 64     // indices that are gone through before one is used again: ipc_min_cycle of Linux
#define SEQ_STEP 32768  // ids are sequence * step + index, as Linux's

static void table_init(struct ipc_table *x) {
    lock_init(&x->lock, RANK_OBJECT);
    for (int i = 0; i < IPC_QUEUES; i++)
        waitq_init(&x->queues[i]);
}

static void table_destroy(struct ipc_table *x) {
    for (int i = 0; i < IPC_QUEUES; i++)
        waitq_destroy(&x->queues[i]);
    lock_destroy(&x->lock);
}

void ipc_ns_init(struct ipc_ns *ns) {
    table_init(&ns->msg);
    table_init(&ns->sem);
    shm_init(&ns->shm);
    mq_table_init(&ns->mq);
}

void ipc_ns_destroy(struct ipc_ns *ns) {
    msg_free_all(ns);
    sem_free_all(ns);
    shm_destroy(&ns->shm);
    mq_table_destroy(&ns->mq);
    table_destroy(&ns->msg);
    table_destroy(&ns->sem);
}

static void ipc_ns_free(struct ns *n) {
    struct ipc_ns *ns = (struct ipc_ns *)n;
    ipc_ns_destroy(ns);
    free(ns);
}

int ipc_ns_make(struct task *t, struct ns *owner, struct ns **out) {
    struct ipc_ns *ns = znew(struct ipc_ns);
    if (!ns)
        return -LINUX_ENOMEM;
    ipc_ns_init(ns);
    ns_init(&ns->ns, NS_IPC, t->k->vfs, 0, owner, ipc_ns_free);
    *out = &ns->ns;
    return 0;
}

void ipc_perm_out(const struct task *t, struct linux_ipc64_perm *p) {
    p->uid = task_uid_out(t, p->uid);
    p->cuid = task_uid_out(t, p->cuid);
    p->gid = task_gid_out(t, p->gid);
    p->cgid = task_gid_out(t, p->cgid);
}

bool ipc_perm_in(const struct task *t, struct linux_ipc64_perm *p) {
    p->uid = task_uid_in(t, p->uid);
    p->gid = task_gid_in(t, p->gid);
    return p->uid != ID_NONE && p->gid != ID_NONE;
}

struct ipc_object *ipc_by_index(struct ipc_table *x, int index) {
    return index >= 0 && index < IPC_MAX ? x->objects[index] : NULL;
}

struct ipc_object *ipc_find(struct ipc_table *x, int id) {
    struct ipc_object *o = id >= 0 ? ipc_by_index(x, id % SEQ_STEP) : NULL;
    return o && o->id == id ? o : NULL;
}

struct ipc_object *ipc_find_key(struct ipc_table *x, int32_t key) {
    for (int i = 0; i < x->top && key != LINUX_IPC_PRIVATE; i++)
        if (x->objects[i] && x->objects[i]->perm.key == key)
            return x->objects[i];
    return NULL;
}

int ipc_next_number(struct knobs *knobs, enum knob_id next, uint16_t *seq) {
    int64_t wanted = atomic_exchange(&knobs->v[next], -1);
    if (wanted < 0)
        return -1;
    *seq = (uint16_t)(wanted / SEQ_STEP & 0x7fff);
    return (int)(wanted % SEQ_STEP);
}

static int publish_at(struct ipc_table *x, struct ipc_object *o, int i, uint16_t seq) {
    o->perm.seq = seq;
    o->id = seq * SEQ_STEP + i;
    x->objects[i] = o;
    x->top = i >= x->top ? i + 1 : x->top;
    x->count++;
    return o->id;
}

static bool index_used(const void *table, int i) { return ((const struct ipc_table *)table)->objects[i]; }

int ipc_pick(struct ipc_order *order, int max, int count, bool (*used)(const void *table, int i),
             const void *table) {
    int cycle = count * 3 / 2 > MIN_CYCLE ? count * 3 / 2 : MIN_CYCLE, from = order->next;
    int end = cycle < max ? cycle : max;
    int i = from;
    while (i < end && used(table, i))
        i++;
    if (i >= end)
        for (i = 0; i < end && used(table, i);)
            i++;
    if (i >= end)
        return -1;
    if (i < from)
        order->seq = (order->seq + 1) & 0x7fff;
    order->next = i + 1;
    return i;
}

int ipc_publish(struct ipc_table *x, struct ipc_object *o, struct knobs *knobs, int64_t most,
                enum knob_id next) {
    if (x->count >= most)
        return -LINUX_ENOSPC;
    uint16_t seq;
    int wanted = ipc_next_number(knobs, next, &seq);
    if (wanted >= 0 && wanted < IPC_MAX && !x->objects[wanted])
        return publish_at(x, o, wanted, seq);
    int i = ipc_pick(&x->order, IPC_MAX, x->count, index_used, x);
    return i < 0 ? -LINUX_ENOSPC : publish_at(x, o, i, x->order.seq);
}

void ipc_unlink(struct ipc_table *x, struct ipc_object *o) {
    x->objects[o->id % SEQ_STEP] = NULL;
    x->count--;
    while (x->top > 0 && !x->objects[x->top - 1])
        x->top--;
}

int ipc_highest(const struct ipc_table *x) { return x->top > 0 ? x->top - 1 : 0; }

struct waitq *ipc_queue(struct ipc_table *x, int id) {
    return &x->queues[(unsigned)id % IPC_QUEUES];
}

static bool in_group(const struct cred *c, uint32_t gid) {
    for (unsigned i = 0; i < c->ngroups; i++)
        if (c->groups[i] == gid)
            return true;
    return c->egid == gid;
}

bool ipc_allowed(struct task *t, const struct ipc_object *o, unsigned want) {
    const struct cred *c = t->cred;
    unsigned have = o->perm.mode & 7;
    if (c->euid == o->perm.uid || c->euid == o->perm.cuid)
        have = o->perm.mode >> 6 & 7;
    else if (in_group(c, o->perm.gid) || in_group(c, o->perm.cgid))
        have = o->perm.mode >> 3 & 7;
    return !(want & ~have) || task_capable_over(t, &task_ipc(t)->ns, LINUX_CAP_IPC_OWNER);
}

bool ipc_owns(struct task *t, const struct ipc_object *o) {
    return t->cred->euid == o->perm.uid || t->cred->euid == o->perm.cuid ||
           task_capable_over(t, &task_ipc(t)->ns, LINUX_CAP_SYS_ADMIN);
}

void ipc_owner(struct task *t, struct ipc_object *o, int32_t key, unsigned mode) {
    o->perm = (struct linux_ipc64_perm){.key = key, .mode = mode & 0777};
    o->perm.uid = o->perm.cuid = t->cred->euid;
    o->perm.gid = o->perm.cgid = t->cred->egid;
}

int ipc_set_owner(struct task *t, struct ipc_object *o, const struct linux_ipc64_perm *from) {
    if (!ipc_owns(t, o))
        return -LINUX_EPERM;
    if (from->uid == ~0u || from->gid == ~0u)
        return -LINUX_EINVAL;
    o->perm.uid = from->uid;
    o->perm.gid = from->gid;
    o->perm.mode = from->mode & 0777;
    return 0;
}

int ipc_existing(struct task *t, const struct ipc_object *o, unsigned flags) {
    if ((flags & LINUX_IPC_CREAT) && (flags & LINUX_IPC_EXCL))
        return -LINUX_EEXIST;
    return ipc_allowed(t, o, (flags >> 6 | flags >> 3 | flags) & 7) ? o->id : -LINUX_EACCES;
}

int64_t ipc_now(void) { return (int64_t)(real_ns() / NS_PER_SEC); }
