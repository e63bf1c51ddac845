// SPDX-License-Identifier: Apache-2.0
// System V semaphore sets: what syscalls/sys_sem.c decodes for.
#ifndef SENTRY_IPC_SEM_H
#define SENTRY_IPC_SEM_H
#include "sentry/ipc/ipc.h"

#define SEM_PER_SET 32000
#define SEM_TOTAL   1024000  // LIMIT: a thousandth of Linux' limit, which memory would not do for
#define SEM_OPS     500
#define SEM_VALUE   32767

int64_t do_semget(struct task *t, int32_t key, int count, unsigned flags);
// The operations, all or none: 0, EAGAIN (IPC_NOWAIT, or the time is up), EIDRM, EINTR, SYS_PARK ... `again`:
// after a wait, that is the set was there before.
int64_t do_semop(struct task *t, int id, const struct linux_sembuf *ops, unsigned n);
// GETVAL, GETPID, GETNCNT, GETZCNT; SETVAL.
int64_t sem_get(struct task *t, int id, int num, int cmd);
int64_t sem_set_value(struct task *t, int id, int num, int value);
int sem_count(struct task *t, int id);  // how many are in the set, for the size of GETALL and SETALL
int64_t sem_get_all(struct task *t, int id, uint16_t *values, int count);
int64_t sem_set_all(struct task *t, int id, const uint16_t *values, int count);
int64_t sem_stat(struct task *t, int id, int cmd, struct linux_semid64_ds *out);
int64_t sem_change(struct task *t, int id, const struct linux_semid64_ds *in);  // IPC_SET
int64_t sem_remove(struct task *t, int id);
int64_t sem_info(struct task *t, int cmd, struct linux_seminfo *out);  // highest used index
struct ipc_ns;
void sem_exit(struct tgroup *g, struct ipc_ns *ns);  // the process ends: SEM_UNDO. tasks_lock may be held.
void sem_free_all(struct ipc_ns *ns);  // nobody is left

#endif
