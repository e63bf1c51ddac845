// SPDX-License-Identifier: Apache-2.0
// Watching files, mounts and file systems: fanotify_init fanotify_mark. The checks here are Linux', in its
// order; marks and events are fs/fanotify.h, the file is sentry/fd/fanotify.c.
#include "abi/caps.h"
#include "fs/fanotify.h"
#include "sentry/fd/fanotify.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"

#define CLASSES (LINUX_FAN_CLASS_CONTENT | LINUX_FAN_CLASS_PRE_CONTENT)
#define ADMIN_INIT \
    (CLASSES | LINUX_FAN_REPORT_TID | LINUX_FAN_REPORT_PIDFD | LINUX_FAN_REPORT_FD_ERROR | \
     LINUX_FAN_UNLIMITED_QUEUE | LINUX_FAN_UNLIMITED_MARKS)
#define KNOWN_INIT (ADMIN_INIT | FAN_FID_BITS | LINUX_FAN_CLOEXEC | LINUX_FAN_NONBLOCK)
#define KNOWN_FILE \
    (LINUX_O_ACCMODE | LINUX_O_APPEND | LINUX_O_NONBLOCK | LINUX___O_SYNC | LINUX_O_DSYNC | \
     LINUX_O_CLOEXEC | LINUX_O_LARGEFILE | LINUX_O_NOATIME)

// ---- fanotify_init ----------------------------------------------------------------------------------------
static int check_reports(unsigned flags) {
    if ((flags & FAN_FID_BITS) && (flags & CLASSES))
        return -LINUX_EINVAL;
    if ((flags & LINUX_FAN_REPORT_NAME) && !(flags & LINUX_FAN_REPORT_DIR_FID))
        return -LINUX_EINVAL;
    const unsigned with_target = LINUX_FAN_REPORT_NAME | LINUX_FAN_REPORT_FID;
    bool target = flags & LINUX_FAN_REPORT_TARGET_FID;
    return target && (flags & with_target) != with_target ? -LINUX_EINVAL : 0;
}
static int check_init(struct task *t, unsigned flags, unsigned file_flags) {
    if (!task_capable(t, LINUX_CAP_SYS_ADMIN) && ((flags & ADMIN_INIT) || !(flags & FAN_FID_BITS)))
        return -LINUX_EPERM;
    if (flags & ~KNOWN_INIT)
        return -LINUX_EINVAL;
    if ((flags & LINUX_FAN_REPORT_PIDFD) && (flags & LINUX_FAN_REPORT_TID))
        return -LINUX_EINVAL;
    if ((file_flags & ~(unsigned)KNOWN_FILE) || (file_flags & LINUX_O_ACCMODE) == LINUX_O_ACCMODE)
        return -LINUX_EINVAL;
    return (flags & CLASSES) == CLASSES ? -LINUX_EINVAL : check_reports(flags);
}
int64_t sys_fanotify_init(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 0), file_flags = arg_u32(a, 1);
    struct file *f cleanup_file = NULL;
    int err = check_init(t, flags, file_flags);
    if (err == 0)
        err = fanotify_open(t, flags, file_flags | LINUX_O_LARGEFILE, &f);
    if (err < 0)
        return err;
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_FAN_CLOEXEC);
}

// ---- fanotify_mark ----------------------------------------------------------------------------------------
#define TYPES    (LINUX_FAN_MARK_MOUNT | LINUX_FAN_MARK_FILESYSTEM)
#define COMMANDS (LINUX_FAN_MARK_ADD | LINUX_FAN_MARK_REMOVE | LINUX_FAN_MARK_FLUSH)
#define IGNORES  (LINUX_FAN_MARK_IGNORED_MASK | LINUX_FAN_MARK_IGNORE)
#define KNOWN_MARK \
    (TYPES | COMMANDS | IGNORES | LINUX_FAN_MARK_DONT_FOLLOW | LINUX_FAN_MARK_ONLYDIR | \
     LINUX_FAN_MARK_IGNORED_SURV_MODIFY | LINUX_FAN_MARK_EVICTABLE)
// With a file to be opened; the others have no path.
#define FILE_EVENTS \
    (LINUX_FAN_ACCESS | LINUX_FAN_MODIFY | LINUX_FAN_CLOSE_WRITE | LINUX_FAN_CLOSE_NOWRITE | \
     LINUX_FAN_OPEN | LINUX_FAN_OPEN_EXEC)
#define EVENTS \
    (FILE_EVENTS | FAN_DIRENT_EVENTS | LINUX_FAN_ATTRIB | LINUX_FAN_DELETE_SELF | LINUX_FAN_MOVE_SELF)

struct mark_call {
    struct fan_group *g;
    unsigned flags, command;
    enum fan_on on;
    uint32_t mask;
    uint32_t keep;  // bits of the mask that keep no mark
};
static int check_call(struct mark_call *m) {
    m->command = m->flags & COMMANDS;
    if ((m->flags & ~KNOWN_MARK) || (m->flags & TYPES) == TYPES)
        return -LINUX_EINVAL;
    switch (m->command) {
    case LINUX_FAN_MARK_ADD:
    case LINUX_FAN_MARK_REMOVE:
        if (!m->mask)
            return -LINUX_EINVAL;
        break;
    case LINUX_FAN_MARK_FLUSH:
        if (m->flags & ~(TYPES | LINUX_FAN_MARK_FLUSH))
            return -LINUX_EINVAL;
        break;
    default:
        return -LINUX_EINVAL;
    }
    if ((m->mask & ~(EVENTS | FAN_FLAGS)) || (m->flags & IGNORES) == IGNORES)
        return -LINUX_EINVAL;
    if (m->flags & LINUX_FAN_MARK_IGNORED_MASK) {
        m->mask &= ~FAN_FLAGS;
        m->keep = FAN_FLAGS;
    }
    m->on = FAN_ON_INODE;
    if (m->flags & TYPES)
        m->on = m->flags & LINUX_FAN_MARK_MOUNT ? FAN_ON_MOUNT : FAN_ON_SUPER;
    return 0;
}
static int check_group(const struct mark_call *m) {
    unsigned fid = m->g->flags & FAN_FID_BITS;
    if (m->g->unprivileged && m->on != FAN_ON_INODE)
        return -LINUX_EPERM;
    if ((m->flags & LINUX_FAN_MARK_EVICTABLE) && m->on != FAN_ON_INODE)
        return -LINUX_EINVAL;
    if ((m->mask & ~(FILE_EVENTS | FAN_FLAGS)) && (!fid || m->on == FAN_ON_MOUNT))
        return -LINUX_EINVAL;
    return (m->mask & LINUX_FAN_RENAME) && !(fid & LINUX_FAN_REPORT_NAME) ? -LINUX_EINVAL : 0;
}
static int find(struct task *t, const struct mark_call *m, int dirfd, uaddr_t name, struct path *out) {
    AT_PATH(at);
    if (uaddr_is_null(name)) {
        struct file *f cleanup_file = fd_get_io(t->files, dirfd);
        if (!f)
            return -LINUX_EBADF;
        if ((m->flags & LINUX_FAN_MARK_ONLYDIR) && !inode_is_dir(f->inode))
            return -LINUX_ENOTDIR;
        *out = f->path;
        path_get(out);
    } else {
        TASK_VFS_CTX(t, ctx);
        unsigned walk = (m->flags & LINUX_FAN_MARK_DONT_FOLLOW ? 0 : WALK_FOLLOW) |
                        (m->flags & LINUX_FAN_MARK_ONLYDIR ? WALK_DIRECTORY : 0);
        int err = at_init(t, &at, dirfd, name);
        err = err ? err : at_walk_from(&ctx, &at, walk, out);
        if (err)
            return err;
    }
    TASK_VFS_CTX(t, ctx);
    return vfs_permission(out->dentry->inode, MAY_READ, &ctx.cred);
}
static int check_object(struct mark_call *m, const struct path *p) {
    bool fid = m->g->flags & FAN_FID_BITS, dir = inode_is_dir(p->dentry->inode);
    bool add = m->command == LINUX_FAN_MARK_ADD, whole = m->on != FAN_ON_INODE;
    if (add && whole && fan_is_internal(p))
        return -LINUX_EINVAL;
    bool strict = (m->g->flags & LINUX_FAN_REPORT_TARGET_FID) || (m->mask & LINUX_FAN_RENAME) ||
                  (m->flags & LINUX_FAN_MARK_IGNORE);
    if (add && strict && !whole && !dir && (m->mask & (FAN_DIRENT_EVENTS | FAN_FLAGS)))
        return -LINUX_ENOTDIR;
    if (fid && whole && p->dentry->sb->no_dcache)  // its objects are others each time
        return -LINUX_EOPNOTSUPP;
    if (add && (m->flags & LINUX_FAN_MARK_IGNORE) && !(m->flags & LINUX_FAN_MARK_IGNORED_SURV_MODIFY) &&
        (whole || dir))
        return whole ? -LINUX_EINVAL : -LINUX_EISDIR;
    if (!whole && dir)
        return 0;
    m->mask &= ~LINUX_FAN_EVENT_ON_CHILD;
    m->keep |= LINUX_FAN_EVENT_ON_CHILD;
    if (add && (m->g->flags & LINUX_FAN_REPORT_DIR_FID) && !(m->flags & IGNORES))
        m->mask |= LINUX_FAN_EVENT_ON_CHILD;  // the directory is to be told as well
    return 0;
}
int64_t sys_fanotify_mark(struct task *t, const struct sysargs *a) {
    uint64_t mask = arg_ulong(a, 2);
    struct mark_call m = {.flags = arg_u32(a, 1), .mask = (uint32_t)mask};
    int err = mask >> 32 ? -LINUX_EINVAL : check_call(&m);
    if (err)
        return err;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    m.g = fanotify_group(f);
    err = m.g ? check_group(&m) : -LINUX_EINVAL;
    if (err)
        return err;
    if (m.command == LINUX_FAN_MARK_FLUSH) {
        fan_flush(m.g, m.on);
        return 0;
    }
    struct path p cleanup_path = {0};
    err = find(t, &m, arg_int(a, 3), arg_ptr(a, 4), &p);
    if (err == 0)
        err = check_object(&m, &p);
    if (err)
        return err;
    return m.command == LINUX_FAN_MARK_ADD ? fan_mark(m.g, &p, m.on, m.mask, m.flags)
                                           : fan_unmark(m.g, &p, m.on, m.mask, m.flags, m.keep);
}
