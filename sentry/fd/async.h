// SPDX-License-Identifier: Apache-2.0
// Readiness told by a signal: O_ASYNC, FIOASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG and their like (fcntl(2),
// "Managing signals"). What belongs to the open file, shared by all its descriptors, is in a struct async
// that hangs on it.
#ifndef SENTRY_FD_ASYNC_H
#define SENTRY_FD_ASYNC_H
#include "fs/vfs.h"
#include "sentry/proc/task.h"

// F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG, F_GETOWNER_UIDS.
int64_t async_fcntl(struct task *t, struct file *f, unsigned cmd, uint64_t arg);
// Begins (fd is what si_fd will be) or ends. -LINUX_ENOTTY: this kind of file never tells.
int async_set(struct task *t, struct file *f, int fd, bool on);
// FIOSETOWN, FIOGETOWN and their other names, for sockets: the argument is a guest address.
int64_t async_ioctl(struct task *t, struct file *f, unsigned cmd, uint64_t arg);

// Sends what wake-ups have made due. With no lock held, by every sentry thread before it lets a guest see the
// result of what woke somebody.
void async_send_due(void);
extern _Atomic unsigned async_ndue;
static inline void async_flush(void) {
    if (atomic_load_explicit(&async_ndue, memory_order_relaxed))
        async_send_due();
}

// f is on a list (of epoll, or here) that the end of its last reference must clear.
void watch_file_end(struct file *f);

#endif
