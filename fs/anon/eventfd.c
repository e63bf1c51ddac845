// SPDX-License-Identifier: Apache-2.0
// eventfd(2): a 64-bit counter as a file. No allocation after it is made.
#include "abi/misc.h"
#include "abi/poll.h"
#include "fs/core.h"

#define EVENT_MAX UINT64_MAX  // reached by eventfd_signal() alone; writes go up to one less

struct eventfd {
    struct lock lock;
    struct waitq wait;
    uint64_t count;  // [lock]
    bool semaphore;  // [c]
};

static int64_t eventfd_read(struct file *f, struct uio *u, uint64_t off) {
    struct eventfd *e = f->priv;
    if (u->left < sizeof e->count)
        return -LINUX_EINVAL;
    lock_take(&e->lock);
    uint64_t v = e->semaphore && e->count ? 1 : e->count;
    int64_t n = v ? uio_to(u, &v, sizeof v) : -LINUX_EAGAIN;
    if (n == sizeof v)
        e->count -= v;
    lock_drop(&e->lock);
    if (n > 0)
        waitq_wake(&e->wait, LINUX_POLLOUT);
    return n;
}
static int64_t eventfd_write(struct file *f, struct uio *u, uint64_t off) {
    struct eventfd *e = f->priv;
    uint64_t v;
    if (u->left != sizeof v)
        return -LINUX_EINVAL;
    int64_t n = uio_from(u, &v, sizeof v);
    if (n < (int64_t)sizeof v)
        return n < 0 ? n : -LINUX_EFAULT;
    if (v == EVENT_MAX)
        return -LINUX_EINVAL;
    lock_take(&e->lock);
    bool fits = e->count < EVENT_MAX && EVENT_MAX - 1 - e->count >= v;
    if (fits)
        e->count += v;
    lock_drop(&e->lock);
    if (!fits) {
        uio_back(u, sizeof v);
        return -LINUX_EAGAIN;
    }
    waitq_wake(&e->wait, LINUX_POLLIN);
    return n;
}
static uint32_t eventfd_poll(struct file *f, struct waiter *w) {
    struct eventfd *e = f->priv;
    if (w)
        waitq_add(&e->wait, w);
    LOCKED(&e->lock);
    return (e->count ? LINUX_POLLIN : 0) | (e->count < EVENT_MAX - 1 ? LINUX_POLLOUT : 0) |
           (e->count == EVENT_MAX ? LINUX_POLLERR : 0);
}
static void eventfd_release(struct file *f) {
    struct eventfd *e = f->priv;
    if (!e)
        return;
    waitq_destroy(&e->wait);
    lock_destroy(&e->lock);
    free(e);
}
static const struct file_ops eventfd_ops = {.read = eventfd_read,
                                            .write = eventfd_write,
                                            .poll = eventfd_poll,
                                            .release = eventfd_release,
                                            .seek = SEEK_NOWHERE};

bool eventfd_is(const struct file *f) { return f->ops == &eventfd_ops; }

// It does not wait for room: the counter stays at its end, which is an error (eventfd(2), "overflow").
void eventfd_signal(struct file *f) {
    struct eventfd *e = f->priv;
    lock_take(&e->lock);
    e->count += e->count < EVENT_MAX;
    bool over = e->count == EVENT_MAX;
    lock_drop(&e->lock);
    waitq_wake(&e->wait, LINUX_POLLIN | (over ? LINUX_POLLERR : 0));
}

int eventfd_open(struct vfs *vfs, uint64_t initial, unsigned flags, struct file **out) {
    static const struct inode_ops no_ops;
    struct vfs_attr a = {.mode = 0600, .ino = inode_next_ino(vfs), .nlink = 1};
    if (flags & ~(unsigned)(LINUX_EFD_SEMAPHORE | LINUX_EFD_NONBLOCK | LINUX_EFD_CLOEXEC))
        return -LINUX_EINVAL;
    struct eventfd *e = znew(struct eventfd);
    struct inode *i = e ? inode_new(vfs->nameless[NAMELESS_ANON]->sb, &no_ops, NULL, &a) : NULL;
    if (!i) {
        free(e);
        return -LINUX_ENOMEM;
    }
    lock_init(&e->lock, RANK_OBJECT);
    waitq_init(&e->wait);
    e->count = initial;
    e->semaphore = flags & LINUX_EFD_SEMAPHORE;
    int err = file_anon(vfs, "anon_inode:[eventfd]", i, &eventfd_ops, e,
                        LINUX_O_RDWR | (flags & LINUX_O_NONBLOCK), out);
    if (err)
        free(e);
    return err;
}
