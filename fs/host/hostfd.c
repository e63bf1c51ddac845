// SPDX-License-Identifier: Apache-2.0
// Files over the host descriptors that the sandbox was given as its stdio. The offset of what can be sought
// stays the host's, shared with whoever else has it (as shell redirections expect): FILE_OWN_POS moves it, an
// offset given does not. A pipe, socket or terminal is never waited for: what would block is EAGAIN, and the
// sentry's event thread is asked to watch (fs/hostfd.h). Host calls: preadv2, pwritev2, read, write, lseek,
// poll, fstat, ftruncate, fcntl and the ioctls of host/hosttty.c. Our processes ignore SIGPIPE and SIGXFSZ
// (base/hostprocess.h): errors come as errors.
//
// LIMIT: bytes read from a stream are lost when the guest's buffer faults; another reader of the same
// terminal can make a read that was announced block. O_NONBLOCK and O_APPEND are taken over at the start:
// what is changed of them later, inside or outside, the other side does not see. A directory that is handed
// in can be neither listed nor searched.
#include "fs/host/hostfd_inner.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/uio.h"
#include "base/clock.h"
#include "fs/core.h"
#include "base/hostfstat.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TTY_WRITE_MAX 1024u  // a terminal that announces room takes about so much without blocking

void hostfd_set_watcher(struct vfs *vfs, const struct hostfd_watcher *w, void *owner) {
    vfs->watcher = w;
    vfs->watcher_owner = owner;
}

void hostfd_ready(struct hostfd *h, uint32_t events) { waitq_wake(&h->wait, events); }

// Regular files, block devices, memory devices: a transfer does not wait for others, and is made in whole.
static bool is_file(const struct hostfd *h) {
    return h->type == LINUX_S_IFREG || h->type == LINUX_S_IFBLK || h->never_waits;
}

// ---- Readiness --------------------------------------------------------------------------------------------
static uint32_t host_events(const struct hostfd *h) {
    struct pollfd p = {.fd = h->fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP};
    if (poll(&p, 1, 0) < 0)
        return 0;
    uint32_t ev = (uint32_t)p.revents;
    return ev | (ev & LINUX_POLLIN ? LINUX_POLLRDNORM : 0) | (ev & LINUX_POLLOUT ? LINUX_POLLWRNORM : 0);
}
static void watch(struct hostfd *h, uint32_t events) {
    const struct vfs *v = h->inode->sb->vfs;
    if (v->watcher && events) {
        atomic_store_explicit(&h->watched, true, memory_order_relaxed);
        v->watcher->watch(v->watcher_owner, h, h->fd, events);
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
    if (is_file(h) || h->type == LINUX_S_IFDIR)
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

// ---- Bytes ------------------------------------------------------------------------------------------------
// What a stream that announces room surely takes: of others than pipes, sockets and terminals, anything.
static size_t write_room(const struct hostfd *h) {
    if (h->tty)
        return TTY_WRITE_MAX;
    return h->type == LINUX_S_IFCHR ? UIO_BOUNCE : LINUX_PIPE_BUF;
}
// Some devices know no vectors and no offsets: only as a last resort.
static ssize_t plain(struct hostfd *h, char *buf, size_t n, uint64_t off, bool write_side) {
    ssize_t r;
    do
        if (off == FILE_OWN_POS)
            r = write_side ? write(h->fd, buf, n) : read(h->fd, buf, n);
        else
            r = write_side ? pwrite(h->fd, buf, n, (off_t)off) : pread(h->fd, buf, n, (off_t)off);
    while (r < 0 && errno == EINTR);
    return r;
}
// One transfer that does not wait; -LINUX_EAGAIN when it would. One host call where the kernel knows
// RWF_NOWAIT here.
static int64_t stream_once(struct hostfd *h, char *buf, size_t n, uint64_t off, bool write_side) {
    struct iovec v = {buf, n};
    off_t at = h->seek && off != FILE_OWN_POS ? (off_t)off : -1;
    if (!atomic_load_explicit(&h->no_nowait, memory_order_relaxed)) {
        ssize_t r =
            write_side ? pwritev2(h->fd, &v, 1, at, RWF_NOWAIT) : preadv2(h->fd, &v, 1, at, RWF_NOWAIT);
        if (r >= 0)
            return r;
        if (errno == EINTR)
            return -LINUX_EAGAIN;
        if (errno != EOPNOTSUPP && errno != ENOSYS)
            return -errno;
        atomic_store_explicit(&h->no_nowait, true, memory_order_relaxed);
    }
    uint32_t now = host_events(h);
    if (!(now & (write_side ? LINUX_POLLOUT | LINUX_POLLERR : LINUX_POLLIN | LINUX_POLLHUP | LINUX_POLLERR)))
        return -LINUX_EAGAIN;
    if (write_side && n > write_room(h))
        n = write_room(h);
    ssize_t r = plain(h, buf, n, h->seek ? off : FILE_OWN_POS, write_side);
    return r >= 0 ? r : -errno;
}
static ssize_t file_once(struct hostfd *h, char *buf, size_t n, off_t at, int flags, bool write_side) {
    struct iovec v = {buf, n};
    ssize_t r;
    do
        r = write_side ? pwritev2(h->fd, &v, 1, at, flags) : preadv2(h->fd, &v, 1, at, 0);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}
static off_t offset_after(uint64_t off, int64_t done) {
    return off == FILE_OWN_POS ? -1 : (off_t)(off + (uint64_t)done);
}

static int64_t file_read(struct hostfd *h, struct uio *u, uint64_t off) {
    char *buf = uio_bounce();
    int64_t done = 0;
    if (!buf)
        return -LINUX_ENOMEM;
    while (u->left > 0) {
        size_t want = u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE;
        int64_t n = file_once(h, buf, want, offset_after(off, done), 0, false);
        if (n <= 0)
            return done ? done : n;
        int64_t put = uio_to(u, buf, (size_t)n);
        if (put < n && off == FILE_OWN_POS)
            lseek(h->fd, (put > 0 ? put : 0) - n, SEEK_CUR);  // what the guest did not get stays to be read
        if (put < 0)
            return done ? done : put;
        done += put;
        if ((size_t)put < want)
            break;
    }
    return done;
}
// How the guest's O_APPEND differs from the host's. LIMIT: before Linux 6.9 what was handed in for appending
// stays so.
static int append_flags(const struct hostfd *h, struct file *f, const struct uio *u) {
    bool on = atomic_load_explicit(&f->flags, memory_order_relaxed) & LINUX_O_APPEND;
    on = (on && !(u->flags & LINUX_RWF_NOAPPEND)) || (u->flags & LINUX_RWF_APPEND);
    if (on == h->append || h->type != LINUX_S_IFREG)
        return 0;
    return on ? LINUX_RWF_APPEND : LINUX_RWF_NOAPPEND;
}
// What a write answers that ends before all is written: what it has done, or why it did nothing.
static int64_t cut_short(int64_t done, int64_t n) {
    if (done)
        return done;
    return n < 0 ? n : -LINUX_EIO;
}
static int64_t file_write(struct file *f, struct uio *u, uint64_t off) {
    struct hostfd *h = f->priv;
    char *buf = uio_bounce();
    int64_t done = 0;
    int flags = append_flags(h, f, u);
    if (!buf)
        return -LINUX_ENOMEM;
    while (u->left > 0) {
        int64_t got = uio_from(u, buf, u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE), n = 0;
        if (got <= 0)
            return done ? done : got;
        for (int64_t at = 0; at < got; at += n) {
            n = file_once(h, buf + at, (size_t)(got - at), offset_after(off, done), flags, true);
            if (n == -LINUX_EOPNOTSUPP && flags == LINUX_RWF_NOAPPEND)
                n = file_once(h, buf + at, (size_t)(got - at), offset_after(off, done), flags = 0, true);
            if (n <= 0) {
                uio_back(u, (size_t)(got - at));
                return cut_short(done, n);
            }
            done += n;
        }
    }
    return done;
}
static int64_t host_read(struct file *f, struct uio *u, uint64_t off) {
    struct hostfd *h = f->priv;
    if ((u->flags & UIO_AT_ONCE) && h->type == LINUX_S_IFREG)
        return -LINUX_EOPNOTSUPP;  // it may lie on a disk, and is not asked
    int err = h->ctty ? ctty_check(h->ctty, LINUX_SIGTTIN) : 0;
    if (err || u->left == 0)
        return err;
    if (is_file(h))
        return file_read(h, u, off);
    char *buf = uio_bounce();
    int64_t done = 0, n;
    if (!buf)
        return -LINUX_ENOMEM;
    do {
        n = stream_once(h, buf, u->left < UIO_BOUNCE ? u->left : UIO_BOUNCE, off, false);
        if (n > 0)
            n = uio_to(u, buf, (size_t)n);
        done += n > 0 ? n : 0;
    } while (n == UIO_BOUNCE && u->left > 0 && !h->tty &&
             h->type == LINUX_S_IFCHR);  // others may have messages
    if (n == -LINUX_EAGAIN && done == 0)
        return would_block(h, LINUX_POLLIN | LINUX_POLLHUP);
    if (n > 0 && atomic_load(&f->flags) & LINUX_O_ASYNC)
        watch(h, LINUX_POLLIN | LINUX_POLLHUP);  // there is no EAGAIN before the next signal
    return done ? done : n;
}
// So that little is copied twice, a stream is asked first, and given what it then surely takes.
static int64_t write_some(struct file *f, struct uio *u, uint64_t off) {
    struct hostfd *h = f->priv;
    if (is_file(h))
        return file_write(f, u, off);
    if (!(host_events(h) & (LINUX_POLLOUT | LINUX_POLLERR)))
        return would_block(h, LINUX_POLLOUT | LINUX_POLLERR);
    char *buf = uio_bounce();
    if (!buf)
        return -LINUX_ENOMEM;
    int64_t got = uio_from(u, buf, u->left < write_room(h) ? u->left : write_room(h));
    if (got <= 0)
        return got;
    int64_t n = stream_once(h, buf, (size_t)got, off, true);
    uio_back(u, (size_t)(n > 0 ? got - n : got));
    return n == -LINUX_EAGAIN ? would_block(h, LINUX_POLLOUT | LINUX_POLLERR) : n;
}
// LIMIT: what is stored through a mapping of a regular file that is stdout is not counted.
static int64_t host_write(struct file *f, struct uio *u, uint64_t off) {
    const struct hostfd *h = f->priv;
    struct vfs_use *use = h->inode->sb->vfs->use;
    if (u->left == 0)
        return 0;
    if (!h->output || !use)
        return write_some(f, u, off);
    size_t left = u->left, allowed = use_output(use, h->output, left), dropped = left - allowed;
    int64_t done = 0;
    u->left = allowed;
    if (allowed)
        done = write_some(f, u, off);
    if (done >= 0 && (size_t)done == allowed) {
        use_output_done(use, h->output, allowed, allowed, dropped);
        return (int64_t)left;
    }
    u->left += dropped;
    use_output_done(use, h->output, allowed, done > 0 ? (uint64_t)done : 0, 0);
    return done;
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
static int host_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) { return -LINUX_EACCES; }
static uint32_t host_async(struct file *f) {
    const struct hostfd *h = f->priv;
    if (h->type != LINUX_S_IFIFO && h->type != LINUX_S_IFSOCK && !h->tty)
        return 0;
    return (f->mode & FMODE_READ ? LINUX_POLLIN : 0) | (f->mode & FMODE_WRITE ? LINUX_POLLOUT : 0);
}
// A file of another inode's (/dev/tty) has a reference.
static void host_release(struct file *f) {
    struct hostfd *h = f->priv;
    if (h && f->inode->priv != h)
        inode_put(h->inode);
}
static const struct file_ops host_ops = {
    .read = host_read, .readdir = host_readdir, .write = host_write, .llseek = host_llseek, .poll = host_poll,
    .async = host_async, .ioctl = hosttty_ioctl,
    .fsync = host_fsync, .mmap_fd = host_mmap_fd, .release = host_release,
};

bool hostfd_is(const struct file *f) { return f->ops == &host_ops; }
struct ctty *hostfd_terminal(struct file *f) {
    const struct hostfd *h = hostfd_is(f) ? f->priv : NULL;
    return h ? h->ctty : NULL;
}
void hostfd_count(struct file *f, struct vfs_output *o) { ((struct hostfd *)f->priv)->output = o; }
void hostfd_reopen(struct hostfd *h, struct file *f) {
    inode_get(h->inode);
    f->mode &= ~FMODE_SEEK;
    f->ops = &host_ops;
    f->priv = h;
}

// ---- The inode --------------------------------------------------------------------------------------------
static int64_t ns(struct timespec t) { return time_ns(t.tv_sec, t.tv_nsec); }
static int host_getattr(struct inode *i, struct vfs_attr *a) {
    struct hostfd *h = i->priv;
    struct stat st;
    *a = i->attr;
    if (h->type != LINUX_S_IFREG || host_fstat(h->fd, &st))
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
static int host_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    return inode_is_dir(i) ? -LINUX_EACCES : vfs_mode_permission(i, mask, c);
}
static unsigned mode_of(const struct hostfd *h) {
    if (h->path_only)
        return FMODE_PATH;
    return (h->acc != LINUX_O_WRONLY ? FMODE_READ : 0) | (h->acc != LINUX_O_RDONLY ? FMODE_WRITE : 0) |
           (h->seek ? FMODE_SEEK | FMODE_OWN_POS : 0);
}
// By way of /proc/self/fd: with no more rights than the descriptor has. A regular file that is opened again
// has an offset of its own, which is ours.
static int host_reopen(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct hostfd *h = i->priv;
    unsigned has = mode_of(h);
    if (f->mode & (FMODE_READ | FMODE_WRITE) & ~has)
        return -LINUX_EACCES;
    if (h->type != LINUX_S_IFREG)
        f->mode = (f->mode & ~(FMODE_SEEK | FMODE_OWN_POS)) | (has & (FMODE_SEEK | FMODE_OWN_POS));
    f->ops = &host_ops;
    f->priv = h;
    return 0;
}
static void host_evict(struct inode *i) {
    struct hostfd *h = i->priv;
    const struct vfs *v = i->sb->vfs;
    if (v->watcher && atomic_load(&h->watched))
        v->watcher->unwatch(v->watcher_owner, h, h->fd);
    if (h->ctty)
        ctty_put(h->ctty);
    close(h->fd);
    waitq_destroy(&h->wait);
    free(h);
}
static const struct inode_ops host_inode_ops = {
    .getattr = host_getattr, .setattr = host_setattr, .permission = host_permission, .open = host_reopen,
    .evict = host_evict};

static uint64_t ino_of(struct vfs *v, struct hostfd_stdio *of, const struct stat *st) {
    for (unsigned i = 0; i < of->n; i++)
        if (of->seen[i].dev == st->st_dev && of->seen[i].ino == st->st_ino)
            return of->seen[i].shown;
    uint64_t shown = inode_next_ino(v);
    if (of->n < sizeof of->seen / sizeof of->seen[0]) {
        of->seen[of->n].dev = st->st_dev;
        of->seen[of->n].ino = st->st_ino;
        of->seen[of->n++].shown = shown;
    }
    return shown;
}
// Of major 1 all but kmsg and what only root sees. With RWF_NOWAIT they would transfer less when the host's
// CPU is wanted.
static bool never_waits(const struct stat *st) {
    static const unsigned minors = 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8 | 1u << 9;
    return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1 && minor(st->st_rdev) < 32 &&
           minors >> minor(st->st_rdev) & 1;
}
static struct hostfd *hostfd_new(struct vfs *v, int fd, struct hostfd_stdio *of) {
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || host_fstat(fd, &st))
        return NULL;
    struct hostfd *h = znew(struct hostfd);
    if (!h)
        return NULL;
    h->fd = fd;
    h->ino = ino_of(v, of, &st);
    h->owner = of->owner;
    h->type = st.st_mode & LINUX_S_IFMT;
    h->path_only = flags & O_PATH;
    h->acc = (unsigned)flags & LINUX_O_ACCMODE;
    h->append = flags & O_APPEND;
    h->nonblock = flags & O_NONBLOCK;
    h->tty = h->type == LINUX_S_IFCHR && isatty(fd);
    h->never_waits = never_waits(&st);
    h->seek = h->type != LINUX_S_IFDIR && lseek(fd, 0, SEEK_CUR) >= 0;
    waitq_init(&h->wait);
    return h;
}
static void name_of(const struct hostfd *h, uint64_t ino, char *buf, size_t size) {
    const char *kind = "host";
    switch (h->type) {
    case LINUX_S_IFCHR:
        snprintf(buf, size, "%s", h->tty ? "/dev/console" : "/dev/null");  // nothing of the host's names
        return;
    case LINUX_S_IFIFO:
        kind = "pipe";
        break;
    case LINUX_S_IFSOCK:
        kind = "socket";
        break;
    }
    snprintf(buf, size, "%s:[%llu]", kind, (unsigned long long)ino);
}
int hostfd_open(struct vfs *vfs, int fd, struct hostfd_stdio *of, struct file **out) {
    char name[48];
    struct hostfd *h = hostfd_new(vfs, fd, of);
    if (!h) {
        int err = errno;
        close(fd);
        return err == ENOMEM ? -LINUX_ENOMEM : -LINUX_EBADF;
    }
    struct vfs_attr a = {.mode = h->type | 0666, .ino = h->ino, .nlink = 1};
    if (h->type == LINUX_S_IFCHR)
        a.rdev = h->tty ? LINUX_MKDEV(5, 1) : LINUX_MKDEV(1, 3);
    struct inode *i = inode_new(vfs->nameless[NAMELESS_ANON]->sb, &host_inode_ops, &host_ops, &a);
    if (!i) {
        waitq_destroy(&h->wait);
        free(h);
        close(fd);
        return -LINUX_ENOMEM;
    }
    i->priv = h;
    h->inode = i;
    name_of(h, a.ino, name, sizeof name);
    unsigned flags = h->acc | (h->append ? LINUX_O_APPEND : 0) | (h->nonblock ? LINUX_O_NONBLOCK : 0) |
                     (h->path_only ? LINUX_O_PATH : 0);
    int err = file_anon(vfs, name, i, &host_ops, h, flags, out);
    if (err)
        return err;
    (*out)->mode = mode_of(h);
    if (h->tty && !hosttty_attach(h)) {
        file_put(*out);
        return -LINUX_ENOMEM;
    }
    if (((*out)->mode & FMODE_WRITE) && h->type == LINUX_S_IFREG)
        inode_write_begin(i);  // file_put() gives it back
    return 0;
}
