// SPDX-License-Identifier: Apache-2.0
// Descriptors: close close_range dup dup2 dup3 fcntl flock ioctl fsync fdatasync sync syncfs sync_file_range
// fallocate ftruncate. What fcntl asks of pipes and memfds is in fs/pipe and fs/anon.
#include "abi/fileattr.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "abi/misc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fuse/ask.h"
#include "fs/landlock.h"
#include "fs/pipe/pipe.h"
#include "sentry/fd/async.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/signal/signal.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/disk.h"
#include "sentry/syscalls/sys_ns.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"

// SO_LINGER, socket(7): who lets go of a connection last waits until all that was sent has arrived, or the
// time is up, or a signal comes; close(2) tells of none of these.
static int64_t close_linger(struct task *t, struct file *f, unsigned seconds) {
    const uint32_t any = LINUX_POLLOUT | LINUX_POLLIN | LINUX_POLLHUP | LINUX_POLLRDHUP | LINUX_POLLERR;
    if (t->call.timed_out)
        return 0;
    park_arm_file(t, f, any);
    park_deadline(t, time_after(seconds * NS_PER_SEC));
    if (t->call.timed_out || !socket_closing(f, false))
        return 0;
    return park(t) == SYS_PARK ? SYS_PARK : 0;
}

// A daemon of FUSE has a word.
static int close_told(struct task *t, int fd) {
    struct file *f cleanup_file = fd_get_io(t->files, fd);
    return f ? fuse_closing(f, t->files) : 0;
}

int64_t sys_close(struct task *t, const struct sysargs *a) {
    struct file *waiting = park_file(t);
    if (waiting)
        return close_linger(t, waiting, socket_linger(waiting));
    int told = vfs_has_fuse(t->k->vfs) ? close_told(t, arg_int(a, 0)) : 0;
    if (told == FS_WAIT)
        return told;
    struct file *f cleanup_file = fd_close_keep(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (told)
        return told;
    unsigned seconds = ref_read(&f->refs) == 1 ? socket_linger(f) : 0;
    return seconds && socket_closing(f, true) ? close_linger(t, f, seconds) : 0;
}

int64_t sys_close_range(struct task *t, const struct sysargs *a) {
    unsigned first = arg_u32(a, 0), last = arg_u32(a, 1), flags = arg_u32(a, 2);
    if ((flags & ~(LINUX_CLOSE_RANGE_UNSHARE | LINUX_CLOSE_RANGE_CLOEXEC)) || first > last)
        return -LINUX_EINVAL;
    if ((flags & LINUX_CLOSE_RANGE_UNSHARE) && ref_read(&t->files->refs) > 1) {
        struct fdtable *own = fdtable_copy(t->files);
        if (!own)
            return -LINUX_ENOMEM;
        task_set_files(t, own);
    }
    fd_close_range(t->files, first, last, flags & LINUX_CLOSE_RANGE_CLOEXEC);
    return 0;
}

// ---- dup --------------------------------------------------------------------------------------------------
static int64_t dup_min(struct task *t, int fd, int min, bool cloexec) {
    struct file *f cleanup_file = fd_get(t->files, fd);
    return f ? fd_install(t->files, f, min, task_rlimit(t, LINUX_RLIMIT_NOFILE), cloexec) : -LINUX_EBADF;
}

static int64_t dup_to(struct task *t, int fd, int to, bool cloexec) {
    struct file *f cleanup_file = fd_get(t->files, fd);
    return f ? fd_replace(t->files, f, to, task_rlimit(t, LINUX_RLIMIT_NOFILE), cloexec) : -LINUX_EBADF;
}

int64_t sys_dup(struct task *t, const struct sysargs *a) { return dup_min(t, arg_int(a, 0), 0, false); }

int64_t sys_dup2(struct task *t, const struct sysargs *a) {
    if (arg_int(a, 0) == arg_int(a, 1)) {
        int err = fd_set_cloexec(t->files, arg_int(a, 0), -1);
        return err < 0 ? err : arg_int(a, 1);
    }
    return dup_to(t, arg_int(a, 0), arg_int(a, 1), false);
}

int64_t sys_dup3(struct task *t, const struct sysargs *a) {
    if ((arg_int(a, 2) & ~LINUX_O_CLOEXEC) || arg_int(a, 0) == arg_int(a, 1))
        return -LINUX_EINVAL;
    return dup_to(t, arg_int(a, 0), arg_int(a, 1), arg_int(a, 2) & LINUX_O_CLOEXEC);
}

// ---- Locks ------------------------------------------------------------------------------------------------
// The pattern of every lock that may wait: arm on the inode's queue, then ask.
static int64_t lock_wait(struct task *t, struct file *f,
                         int64_t (*ask)(struct task *t, struct file *f, void *arg), void *arg, bool wait) {
    if (!wait)
        return ask(t, f, arg);
    park_arm_in(t, f, &f->inode->lock_waitq);
    int64_t r = ask(t, f, arg);
    return r == -LINUX_EAGAIN ? park(t) : r;
}

struct posix_lock {
    void *owner;
    int pid;
    struct linux_flock l;
    bool deadlocks;  // F_SETLKW looks for them, its open-file-description form does not
};
static void posix_wait_end(struct task *t) { vfs_lock_wait_end(take_ptr(t->call.own.lock)); }
static int64_t ask_posix(struct task *t, struct file *f, void *arg) {
    const struct posix_lock *p = arg;
    int64_t r = vfs_lock(f, p->owner, p->pid, &p->l);
    if (r != -LINUX_EAGAIN || !p->deadlocks)
        return r;
    int err = vfs_lock_wait(f, p->owner, &p->l, &t->call.own.lock);
    t->call.cleanup = posix_wait_end;
    return err < 0 ? err : r;
}
static int64_t ask_flock(struct task *t, struct file *f, void *arg) { return vfs_flock(f, *(int *)arg); }

static int64_t fcntl_lock(struct task *t, struct file *f, unsigned cmd, uaddr_t lock) {
    bool ofd = cmd == LINUX_F_OFD_GETLK || cmd == LINUX_F_OFD_SETLK || cmd == LINUX_F_OFD_SETLKW;
    struct posix_lock p = {
        ofd ? (void *)f : (void *)t->files, ofd ? -1 : t->tg->pid, {0}, cmd == LINUX_F_SETLKW};
    if (copy_in_obj(t, &p.l, lock) < 0)
        return -LINUX_EFAULT;
    if (ofd && p.l.l_pid)
        return -LINUX_EINVAL;
    if (cmd == LINUX_F_GETLK || cmd == LINUX_F_OFD_GETLK) {
        int err = vfs_lock_test(f, p.owner, &p.l);
        if (p.l.l_pid > 0)
            p.l.l_pid = task_pid_out(t, p.l.l_pid);
        return err < 0 ? err : copy_out_obj(t, lock, &p.l);
    }
    return lock_wait(t, f, ask_posix, &p, cmd == LINUX_F_SETLKW || cmd == LINUX_F_OFD_SETLKW);
}

// A call that waits (for a lock, for a supervised call) goes on with the file that it began with, whatever
// its number names by then.
static struct file *file_begun(struct task *t, int fd) {
    struct file *f = park_file(t);
    return f ? file_get(f) : fd_get_io(t->files, fd);
}

// close(2) takes the process's locks of a file away. One by another thread, which came before this lock was
// there, has missed it: then it goes at once, and the call says EBADF, as on Linux.
static int64_t lock_still_open(struct task *t, int fd, struct file *f) {
    const struct linux_flock all = {.l_type = LINUX_F_UNLCK, .l_whence = LINUX_SEEK_SET};
    struct file *now cleanup_file = fd_get(t->files, fd);
    if (now == f)
        return 0;
    vfs_lock(f, t->files, 0, &all);
    return -LINUX_EBADF;
}

int64_t sys_flock(struct task *t, const struct sysargs *a) {
    int op = arg_int(a, 1), what = op & ~LINUX_LOCK_NB;
    if (op & LINUX_LOCK_MAND)  // once a share mode; since Linux 5.17 it does nothing
        return 0;
    if (what != LINUX_LOCK_SH && what != LINUX_LOCK_EX && what != LINUX_LOCK_UN)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = file_begun(t, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    return lock_wait(t, f, ask_flock, &op, !(op & LINUX_LOCK_NB));
}

// ---- fcntl ------------------------------------------------------------------------------------------------
// Of a kind of file that never signals its readiness, O_ASYNC stays as it was opened.
static int64_t set_flags(struct task *t, struct file *f, int fd, uint64_t arg) {
    uint32_t old = atomic_load(&f->flags), next;
    if (((old ^ (uint32_t)arg) & LINUX_O_APPEND) && (atomic_load(&f->inode->flags) & LINUX_FS_APPEND_FL))
        return -LINUX_EPERM;
    if ((old ^ (uint32_t)arg) & LINUX_O_ASYNC) {
        int err = async_set(t, f, fd, arg & LINUX_O_ASYNC);
        if (err < 0 && err != -LINUX_ENOTTY)
            return err;
        old = atomic_load(&f->flags);
    }
    do
        next = (old & ~(uint32_t)LINUX_SETFL_MASK) | ((uint32_t)arg & LINUX_SETFL_MASK);
    while (!atomic_compare_exchange_weak(&f->flags, &old, next));
    return 0;
}

#define SEAL_TRIES 9  // after 1, 2, 4 ... ms

// The host may still be ending a process that had the last map: asked again until it has, for half a second.
static int64_t add_seals(struct task *t, struct file *f, unsigned seals) {
    int r = memfd_add_seals(f, seals);
    if (r != -LINUX_EAGAIN)
        return r;
    unsigned *tries = &t->call.notes.seal.tries;
    if (!t->call.again)
        *tries = 0;
    if (*tries == SEAL_TRIES)
        return -LINUX_EBUSY;
    t->call.deadline = 0;
    t->call.timed_out = false;
    park_deadline(t, mono_ns() + (1000000ull << (*tries)++));
    return park(t);
}

static int64_t set_lease(struct task *t, struct file *f, int fd, int type) {
    if (f->inode->attr.uid != t->cred->fsuid && !task_capable(t, LINUX_CAP_LEASE))
        return -LINUX_EACCES;
    int err = type == LINUX_F_UNLCK ? 0 : async_begin(t, f, fd);
    return err < 0 ? err : vfs_lease_set(f, type);
}

static int64_t set_notify(struct task *t, struct file *f, int fd, uint32_t mask) {
    if (!inode_is_dir(f->inode))  // where none can be, there is none to be taken away
        return mask & ~LINUX_DN_MULTISHOT ? -LINUX_ENOTDIR : 0;
    int err = async_begin(t, f, fd);
    return err < 0 ? err : dnotify_set(f, t->files, mask);
}

// How long what is written is going to live: kept with the inode, for who asks.
static int64_t rw_hint(struct task *t, struct file *f, unsigned cmd, uaddr_t at) {
    uint64_t hint = atomic_load(&f->inode->write_hint);
    if (cmd == LINUX_F_GET_RW_HINT)
        return copy_out_obj(t, at, &hint);
    TASK_VFS_CTX(t, ctx);
    if (!vfs_owns(f->inode, &ctx.cred))
        return -LINUX_EPERM;
    if (copy_in_obj(t, &hint, at) < 0)
        return -LINUX_EFAULT;
    if (hint > LINUX_RWH_WRITE_LIFE_EXTREME)
        return -LINUX_EINVAL;
    atomic_store(&f->inode->write_hint, (uint8_t)hint);
    return 0;
}

static int64_t is_same_file(struct task *t, int fd, int other) {
    struct file *f cleanup_file = fd_get(t->files, fd), *o cleanup_file = fd_get(t->files, other);
    return f && o ? f == o : -LINUX_EBADF;
}

static int64_t fcntl_file(struct task *t, struct file *f, int fd, unsigned cmd, uint64_t arg) {
    switch (cmd) {
    case LINUX_F_GETFL:
        return (atomic_load(&f->flags) & ~(uint32_t)(LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_NOCTTY |
                                                     LINUX_O_TRUNC | LINUX_O_CLOEXEC)) |
               (f->mode & (FMODE_PATH | FMODE_NAMELESS) ? 0 : LINUX_O_LARGEFILE);
    case LINUX_F_SETFL:
        return set_flags(t, f, fd, arg);
    case LINUX_F_GETLK:
    case LINUX_F_SETLK:
    case LINUX_F_SETLKW:
    case LINUX_F_OFD_GETLK:
    case LINUX_F_OFD_SETLK:
    case LINUX_F_OFD_SETLKW:
        return fcntl_lock(t, f, cmd, uaddr(arg));
    case LINUX_F_SETOWN:
    case LINUX_F_GETOWN:
    case LINUX_F_SETOWN_EX:
    case LINUX_F_GETOWN_EX:
    case LINUX_F_SETSIG:
    case LINUX_F_GETSIG:
    case LINUX_F_GETOWNER_UIDS:
        return async_fcntl(t, f, cmd, arg);
    case LINUX_F_SETPIPE_SZ:
        return pipe_set_size(f, arg, task_capable(t, LINUX_CAP_SYS_RESOURCE));
    case LINUX_F_GETPIPE_SZ:
        return pipe_get_size(f);
    case LINUX_F_ADD_SEALS:
        return add_seals(t, f, (unsigned)arg);
    case LINUX_F_GET_SEALS:
        return memfd_get_seals(f);
    case LINUX_F_SETLEASE:
        return set_lease(t, f, fd, (int)arg);
    case LINUX_F_GETLEASE:
        return vfs_lease_get(f);
    case LINUX_F_NOTIFY:
        return set_notify(t, f, fd, (uint32_t)arg);
    case LINUX_F_GET_RW_HINT:
    case LINUX_F_SET_RW_HINT:
        return rw_hint(t, f, cmd, uaddr(arg));
    case LINUX_F_CREATED_QUERY:
        return f->mode & FMODE_CREATED ? 1 : 0;
    default:
        return -LINUX_EINVAL;
    }
}

int64_t sys_fcntl(struct task *t, const struct sysargs *a) {
    int fd = arg_int(a, 0);
    unsigned cmd = arg_u32(a, 1);
    switch (cmd) {
    case LINUX_F_DUPFD:
    case LINUX_F_DUPFD_CLOEXEC:
        return dup_min(t, fd, arg_int(a, 2), cmd == LINUX_F_DUPFD_CLOEXEC);
    case LINUX_F_GETFD:
        return fd_set_cloexec(t->files, fd, -1);
    case LINUX_F_SETFD: {
        int err = fd_set_cloexec(t->files, fd, arg_int(a, 2) & LINUX_FD_CLOEXEC);
        return err < 0 ? err : 0;
    }
    case LINUX_F_DUPFD_QUERY:
        return is_same_file(t, fd, arg_int(a, 2));
    }
    bool of_any = cmd == LINUX_F_GETFL || cmd == LINUX_F_CREATED_QUERY;  // O_PATH too
    struct file *f cleanup_file = of_any ? fd_get(t->files, fd) : file_begun(t, fd);
    if (!f)
        return -LINUX_EBADF;
    int64_t r = fcntl_file(t, f, fd, cmd, arg_ulong(a, 2));
    return r == 0 && (cmd == LINUX_F_SETLK || cmd == LINUX_F_SETLKW) ? lock_still_open(t, fd, f) : r;
}

// ---- ioctl ------------------------------------------------------------------------------------------------
// The terminal of a pty's master, as an open(2) of its name would give it.
static int64_t open_peer(struct task *t, struct file *master, unsigned flags) {
    struct file *f cleanup_file = NULL;
    TASK_VFS_CTX(t, ctx);
    int err = pty_open_peer(&ctx, master, flags, &f);
    return err < 0 ? err
                   : fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_O_CLOEXEC);
}

// No file system here shares blocks: told as Linux tells it, after the source has been looked at.
static int64_t no_clone(struct task *t, const struct file *to, int fd) {
    struct file *from cleanup_file = fd_get_io(t->files, fd);
    if (!from)
        return -LINUX_EBADF;
    return from->inode->sb == to->inode->sb ? -LINUX_EOPNOTSUPP : -LINUX_EXDEV;
}
static int64_t no_clone_range(struct task *t, const struct file *to, uaddr_t at) {
    struct {
        int64_t fd;
        uint64_t from, len, to;
    } range;
    return copy_in_obj(t, &range, at) < 0 ? -LINUX_EFAULT : no_clone(t, to, (int)range.fd);
}

int64_t sys_ioctl(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = file_begun(t, arg_int(a, 0));
    unsigned cmd = arg_u32(a, 1);
    if (!f)
        return -LINUX_EBADF;
    int on = landlock_may_ioctl(f, cmd);
    if (on)
        return on;
    switch (cmd) {
    case LINUX_FIOCLEX:
    case LINUX_FIONCLEX:
        fd_set_cloexec(t->files, arg_int(a, 0), cmd == LINUX_FIOCLEX);
        return 0;
    case LINUX_FIONBIO:
        if (copy_in_obj(t, &on, arg_ptr(a, 2)) < 0)
            return -LINUX_EFAULT;
        if (on)
            atomic_fetch_or(&f->flags, LINUX_O_NONBLOCK);
        else
            atomic_fetch_and(&f->flags, ~(uint32_t)LINUX_O_NONBLOCK);
        return 0;
    case LINUX_FIOASYNC:
        if (copy_in_obj(t, &on, arg_ptr(a, 2)) < 0)
            return -LINUX_EFAULT;
        if (!on == !(atomic_load(&f->flags) & LINUX_O_ASYNC))
            return 0;
        return async_set(t, f, arg_int(a, 0), on);
    case LINUX_FIOSETOWN:
    case LINUX_SIOCSPGRP:
    case LINUX_FIOGETOWN:
    case LINUX_SIOCGPGRP:
        if (socket_of(f))
            return async_ioctl(t, f, cmd, arg_ulong(a, 2));
        break;
    case LINUX_FICLONE:
        return no_clone(t, f, arg_int(a, 2));
    case LINUX_FICLONERANGE:
        return no_clone_range(t, f, arg_ptr(a, 2));
    case LINUX_TIOCGPTPEER:
        if (pty_is_master(f))
            return open_peer(t, f, arg_u32(a, 2));
        break;
    }
    struct ns *ns = nsfs_of(f);
    if (ns)
        return nsfs_ioctl(t, ns, cmd, arg_ulong(a, 2));
    if (seccomp_is_listener(f))
        return seccomp_listener_ioctl(t, f, cmd, arg_ptr(a, 2));
    struct uaccess_user ua;
    uaccess_user_init(&ua, t);
    TASK_VFS_CTX(t, ctx);
    return vfs_ioctl(&ctx, f, cmd, arg_ulong(a, 2), &ua.a);
}

// ---- Data on disk -----------------------------------------------------------------------------------------
static int64_t do_fsync(struct task *t, int fd, bool data_only) {
    struct file *waited = park_file(t);
    struct file *f cleanup_file = waited ? file_get(waited) : fd_get_io(t->files, fd);
    return f ? disk_sync(t, f, data_only) : -LINUX_EBADF;
}
int64_t sys_fsync(struct task *t, const struct sysargs *a) { return do_fsync(t, arg_int(a, 0), false); }
int64_t sys_fdatasync(struct task *t, const struct sysargs *a) { return do_fsync(t, arg_int(a, 0), true); }
// Nothing of ours is written behind: files of binds are written through, the rest is memory.
int64_t sys_sync(struct task *t, const struct sysargs *a) { return 0; }
int64_t sys_syncfs(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    return f ? 0 : -LINUX_EBADF;
}
int64_t sys_sync_file_range(struct task *t, const struct sysargs *a) {
    int64_t end;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (arg_off(a, 1) < 0 || arg_off(a, 2) < 0 || (arg_u32(a, 3) & ~7u) ||
        __builtin_add_overflow(arg_off(a, 1), arg_off(a, 2), &end))
        return -LINUX_EINVAL;
    uint32_t type = inode_type(f->inode);
    if (type != LINUX_S_IFREG && type != LINUX_S_IFDIR && type != LINUX_S_IFBLK)
        return -LINUX_ESPIPE;
    return do_fsync(t, arg_int(a, 0), true);
}

static int64_t size_error(struct task *t, int64_t r) {
    if (r == -LINUX_EFBIG && task_rlimit(t, LINUX_RLIMIT_FSIZE) != LINUX_RLIM_INFINITY)
        signal_send_self(t, LINUX_SIGXFSZ);
    return r;
}

int64_t sys_fallocate(struct task *t, const struct sysargs *a) {
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (arg_off(a, 2) < 0 || arg_off(a, 3) <= 0)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    return size_error(
        t, vfs_fallocate(&ctx, f, arg_int(a, 1), (uint64_t)arg_off(a, 2), (uint64_t)arg_off(a, 3)));
}

int64_t sys_ftruncate(struct task *t, const struct sysargs *a) {
    if (arg_off(a, 1) < 0)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    TASK_VFS_CTX(t, ctx);
    return size_error(t, vfs_ftruncate(&ctx, f, (uint64_t)arg_off(a, 1)));
}
