// SPDX-License-Identifier: Apache-2.0
// See wait_args.h. Called by the sys_*.c files. No locks of its own.
#include "sentry/syscalls/wait_args.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/time/timeconv.h"

int wait_time(struct task *t, uaddr_t at, uint64_t *ns) {
    struct linux_timespec ts;
    if (copy_in_obj(t, &ts, at) < 0)
        return -LINUX_EFAULT;
    return time_from_spec(&ts, ns) ? 0 : -LINUX_EINVAL;
}

int wait_mask(struct task *t, uaddr_t at, size_t size) {
    uint64_t set;
    if (uaddr_is_null(at))
        return 0;
    if (size != LINUX_SIGSET_SIZE)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &set, at) < 0)
        return -LINUX_EFAULT;
    signal_tmp_mask_begin(t, set);
    return 0;
}
