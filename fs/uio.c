// SPDX-License-Identifier: Apache-2.0
// Requests over buffers of our own, and between a request and a host descriptor.
#include "abi/uio.h"
#include "base/fault.h"
#include "fs/vfs.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int64_t kernel_move(struct uio *u, const struct iovec *v, unsigned n, bool out) {
    struct uio_kernel *k = container_of(u, struct uio_kernel, u);
    size_t done = 0;
    for (unsigned i = 0; i < n && u->left > 0; i++) {
        size_t run = v[i].iov_len < u->left ? v[i].iov_len : u->left;
        memcpy(out ? k->p : v[i].iov_base, out ? v[i].iov_base : k->p, run);
        k->p += run;
        u->left -= run;
        done += run;
    }
    return (int64_t)done;
}
static int64_t kernel_to(struct uio *u, const struct iovec *src, unsigned n) {
    return kernel_move(u, src, n, true);
}
static int64_t kernel_from(struct uio *u, const struct iovec *dst, unsigned n) {
    return kernel_move(u, dst, n, false);
}
static void kernel_back(struct uio *u, size_t n) {
    struct uio_kernel *k = container_of(u, struct uio_kernel, u);
    k->p -= n;
    u->left += n;
}
static const struct uio_ops kernel_ops = {.to = kernel_to, .from = kernel_from, .back = kernel_back};
void uio_kernel_init(struct uio_kernel *k, void *buf, size_t n) {
    *k = (struct uio_kernel){.u = {.ops = &kernel_ops, .left = n}, .p = buf};
}

// Not in the thread's own storage: that is cleared, page by page, for each thread that starts, and most never
// need this.
static pthread_key_t bounce_key;
static bool have_key;
static void make_key(void) { have_key = pthread_key_create(&bounce_key, free) == 0; }

char *uio_bounce(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local char *buf;
    if (buf)
        return buf;
    pthread_once(&once, make_key);
    buf = have_key ? xrealloc(NULL, UIO_BOUNCE) : NULL;  // not cleared, so only what is used is touched
    if (buf && pthread_setspecific(bounce_key, buf)) {
        free(buf);
        buf = NULL;
    }
    return buf;
}
static ssize_t read_once(int fd, char *buf, size_t n, uint64_t off, bool wait) {
    struct iovec v = {buf, n};
    ssize_t got;
    do
        got = wait ? pread(fd, buf, n, (off_t)off) : preadv2(fd, &v, 1, (off_t)off, RWF_NOWAIT);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}
// A read that ends within a page has met the end of the file. At the end of a page it may be that the next
// one is not in memory.
static bool may_be_more(size_t n, size_t want, uint64_t end) {
    return n == want || (n > 0 && end % GUEST_PAGE_SIZE == 0);
}
// One read and one copy for every 64 KiB.
static int64_t read_pieces(int fd, struct uio *u, uint64_t off, bool wait) {
    char *buf = uio_bounce();
    int64_t done = 0;
    if (!buf)
        return -LINUX_ENOMEM;
    while (u->left > 0) {
        uint64_t at = off + (uint64_t)done;
        size_t want = u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE;
        ssize_t n = read_once(fd, buf, want, at, wait);
        if (n <= 0)
            return done && n != -LINUX_EAGAIN ? done : n;
        int64_t put = uio_to(u, buf, (size_t)n);
        if (put < 0)
            return done ? done : put;
        done += put;
        if (put < n || (wait && (size_t)n < want) || !may_be_more((size_t)n, want, at + (uint64_t)n))
            break;
    }
    return done;
}
int64_t uio_read_fd(int fd, struct uio *u, uint64_t off) { return read_pieces(fd, u, off, true); }

int64_t uio_read_disk(int fd, struct uio *u, uint64_t off) {
    bool at_once = u->flags & UIO_AT_ONCE, nowait = u->flags & LINUX_RWF_NOWAIT;
    size_t left = u->left;
    int64_t got = read_pieces(fd, u, off, !at_once && !nowait);
    size_t moved = left - u->left;
    if (at_once && (got == -LINUX_EAGAIN || got == -LINUX_EOPNOTSUPP)) {
        uio_back(u, moved);
        return got;
    }
    return got == -LINUX_EAGAIN && moved ? (int64_t)moved : got;
}

int64_t uio_write_fd(int fd, struct uio *u, uint64_t off) {
    char *buf = uio_bounce();
    int64_t done = 0;
    if (!buf)
        return -LINUX_ENOMEM;
    while (u->left > 0) {
        int64_t got = uio_from(u, buf, u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE);
        if (got <= 0)
            return done ? done : got;
        for (int64_t at = 0; at < got;) {
            ssize_t n = pwrite(fd, buf + at, (size_t)(got - at), (off_t)(off + (uint64_t)done));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0) {
                int err = n ? errno : LINUX_EIO;
                uio_back(u, (size_t)(got - at));
                return done ? done : -err;
            }
            at += n;
            done += n;
        }
    }
    return done;
}
