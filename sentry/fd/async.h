// SPDX-License-Identifier: Apache-2.0
// Readiness told by a signal: O_ASYNC, FIOASYNC, F_SETOWN, F_SETOWN_EX, F_SETSIG and their like (fcntl(2),
// "Managing signals"). What belongs to the open file, shared by all its descriptors, is in a struct async
// that hangs on it.
#ifndef SENTRY_FD_ASYNC_H
#define SENTRY_FD_ASYNC_H
#include "base/list.h"
#include "base/lock.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct file;
struct kernel;
struct task;

// Files whose owners are to be sent a signal; the kernel has one.
struct async_queue {
    struct lock lock;       // RANK_LEAF; guards all that sending reads, too
    struct list due;        // [lock] struct async.due_link
    _Atomic unsigned ndue;  // [lock to change] how many there are
};
void async_queue_init(struct async_queue *q);
void async_queue_destroy(struct async_queue *q);

// F_SETOWN, F_GETOWN, F_SETOWN_EX, F_GETOWN_EX, F_SETSIG, F_GETSIG, F_GETOWNER_UIDS.
int64_t async_fcntl(struct task *t, struct file *f, unsigned cmd, uint64_t arg);
// Begins (fd is what si_fd will be) or ends. -LINUX_ENOTTY: this kind of file never tells.
int async_set(struct task *t, struct file *f, int fd, bool on);
// FIOSETOWN, FIOGETOWN and their other names, for sockets: the argument is a guest address.
int64_t async_ioctl(struct task *t, struct file *f, unsigned cmd, uint64_t arg);

// Sends what wake-ups have made due. With no lock held, by every sentry thread before it lets a guest see the
// result of what woke somebody.
void async_send_due(struct kernel *k);
static inline bool async_is_due(const struct async_queue *q) {
    return atomic_load_explicit(&q->ndue, memory_order_relaxed);
}

// As a file that is to be told does (a lease, F_NOTIFY): its owner is the caller, unless there is one. 0,
// ENOMEM.
int async_begin(struct task *t, struct file *f, int fd);

// f is on a list (of epoll, or here) that the end of its last reference must clear.
void watch_file_end(struct file *f);
// From now on, or no longer, k hears of the ends of such files. Nobody opens or closes one meanwhile.
void watch_file_ends(struct kernel *k, bool on);

#endif
