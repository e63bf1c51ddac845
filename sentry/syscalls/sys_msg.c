// SPDX-License-Identifier: Apache-2.0
// msgget msgsnd msgrcv msgctl. The queues are in sentry/ipc/msg.c.
#include "base/fault.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/ipc/msg.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/syscalls/table.h"
#include <stdlib.h>

int64_t sys_msgget(struct task *t, const struct sysargs *a) {
    return do_msgget(t, arg_int(a, 0), arg_u32(a, 1));
}

// The guest's struct msgbuf: the type, then the text.
int64_t sys_msgsnd(struct task *t, const struct sysargs *a) {
    int64_t type;
    uint64_t size = arg_size(a, 2);
    if (copy_in_obj(t, &type, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if ((int64_t)size < 0 || size > (uint64_t)kernel_knob(t->k, KNOB_MSG_MAX) || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    if (type < 1)
        return -LINUX_EINVAL;
    struct message *m = xcalloc(1, sizeof *m + size);
    if (!m)
        return -LINUX_ENOMEM;
    list_init(&m->link);
    m->type = type;
    m->size = size;
    int64_t r = -LINUX_EFAULT;
    if (copy_in(t, m->text, uaddr_add(arg_ptr(a, 1), sizeof type), size) == 0)
        r = do_msgsnd(t, arg_int(a, 0), &m, arg_u32(a, 3));
    free(m);
    return r;
}

int64_t sys_msgrcv(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 4);
    uint64_t size = arg_size(a, 2);
    struct message *m = NULL;
    if ((int64_t)size < 0 || arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    if ((flags & LINUX_MSG_COPY) && ((flags & LINUX_MSG_EXCEPT) || !(flags & LINUX_IPC_NOWAIT)))
        return -LINUX_EINVAL;
    int64_t r = do_msgrcv(t, arg_int(a, 0), size, arg_long(a, 3), flags, &m);
    if (r < 0)
        return r;
    size = m->size < size ? m->size : size;
    bool ok = copy_out_obj(t, arg_ptr(a, 1), &m->type) == 0 &&
              copy_out(t, uaddr_add(arg_ptr(a, 1), sizeof m->type), m->text, size) == 0;
    free(m);
    return ok ? (int64_t)size : -LINUX_EFAULT;
}

int64_t sys_msgctl(struct task *t, const struct sysargs *a) {
    int id = arg_int(a, 0), cmd = arg_int(a, 1) & ~0x100;  // IPC_64 is what x86-64 has anyway
    uaddr_t buf = arg_ptr(a, 2);
    struct linux_msqid64_ds ds;
    struct linux_msginfo info;
    int64_t r;
    if (id < 0)
        return -LINUX_EINVAL;
    switch (cmd) {
    case LINUX_IPC_STAT:
    case LINUX_MSG_STAT:
    case LINUX_MSG_STAT_ANY:
        r = msg_stat(t, id, cmd, &ds);
        ipc_perm_out(t, &ds.msg_perm);
        return r >= 0 && copy_out_obj(t, buf, &ds) < 0 ? -LINUX_EFAULT : r;
    case LINUX_IPC_SET:
        if (copy_in_obj(t, &ds, buf) < 0)
            return -LINUX_EFAULT;
        return ipc_perm_in(t, &ds.msg_perm) ? msg_change(t, id, &ds) : -LINUX_EINVAL;
    case LINUX_IPC_RMID:
        return msg_remove(t, id);
    case LINUX_IPC_INFO:
    case LINUX_MSG_INFO:
        r = msg_info(t, cmd, &info);
        return copy_out_obj(t, buf, &info) < 0 ? -LINUX_EFAULT : r;
    default:
        return -LINUX_EINVAL;
    }
}
