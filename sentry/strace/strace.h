// SPDX-License-Identifier: Apache-2.0
// One system call as a line of text in the manner of strace(1), from its row in abi/syscalls.def. It knows no
// tasks: guest memory comes through a function of the caller, so that unit tests need no guest.
#ifndef SENTRY_STRACE_STRACE_H
#define SENTRY_STRACE_STRACE_H
#include "abi/syscalls.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Copies up to n bytes from a guest address: how many could be read, 0 or less when none.
typedef int64_t (*strace_copy_fn)(void *ctx, void *dst, uint64_t src, size_t n);

// At entry: `name(arguments', with what the call is going to write as bare addresses, and no return value.
// At exit: `name(arguments) = value', with what it has written. Restarts (-LINUX_ERESTART*) are shown as
// such. Returns the length of the line, which is cut to n - 1 bytes; n is at least 1. Guest memory is
// believed to be nothing but bytes: lengths and counts in it are bounded here. A number without a row: pass a
// description of your own with a name, and with args "hex:a, hex:b".
int strace_format(char *buf, size_t n, const struct sysdesc *desc, const uint64_t args[6], int64_t ret,
                  bool entry, strace_copy_fn copy, void *ctx);

#endif
