// SPDX-License-Identifier: Apache-2.0
// What sys_socket.c and sys_sockmsg.c share: descriptors to sockets, addresses in and out, and waiting.
#ifndef SENTRY_SYSCALLS_SOCK_ARGS_H
#define SENTRY_SYSCALLS_SOCK_ARGS_H
#include "sentry/fd/fdtable.h"
#include "sentry/socket/socket.h"

// The file behind a socket's number: referenced; NULL with *err -LINUX_EBADF or -LINUX_ENOTSOCK.
struct file *sock_get(struct task *t, int fd, int *err);
// 0, -LINUX_EINVAL for a length that no address has, -LINUX_EFAULT.
int addr_in(struct task *t, struct sock_addr *a, uaddr_t from, int32_t len);
// As much as *len_at says there is room for, and the whole length to *len_at. Nothing when `to` is NULL.
int addr_out(struct task *t, const struct sock_addr *a, uaddr_t to, uaddr_t len_at);
// After r came from an operation on f: waits when r is -LINUX_EAGAIN and the call may block. `wait`: a queue
// that tells (the caller has tried again after arming it), or NULL for the file's own.
int64_t sock_wait(struct task *t, struct file *f, uint32_t events, bool nonblock, int64_t r);
int64_t sock_wait_queue(struct task *t, struct file *f, bool nonblock);
static inline bool sock_waits(int64_t r) { return r == SYS_PARK || r == SYS_AGAIN; }

#endif
