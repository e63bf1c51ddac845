// SPDX-License-Identifier: Apache-2.0
// The dispatch table. Constant data, no locks; the run loop is the caller. A lookup is one comparison and one
// load.
#include "sentry/syscalls/table.h"

static syscall_fn *const handlers[LINUX_NR_COUNT] = {
#define SYSCALL(nr, name, support, ...) SYSCALL_IF_SERVED_##support([nr] = sys_##name, )
#include "abi/syscalls.def"
#undef SYSCALL
};

int64_t syscall_call(struct task *t, uint64_t nr, const struct sysargs *a) {
    uint32_t low = (uint32_t)nr; // a number with the x32 bit falls out at the next line
    if (low < LINUX_NR_COUNT && handlers[low])
        return handlers[low](t, a);
    const struct sysdesc *desc = sysdesc(low);
    return desc ? -(int64_t)desc->err : -LINUX_ENOSYS;
}
