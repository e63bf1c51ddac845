// SPDX-License-Identifier: Apache-2.0
// See msg.h; msgget(2), msgop(2), msgctl(2). Who must wait, for room or for a message, waits on the queue of
// the number and tries again when anything has changed there.
#include "sentry/ipc/msg.h"
#include "abi/caps.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/run/park.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/proc/nsproxy.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>
#include <string.h>

struct msgqueue {
    struct ipc_object o;
    struct list messages;
    int64_t stime, rtime, ctime;
    uint64_t bytes, count, limit;
    int32_t sender, receiver;
};

#define MEMORY_MAX (256u << 20)  // of all messages: empty ones would not be bounded by the sizes of queues

static uint64_t cost(const struct message *m) { return sizeof *m + m->size; }

static struct msgqueue *queue_of(struct ipc_object *o) {
    return o ? container_of(o, struct msgqueue, o) : NULL;
}
static void wake(struct ipc_ns *ns, int id) { waitq_wake(ipc_queue(&ns->msg, id), ~0u); }

// Is unlinked, or nobody else's any more.
static void queue_free(struct msgqueue *q) {
    struct message *m, *tmp;
    list_for_each_safe(m, tmp, &q->messages, link) {
        list_del(&m->link);
        free(m);
    }
    free(q);
}

int64_t do_msgget(struct task *t, int32_t key, unsigned flags) {
    struct ipc_ns *ns = task_ipc(t);
    struct msgqueue *made = znew(struct msgqueue);
    if (!made)
        return -LINUX_ENOMEM;
    int64_t r;
    {
        LOCKED(&ns->msg.lock);
        struct msgqueue *q = queue_of(ipc_find_key(&ns->msg, key));
        if (q) {
            r = ipc_existing(t, &q->o, flags);
        } else if (key != LINUX_IPC_PRIVATE && !(flags & LINUX_IPC_CREAT)) {
            r = -LINUX_ENOENT;
        } else {
            ipc_owner(t, &made->o, key, flags);
            list_init(&made->messages);
            made->limit = (uint64_t)kernel_knob(t->k, KNOB_MSG_MNB);
            made->ctime = ipc_now();
            r = ipc_publish(&ns->msg, &made->o, vfs_knobs(t->k->vfs), kernel_knob(t->k, KNOB_MSG_MNI),
                            KNOB_MSG_NEXT_ID);
            made = r >= 0 ? NULL : made;
        }
    }
    free(made);
    return r;
}

// Would it have to wait: parks, or says what it says to those that do not.
static int64_t wait_or(struct task *t, unsigned flags, int otherwise) {
    if (flags & LINUX_IPC_NOWAIT)
        return otherwise;
    int64_t r = park(t);
    return r == SYS_PARK ? r : -LINUX_EINTR;  // never restarted, signal(7)
}

int64_t do_msgsnd(struct task *t, int id, struct message **m, unsigned flags) {
    struct ipc_ns *ns = task_ipc(t);
    park_arm(t, ipc_queue(&ns->msg, id));
    {
        LOCKED(&ns->msg.lock);
        struct msgqueue *q = queue_of(ipc_find(&ns->msg, id));
        if (!q)
            return t->call.again ? -LINUX_EIDRM : -LINUX_EINVAL;
        if (!ipc_allowed(t, &q->o, 2))
            return -LINUX_EACCES;
        if (q->bytes + (*m)->size > q->limit || q->count >= q->limit)
            return wait_or(t, flags, -LINUX_EAGAIN);
        if (ns->msg_bytes + cost(*m) > ipc_share(ns, MEMORY_MAX))
            return -LINUX_ENOMEM;
        ns->msg_bytes += cost(*m);
        list_add_tail(&q->messages, &(*m)->link);
        q->bytes += (*m)->size;
        q->count++;
        q->sender = task_vpid(t);
        q->stime = ipc_now();
        *m = NULL;
    }
    wake(ns, id);
    return 0;
}

// What msgrcv's type asks for, msgop(2).
static struct message *pick(struct msgqueue *q, int64_t type, unsigned flags) {
    struct message *m, *best = NULL;
    uint64_t least = type < 0 ? -(uint64_t)type : 0;
    list_for_each(m, &q->messages, link) {
        if (flags & LINUX_MSG_COPY) {
            if (type-- == 0)
                return m;
        } else if (type == 0 || (type > 0 && (m->type == type) == !(flags & LINUX_MSG_EXCEPT))) {
            return m;
        } else if (type < 0 && (uint64_t)m->type <= least && (!best || m->type < best->type)) {
            best = m;
        }
    }
    return best;
}

static struct message *copy_of(const struct message *m) {
    struct message *c = xcalloc(1, sizeof *c + m->size);
    if (!c)
        return NULL;
    c->type = m->type;
    c->size = m->size;
    memcpy(c->text, m->text, m->size);
    list_init(&c->link);
    return c;
}

int64_t do_msgrcv(struct task *t, int id, uint64_t size, int64_t type, unsigned flags, struct message **out) {
    struct ipc_ns *ns = task_ipc(t);
    park_arm(t, ipc_queue(&ns->msg, id));
    {
        LOCKED(&ns->msg.lock);
        struct msgqueue *q = queue_of(ipc_find(&ns->msg, id));
        if (!q)
            return t->call.again ? -LINUX_EIDRM : -LINUX_EINVAL;
        if (!ipc_allowed(t, &q->o, 4))
            return -LINUX_EACCES;
        struct message *m = pick(q, type, flags);
        if (!m)
            return wait_or(t, flags, -LINUX_ENOMSG);
        if (m->size > size && !(flags & LINUX_MSG_NOERROR))
            return -LINUX_E2BIG;
        if ((flags & LINUX_MSG_COPY) && m->size > size)  // as Linux' copy_msg() has it
            return -LINUX_EINVAL;
        if (flags & LINUX_MSG_COPY) {
            *out = copy_of(m);
            return *out ? 0 : -LINUX_ENOMEM;
        }
        list_del(&m->link);
        ns->msg_bytes -= cost(m);
        q->bytes -= m->size;
        q->count--;
        q->receiver = task_vpid(t);
        q->rtime = ipc_now();
        *out = m;
    }
    wake(ns, id);
    return 0;
}

// ---- msgctl -----------------------------------------------------------------------------------------------
int64_t msg_stat(struct task *t, int id, int cmd, struct linux_msqid64_ds *out) {
    struct ipc_ns *ns = task_ipc(t);
    LOCKED(&ns->msg.lock);
    bool by_index = cmd != LINUX_IPC_STAT;
    struct msgqueue *q = queue_of(by_index ? ipc_by_index(&ns->msg, id) : ipc_find(&ns->msg, id));
    if (!q)
        return -LINUX_EINVAL;
    if (cmd != LINUX_MSG_STAT_ANY && !ipc_allowed(t, &q->o, 4))
        return -LINUX_EACCES;
    *out = (struct linux_msqid64_ds){.msg_perm = q->o.perm,
                                     .msg_stime = q->stime,
                                     .msg_rtime = q->rtime,
                                     .msg_ctime = q->ctime,
                                     .msg_cbytes = q->bytes,
                                     .msg_qnum = q->count,
                                     .msg_qbytes = q->limit,
                                     .msg_lspid = q->sender,
                                     .msg_lrpid = q->receiver};
    return by_index ? q->o.id : 0;
}

int64_t msg_change(struct task *t, int id, const struct linux_msqid64_ds *in) {
    struct ipc_ns *ns = task_ipc(t);
    {
        LOCKED(&ns->msg.lock);
        struct msgqueue *q = queue_of(ipc_find(&ns->msg, id));
        if (!q)
            return -LINUX_EINVAL;
        if (!ipc_owns(t, &q->o))
            return -LINUX_EPERM;
        if (in->msg_qbytes > (uint64_t)kernel_knob(t->k, KNOB_MSG_MNB) &&
            !task_capable(t, LINUX_CAP_SYS_RESOURCE))
            return -LINUX_EPERM;
        int err = ipc_set_owner(t, &q->o, &in->msg_perm);
        if (err)
            return err;
        q->limit = in->msg_qbytes;
        q->ctime = ipc_now();
    }
    wake(ns, id);
    return 0;
}

int64_t msg_remove(struct task *t, int id) {
    struct ipc_ns *ns = task_ipc(t);
    struct msgqueue *q;
    {
        LOCKED(&ns->msg.lock);
        q = queue_of(ipc_find(&ns->msg, id));
        if (!q)
            return -LINUX_EINVAL;
        if (!ipc_owns(t, &q->o))
            return -LINUX_EPERM;
        ipc_unlink(&ns->msg, &q->o);
        ns->msg_bytes -= q->bytes + q->count * sizeof(struct message);
    }
    queue_free(q);
    wake(ns, id);
    return 0;
}

int64_t msg_info(struct task *t, int cmd, struct linux_msginfo *out) {
    struct ipc_ns *ns = task_ipc(t);
    int32_t mni = (int32_t)kernel_knob(t->k, KNOB_MSG_MNI), mnb = (int32_t)kernel_knob(t->k, KNOB_MSG_MNB);
    *out = (struct linux_msginfo){.msgpool = mni * (mnb / 1024),
                                  .msgmap = mnb,
                                  .msgmax = (int32_t)kernel_knob(t->k, KNOB_MSG_MAX),
                                  .msgmnb = mnb,
                                  .msgmni = mni,
                                  .msgssz = 16,
                                  .msgtql = mnb,
                                  .msgseg = 0xffff};
    LOCKED(&ns->msg.lock);
    if (cmd == LINUX_MSG_INFO) {  // what is in use, in three fields of the limits
        out->msgpool = out->msgmap = out->msgtql = 0;
        for (int i = 0; i < ns->msg.top; i++)
            if (ns->msg.objects[i]) {
                const struct msgqueue *q = queue_of(ns->msg.objects[i]);
                out->msgpool++;
                out->msgmap += (int32_t)q->count;
                out->msgtql += (int32_t)q->bytes;
            }
    }
    return ipc_highest(&ns->msg);
}

void msg_free_all(struct ipc_ns *ns) {
    for (int i = 0; i < ns->msg.top; i++)
        if (ns->msg.objects[i])
            queue_free(queue_of(ns->msg.objects[i]));
    memset(ns->msg.objects, 0, (size_t)ns->msg.top * sizeof *ns->msg.objects);
    ns->msg.top = 0;
    ns->msg_bytes = 0;
}
