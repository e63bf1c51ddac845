// SPDX-License-Identifier: Apache-2.0
// Open files: counting, and the calls on them. The offset lives here; the object's file_ops see absolute
// offsets. Cost: no host call of our own but what the object makes.
#include "abi/fuse.h"
#include "abi/caps.h"
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "abi/poll.h"
#include "abi/uio.h"
#include "abi/ioctl.h"
#include "fs/core.h"
#include "fs/mnt_ns.h"
#include "fs/notify.h"

// LIMIT: fs.file-max is not there: how many files are open is bounded by RLIMIT_NOFILE and RLIMIT_NPROC
// alone. What they hold in the sentry (buffers of pipes, which fs.pipe-user-pages-soft does not bound, queues
// of sockets, locks, sets of epoll) has a limit for each file, not for all of a user.
struct file *file_new(struct vfs *v, const struct path *p, unsigned flags, unsigned mode) {
    struct file *f = znew(struct file);
    if (!f)
        return NULL;
    ref_init(&f->refs, 1);
    f->path = *p;
    f->inode = p->dentry->inode;
    atomic_init(&f->flags, flags);
    f->mode = mode;
    lock_init(&f->pos_lock, RANK_FILE_POS);
    list_init(&f->epoll_items);
    atomic_fetch_add_explicit(&v->files, 1, memory_order_relaxed);
    return f;
}
struct file *file_get(struct file *f) {
    ref_get(&f->refs);
    return f;
}
void vfs_set_watched_release(struct vfs *vfs, void (*fn)(void *owner, struct file *f), void *owner) {
    vfs->watched_release = fn;
    vfs->watched_owner = owner;
}

void vfs_set_file_told(struct vfs *vfs, void (*fn)(struct file *f)) { vfs->file_told = fn; }

void file_put(struct file *f) {
    if (!f || !ref_put(&f->refs))
        return;
    struct vfs *v = f->path.dentry->sb->vfs;
    // Whoever tells of f finds it by its leases and watches: these go first.
    if (atomic_load_explicit(&f->inode->nleases, memory_order_relaxed))
        leases_release_file(f);
    if (inode_is_dir(f->inode))
        dnotify_end(f);
    if (f->watched && v->watched_release)
        v->watched_release(v->watched_owner, f);
    notify_file(f, f->mode & FMODE_WRITE ? LINUX_IN_CLOSE_WRITE : LINUX_IN_CLOSE_NOWRITE);
    if (atomic_load_explicit(&f->inode->nlocks, memory_order_relaxed))
        locks_release_file(f);
    if (f->ops && f->ops->release)
        f->ops->release(f);
    if (f->mode & FMODE_READER)
        atomic_fetch_sub(&f->inode->readers, 1);
    if (f->mode & FMODE_EXEC)
        inode_exec_end(f->inode);
    else if ((f->mode & FMODE_WRITE) && !(f->mode & FMODE_UNCOUNTED) && inode_is_reg(f->inode))
        inode_write_end(f->inode);
    if (f->mode & FMODE_TREE)
        vfs_tree_end(&f->path);
    path_put(&f->path);
    lock_destroy(&f->pos_lock);
    free(f);
    atomic_fetch_sub_explicit(&v->files, 1, memory_order_relaxed);
}

static void cut(struct uio *u) {
    if (u->left > LINUX_MAX_RW_COUNT)
        u->left = LINUX_MAX_RW_COUNT;
}
static int may_read(const struct file *f) {
    if (!(f->mode & FMODE_READ))
        return -LINUX_EBADF;
    if (inode_is_dir(f->inode))
        return -LINUX_EISDIR;
    return f->ops->read ? 0 : -LINUX_EINVAL;
}
static int may_write(const struct file *f) {
    if (!(f->mode & FMODE_WRITE))
        return -LINUX_EBADF;
    return f->ops->write ? 0 : -LINUX_EINVAL;
}
// As rw_verify_area() of Linux: no byte of a transfer lies beyond the last offset.
static bool beyond(uint64_t off, const struct uio *u) {
    return off > INT64_MAX || u->left > (uint64_t)INT64_MAX - off;
}
// O_DIRECT, as a disk of 512-byte blocks has it: offset and length are multiples of that. What lies in memory
// does not mind; nor do we: our files are read and written as ever.
unsigned vfs_direct_align(const struct inode *i) {
    uint64_t magic = i->sb->magic;
    bool disk = magic == LINUX_OVERLAYFS_SUPER_MAGIC || magic == LINUX_V9FS_MAGIC;
    return disk && inode_is_reg(i) ? 512 : 0;
}
static bool misaligned(struct file *f, const struct uio *u, uint64_t off) {
    if (!(atomic_load_explicit(&f->flags, memory_order_relaxed) & LINUX_O_DIRECT))
        return false;
    unsigned align = vfs_direct_align(f->inode);
    return align && (((off | u->left) & (align - 1)) || u->odd);
}
static int64_t read_from(struct file *f, struct uio *u, uint64_t off) {
    struct vfs_attr a;
    if (!misaligned(f, u, off))
        return f->ops->read(f, u, off);
    int err = inode_attr(f->inode, &a);
    if (err)
        return err;
    return off >= a.size || u->left == 0 ? 0 : -LINUX_EINVAL;
}
// What was moved is told.
static int64_t accessed(struct file *f, int64_t n) {
    if (n > 0)
        notify_file(f, LINUX_IN_ACCESS);
    return n;
}
static int64_t modified(struct file *f, const struct uio *u, int64_t n) {
    if (n <= 0)
        return n;
    notify_file(f, LINUX_IN_MODIFY);
    struct vfs_use *use = f->inode->sb->vfs->use;
    if (use && inode_is_reg(f->inode) && f->inode->sb != f->inode->sb->vfs->nameless[NAMELESS_ANON]->sb)
        atomic_fetch_add_explicit(&use->written, (uint64_t)n, memory_order_relaxed);
    // A daemon of FUSE is asked for that within the write, before the offset moves (fs/fuse/file.c).
    bool within = f->inode->sb->magic == LINUX_FUSE_SUPER_MAGIC;
    if (!vfs_writes_through(f, u->flags) || !f->ops->fsync || within)
        return n;
    bool all = (u->flags & LINUX_RWF_SYNC) || (atomic_load(&f->flags) & LINUX___O_SYNC);
    int err = f->ops->fsync(f, !all);
    return err ? err : n;
}
bool vfs_writes_through(struct file *f, int rwf) {
    unsigned flags = atomic_load_explicit(&f->flags, memory_order_relaxed);
    return inode_is_reg(f->inode) && ((rwf & (LINUX_RWF_SYNC | LINUX_RWF_DSYNC)) || (flags & LINUX_O_DSYNC));
}
static bool own_pos(const struct file *f) { return (f->mode & FMODE_SEEK) && !(f->mode & FMODE_OWN_POS); }

int64_t vfs_read(struct file *f, struct uio *u) {
    int err = may_read(f);
    if (err)
        return err;
    cut(u);
    if (!own_pos(f))
        return accessed(f, f->ops->read(f, u, FILE_OWN_POS));
    LOCKED(&f->pos_lock);
    if (beyond(f->pos, u))
        return -LINUX_EINVAL;
    int64_t n = read_from(f, u, f->pos);
    if (n > 0)
        f->pos += (uint64_t)n;
    return accessed(f, n);
}
int64_t vfs_pread(struct file *f, struct uio *u, uint64_t off) {
    int err = may_read(f);
    if (err)
        return err;
    if (!(f->mode & FMODE_SEEK))
        return -LINUX_ESPIPE;
    cut(u);
    return beyond(off, u) ? -LINUX_EINVAL : accessed(f, read_from(f, u, off));
}

static int drop_priv(const struct vfs_ctx *ctx, struct file *f) {
    unsigned kill = ctx ? inode_must_drop_priv(f->inode, &ctx->cred) : 0;
    struct vfs_attr a = {0};
    return kill ? dentry_setattr(f->path.dentry, &a, kill) : 0;
}
static uint64_t size_limit(const struct vfs_ctx *ctx) {
    return ctx && ctx->fsize_limit < INT64_MAX ? ctx->fsize_limit : INT64_MAX;
}
// A regular file's write that comes to lie at `place`; `off` is what the object is told.
static int64_t write_placed(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t place,
                            uint64_t off) {
    uint64_t limit = size_limit(ctx);
    if (u->left == 0)
        return 0;
    if (place >= limit)
        return -LINUX_EFBIG;
    size_t left = u->left, n = left < limit - place ? left : (size_t)(limit - place);
    if (misaligned(f, u, place))
        return -LINUX_EINVAL;
    int err = drop_priv(ctx, f);
    if (err)
        return err;
    u->left = n;
    int64_t done = f->ops->write(f, u, off);
    u->left += left - n;
    return done;
}
static int64_t write_at(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t off) {
    return write_placed(ctx, f, u, off, off);
}
// At the end of the file. The stripe makes "the end" and the write there one step among appenders of this
// sandbox.
// LIMIT: other processes of the host that append to the same file may interleave.
static int64_t append(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t *end) {
    struct vfs *v = f->path.dentry->sb->vfs;
    struct lock *l = &v->append[((uintptr_t)f->inode >> 7) % APPEND_STRIPES];
    struct vfs_attr a;
    lock_nested(l);
    int64_t n = inode_attr(f->inode, &a);
    if (n == 0)
        n = write_at(ctx, f, u, a.size);
    lock_drop(l);
    if (n >= 0)
        *end = a.size + (uint64_t)n;
    return n;
}
static bool appends(struct file *f, const struct uio *u) {
    if (u->flags & LINUX_RWF_APPEND)
        return true;
    return (atomic_load_explicit(&f->flags, memory_order_relaxed) & LINUX_O_APPEND) &&
           !(u->flags & LINUX_RWF_NOAPPEND) && inode_is_reg(f->inode);
}
// A file whose object keeps the offset, and appends by itself. Where that is is asked only when a limit wants
// to know.
static int64_t write_own_pos(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t off) {
    struct vfs_attr a = {0};
    if (!inode_is_reg(f->inode))
        return f->ops->write(f, u, off);
    if (size_limit(ctx) == INT64_MAX)
        return write_placed(ctx, f, u, 0, off);
    uint64_t place = off == FILE_OWN_POS ? (uint64_t)vfs_pos(f) : off;
    int err = appends(f, u) ? inode_attr(f->inode, &a) : 0;
    return err ? err : write_placed(ctx, f, u, appends(f, u) ? a.size : place, off);
}
static int64_t write_on(const struct vfs_ctx *ctx, struct file *f, struct uio *u) {
    LOCKED(&f->pos_lock);
    if (beyond(f->pos, u))
        return -LINUX_EINVAL;
    if (!inode_is_reg(f->inode)) {
        int64_t n = f->ops->write(f, u, f->pos);
        f->pos += n > 0 ? (uint64_t)n : 0;
        return n;
    }
    if (appends(f, u))
        return append(ctx, f, u, &f->pos);
    int64_t n = write_at(ctx, f, u, f->pos);
    if (n > 0)
        f->pos += (uint64_t)n;
    return n;
}
int64_t vfs_write(const struct vfs_ctx *ctx, struct file *f, struct uio *u) {
    int err = may_write(f);
    if (err)
        return err;
    cut(u);
    if (f->mode & FMODE_OWN_POS)
        return modified(f, u, write_own_pos(ctx, f, u, FILE_OWN_POS));
    return modified(f, u, own_pos(f) ? write_on(ctx, f, u) : f->ops->write(f, u, FILE_OWN_POS));
}
int64_t vfs_pwrite(const struct vfs_ctx *ctx, struct file *f, struct uio *u, uint64_t off) {
    uint64_t end;
    if (!(f->mode & FMODE_SEEK))
        return -LINUX_ESPIPE;
    int err = may_write(f);
    if (err)
        return err;
    cut(u);
    if (beyond(off, u))
        return -LINUX_EINVAL;
    if (f->mode & FMODE_OWN_POS)
        return modified(f, u, write_own_pos(ctx, f, u, off));
    if (!inode_is_reg(f->inode))
        return modified(f, u, f->ops->write(f, u, off));
    return modified(f, u, appends(f, u) ? append(ctx, f, u, &end) : write_at(ctx, f, u, off));
}

// ---- Offsets and listings ---------------------------------------------------------------------------------
static int seek_from(uint64_t from, int64_t off, int64_t *pos) {
    return __builtin_add_overflow((int64_t)from, off, pos) || *pos < 0 ? -LINUX_EINVAL : 0;
}
static int seek_place(struct file *f, int64_t off, int whence, int64_t *pos) {
    if (whence == LINUX_SEEK_SET)
        return seek_from(0, off, pos);
    if (whence == LINUX_SEEK_CUR)
        return seek_from(f->pos, off, pos);
    if (f->ops->seek == SEEK_NO_END)
        return -LINUX_EINVAL;
    struct vfs_attr a;
    int err = inode_attr(f->inode, &a);
    if (err)
        return err;
    if (whence == LINUX_SEEK_END)
        return seek_from(a.size, off, pos);
    if (off < 0 || (uint64_t)off >= a.size)  // all data, then the hole at the end
        return -LINUX_ENXIO;
    *pos = whence == LINUX_SEEK_DATA ? off : (int64_t)a.size;
    return 0;
}
int64_t vfs_llseek(struct file *f, int64_t off, int whence) {
    if (whence < 0 || whence > LINUX_SEEK_HOLE)
        return -LINUX_EINVAL;
    if (f->ops->seek == SEEK_NOWHERE)
        return 0;
    if (!(f->mode & FMODE_SEEK))
        return f->mode & FMODE_PATH ? -LINUX_EBADF : -LINUX_ESPIPE;
    if ((f->mode & FMODE_OWN_POS) && f->ops->llseek)
        return f->ops->llseek(f, off, whence);
    LOCKED(&f->pos_lock);
    int64_t pos;
    if (f->ops->llseek && (whence >= LINUX_SEEK_DATA || inode_type(f->inode) == LINUX_S_IFCHR)) {
        pos = f->ops->llseek(f, off, whence);
        if (pos < 0)
            return pos;
    } else {
        int err = seek_place(f, off, whence, &pos);
        if (err)
            return err;
    }
    f->pos = (uint64_t)pos;
    return pos;
}
int64_t vfs_pos(struct file *f) {
    if (f->mode & FMODE_OWN_POS) {
        int64_t at = vfs_llseek(f, 0, LINUX_SEEK_CUR);
        return at > 0 ? at : 0;
    }
    LOCKED(&f->pos_lock);
    return (int64_t)f->pos;
}
static int list_locked(struct file *f, struct readdir_sink *s) {
    struct inode *i = f->inode;
    LOCKED(&i->lock);
    return i->dead ? -LINUX_ENOENT : f->ops->readdir(f, s, &f->pos);
}
int vfs_readdir(struct file *f, struct readdir_sink *s) {
    struct inode *i = f->inode;
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (!inode_is_dir(i) || !f->ops->readdir)
        return -LINUX_ENOTDIR;
    LOCKED(&f->pos_lock);
    if (i->sb->no_dcache)
        return f->ops->readdir(f, s, &f->pos);
    int err = list_locked(f, s);
    if (!err)
        notify_file(f, LINUX_IN_ACCESS);
    return err;
}

// As can_do_cachestat() of Linux.
static bool may_see_cache(const struct vfs_cred *c, const struct file *f) {
    return (f->mode & FMODE_WRITE) || c->fsuid == f->inode->attr.uid ||
           cred_has_over(c, f->inode, LINUX_CAP_FOWNER) || vfs_permission(f->inode, MAY_WRITE, c) == 0;
}
static uint64_t pages_of_runs(const struct vfs_ctx *ctx, struct file *f, uint64_t at, uint64_t end) {
    uint64_t pages = 0;
    while (at < end && !vfs_caller_dies(ctx->vfs)) {
        int64_t data = f->ops->llseek(f, (int64_t)at, LINUX_SEEK_DATA);
        int64_t hole = data < 0 ? data : f->ops->llseek(f, data, LINUX_SEEK_HOLE);
        if (hole < 0 || (uint64_t)data >= end)
            break;
        uint64_t stop = (uint64_t)hole < end ? page_up((uint64_t)hole) : end;
        pages += (stop - page_down((uint64_t)data)) / GUEST_PAGE_SIZE;
        at = stop;
    }
    return pages;
}
// The host keeps its files' pages for all its users: whose they are is not told, as to who may not write.
int vfs_cached_pages(const struct vfs_ctx *ctx, struct file *f, uint64_t start, uint64_t end,
                     uint64_t *pages) {
    uint64_t magic = f->inode->sb->magic;
    *pages = 0;
    if (!inode_is_reg(f->inode))
        return 0;
    if (magic == LINUX_V9FS_MAGIC || magic == LINUX_OVERLAYFS_SUPER_MAGIC)
        return -LINUX_EPERM;
    if (magic != LINUX_TMPFS_MAGIC)
        return 0;
    if (!may_see_cache(&ctx->cred, f))
        return -LINUX_EPERM;
    end = end < INT64_MAX ? end : INT64_MAX & GUEST_PAGE_MASK;
    *pages = start < end ? pages_of_runs(ctx, f, start, end) : 0;
    return 0;
}

// ---- The rest ---------------------------------------------------------------------------------------------
bool file_splices(const struct file *f) {
    uint32_t type = inode_type(f->inode);
    return type == LINUX_S_IFREG || type == LINUX_S_IFIFO || type == LINUX_S_IFSOCK || type == LINUX_S_IFCHR;
}
uint32_t vfs_poll(struct file *f, struct waiter *w) {
    if (f->ops && f->ops->poll)
        return f->ops->poll(f, w);
    return LINUX_POLLIN | LINUX_POLLOUT | LINUX_POLLRDNORM | LINUX_POLLWRNORM;
}
// FIONREAD of a regular file: what is left behind the offset.
static int64_t bytes_to_read(struct file *f, uint64_t arg, struct uaccess *ua) {
    struct vfs_attr a;
    int err = vfs_getattr(&f->path, &a);
    if (err)
        return err;
    int32_t left = (int32_t)((int64_t)a.size - vfs_llseek(f, 0, LINUX_SEEK_CUR));
    return ua->out(ua, uaddr(arg), &left, sizeof left);
}
// What Linux answers for every file system: of blocks, which ours do not have, there is little to be said.
static int64_t block_ioctl(const struct vfs_ctx *ctx, struct file *f, unsigned cmd, uint64_t arg,
                           struct uaccess *ua) {
    const int32_t size = GUEST_PAGE_SIZE;
    struct vfs_attr a;
    bool reg = inode_is_reg(f->inode), sized = reg || inode_is_dir(f->inode);
    switch (cmd) {
    case LINUX_FIGETBSZ:
        return ua->out(ua, uaddr(arg), &size, sizeof size);
    case LINUX_FIOQSIZE: {
        int err = sized ? vfs_getattr(&f->path, &a) : -LINUX_ENOTTY;
        int64_t bytes = err ? 0 : (int64_t)a.size;
        return err ? err : ua->out(ua, uaddr(arg), &bytes, sizeof bytes);
    }
    case LINUX_FIBMAP:
        if (!reg)
            return -LINUX_ENOTTY;
        return cred_has(&ctx->cred, LINUX_CAP_SYS_RAWIO) ? -LINUX_EINVAL : -LINUX_EPERM;
    case LINUX_FIDEDUPERANGE:
        return reg ? -LINUX_EOPNOTSUPP : -LINUX_ENOTTY;
    case LINUX_FS_IOC_FIEMAP:
        return -LINUX_EOPNOTSUPP;
    default:
        return -LINUX_ENOTTY;
    }
}
int64_t vfs_ioctl(const struct vfs_ctx *ctx, struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (cmd == LINUX_FIONREAD && inode_is_reg(f->inode))
        return bytes_to_read(f, arg, ua);
    int64_t r = block_ioctl(ctx, f, cmd, arg, ua);
    if (r != -LINUX_ENOTTY)
        return r;
    r = fileattr_ioctl(ctx, f, cmd, arg, ua);
    if (r != -LINUX_ENOTTY)
        return r;
    return f->ops->ioctl ? f->ops->ioctl(f, cmd, arg, ua) : -LINUX_ENOTTY;
}
int vfs_fsync(struct file *f, bool data_only) {
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (!inode_is_reg(f->inode) && !inode_is_dir(f->inode))
        return -LINUX_EINVAL;
    return f->ops->fsync ? f->ops->fsync(f, data_only) : 0;
}
int vfs_sync_fd(struct file *f) {
    bool may = !(f->mode & FMODE_PATH) && inode_is_reg(f->inode);
    return may && f->ops->sync_fd ? f->ops->sync_fd(f) : -1;
}
// RLIMIT_FSIZE, as inode_newsize_ok() of Linux has it: what lies within the size is never refused, and
// KEEP_SIZE is no way past it where blocks are memory. (Disk file systems let that one pass, and these files
// are the host's to bound.)
static int check_allocation(const struct vfs_ctx *ctx, struct file *f, int mode, uint64_t end) {
    struct vfs_attr a;
    bool exempt = mode & LINUX_FALLOC_FL_PUNCH_HOLE ||
                  (mode & LINUX_FALLOC_FL_KEEP_SIZE && f->inode->sb->magic != LINUX_TMPFS_MAGIC &&
                   f->inode->sb->magic != LINUX_OVERLAYFS_SUPER_MAGIC);
    if (exempt || !ctx || end <= ctx->fsize_limit)
        return 0;
    int err = inode_attr(f->inode, &a);
    if (err)
        return err;
    return end > a.size ? -LINUX_EFBIG : 0;
}
// What Linux knows, alone or with KEEP_SIZE. Holes are punched with it alone, ranges collapsed and inserted
// without it.
static bool fallocate_mode_known(int mode) {
    switch (mode & ~LINUX_FALLOC_FL_KEEP_SIZE) {
    case 0:
    case LINUX_FALLOC_FL_ZERO_RANGE:
    case LINUX_FALLOC_FL_UNSHARE_RANGE:
        return true;
    case LINUX_FALLOC_FL_PUNCH_HOLE:
        return mode & LINUX_FALLOC_FL_KEEP_SIZE;
    case LINUX_FALLOC_FL_COLLAPSE_RANGE:
    case LINUX_FALLOC_FL_INSERT_RANGE:
        return !(mode & LINUX_FALLOC_FL_KEEP_SIZE);
    default:
        return false;
    }
}
static int may_fallocate(struct file *f, int mode, uint64_t off, uint64_t len, uint64_t *end) {
    const int served = LINUX_FALLOC_FL_KEEP_SIZE | LINUX_FALLOC_FL_PUNCH_HOLE | LINUX_FALLOC_FL_ZERO_RANGE;
    if (off > INT64_MAX || len == 0 || len > INT64_MAX)
        return -LINUX_EINVAL;
    if (!fallocate_mode_known(mode))
        return -LINUX_EOPNOTSUPP;
    if (!(f->mode & FMODE_WRITE))
        return -LINUX_EBADF;
    // What is only appended to may grow.
    if (inode_flagged(f->inode, LINUX_FS_IMMUTABLE_FL) ||
        (inode_flagged(f->inode, LINUX_FS_APPEND_FL) && (mode & ~LINUX_FALLOC_FL_KEEP_SIZE)))
        return -LINUX_EPERM;
    unsigned type = inode_type(f->inode);
    if (type == LINUX_S_IFIFO)
        return -LINUX_ESPIPE;
    if (type == LINUX_S_IFDIR)
        return -LINUX_EISDIR;
    if (type != LINUX_S_IFREG)
        return -LINUX_ENODEV;
    if (__builtin_add_overflow(off, len, end) || *end > INT64_MAX)
        return -LINUX_EFBIG;
    // LIMIT: collapse, insert and unshare are refused, as tmpfs does.
    return f->ops->fallocate && !(mode & ~served) ? 0 : -LINUX_EOPNOTSUPP;
}
int vfs_fallocate(const struct vfs_ctx *ctx, struct file *f, int mode, uint64_t off, uint64_t len) {
    uint64_t end;
    int err = may_fallocate(f, mode, off, len, &end);
    if (err)
        return err;
    err = check_allocation(ctx, f, mode, end);
    if (err)
        return err;
    err = drop_priv(ctx, f);
    if (err)
        return err;
    err = f->ops->fallocate(f, mode, off, len);
    if (err)
        return err;
    notify_file(f, LINUX_IN_MODIFY);
    return 0;
}
int vfs_mmap_fd(struct file *f, int prot, bool shared) {
    if (shared && (f->mode & FMODE_WRITE) && inode_flagged(f->inode, LINUX_FS_APPEND_FL))
        return -LINUX_EACCES;
    return f->ops && f->ops->mmap_fd ? f->ops->mmap_fd(f, prot, shared) : -LINUX_ENODEV;
}
void vfs_flush(struct file *f, void *owner) {
    if (inode_is_dir(f->inode))
        dnotify_flush(f, owner);
    if (atomic_load_explicit(&f->inode->nlocks, memory_order_relaxed)) {
        struct linux_flock all = {.l_type = LINUX_F_UNLCK, .l_whence = LINUX_SEEK_SET};
        vfs_lock(f, owner, 0, &all);
    }
    if (f->ops && f->ops->flush)
        f->ops->flush(f, owner);
}
int64_t vfs_kread(struct file *f, void *buf, size_t n, uint64_t off) {
    struct uio_kernel k;
    size_t done = 0;
    while (done < n) {
        uio_kernel_init(&k, (char *)buf + done, n - done);
        int64_t got = f->ops->read ? f->ops->read(f, &k.u, off + done) : -LINUX_EINVAL;
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return accessed(f, (int64_t)done);
}
