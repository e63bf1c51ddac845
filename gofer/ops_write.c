// SPDX-License-Identifier: Apache-2.0
// The gofer's operations that change host files: create, mkdir, symlink, link, unlink, rename, setattr,
// fsync, setxattr, removexattr. Called by server.c, which has already refused them (EROFS) below a read-only
// root, by the handle in the first field; a second handle must be of the same root. No locks (one thread).
//
// Device, fifo and socket nodes cannot be made. New files get the owner that the sentry names where the host
// lets the gofer chown; as an ordinary user it cannot.
// LIMIT: without CAP_CHOWN on the host, new files below a writable root belong to the user who started the
// sandbox.
// LIMIT: set-uid and set-gid bits are not put on regular files of a writable host root (EPERM): they would be
// live on the host.
#include "abi/errno.h"
#include "base/cleanup.h"
#include "gofer/server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define RESOLVE_CHILD (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)

static int err_of(int r) { return r < 0 ? -errno : 0; }

// The owner of a new object. Not being allowed to is not an error (see above).
static int give_to(const struct gofer_server *s, uint32_t root, int fd, uint32_t uid, uint32_t gid) {
    int err = gofer_ids_ask(s, root, &uid, &gid);
    if (err)
        return err;
    if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 && errno != EPERM && errno != EINVAL)
        return -errno;
    return 0;
}

// Before it is made: can it be theirs? As Linux says where an id has no number in the file system.
static int check_owner(const struct gofer_server *s, const struct gofer_obj *dir, uint32_t uid,
                       uint32_t gid) {
    return gofer_ids_ask(s, dir->root, &uid, &gid) < 0 ? -LINUX_EOVERFLOW : 0;
}

static int check_mode(uint32_t mode, bool dir) {
    if (mode & ~07777u)
        return -LINUX_EINVAL;
    return !dir && (mode & (S_ISUID | S_ISGID)) ? -LINUX_EPERM : 0;
}

int op_create(struct gofer_server *s, const struct gofer_create_req *q, struct gofer_create_rep *r) {
    struct gofer_obj dir;
    int err = obj_dir_write(s, q->handle, &dir);
    if (err)
        return err;
    err = check_mode(q->mode, false);
    if (err == 0)
        err = check_owner(s, &dir, q->uid, q->gid);
    if (err)
        return err;
    int fd cleanup_close =
        gofer_openat2(dir.fd, q->name.p, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, q->mode, RESOLVE_CHILD);
    if (fd < 0)
        return fd;
    err = give_to(s, dir.root, fd, q->uid, q->gid);
    if (err)
        return err;
    err = gofer_statx(fd, "", &r->attr);
    if (err)
        return err;
    gofer_ids_show(s, dir.root, &r->attr);
    s->out.v[s->out.n++] = take_fd(&fd);
    return 0;
}

// Owner and attributes of what was just made; it must still be what was made.
static int finish_new(struct gofer_server *s, const struct gofer_obj *dir, const struct gofer_str *name,
                      enum gofer_kind kind, uint32_t uid, uint32_t gid, struct gofer_attr *a) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_child(s, dir, name->p, &o, NULL);
    if (err)
        return err;
    if (o.kind != kind)
        return -LINUX_ESTALE;
    err = give_to(s, o.root, o.fd, uid, gid);
    return err ? err : obj_stat(s, &o, a);
}

int op_mkdir(struct gofer_server *s, const struct gofer_mkdir_req *q, struct gofer_mkdir_rep *r) {
    struct gofer_obj dir;
    int err = obj_dir_write(s, q->handle, &dir);
    if (err)
        return err;
    err = check_mode(q->mode, true);
    if (err == 0)
        err = check_owner(s, &dir, q->uid, q->gid);
    if (err)
        return err;
    if (mkdirat(dir.fd, q->name.p, q->mode) < 0)
        return -errno;
    return finish_new(s, &dir, &q->name, KIND_DIR, q->uid, q->gid, &r->attr);
}

int op_symlink(struct gofer_server *s, const struct gofer_symlink_req *q, struct gofer_symlink_rep *r) {
    struct gofer_obj dir;
    int err = obj_dir_write(s, q->handle, &dir);
    if (err)
        return err;
    if (q->target.n == 0)
        return -LINUX_ENOENT;
    err = check_owner(s, &dir, q->uid, q->gid);
    if (err)
        return err;
    if (symlinkat(q->target.p, dir.fd, q->name.p) < 0)
        return -errno;
    return finish_new(s, &dir, &q->name, KIND_LINK, q->uid, q->gid, &r->attr);
}

static int same_root(const struct gofer_server *s, const struct gofer_obj *a, const struct gofer_obj *b) {
    if (!s->roots[a->root].writable || !s->roots[b->root].writable)
        return -LINUX_EROFS;
    return a->root == b->root ? 0 : -LINUX_EXDEV;
}

int op_link(struct gofer_server *s, const struct gofer_link_req *q, struct gofer_link_rep *r) {
    struct gofer_obj dir, from cleanup_obj = {.fd = -1};
    int err = obj_dir_write(s, q->handle, &dir);
    if (err)
        return err;
    err = obj_at(s, q->from, &q->from_name, &from);
    if (err)
        return err;
    err = same_root(s, &dir, &from);
    if (err)
        return err;
    if (from.kind != KIND_FILE && from.kind != KIND_LINK)
        return -LINUX_EPERM;
    char name[16];
    obj_proc_name(&from, name);
    if (linkat(s->proc_fd, name, dir.fd, q->name.p, AT_SYMLINK_FOLLOW) < 0)
        return -errno;
    return obj_stat(s, &from, &r->attr);
}

int op_unlink(struct gofer_server *s, const struct gofer_unlink_req *q, struct gofer_unlink_rep *r) {
    (void)r;
    struct gofer_obj dir;
    int err = obj_dir_write(s, q->handle, &dir);
    if (err)
        return err;
    if (q->flags & ~GOFER_UNLINK_DIR)
        return -LINUX_EINVAL;
    err = gofer_ids_may_remove(s, &dir, q->name.p);
    if (err)
        return err;
    return err_of(unlinkat(dir.fd, q->name.p, q->flags & GOFER_UNLINK_DIR ? AT_REMOVEDIR : 0));
}

int op_rename(struct gofer_server *s, const struct gofer_rename_req *q, struct gofer_rename_rep *r) {
    (void)r;
    struct gofer_obj from, to;
    int err = obj_dir_write(s, q->handle, &from);
    if (err)
        return err;
    err = obj_dir_write(s, q->to, &to);
    if (err)
        return err;
    err = same_root(s, &from, &to);
    if (err)
        return err;
    unsigned flags = (q->flags & GOFER_RENAME_NOREPLACE ? RENAME_NOREPLACE : 0) |
                     (q->flags & GOFER_RENAME_EXCHANGE ? RENAME_EXCHANGE : 0);
    if (q->flags & ~(GOFER_RENAME_NOREPLACE | GOFER_RENAME_EXCHANGE))
        return -LINUX_EINVAL;
    err = gofer_ids_may_remove(s, &from, q->name.p);
    if (err == 0)
        err = gofer_ids_may_remove(s, &to, q->to_name.p);
    if (err)
        return err;
    // Not libc's wrapper: without flags that makes another call than the one that is allowed.
    return err_of((int)syscall(SYS_renameat2, from.fd, q->name.p, to.fd, q->to_name.p, flags));
}

// ---- setattr ----------------------------------------------------------------------------------------------
static int check_setattr(const struct gofer_obj *o, const struct gofer_setattr_req *q) {
    if (q->valid & ~GOFER_SET_ALL)
        return -LINUX_EINVAL;
    if (o->kind != KIND_FILE && o->kind != KIND_DIR && o->kind != KIND_LINK)
        return -LINUX_EPERM;
    if ((q->valid & GOFER_SET_MODE) && o->kind == KIND_LINK)
        return -LINUX_EOPNOTSUPP;
    if ((q->valid & GOFER_SET_SIZE) && o->kind != KIND_FILE)
        return o->kind == KIND_DIR ? -LINUX_EISDIR : -LINUX_EINVAL;
    if ((q->valid & GOFER_SET_SIZE) && q->size > INT64_MAX)
        return -LINUX_EINVAL;
    return q->valid & GOFER_SET_MODE ? check_mode(q->mode, o->kind == KIND_DIR) : 0;
}

static int set_size(struct gofer_server *s, const struct gofer_obj *o, const struct gofer_setattr_req *q) {
    int fd cleanup_close = obj_reopen(s, o, O_WRONLY);
    if (fd < 0)
        return fd;
    return err_of(ftruncate(fd, (off_t)q->size));
}

static struct timespec to_time(uint64_t ns, bool set, bool now) {
    int64_t t = (int64_t)ns, sec = t / 1000000000, frac = t % 1000000000;
    if (frac < 0) {
        frac += 1000000000;
        sec--;
    }
    if (now)
        frac = UTIME_NOW;
    else if (!set)
        frac = UTIME_OMIT;
    return (struct timespec){sec, frac};
}

// Also of what somebody else's program writes to.
static int set_times(struct gofer_server *s, const struct gofer_obj *o, const struct gofer_setattr_req *q) {
    int err = gofer_ids_may(s, o, 2);
    if (err)
        return err;
    struct timespec t[2] = {
        to_time(q->atime, q->valid & GOFER_SET_ATIME, q->valid & GOFER_SET_ATIME_NOW),
        to_time(q->mtime, q->valid & GOFER_SET_MTIME, q->valid & GOFER_SET_MTIME_NOW),
    };
    return err_of(utimensat(o->fd, "", t, AT_EMPTY_PATH));
}

static int set_owner(struct gofer_server *s, const struct gofer_obj *o, const struct gofer_setattr_req *q) {
    uint32_t uid = q->uid, gid = q->gid;
    bool sets_uid = q->valid & GOFER_SET_UID, sets_gid = q->valid & GOFER_SET_GID;
    int err = gofer_ids_owns(s, o, sets_uid);
    if (err == 0)
        err = gofer_ids_ask(s, o->root, sets_uid ? &uid : NULL, sets_gid ? &gid : NULL);
    if (err)
        return err;
    uid = sets_uid ? uid : UINT32_MAX;  // stays
    gid = sets_gid ? gid : UINT32_MAX;
    return err_of(fchownat(o->fd, "", uid, gid, AT_EMPTY_PATH));
}

// chmod through the magic link, which leads to this very inode: fchmod refuses O_PATH, fchmodat2 is too new.
static int set_mode(struct gofer_server *s, const struct gofer_obj *o, const struct gofer_setattr_req *q) {
    char name[16];
    int err = gofer_ids_owns(s, o, false);
    if (err)
        return err;
    obj_proc_name(o, name);
    return err_of(fchmodat(s->proc_fd, name, q->mode, 0));
}

// In the order in which they are done: chown(2) takes the set-uid bit away, so the mode comes after it.
static const struct {
    uint32_t valid;  // any of these asks for it
    int (*set)(struct gofer_server *s, const struct gofer_obj *o, const struct gofer_setattr_req *q);
} setters[] = {
    {GOFER_SET_SIZE, set_size},
    {GOFER_SET_UID | GOFER_SET_GID, set_owner},
    {GOFER_SET_MODE, set_mode},
    {GOFER_SET_ATIME | GOFER_SET_MTIME | GOFER_SET_ATIME_NOW | GOFER_SET_MTIME_NOW, set_times},
};

int op_setattr(struct gofer_server *s, const struct gofer_setattr_req *q, struct gofer_setattr_rep *r) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &q->name, &o);
    if (err)
        return err;
    err = check_setattr(&o, q);
    if (err)
        return err;
    for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++) {
        err = q->valid & setters[i].valid ? setters[i].set(s, &o, q) : 0;
        if (err)
            return err;
    }
    return obj_stat(s, &o, &r->attr);
}

int op_fsync(struct gofer_server *s, const struct gofer_fsync_req *q, struct gofer_fsync_rep *r) {
    (void)r;
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &q->name, &o);
    if (err)
        return err;
    int fd cleanup_close = obj_reopen(s, &o, O_RDONLY);
    if (fd < 0)
        return fd;
    return err_of(q->data_only ? fdatasync(fd) : fsync(fd));
}

int op_setxattr(struct gofer_server *s, const struct gofer_setxattr_req *q, struct gofer_setxattr_rep *r) {
    (void)r;
    if (!gofer_xattr_ok(&q->xattr))
        return -LINUX_EOPNOTSUPP;
    if (q->flags & ~(GOFER_XATTR_CREATE | GOFER_XATTR_REPLACE))
        return -LINUX_EINVAL;
    int fd cleanup_close = gofer_xattr_open(s, q->handle, &q->name, 2);
    if (fd < 0)
        return fd;
    int flags = (q->flags & GOFER_XATTR_CREATE ? XATTR_CREATE : 0) |
                (q->flags & GOFER_XATTR_REPLACE ? XATTR_REPLACE : 0);
    return err_of(fsetxattr(fd, q->xattr.p, q->value.p, q->value.n, flags));
}

int op_removexattr(struct gofer_server *s, const struct gofer_removexattr_req *q,
                   struct gofer_removexattr_rep *r) {
    (void)r;
    if (!gofer_xattr_ok(&q->xattr))
        return -LINUX_EOPNOTSUPP;
    int fd cleanup_close = gofer_xattr_open(s, q->handle, &q->name, 2);
    if (fd < 0)
        return fd;
    return err_of(fremovexattr(fd, q->xattr.p));
}
