// SPDX-License-Identifier: Apache-2.0
// The host's membarrier(2), for the guest's. Guest threads live in other processes than the sentry, so only
// the global command reaches them; it needs no registration and takes some milliseconds.
#include "abi/errno.h"
#include "sentry/mm/mm.h"
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

int host_membarrier(bool query_only) {
    static _Atomic int known;  // 0: not asked yet, 1: there, -1: not there
    if (known == 0) {
        long mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
        known = mask > 0 && (mask & MEMBARRIER_CMD_GLOBAL) ? 1 : -1;
    }
    if (known < 0)
        return -LINUX_ENOSYS;
    return query_only || syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 ? 0 : -LINUX_ENOSYS;
}
