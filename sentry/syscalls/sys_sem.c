// SPDX-License-Identifier: Apache-2.0
// semget semop semtimedop semctl. The sets are in sentry/ipc/sem.c.
#include "abi/time.h"
#include "base/clock.h"
#include "sentry/ipc/sem.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

int64_t sys_semget(struct task *t, const struct sysargs *a) {
    return do_semget(t, (int32_t)a->v[0], (int)a->v[1], (unsigned)a->v[2]);
}

static int64_t semop(struct task *t, const struct sysargs *a, uint64_t timeout) {
    struct linux_sembuf ops[SEM_OPS];
    struct linux_timespec ts;
    uint64_t n = a->v[2], ns;
    if (timeout && copy_in_obj(t, &ts, uaddr(timeout)) < 0)
        return -LINUX_EFAULT;
    if (n < 1 || (int)a->v[0] < 0)
        return -LINUX_EINVAL;
    if (n > SEM_OPS)
        return -LINUX_E2BIG;
    if (copy_in(t, ops, uaddr(a->v[1]), n * sizeof ops[0]) < 0)
        return -LINUX_EFAULT;
    if (timeout && !time_from_spec(&ts, &ns))
        return -LINUX_EINVAL;
    if (timeout)
        park_deadline(t, time_after(ns));
    return do_semop(t, (int)a->v[0], ops, (unsigned)n);
}
int64_t sys_semop(struct task *t, const struct sysargs *a) { return semop(t, a, 0); }
int64_t sys_semtimedop(struct task *t, const struct sysargs *a) { return semop(t, a, a->v[3]); }

static int64_t all_values(struct task *t, int id, uint64_t addr, bool set) {
    int count = sem_count(t, id);
    if (count < 0)
        return count;
    uint64_t size = (uint64_t)count * sizeof(uint16_t);
    uint16_t *values = malloc(size);
    if (!values)
        return -LINUX_ENOMEM;
    int64_t r = 0;
    if (set)
        r = copy_in(t, values, uaddr(addr), size) < 0 ? -LINUX_EFAULT : sem_set_all(t, id, values, count);
    else
        r = sem_get_all(t, id, values, count);
    if (r == 0 && !set && copy_out(t, uaddr(addr), values, size) < 0)
        r = -LINUX_EFAULT;
    free(values);
    return r;
}

int64_t sys_semctl(struct task *t, const struct sysargs *a) {
    // IPC_64 is what x86-64 has anyway
    int id = (int)a->v[0], num = (int)a->v[1], cmd = (int)a->v[2] & ~0x100;
    struct linux_semid64_ds ds;
    struct linux_seminfo info;
    int64_t r;
    if (id < 0)
        return -LINUX_EINVAL;
    switch (cmd) {
    case LINUX_SEM_GETVAL:
    case LINUX_SEM_GETPID:
    case LINUX_SEM_GETNCNT:
    case LINUX_SEM_GETZCNT:
        return sem_get(t, id, num, cmd);
    case LINUX_SEM_SETVAL:
        return sem_set_value(t, id, num, (int)a->v[3]);
    case LINUX_SEM_GETALL:
    case LINUX_SEM_SETALL:
        return all_values(t, id, a->v[3], cmd == LINUX_SEM_SETALL);
    case LINUX_IPC_STAT:
    case LINUX_SEM_STAT:
    case LINUX_SEM_STAT_ANY:
        r = sem_stat(t, id, cmd, &ds);
        return r >= 0 && copy_out_obj(t, uaddr(a->v[3]), &ds) < 0 ? -LINUX_EFAULT : r;
    case LINUX_IPC_SET:
        return copy_in_obj(t, &ds, uaddr(a->v[3])) < 0 ? -LINUX_EFAULT : sem_change(t, id, &ds);
    case LINUX_IPC_RMID:
        return sem_remove(t, id);
    case LINUX_IPC_INFO:
    case LINUX_SEM_INFO:
        r = sem_info(t, cmd, &info);
        return copy_out_obj(t, uaddr(a->v[3]), &info) < 0 ? -LINUX_EFAULT : r;
    default:
        return -LINUX_EINVAL;
    }
}
