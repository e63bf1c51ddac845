// SPDX-License-Identifier: Apache-2.0
// System V message queues: what syscalls/sys_msg.c decodes for.
#ifndef SENTRY_IPC_MSG_H
#define SENTRY_IPC_MSG_H
#include "base/list.h"
#include "sentry/ipc/ipc.h"

#define MSG_SIZE_MAX   8192   // /proc/sys/kernel/msgmax
#define MSG_QUEUE_SIZE 16384  // /proc/sys/kernel/msgmnb

struct message {
    struct list link;
    int64_t type;
    size_t size;
    char text[];
};

int64_t do_msgget(struct task *t, int32_t key, unsigned flags);
// Takes *m over when it returns 0 (and sets it to NULL). EAGAIN, EIDRM, EINTR, SYS_PARK ...
int64_t do_msgsnd(struct task *t, int id, struct message **m, unsigned flags);
// 0 and a message, the caller's own. E2BIG, ENOMSG, EIDRM, EINTR, SYS_PARK ...
int64_t do_msgrcv(struct task *t, int id, uint64_t size, int64_t type, unsigned flags, struct message **m);
int64_t msg_stat(struct task *t, int id, int cmd, struct linux_msqid64_ds *out);
int64_t msg_change(struct task *t, int id, const struct linux_msqid64_ds *in);  // IPC_SET
int64_t msg_remove(struct task *t, int id);
int64_t msg_info(struct task *t, int cmd, struct linux_msginfo *out);  // highest used index
void msg_free_all(struct ipc_ns *ns);  // nobody is left

#endif
