// SPDX-License-Identifier: Apache-2.0
// The dispatch table. Constant data, no locks; the run loop is the caller. A lookup is one comparison and one load.
#include "sentry/syscalls/table.h"

#include <stddef.h>

static syscall_fn *const handlers[LINUX_NR_COUNT] = {
#define SYSCALL(nr, name, support, ...) SYSCALL_IF_SERVED_##support([nr] = sys_##name, )
#include "abi/syscalls.def"
#undef SYSCALL
};

syscall_fn *syscall_handler(uint32_t nr)
{
    // Linux looks at the low half of rax alone; a number with the x32 bit falls out here.
    return nr < LINUX_NR_COUNT ? handlers[nr] : NULL;
}

int64_t syscall_refusal(uint32_t nr)
{
    const struct sysdesc *desc = sysdesc(nr);
    return desc && desc->err ? -(int64_t)desc->err : -LINUX_ENOSYS;
}
