// SPDX-License-Identifier: Apache-2.0
// seccomp(2); what it does is in sentry/seccomp. PR_SET_SECCOMP is prctl's.
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/syscalls/table.h"

static int64_t action_avail(struct task *t, uaddr_t at) {
    uint32_t action;
    if (copy_in_obj(t, &action, at) < 0)
        return -LINUX_EFAULT;
    switch (action) {
    case LINUX_SECCOMP_RET_KILL_PROCESS:
    case LINUX_SECCOMP_RET_KILL_THREAD:
    case LINUX_SECCOMP_RET_TRAP:
    case LINUX_SECCOMP_RET_ERRNO:
    case LINUX_SECCOMP_RET_USER_NOTIF:
    case LINUX_SECCOMP_RET_TRACE:
    case LINUX_SECCOMP_RET_LOG:
    case LINUX_SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -LINUX_EOPNOTSUPP;
    }
}

int64_t sys_seccomp(struct task *t, const struct sysargs *a) {
    static const struct linux_seccomp_notif_sizes sizes = {sizeof(struct linux_seccomp_notif),
                                                           sizeof(struct linux_seccomp_notif_resp),
                                                           sizeof(struct linux_seccomp_data)};
    uint32_t flags = arg_u32(a, 1);
    uaddr_t at = arg_ptr(a, 2);
    switch (arg_u32(a, 0)) {
    case LINUX_SECCOMP_SET_MODE_STRICT:
        return flags || !uaddr_is_null(at) ? -LINUX_EINVAL : seccomp_set_strict(t);
    case LINUX_SECCOMP_SET_MODE_FILTER:
        return seccomp_set_filter(t, flags, at);
    case LINUX_SECCOMP_GET_ACTION_AVAIL:
        return flags ? -LINUX_EINVAL : action_avail(t, at);
    case LINUX_SECCOMP_GET_NOTIF_SIZES:
        return flags ? -LINUX_EINVAL : copy_out_obj(t, at, &sizes);
    default:
        return -LINUX_EINVAL;
    }
}
