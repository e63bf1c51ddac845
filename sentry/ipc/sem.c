// SPDX-License-Identifier: Apache-2.0
// See sem.h; semget(2), semop(2), semctl(2). A call that must wait waits on the queue of the set's number and
// tries again when anything in a set of that queue has changed. Adjustments of SEM_UNDO are kept with the
// set, by process.
// LIMIT: threads of a process always share their undo list, other processes never do (CLONE_SYSVSEM is not
// looked at).
#include "sentry/ipc/sem.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/run/park.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>
#include <string.h>

struct sem {
    uint16_t value;
    int32_t pid;             // who operated last
    uint32_t nwait, zwait;   // who waits for more, and for zero
};
struct undo {
    struct list link;
    const struct tgroup *owner;  // compared only
    int16_t by[];
};
struct semset {
    struct ipc_object o;
    struct list undos;
    int64_t otime, ctime;
    int count;
    struct sem sems[];
};

#define UNDO_MAX (64u << 20)  // bytes of adjustments

static struct semset *set_of(struct ipc_object *o) { return o ? container_of(o, struct semset, o) : NULL; }
static void wake(struct ipc_ns *ns, int id) { waitq_wake(ipc_queue(&ns->sem, id), ~0u); }

static size_t undo_size(const struct semset *s) {
    return sizeof(struct undo) + (size_t)s->count * sizeof(int16_t);
}

// The table's lock is held.
static void undo_free(struct ipc_ns *ns, const struct semset *s, struct undo *u) {
    list_del(&u->link);
    free(u);
    ns->undo_bytes -= undo_size(s);
    atomic_fetch_sub(&ns->nundos, 1);
}

// The table's lock is held, or nobody else is left.
static void set_free(struct ipc_ns *ns, struct semset *s) {
    struct undo *u, *tmp;
    list_for_each_safe(u, tmp, &s->undos, link)
        undo_free(ns, s, u);
    free(s);
}

int64_t do_semget(struct task *t, int32_t key, int count, unsigned flags) {
    struct ipc_ns *ns = task_ipc(t);
    if (count < 0 || count > SEM_PER_SET)
        return -LINUX_EINVAL;
    struct semset *made = xcalloc(1, sizeof *made + (size_t)count * sizeof made->sems[0]);
    if (!made)
        return -LINUX_ENOMEM;
    int64_t r;
    {
        LOCKED(&ns->sem.lock);
        struct semset *s = set_of(ipc_find_key(&ns->sem, key));
        if (s) {
            r = ipc_existing(t, &s->o, flags);
            r = r >= 0 && count > s->count ? -LINUX_EINVAL : r;
        } else if (key != LINUX_IPC_PRIVATE && !(flags & LINUX_IPC_CREAT)) {
            r = -LINUX_ENOENT;
        } else if (count == 0) {
            r = -LINUX_EINVAL;
        } else if (count > (int)ipc_share(ns, SEM_TOTAL) - ns->nsems) {
            r = -LINUX_ENOSPC;
        } else {
            ipc_owner(t, &made->o, key, flags);
            list_init(&made->undos);
            made->count = count;
            made->ctime = ipc_now();
            r = ipc_publish(&ns->sem, &made->o, vfs_knobs(t->k->vfs), IPC_MAX, KNOB_SEM_NEXT_ID);
            ns->nsems += r >= 0 ? count : 0;
            made = r >= 0 ? NULL : made;
        }
    }
    free(made);
    return r;
}

// ---- semop ------------------------------------------------------------------------------------------------
// The caller's adjustments of s, made when there are none yet. The table's lock is held.
static struct undo *undo_of(struct task *t, struct semset *s) {
    struct ipc_ns *ns = task_ipc(t);
    struct undo *u;
    list_for_each(u, &s->undos, link)
        if (u->owner == t->tg)
            return u;
    u = ns->undo_bytes + undo_size(s) <= ipc_share(ns, UNDO_MAX) ? xcalloc(1, undo_size(s)) : NULL;
    if (u) {
        u->owner = t->tg;
        ns->undo_bytes += undo_size(s);
        list_add_tail(&s->undos, &u->link);
        atomic_fetch_add(&ns->nundos, 1);
    }
    return u;
}

// Takes back the first n operations.
static void take_back(struct semset *s, struct undo *u, const struct linux_sembuf *ops, unsigned n) {
    while (n-- > 0) {
        s->sems[ops[n].sem_num].value = (uint16_t)(s->sems[ops[n].sem_num].value - ops[n].sem_op);
        if (ops[n].sem_op && (ops[n].sem_flg & LINUX_SEM_UNDO))
            u->by[ops[n].sem_num] = (int16_t)(u->by[ops[n].sem_num] + ops[n].sem_op);
    }
}

// One operation: 0, EAGAIN (it would have to wait), ERANGE.
static int operate(struct semset *s, struct undo *u, const struct linux_sembuf *op) {
    struct sem *m = &s->sems[op->sem_num];
    int value = m->value + op->sem_op;
    if (op->sem_op == 0)
        return m->value ? -LINUX_EAGAIN : 0;
    if (value < 0)
        return -LINUX_EAGAIN;
    if (value > SEM_VALUE)
        return -LINUX_ERANGE;
    if (op->sem_flg & LINUX_SEM_UNDO) {
        int by = u->by[op->sem_num] - op->sem_op;
        if (by < -SEM_VALUE - 1 || by > SEM_VALUE)
            return -LINUX_ERANGE;
        u->by[op->sem_num] = (int16_t)by;
    }
    m->value = (uint16_t)value;
    return 0;
}

// Those that wait are counted, for GETNCNT and GETZCNT.
static uint32_t *waiters(struct semset *s, const struct sem_wait *w) {
    return w->zero ? &s->sems[w->num].zwait : &s->sems[w->num].nwait;
}

static void not_waiting(struct task *t) {
    const struct sem_wait *w = &t->call.notes.sem;
    struct ipc_ns *ns = task_ipc(t);
    t->call.cleanup = NULL;
    LOCKED(&ns->sem.lock);
    struct semset *s = set_of(ipc_find(&ns->sem, w->id));
    if (s)
        --*waiters(s, w);
}

static int check_ops(struct task *t, const struct semset *s, const struct linux_sembuf *ops, unsigned n,
                     bool *undo) {
    bool alter = false;
    *undo = false;
    for (unsigned i = 0; i < n; i++) {
        if (ops[i].sem_num >= s->count)
            return -LINUX_EFBIG;
        alter |= ops[i].sem_op != 0;
        *undo |= ops[i].sem_op != 0 && (ops[i].sem_flg & LINUX_SEM_UNDO);
    }
    return ipc_allowed(t, &s->o, alter ? 2 : 4) ? 0 : -LINUX_EACCES;
}

// The table's lock is held. *at: the operation that failed.
static int try_ops(struct task *t, struct semset *s, const struct linux_sembuf *ops, unsigned n,
                   unsigned *at) {
    bool undo;
    int err = check_ops(t, s, ops, n, &undo);
    struct undo *u = !err && undo ? undo_of(t, s) : NULL;
    if (err || (undo && !u))
        return err ? err : -LINUX_ENOMEM;
    for (*at = 0; *at < n; ++*at) {
        err = operate(s, u, &ops[*at]);
        if (err) {
            take_back(s, u, ops, *at);
            return err;
        }
    }
    for (unsigned i = 0; i < n; i++)
        s->sems[ops[i].sem_num].pid = task_vpid(t);
    s->otime = ipc_now();
    return 0;
}

int64_t do_semop(struct task *t, int id, const struct linux_sembuf *ops, unsigned n) {
    struct ipc_ns *ns = task_ipc(t);
    if (t->call.cleanup)
        not_waiting(t);
    park_arm(t, ipc_queue(&ns->sem, id));
    unsigned at = 0;
    int64_t r;
    {
        LOCKED(&ns->sem.lock);
        struct semset *s = set_of(ipc_find(&ns->sem, id));
        if (!s)
            return t->call.again ? -LINUX_EIDRM : -LINUX_EINVAL;
        r = try_ops(t, s, ops, n, &at);
        bool wait = r == -LINUX_EAGAIN && !(ops[at].sem_flg & LINUX_IPC_NOWAIT) && !t->call.timed_out;
        if (wait) {
            t->call.notes.sem = (struct sem_wait){id, ops[at].sem_num, ops[at].sem_op == 0};
            ++*waiters(s, &t->call.notes.sem);
            t->call.cleanup = not_waiting;
            r = park(t);
            return r == SYS_PARK ? r : -LINUX_EINTR;  // never restarted, signal(7)
        }
    }
    if (r == 0)
        wake(ns, id);
    return r;
}

// ---- The end of a process ---------------------------------------------------------------------------------
static uint16_t clamp_value(int value) {
    if (value < 0)
        return 0;
    return (uint16_t)(value > SEM_VALUE ? SEM_VALUE : value);
}

static void adjust(struct semset *s, const struct undo *u) {
    for (int i = 0; i < s->count; i++) {
        if (!u->by[i])
            continue;
        s->sems[i].value = clamp_value(s->sems[i].value + u->by[i]);
        s->sems[i].pid = pid_out(u->owner->pid_ns, u->owner->pid);
    }
}

void sem_exit(struct tgroup *g, struct ipc_ns *ns) {
    if (!atomic_load(&ns->nundos))
        return;
    for (int i = 0; i < IPC_MAX; i++) {
        int id = -1;
        {
            LOCKED(&ns->sem.lock);
            if (i >= ns->sem.top)
                return;
            struct semset *s = set_of(ipc_by_index(&ns->sem, i));
            struct undo *u, *tmp;
            if (!s)
                continue;
            list_for_each_safe(u, tmp, &s->undos, link) {
                if (u->owner != g)
                    continue;
                adjust(s, u);
                undo_free(ns, s, u);
                id = s->o.id;
            }
        }
        if (id >= 0)
            wake(ns, id);
    }
}

// ---- semctl -----------------------------------------------------------------------------------------------
int64_t sem_get(struct task *t, int id, int num, int cmd) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->sem.lock);
    struct semset *s = set_of(ipc_find(&ns->sem, id));
    if (!s)
        return -LINUX_EINVAL;
    if (!ipc_allowed(t, &s->o, 4))
        return -LINUX_EACCES;
    if (num < 0 || num >= s->count)
        return -LINUX_EINVAL;
    const struct sem *m = &s->sems[num];
    switch (cmd) {
    case LINUX_SEM_GETVAL:
        return m->value;
    case LINUX_SEM_GETPID:
        return m->pid;
    case LINUX_SEM_GETNCNT:
        return m->nwait;
    default:
        return m->zwait;
    }
}

// A value that is set makes adjustments of it void. The table's lock is held.
static void set_one(struct task *t, struct semset *s, int num, uint16_t value) {
    struct undo *u;
    s->sems[num].value = value;
    s->sems[num].pid = task_vpid(t);
    list_for_each(u, &s->undos, link)
        u->by[num] = 0;
    s->ctime = ipc_now();
}

int64_t sem_set_value(struct task *t, int id, int num, int value) {
    struct ipc_ns *ns = task_ipc(t);
    if (value < 0 || value > SEM_VALUE)
        return -LINUX_ERANGE;
    {
        LOCKED(&ns->sem.lock);
        struct semset *s = set_of(ipc_find(&ns->sem, id));
        if (!s || num < 0 || num >= s->count)
            return -LINUX_EINVAL;
        if (!ipc_allowed(t, &s->o, 2))
            return -LINUX_EACCES;
        set_one(t, s, num, (uint16_t)value);
    }
    wake(ns, id);
    return 0;
}

int sem_count(struct task *t, int id) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->sem.lock);
    struct semset *s = set_of(ipc_find(&ns->sem, id));
    return s ? s->count : -LINUX_EINVAL;
}

int64_t sem_get_all(struct task *t, int id, uint16_t *values, int count) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->sem.lock);
    struct semset *s = set_of(ipc_find(&ns->sem, id));
    if (!s || s->count != count)
        return -LINUX_EIDRM;
    if (!ipc_allowed(t, &s->o, 4))
        return -LINUX_EACCES;
    for (int i = 0; i < count; i++)
        values[i] = s->sems[i].value;
    return 0;
}

int64_t sem_set_all(struct task *t, int id, const uint16_t *values, int count) {
    struct ipc_ns *ns = task_ipc(t);
    {
        LOCKED(&ns->sem.lock);
        struct semset *s = set_of(ipc_find(&ns->sem, id));
        if (!s || s->count != count)
            return -LINUX_EIDRM;
        if (!ipc_allowed(t, &s->o, 2))
            return -LINUX_EACCES;
        for (int i = 0; i < count; i++)
            if (values[i] > SEM_VALUE)
                return -LINUX_ERANGE;
        for (int i = 0; i < count; i++)
            set_one(t, s, i, values[i]);
    }
    wake(ns, id);
    return 0;
}

int64_t sem_stat(struct task *t, int id, int cmd, struct linux_semid64_ds *out) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->sem.lock);
    bool by_index = cmd != LINUX_IPC_STAT;
    struct semset *s = set_of(by_index ? ipc_by_index(&ns->sem, id) : ipc_find(&ns->sem, id));
    if (!s)
        return -LINUX_EINVAL;
    if (cmd != LINUX_SEM_STAT_ANY && !ipc_allowed(t, &s->o, 4))
        return -LINUX_EACCES;
    *out = (struct linux_semid64_ds){
        .sem_perm = s->o.perm, .sem_otime = s->otime, .sem_ctime = s->ctime, .sem_nsems = (uint64_t)s->count};
    return by_index ? s->o.id : 0;
}

int64_t sem_change(struct task *t, int id, const struct linux_semid64_ds *in) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->sem.lock);
    struct semset *s = set_of(ipc_find(&ns->sem, id));
    if (!s)
        return -LINUX_EINVAL;
    int err = ipc_set_owner(t, &s->o, &in->sem_perm);
    if (!err)
        s->ctime = ipc_now();
    return err;
}

int64_t sem_remove(struct task *t, int id) {
    struct ipc_ns *ns = task_ipc(t);
    {
        LOCKED(&ns->sem.lock);
        struct semset *s = set_of(ipc_find(&ns->sem, id));
        if (!s)
            return -LINUX_EINVAL;
        if (!ipc_owns(t, &s->o))
            return -LINUX_EPERM;
        ipc_unlink(&ns->sem, &s->o);
        ns->nsems -= s->count;
        set_free(ns, s);
    }
    wake(ns, id);
    return 0;
}

int64_t sem_info(struct task *t, int cmd, struct linux_seminfo *out) {
    struct ipc_ns *ns = task_ipc(t);
    *out = (struct linux_seminfo){.semmap = SEM_TOTAL,
                                  .semmni = IPC_MAX,
                                  .semmns = SEM_TOTAL,
                                  .semmnu = SEM_TOTAL,
                                  .semmsl = SEM_PER_SET,
                                  .semopm = SEM_OPS,
                                  .semume = SEM_OPS,
                                  .semusz = 20,
                                  .semvmx = SEM_VALUE,
                                  .semaem = SEM_VALUE};
    LOCKED(&ns->sem.lock);
    if (cmd == LINUX_SEM_INFO) {  // what is in use, in two fields of the limits
        out->semusz = out->semaem = 0;
        for (int i = 0; i < ns->sem.top; i++)
            if (ns->sem.objects[i]) {
                out->semusz++;
                out->semaem += set_of(ns->sem.objects[i])->count;
            }
    }
    return ipc_highest(&ns->sem);
}

void sem_free_all(struct ipc_ns *ns) {
    for (int i = 0; i < ns->sem.top; i++)
        if (ns->sem.objects[i])
            set_free(ns, set_of(ns->sem.objects[i]));
    memset(ns->sem.objects, 0, (size_t)ns->sem.top * sizeof *ns->sem.objects);
    ns->sem.top = ns->nsems = 0;
}
