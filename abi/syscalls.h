// SPDX-License-Identifier: Apache-2.0
// What abi/syscalls.def says, as C: the numbers (LINUX_NR_read ...), a description per number, and the
// helpers that pick rows apart where the table is included again. Used by dispatch, strace, the seccomp
// platform's filter and tests.
#pragma once

#include <stdint.h>

#include "abi/errno.h"

// SYSCALL_IF_SERVED_##support(text) gives the text for a FULL or PARTIAL row, nothing for a GONE or NONE row:
//     #define SYSCALL(nr, name, support, ...) SYSCALL_IF_SERVED_##support([nr] = sys_##name, )
#define SYSCALL_IF_SERVED_FULL(...)    __VA_ARGS__
#define SYSCALL_IF_SERVED_PARTIAL(...) __VA_ARGS__
#define SYSCALL_IF_SERVED_GONE(err)    SYSCALL_DROP
#define SYSCALL_IF_SERVED_NONE(err)    SYSCALL_DROP
#define SYSCALL_DROP(...)

// SYSCALL_KIND_##support is the enum below; SYSCALL_ERRNO_##support the answer of a GONE or NONE row, else 0.
#define SYSCALL_KIND_FULL       SYSCALL_FULL
#define SYSCALL_KIND_PARTIAL    SYSCALL_PARTIAL
#define SYSCALL_KIND_GONE(err)  SYSCALL_NONE
#define SYSCALL_KIND_NONE(err)  SYSCALL_NONE
#define SYSCALL_ERRNO_FULL      0
#define SYSCALL_ERRNO_PARTIAL   0
#define SYSCALL_ERRNO_GONE(err) LINUX_##err
#define SYSCALL_ERRNO_NONE(err) LINUX_##err

// SYSCALL_IF_REGS_##context(text) gives the text for a call that needs registers or work in the guest's
// process.
#define SYSCALL_IF_REGS_REGS(...) __VA_ARGS__
#define SYSCALL_IF_REGS_VALUE(...)

enum linux_nr {
#define SYSCALL(nr, name, support, context, args, note) LINUX_NR_##name = nr,
#include "abi/syscalls.def"
#undef SYSCALL
    LINUX_NR_COUNT // one past the highest number
};

enum syscall_support {
    SYSCALL_NONE, // answers an errno
    SYSCALL_PARTIAL,
    SYSCALL_FULL,
};

enum syscall_context {
    SYSCALL_VALUE,   // a return value is the whole answer
    SYSCALL_PATH1,   // the same; its first argument is a path that may come with it
    SYSCALL_PATH2,   // the same of its second argument
    SYSCALL_DATA2,   // the same of the bytes of its second argument, as many as the third says
    SYSCALL_EVENT4,  // the same of the struct epoll_event that its fourth points to
    SYSCALL_HOST,    // a return value, but the host may make the very call
    SYSCALL_REGS,    // needs full registers, or host work in the guest's process
};

struct sysdesc {
    const char *name; // NULL for a number that Linux has not assigned
    const char *args; // the specification that strace reads; see abi/syscalls.def
    const char *note;  // why not FULL, else ""
    uint8_t support;  // enum syscall_support
    uint8_t context;  // enum syscall_context
    uint8_t err;      // of a GONE or NONE row: positive LINUX_EXXX
};

// The description of a number, or NULL when the number is not assigned. Data access only; valid for ever.
const struct sysdesc *sysdesc(unsigned nr);
