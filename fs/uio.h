// SPDX-License-Identifier: Apache-2.0
// Guest memory as fs/ sees it: the bytes of a read or write as a struct uio, whose ops the sentry fills, and
// small structures as a struct uaccess. Errors are negative LINUX_E*.
#ifndef FS_UIO_H
#define FS_UIO_H
#include "base/uaddr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

// A run of bytes to be moved to or from the other side of a read or write. uio_to() and uio_from() copy and
// advance; they return the bytes copied, short when the other side faults (then -LINUX_EFAULT when nothing
// was copied). What lies in several places here goes by uio_tov() and uio_fromv(): each call of these may
// cost one host call, not each buffer. After a read or write it stands behind the bytes that the returned
// count names (none after an error): what was copied in further is given back with uio_back().
struct uio;
struct uio_ops {
    bool by_host;  // knows UIO_BY_HOST
    int64_t (*to)(struct uio *u, const struct iovec *src, unsigned n);
    int64_t (*from)(struct uio *u, const struct iovec *dst, unsigned n);
    void (*back)(struct uio *u, size_t n);  // steps back over n bytes that were moved before
};
struct uio {
    const struct uio_ops *ops;
    size_t left;  // bytes still to be moved
    int flags;    // LINUX_RWF_*, UIO_*
    unsigned odd;  // of buffers of a guest: bits of addresses that a disk wants to be zero (O_DIRECT)
};
#define UIO_ODD    3u
#define UIO_ENOUGH (1 << 16)  // a read: what there is is enough (see file_ops.read_deadline)
// A read that must not sleep on a disk: all that it can return at once, or -LINUX_EAGAIN with nothing moved.
// -LINUX_EOPNOTSUPP: where it lies cannot be told. (With LINUX_RWF_NOWAIT alone: what there is.)
#define UIO_AT_ONCE (1 << 17)
// Only the host's kernel is to touch our buffers: where these may not be read or written, it says so.
#define UIO_BY_HOST (1 << 18)
// They run with locks of fs/ held, up to RANK_OBJECT: they may take none below RANK_CLIENT (no memory-map
// lock).
static inline int64_t uio_tov(struct uio *u, const struct iovec *src, unsigned n) {
    return u->ops->to(u, src, n);
}
static inline int64_t uio_fromv(struct uio *u, const struct iovec *dst, unsigned n) {
    return u->ops->from(u, dst, n);
}
static inline int64_t uio_to(struct uio *u, const void *src, size_t n) {
    return uio_tov(u, &(struct iovec){(void *)(uintptr_t)src, n}, 1);
}
static inline int64_t uio_from(struct uio *u, void *dst, size_t n) {
    return uio_fromv(u, &(struct iovec){dst, n}, 1);
}
static inline void uio_back(struct uio *u, size_t n) { u->ops->back(u, n); }
// How many buffers the callers gather for one uio_tov() or uio_fromv(): 256 KiB of pages, a KiB of stack.
#define UIO_GATHER 64u
// Over a buffer of our own.
struct uio_kernel {
    struct uio u;
    char *p;
};
void uio_kernel_init(struct uio_kernel *k, void *buf, size_t n);

// Between a host descriptor and a request, at an offset, through a bounce buffer: bytes, or -LINUX_E*.
// uio_read_disk() heeds UIO_AT_ONCE and LINUX_RWF_NOWAIT; the other is for what lies in memory.
int64_t uio_read_fd(int fd, struct uio *u, uint64_t off);
int64_t uio_read_disk(int fd, struct uio *u, uint64_t off);
int64_t uio_write_fd(int fd, struct uio *u, uint64_t off);
// This thread's UIO_BOUNCE bytes, not to be kept over a call of anything in fs/; NULL: no memory.
char *uio_bounce(void);
#define UIO_BOUNCE 65536u

// Small structures at guest addresses, for ioctl.
struct uaccess {
    int (*in)(struct uaccess *a, void *dst, uaddr_t src, size_t n);  // all or -LINUX_EFAULT
    int (*out)(struct uaccess *a, uaddr_t dst, const void *src, size_t n);
    void *task;  // the caller, opaque; for ttys (job control) the sentry's ops look at it
};

#endif
