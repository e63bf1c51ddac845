// SPDX-License-Identifier: Apache-2.0
// Files over the host descriptors that the sandbox was given as its stdio. The offset of a regular file stays the
// host's, shared with whoever else has it (as shell redirections expect). A pipe, socket or terminal is never waited
// for: what would block is EAGAIN, and the sentry's event thread is asked to watch (fs/hostfd.h). Host calls: preadv2,
// pwritev2, read, write, lseek, poll, fstat, ftruncate, fcntl and the ioctls of host/hosttty.c. The sentry ignores
// SIGPIPE. LIMIT: bytes read from a stream are lost when the guest's buffer faults; another reader of the same terminal
// can make a read that was announced block.
#include "fs/host/hostfd_inner.h"
#include "abi/poll.h"
#include "fs/core.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define TTY_WRITE_MAX 1024u  // a terminal that announces room takes about so much without blocking

static const struct hostfd_watcher *watcher;
void hostfd_set_watcher(const struct hostfd_watcher *w) { watcher = w; }
const struct hostfd_watcher *hostfd_watcher_now(void) { return watcher; }

void hostfd_ready(struct hostfd *h, uint32_t events) { waitq_wake(&h->wait, events); }
int hostfd_number(const struct hostfd *h) { return h->fd; }

// ---- Readiness -----------------------------------------------------------------------------------------------------
static uint32_t host_events(const struct hostfd *h) {
    struct pollfd p = {.fd = h->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    if (poll(&p, 1, 0) < 0)
        return 0;
    uint32_t ev = (uint32_t)p.revents;
    return ev | (ev & LINUX_POLLIN ? LINUX_POLLRDNORM : 0) | (ev & LINUX_POLLOUT ? LINUX_POLLWRNORM : 0);
}
static void watch(struct hostfd *h, uint32_t events) {
    if (watcher && events) {
        atomic_store_explicit(&h->watched, true, memory_order_relaxed);
        watcher->watch(h, h->fd, events);
    }
}
// Somebody who is on the queue for long (epoll) must hear of the next change too.
static int64_t would_block(struct hostfd *h, uint32_t events) {
    if (!waitq_empty(&h->wait))
        watch(h, events);
    return -LINUX_EAGAIN;
}
static uint32_t host_poll(struct file *f, struct waiter *w) {
    struct hostfd *h = f->priv;
    if (w)
        waitq_add(&h->wait, w);
    if (h->type == LINUX_S_IFREG)
        return LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLRDNORM | LINUX_POLLWRNORM;
    uint32_t now = host_events(h), able = (f->mode & FMODE_READ ? LINUX_POLLIN | LINUX_POLLPRI : 0) |
                                          (f->mode & FMODE_WRITE ? LINUX_POLLOUT : 0);
    if (!(f->mode & FMODE_READ))
        now &= ~(uint32_t)(LINUX_POLLIN | LINUX_POLLRDNORM);
    if (!(f->mode & FMODE_WRITE))
        now &= ~(uint32_t)(LINUX_POLLOUT | LINUX_POLLWRNORM);
    uint32_t want = (w ? w->events : able) & able & ~now;
    bool gone = now & (LINUX_POLLHUP | LINUX_POLLERR);  // the host would report it for ever
    if (want && !gone && (w || !waitq_empty(&h->wait)))
        watch(h, want | LINUX_POLLHUP | LINUX_POLLERR);
    return now;
}

// ---- Bytes -----------------------------------------------------------------------------------------------------------
static ssize_t retry(struct hostfd *h, char *buf, size_t n, bool write_side) {
    ssize_t r;
    do
        r = write_side ? write(h->fd, buf, n) : read(h->fd, buf, n);
    while (r < 0 && errno == EINTR);
    return r;
}
// One transfer that does not wait; -LINUX_EAGAIN when it would. One host call where the kernel knows RWF_NOWAIT here.
static int64_t stream_once(struct hostfd *h, char *buf, size_t n, bool write_side) {
    struct iovec v = {buf, n};
    if (!atomic_load_explicit(&h->no_nowait, memory_order_relaxed)) {
        ssize_t r = write_side ? pwritev2(h->fd, &v, 1, -1, RWF_NOWAIT) : preadv2(h->fd, &v, 1, -1, RWF_NOWAIT);
        if (r >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL))
            return r >= 0 ? r : errno == EINTR ? -LINUX_EAGAIN : -errno;
        atomic_store_explicit(&h->no_nowait, true, memory_order_relaxed);
    }
    uint32_t now = host_events(h);
    if (!(now & (write_side ? LINUX_POLLOUT | LINUX_POLLERR : LINUX_POLLIN | LINUX_POLLHUP | LINUX_POLLERR)))
        return -LINUX_EAGAIN;
    size_t max = h->tty ? TTY_WRITE_MAX : LINUX_PIPE_BUF;
    ssize_t r = retry(h, buf, write_side && n > max ? max : n, write_side);
    return r >= 0 ? r : -errno;
}
static int64_t host_read(struct file *f, struct uio *u, uint64_t off) {
    struct hostfd *h = f->priv;
    char *buf = uio_bounce();
    size_t want = u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE;
    if (want == 0)
        return 0;
    int64_t n;
    if (h->type == LINUX_S_IFREG) {
        ssize_t r = retry(h, buf, want, false);
        n = r < 0 ? -errno : r;
    } else {
        n = stream_once(h, buf, want, false);
    }
    if (n == -LINUX_EAGAIN)
        return would_block(h, LINUX_POLLIN | LINUX_POLLHUP);
    if (n > 0 && atomic_load(&f->flags) & LINUX_O_ASYNC)
        watch(h, LINUX_POLLIN | LINUX_POLLHUP);  // there is no EAGAIN before the next signal
    return n > 0 ? uio_to(u, buf, (size_t)n) : n;
}
static int64_t write_chunk(struct hostfd *h, char *buf, size_t n) {
    if (h->type != LINUX_S_IFREG)
        return stream_once(h, buf, n, true);
    ssize_t r = retry(h, buf, n, true);
    return r < 0 ? -errno : r;
}
// So that little is copied twice, a stream is asked first, and given what it then surely takes.
static int64_t host_write(struct file *f, struct uio *u, uint64_t off) {
    struct hostfd *h = f->priv;
    char *buf = uio_bounce();
    size_t want = u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE;
    if (want == 0)
        return 0;
    if (h->type != LINUX_S_IFREG && !(host_events(h) & (LINUX_POLLOUT | LINUX_POLLERR)))
        return would_block(h, LINUX_POLLOUT | LINUX_POLLERR);
    if (h->type != LINUX_S_IFREG && want > LINUX_PIPE_BUF)
        want = LINUX_PIPE_BUF;  // a pipe that is writable has room for so much
    if (h->tty && want > TTY_WRITE_MAX)
        want = TTY_WRITE_MAX;
    int64_t got = uio_from(u, buf, want);
    if (got <= 0)
        return got;
    int64_t done = 0, n = 0;
    while (done < got) {
        n = write_chunk(h, buf + done, (size_t)(got - done));
        done += n > 0 ? n : 0;
        if (n <= 0 || h->type != LINUX_S_IFREG)
            break;
    }
    uio_back(u, (size_t)(got - done));
    if (n == -LINUX_EAGAIN && done == 0)
        return would_block(h, LINUX_POLLOUT | LINUX_POLLERR);
    return done ? done : n;
}
static int64_t host_llseek(struct file *f, int64_t off, int whence) {
    struct hostfd *h = f->priv;
    off_t at = lseek(h->fd, (off_t)off, whence);
    return at < 0 ? -errno : at;
}
static int host_fsync(struct file *f, bool data_only) {
    struct hostfd *h = f->priv;
    return (data_only ? fdatasync(h->fd) : fsync(h->fd)) ? -errno : 0;
}
static int host_mmap_fd(struct file *f, int prot, bool shared) {
    struct hostfd *h = f->priv;
    return h->type == LINUX_S_IFREG ? h->fd : -LINUX_ENODEV;
}
static uint32_t host_async(struct file *f) {
    const struct hostfd *h = f->priv;
    if (h->type != LINUX_S_IFIFO && h->type != LINUX_S_IFSOCK && !h->tty)
        return 0;
    return (f->mode & FMODE_READ ? LINUX_POLLIN : 0) | (f->mode & FMODE_WRITE ? LINUX_POLLOUT : 0);
}
static const struct file_ops host_ops = {
    .read = host_read, .write = host_write, .llseek = host_llseek, .poll = host_poll, .async = host_async,
    .ioctl = hosttty_ioctl,
    .fsync = host_fsync, .mmap_fd = host_mmap_fd,
};

struct hostfd *hostfd_terminal(struct file *f) {
    struct hostfd *h = f->ops == &host_ops ? f->priv : NULL;
    return h && h->tty ? h : NULL;
}
struct hostfd *hostfd_of(struct file *f) { return f->ops == &host_ops ? f->priv : NULL; }

// ---- The inode ---------------------------------------------------------------------------------------------------------
static int64_t ns(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }
static int host_getattr(struct inode *i, struct vfs_attr *a) {
    struct hostfd *h = i->priv;
    struct stat st;
    *a = i->attr;
    if (h->type != LINUX_S_IFREG || fstat(h->fd, &st))
        return 0;
    a->size = (uint64_t)st.st_size;
    a->blocks = (uint64_t)st.st_blocks;
    a->atime = ns(st.st_atim);
    a->mtime = ns(st.st_mtim);
    a->ctime = ns(st.st_ctim);
    return 0;
}
static int host_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct hostfd *h = i->priv;
    if ((which & ATTR_SIZE) && ftruncate(h->fd, (off_t)a->size))
        return -errno;
    return 0;  // owner, mode and times of what the caller gave us stay as they are
}
static unsigned mode_of(const struct hostfd *h, unsigned acc) {
    unsigned mode = (acc != LINUX_O_WRONLY ? FMODE_READ : 0) | (acc != LINUX_O_RDONLY ? FMODE_WRITE : 0);
    return mode | (h->type == LINUX_S_IFREG ? FMODE_SEEK | FMODE_OWN_POS : 0);
}
// By way of /proc/self/fd: the same descriptor again, with no more rights than it has.
static int host_reopen(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct hostfd *h = i->priv;
    unsigned has = mode_of(h, h->acc);
    if (f->mode & (FMODE_READ | FMODE_WRITE) & ~has)
        return -LINUX_EACCES;
    f->mode = (f->mode & ~(FMODE_SEEK | FMODE_OWN_POS)) | (has & (FMODE_SEEK | FMODE_OWN_POS));
    f->ops = &host_ops;
    f->priv = h;
    return 0;
}
static void host_evict(struct inode *i) {
    struct hostfd *h = i->priv;
    if (watcher && atomic_load(&h->watched))
        watcher->unwatch(h, h->fd);
    close(h->fd);
    waitq_destroy(&h->wait);
    free(h);
}
static const struct inode_ops host_inode_ops = {
    .getattr = host_getattr, .setattr = host_setattr, .open = host_reopen, .evict = host_evict};

static struct hostfd *hostfd_new(int fd) {
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st))
        return NULL;
    struct hostfd *h = znew(struct hostfd);
    if (!h)
        return NULL;
    h->fd = fd;
    h->type = st.st_mode & LINUX_S_IFMT;
    h->acc = (unsigned)flags & LINUX_O_ACCMODE;
    h->append = flags & O_APPEND;
    h->tty = h->type == LINUX_S_IFCHR && isatty(fd);
    waitq_init(&h->wait);
    return h;
}
static void name_of(const struct hostfd *h, uint64_t ino, char *buf, size_t size) {
    static const char *const kind[] = {"host", "pipe", "socket"};
    int k = h->type == LINUX_S_IFIFO ? 1 : h->type == LINUX_S_IFSOCK ? 2 : 0;
    if (h->type == LINUX_S_IFCHR)
        snprintf(buf, size, "%s", h->tty ? "/dev/console" : "/dev/null");  // nothing of the host's names
    else
        snprintf(buf, size, "%s:[%llu]", kind[k], (unsigned long long)ino);
}
int hostfd_open(struct vfs *vfs, int fd, struct file **out) {
    char name[48];
    struct hostfd *h = hostfd_new(fd);
    if (!h)
        return errno == ENOMEM ? -LINUX_ENOMEM : -LINUX_EBADF;
    struct vfs_attr a = {.mode = h->type | 0666, .ino = inode_next_ino(), .nlink = 1};
    if (h->type == LINUX_S_IFCHR)
        a.rdev = h->tty ? LINUX_MKDEV(136, 0) : LINUX_MKDEV(1, 3);
    struct inode *i = h->type == LINUX_S_IFDIR ? NULL : inode_new(vfs->anon->sb, &host_inode_ops, &host_ops, &a);
    if (!i) {
        bool dir = h->type == LINUX_S_IFDIR;
        waitq_destroy(&h->wait);
        free(h);
        return dir ? -LINUX_EISDIR : -LINUX_ENOMEM;
    }
    i->priv = h;
    name_of(h, a.ino, name, sizeof name);
    int err = file_anon(vfs, name, i, &host_ops, h, h->acc | (h->append ? LINUX_O_APPEND : 0), out);
    if (err)
        return err;
    (*out)->mode = mode_of(h, h->acc);
    if (((*out)->mode & FMODE_WRITE) && h->type == LINUX_S_IFREG)
        inode_write_begin(i);  // file_put() gives it back
    return 0;
}
