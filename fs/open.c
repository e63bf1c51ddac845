// SPDX-License-Identifier: Apache-2.0
// open: flags, finding or making the object, the checks of open(2) in Linux' order, and the open file. An
// existing name is opened without any directory's lock. Fifos are the pipe's business (fs/pipe/fifo.c).
#include "abi/caps.h"
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "fs/core.h"
#include "fs/landlock.h"
#include "fs/notify.h"

struct open_req {
    const struct vfs_ctx *ctx;
    unsigned flags;
    int acc;       // MAY_*
    bool created;  // by this open: permissions do not matter any more
};

static int prepare(struct open_req *r, unsigned flags) {
    static const int acc[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    if (flags & LINUX_O_PATH) {
        r->flags = flags & (LINUX_O_PATH | LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW | LINUX_O_CLOEXEC);
        r->acc = 0;
        return 0;
    }
    r->flags = flags;
    r->acc = flags & VFS_O_EXEC ? MAY_EXEC : acc[flags & LINUX_O_ACCMODE];
    if (flags & LINUX_O_TRUNC)
        r->acc |= MAY_WRITE;
    if (flags & LINUX___O_TMPFILE) {
        if ((flags & LINUX_O_TMPFILE) != LINUX_O_TMPFILE || (flags & LINUX_O_CREAT) || !(r->acc & MAY_WRITE))
            return -LINUX_EINVAL;
    } else if ((flags & LINUX_O_CREAT) && (flags & LINUX_O_DIRECTORY)) {
        return -LINUX_EINVAL;
    }
    return 0;
}
int vfs_open_check(unsigned flags) {
    struct open_req r;
    return prepare(&r, flags);
}
static int may_open(const struct open_req *r, const struct path *p) {
    struct inode *i = p->dentry->inode;
    switch (inode_type(i)) {
    case LINUX_S_IFLNK:
        return -LINUX_ELOOP;
    case LINUX_S_IFDIR:
        if ((r->acc & MAY_WRITE) || (r->flags & LINUX_O_CREAT))
            return -LINUX_EISDIR;
        if (r->acc & MAY_EXEC)
            return -LINUX_EACCES;
        break;
    case LINUX_S_IFCHR:
    case LINUX_S_IFBLK:
        if ((p->mnt->flags & LINUX_MS_NODEV) || (r->acc & MAY_EXEC))
            return -LINUX_EACCES;
        break;
    case LINUX_S_IFREG:
        if ((r->acc & MAY_EXEC) && (p->mnt->flags & LINUX_MS_NOEXEC))
            return -LINUX_EACCES;
        if ((r->acc & MAY_WRITE) && path_read_only(p))
            return -LINUX_EROFS;
        break;
    default:
        if (r->acc & MAY_EXEC)
            return -LINUX_EACCES;
    }
    if (r->created)
        return 0;
    const struct vfs_cred *c = &r->ctx->cred;
    int err = vfs_permission(i, r->acc, c);
    if (err)
        return err;
    bool rewrites = (r->acc & MAY_WRITE) && !(r->flags & LINUX_O_APPEND);
    if (inode_flagged(i, LINUX_FS_APPEND_FL) && (rewrites || (r->flags & LINUX_O_TRUNC)))
        return -LINUX_EPERM;
    bool noatime = r->flags & LINUX_O_NOATIME;
    return noatime && i->attr.uid != c->fsuid && !cred_has_over(c, i, LINUX_CAP_FOWNER) ? -LINUX_EPERM : 0;
}
static unsigned mode_of(unsigned flags, uint32_t type) {
    unsigned mode = 0, acc = flags & LINUX_O_ACCMODE;
    if (flags & LINUX_O_PATH)
        return FMODE_PATH;
    if (flags & VFS_O_EXEC)
        return FMODE_EXEC | FMODE_READ | FMODE_SEEK;
    if (acc == LINUX_O_RDONLY || acc == LINUX_O_RDWR)
        mode |= FMODE_READ;
    if (acc == LINUX_O_WRONLY || acc == LINUX_O_RDWR)
        mode |= FMODE_WRITE;
    if (type != LINUX_S_IFIFO && type != LINUX_S_IFSOCK)
        mode |= FMODE_SEEK;
    return mode;
}
// ETXTBSY's counts; given back by file_put() as f->mode says.
static int claim(struct file *f) {
    int err = 0;
    unsigned want = f->mode & (FMODE_EXEC | FMODE_WRITE);
    if (want & FMODE_EXEC)
        err = inode_exec_begin(f->inode);
    else if ((want & FMODE_WRITE) && inode_is_reg(f->inode))
        err = inode_write_begin(f->inode);
    if (err) {
        f->mode &= ~want;
    } else if (!want && (f->mode & FMODE_READ) && inode_is_reg(f->inode)) {
        f->mode |= FMODE_READER;
        atomic_fetch_add(&f->inode->readers, 1);
    }
    return err;
}
// Is a lease in the way?
static int break_leases(const struct open_req *r, struct file *f) {
    uint64_t until;
    bool write = (f->mode & FMODE_WRITE) || (r->flags & LINUX_O_TRUNC);
    int err = r->flags & VFS_O_EXEC ? 0 : vfs_lease_break(f->inode, write, &until);
    if (err && !(r->flags & LINUX_O_NONBLOCK)) {
        f->mode = FMODE_PATH | FMODE_LEASED;  // counted nowhere
        return err;
    }
    return err;
}
static int open_object(struct file *f, const struct vfs_ctx *ctx) {
    struct inode *i = f->inode;
    uint32_t type = inode_type(i);
    if (type == LINUX_S_IFSOCK)
        return -LINUX_ENXIO;
    if ((atomic_load(&f->flags) & LINUX_O_DIRECT) && type != LINUX_S_IFREG)
        return -LINUX_EINVAL;
    if (type == LINUX_S_IFIFO && !i->ops->open)  // with an open of its own: a pipe of the host
        return fifo_open(i, f);
    f->ops = i->fops;
    int err = i->ops->open ? i->ops->open(i, f, ctx) : 0;
    if (err)
        return err;
    return f->ops ? 0 : -LINUX_ENXIO;
}
static int claim_and_open(struct file *f, const struct vfs_ctx *ctx) {
    int err = claim(f);
    return err ? err : open_object(f, ctx);
}
static int truncate_opened(const struct open_req *r, struct file *f) {
    struct vfs_attr a = {.size = 0, .mtime = inode_now()};
    unsigned kill = inode_must_drop_priv(f->inode, &r->ctx->cred);
    if (f->mode & FMODE_NO_TRUNCATE)
        return -LINUX_EACCES;
    int err = f->mode & FMODE_WRITE ? 0 : inode_write_begin(f->inode);
    if (err)
        return err;
    err = dentry_setattr(f->path.dentry, &a, ATTR_SIZE | ATTR_MTIME | kill);
    if (!(f->mode & FMODE_WRITE))
        inode_write_end(f->inode);
    return err;
}
// A file for *p, which it has taken over, without anything behind it yet.
static int file_for(const struct open_req *r, const struct path *p, struct file **out) {
    struct inode *i = p->dentry->inode;
    if ((r->flags & LINUX_O_DIRECTORY) && !inode_is_dir(i))
        return -LINUX_ENOTDIR;
    int err = r->flags & LINUX_O_PATH ? 0 : may_open(r, p);
    if (err)
        return err;
    // What is done at open only does not stay in the file's flags.
    unsigned flags = r->flags & ~(LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_TRUNC | VFS_O_EXEC);
    *out = file_new(r->ctx->vfs, p, flags, mode_of(r->flags, inode_type(i)));
    return *out ? 0 : -LINUX_ENOMEM;
}
static int may_open_file(const struct open_req *r, struct file *f) {
    int err = landlock_may_open(&r->ctx->cred, f);
    return err ? err : break_leases(r, f);
}
static int open_new(const struct open_req *r, struct file *f) {
    int err = may_open_file(r, f);
    if (err) {  // counted nowhere
        f->mode &= FMODE_PATH | FMODE_LEASED;
        return err;
    }
    err = claim_and_open(f, r->ctx);
    if (r->flags & LINUX_O_NOCTTY)
        atomic_fetch_and(&f->flags, ~(uint32_t)LINUX_O_NOCTTY);
    if (err)
        return err;
    notify_opened(f);
    bool cut = (r->flags & LINUX_O_TRUNC) && !r->created && inode_is_reg(f->inode);
    return cut ? truncate_opened(r, f) : 0;
}
// An end of a fifo that has to wait for the other one: the file stays, for vfs_open_again(). Or one that
// waits for a lease.
static bool waits_for_peer(const struct file *f, int err) {
    return err == -LINUX_EAGAIN &&
           ((f->mode & FMODE_LEASED) || (inode_type(f->inode) == LINUX_S_IFIFO && f->priv));
}
// p is taken over.
static int open_found(const struct open_req *r, struct path *p, struct file **out) {
    struct file *f;
    int err = file_for(r, p, &f);
    if (err) {
        path_put(p);
        return err;
    }
    if (r->flags & LINUX_O_PATH) {
        static const struct file_ops path_ops;
        f->ops = &path_ops;
        *out = f;
        return 0;
    }
    err = open_new(r, f);
    if (err && !waits_for_peer(f, err)) {
        file_put(f);
        return err;
    }
    *out = f;
    return err;
}
int file_open_dentry(struct mount *mnt, struct dentry *d, unsigned flags, struct file **out) {
    struct path p = {mnt, d};
    struct vfs_ctx ctx = {.vfs = d->sb->vfs, .cred = {.caps = LINUX_CAP_FULL_SET}, .fsize_limit = UINT64_MAX};
    path_get(&p);
    struct file *f = file_new(ctx.vfs, &p, flags, mode_of(flags, inode_type(d->inode)));
    if (!f) {
        path_put(&p);
        return -LINUX_ENOMEM;
    }
    int err = claim_and_open(f, &ctx);
    if (err) {
        file_put(f);
        return err;
    }
    *out = f;
    return 0;
}

// ---- O_CREAT ----------------------------------------------------------------------------------------------
static int create(struct open_req *r, const struct path *parent, struct dentry *d, uint32_t mode) {
    struct inode *dir = parent->dentry->inode;
    if (path_read_only(parent))
        return -LINUX_EROFS;
    int err = landlock_may(&r->ctx->cred, parent, LINUX_LANDLOCK_ACCESS_FS_MAKE_REG);
    if (err)
        return err;
    err = may_create(dir, &r->ctx->cred);
    if (err)
        return err;
    if (!dir->ops->create)
        return -LINUX_EACCES;
    r->created = true;
    struct vfs_ctx ctx = *r->ctx;
    ctx.open_flags = r->flags;
    err = dir->ops->create(dir, d, LINUX_S_IFREG | mode_for_new(dir, mode & LINUX_S_IALLUGO, &ctx), &ctx);
    if (!err)
        notify_created(dir, d);
    return err;
}
// *d: the last name, which exists, or is made here.
static int find_or_create(struct open_req *r, struct walk *w, uint32_t mode, struct dentry **d) {
    struct dentry *parent = w->cur.dentry;
    struct inode *dir = parent->inode;
    *d = NULL;
    if (!inode_is_dir(dir))
        return -LINUX_ENOTDIR;
    if (dir->sb->no_dcache) {  // asked without the lock, and nothing is made there
        int found = dcache_lookup(parent, w->last, w->last_len, NULL, d);
        if (found || (*d)->inode)
            return found;
        return path_read_only(&w->cur) ? -LINUX_EROFS : -LINUX_EACCES;
    }
    if (!dir->ops->revalidate && !dir->ops->recheck)
        *d = dcache_find(parent, w->last, w->last_len);
    if (*d && (*d)->inode)
        return 0;
    dentry_put(*d);
    *d = NULL;
    LOCKED(&dir->lock);
    int err = dcache_lookup_locked(parent, w->last, w->last_len, NULL, d);
    return err || (*d)->inode ? err : create(r, &w->cur, *d, mode);
}
// One try: 1 when the last name was a link, and the walk goes on behind it.
static int open_last(struct open_req *r, struct walk *w, uint32_t mode, struct path *p) {
    struct dentry *d = NULL;
    if (w->last_type == LAST_ROOT && w->links > 0) {  // a magic link led straight to the object
        *p = w->cur;
        path_get(p);
        return 0;
    }
    if (w->last_type != LAST_NORM)
        return r->flags & LINUX_O_EXCL ? -LINUX_EEXIST : -LINUX_EISDIR;
    if (w->must_dir)
        return -LINUX_EISDIR;
    int err = find_or_create(r, w, mode, &d);
    if (err) {
        dentry_put(d);
        return err;
    }
    const struct super_ops *sops = d->inode->sb->ops;
    r->created |= sops->made && sops->made(d->inode);
    if (!r->created && (r->flags & LINUX_O_EXCL)) {
        dentry_put(d);
        return -LINUX_EEXIST;
    }
    if (inode_is_lnk(d->inode)) {
        err = r->flags & LINUX_O_NOFOLLOW ? -LINUX_ELOOP : walk_into_link(w, d);
        dentry_put(d);
        return err ? err : 1;
    }
    *p = (struct path){mount_get(w->cur.mnt), d};
    path_into_mounts(w->vfs, p);
    if ((w->flags & WALK_NO_XDEV) && p->mnt != w->cur.mnt) {
        path_put(p);
        return -LINUX_EXDEV;
    }
    return 0;
}
// *p, owned: the object that the name leads to, or that is made there.
static int walk_or_create(struct open_req *r, const struct path *base, const char *name, uint32_t mode,
                          unsigned walk, struct path *p) {
    struct walk w cleanup_walk;
    int err = walk_begin(&w, r->ctx, base, name, walk);
    if (err)
        return err;
    do {
        err = walk_run(&w, true);
        if (err)
            return err;
        err = open_last(r, &w, mode, p);
    } while (err == 1);
    return err;
}
static int open_create(struct open_req *r, const struct path *base, const char *name, uint32_t mode,
                       unsigned walk, struct file **out) {
    struct path p;
    int err = walk_or_create(r, base, name, mode, walk, &p);
    if (err)
        return err;
    err = open_found(r, &p, out);
    if (err)
        return err;
    (*out)->mode |= r->created ? FMODE_CREATED : 0;
    return 0;
}

// ---- O_TMPFILE --------------------------------------------------------------------------------------------
static int open_tmpfile(struct open_req *r, struct path *dir, uint32_t mode, struct file **out) {
    struct inode *i = dir->dentry->inode;
    if (!inode_is_dir(i))
        return -LINUX_ENOTDIR;
    if (path_read_only(dir))
        return -LINUX_EROFS;
    int err = vfs_permission(i, MAY_WRITE | MAY_EXEC, &r->ctx->cred);
    if (err)
        return err;
    if (!i->ops->tmpfile)
        return -LINUX_EOPNOTSUPP;
    struct dentry *d = dentry_new(i->sb, dir->dentry, "#tmpfile", 8);
    if (!d)
        return -LINUX_ENOMEM;
    lock_take(&i->lock);
    err = i->dead ? -LINUX_ENOENT
                  : i->ops->tmpfile(i, d, LINUX_S_IFREG | mode_for_new(i, mode & LINUX_S_IALLUGO, r->ctx),
                                    r->ctx);
    lock_drop(&i->lock);
    if (err) {
        dentry_put(d);
        return err;
    }
    d->inode->linkable = !(r->flags & LINUX_O_EXCL);
    r->created = true;
    r->flags &= ~(LINUX_O_DIRECTORY | LINUX___O_TMPFILE);
    struct path p = {mount_get(dir->mnt), d};
    err = open_found(r, &p, out);
    if (err)
        return err;
    atomic_fetch_or(&(*out)->flags, LINUX_O_TMPFILE);
    return 0;
}

int vfs_open(const struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags,
             uint32_t mode, unsigned walk, struct file **out) {
    struct open_req r = {.ctx = ctx};
    struct path p;
    int err = prepare(&r, flags);
    *out = NULL;
    if (err)
        return err;
    if (r.flags & LINUX_O_CREAT)
        return open_create(&r, base, name, mode, walk & ~WALK_FOLLOW, out);
    walk &= ~WALK_FOLLOW;
    if (!(r.flags & LINUX_O_NOFOLLOW))
        walk |= WALK_FOLLOW;
    if (r.flags & LINUX_O_DIRECTORY)
        walk |= WALK_DIRECTORY;
    else if (r.acc == MAY_READ || r.acc == MAY_EXEC)
        walk |= WALK_OPEN;
    err = vfs_walk(ctx, base, name, walk, &p);
    if (err)
        return err;
    if (r.flags & LINUX___O_TMPFILE) {
        err = open_tmpfile(&r, &p, mode, out);
        path_put(&p);
        return err;
    }
    return open_found(&r, &p, out);
}
int vfs_open_again(struct file *f, struct waiter *w) {
    int err = fifo_open_again(f, w);
    if (!err)
        notify_opened(f);
    return err;
}
int vfs_open_path(const struct vfs_ctx *ctx, const struct path *p, unsigned flags, struct file **out) {
    struct open_req r = {.ctx = ctx};
    int err = prepare(&r, flags & ~(LINUX_O_CREAT | LINUX_O_EXCL));
    *out = NULL;
    if (err)
        return err;
    struct path mine = *p;
    path_get(&mine);
    return open_found(&r, &mine, out);
}
