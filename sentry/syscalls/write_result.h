// SPDX-License-Identifier: Apache-2.0
// What every call that writes shares: the answer after an error, and the signals that go with it.
#ifndef SENTRY_SYSCALLS_WRITE_RESULT_H
#define SENTRY_SYSCALLS_WRITE_RESULT_H
#include "sentry/proc/task.h"

// `done` bytes went to f, then came r (an error, or what ends a copy): the value of the call. Sends SIGPIPE,
// also when a pipe's readers left in the middle, and SIGXFSZ (write(2), pipe(7)).
int64_t write_result(struct task *t, const struct file *f, int64_t done, int64_t r);

// May a transfer of this file have these RWF_* flags? 0 or an error (sys_io.c).
int rwf_check(const struct file *f, int flags, bool write);

#endif
