// SPDX-License-Identifier: Apache-2.0
// semget semop semtimedop semctl. The sets are in sentry/ipc/sem.c.
#include "abi/time.h"
#include "base/clock.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/ipc/sem.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"
#include <stdlib.h>

int64_t sys_semget(struct task *t, const struct sysargs *a) {
    return do_semget(t, arg_int(a, 0), arg_int(a, 1), arg_u32(a, 2));
}

static int64_t semop(struct task *t, const struct sysargs *a, uaddr_t timeout) {
    struct linux_sembuf ops[SEM_OPS];
    struct linux_timespec ts;
    uint32_t n = arg_u32(a, 2);
    uint64_t ns;
    bool timed = !uaddr_is_null(timeout);
    if (timed && copy_in_obj(t, &ts, timeout) < 0)
        return -LINUX_EFAULT;
    if (n > SEM_OPS)
        return -LINUX_E2BIG;
    if (n < 1)
        return -LINUX_EINVAL;
    if (copy_in(t, ops, arg_ptr(a, 1), n * sizeof ops[0]) < 0)
        return -LINUX_EFAULT;
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    if (timed && !time_from_spec(&ts, &ns))
        return -LINUX_EINVAL;
    if (timed)
        park_deadline(t, time_after(ns));
    return do_semop(t, arg_int(a, 0), ops, n);
}
int64_t sys_semop(struct task *t, const struct sysargs *a) { return semop(t, a, UADDR_NULL); }
int64_t sys_semtimedop(struct task *t, const struct sysargs *a) { return semop(t, a, arg_ptr(a, 3)); }

static int64_t all_values(struct task *t, int id, uaddr_t addr, bool set) {
    int count = sem_count(t, id);
    if (count < 0)
        return count;
    uint64_t size = (uint64_t)count * sizeof(uint16_t);
    uint16_t *values = malloc(size);
    if (!values)
        return -LINUX_ENOMEM;
    int64_t r = 0;
    if (set)
        r = copy_in(t, values, addr, size) < 0 ? -LINUX_EFAULT : sem_set_all(t, id, values, count);
    else
        r = sem_get_all(t, id, values, count);
    if (r == 0 && !set && copy_out(t, addr, values, size) < 0)
        r = -LINUX_EFAULT;
    free(values);
    return r;
}

int64_t sys_semctl(struct task *t, const struct sysargs *a) {
    // IPC_64 is what x86-64 has anyway
    int id = arg_int(a, 0), num = arg_int(a, 1), cmd = arg_int(a, 2) & ~0x100;
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
        return sem_set_value(t, id, num, arg_int(a, 3));
    case LINUX_SEM_GETALL:
    case LINUX_SEM_SETALL:
        return all_values(t, id, arg_ptr(a, 3), cmd == LINUX_SEM_SETALL);
    case LINUX_IPC_STAT:
    case LINUX_SEM_STAT:
    case LINUX_SEM_STAT_ANY:
        r = sem_stat(t, id, cmd, &ds);
        ipc_perm_out(t, &ds.sem_perm);
        return r >= 0 && copy_out_obj(t, arg_ptr(a, 3), &ds) < 0 ? -LINUX_EFAULT : r;
    case LINUX_IPC_SET:
        if (copy_in_obj(t, &ds, arg_ptr(a, 3)) < 0)
            return -LINUX_EFAULT;
        return ipc_perm_in(t, &ds.sem_perm) ? sem_change(t, id, &ds) : -LINUX_EINVAL;
    case LINUX_IPC_RMID:
        return sem_remove(t, id);
    case LINUX_IPC_INFO:
    case LINUX_SEM_INFO:
        r = sem_info(t, cmd, &info);
        return copy_out_obj(t, arg_ptr(a, 3), &info) < 0 ? -LINUX_EFAULT : r;
    default:
        return -LINUX_EINVAL;
    }
}
