// SPDX-License-Identifier: Apache-2.0
// The descriptions of all calls, filled from abi/syscalls.def. Constant data, no locks.
#include "abi/syscalls.h"

#include <stddef.h>

static const struct sysdesc table[LINUX_NR_COUNT] = {
#define SYSCALL(nr, name_, support_, context_, args_, note_)                                                 \
    [nr] = {                                                                                                 \
        .name = #name_,                                                                                      \
        .args = args_,                                                                                       \
        .note = note_,                                                                                       \
        .support = SYSCALL_KIND_##support_,                                                                  \
        .context = SYSCALL_##context_,                                                                       \
        .err = SYSCALL_ERRNO_##support_,                                                                     \
    },
#include "abi/syscalls.def"
#undef SYSCALL
};

const struct sysdesc *sysdesc(unsigned nr) {
    if (nr >= LINUX_NR_COUNT || !table[nr].name)
        return NULL;
    return &table[nr];
}
