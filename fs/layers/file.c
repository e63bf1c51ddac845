// SPDX-License-Identifier: Apache-2.0
// Open files: each has the object's own file open, and hands its calls on. One that was opened for reading
// before the object was copied up goes over to the copy; the first file stays open beside it, for whoever is
// still in the middle of a call on it, and for its mappings.
#include "fs/layers/layers.h"

struct ofile {  // file->priv
    struct lock lock;                // RANK_OBJECT
    _Atomic(struct file *) real;     // owned
    _Atomic bool upper;              // real is of the upper layer
    struct file *old;                // [lock] owned: what was there before, or NULL
};

static int open_real(struct inode *i, unsigned mode, struct file **out, bool *upper) {
    struct path p = lnode_real(layers_of(i), lnode(i));
    int mask = (mode & FMODE_READ ? MAY_READ : 0) | (mode & FMODE_WRITE ? MAY_WRITE : 0);
    *upper = p.mnt == layers_of(i)->upper;
    return layers_open_real(layers_of(i), &p, mode & FMODE_WRITE ? LINUX_O_RDWR : LINUX_O_RDONLY, mask, out);
}
int layers_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    bool upper;
    int err = f->mode & FMODE_WRITE ? layers_copy_up(i, UINT64_MAX) : 0;
    struct ofile *o = err ? NULL : znew(struct ofile);
    struct file *real;
    if (!o)
        return err ? err : -LINUX_ENOMEM;
    err = open_real(i, f->mode, &real, &upper);
    if (err) {
        free(o);
        return err;
    }
    lock_init(&o->lock, RANK_OBJECT);
    atomic_init(&o->real, real);
    atomic_init(&o->upper, upper);
    f->priv = o;
    f->ops = &layers_file_fops;
    return 0;
}
int layers_open_device(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct inode *real = lnode_real(layers_of(i), lnode(i)).dentry->inode;
    f->ops = real->fops;
    return real->ops->open ? real->ops->open(real, f, ctx) : 0;
}
static void release(struct file *f) {
    struct ofile *o = f->priv;
    if (!o)
        return;
    file_put(atomic_load(&o->real));
    file_put(o->old);
    lock_destroy(&o->lock);
    free(o);
}
// The object's file; borrowed, for as long as ours is open.
static int real_of(struct file *f, struct file **out) {
    struct ofile *o = f->priv;
    struct file *fresh;
    bool upper;
    *out = atomic_load_explicit(&o->real, memory_order_acquire);
    if (atomic_load(&o->upper) || !lnode_upper(lnode(f->inode)))
        return 0;
    int err = open_real(f->inode, FMODE_READ, &fresh, &upper);
    if (err)
        return err;
    {
        LOCKED(&o->lock);
        if (!atomic_load(&o->upper)) {
            o->old = atomic_exchange(&o->real, fresh);
            atomic_store(&o->upper, true);
            fresh = NULL;
        }
    }
    file_put(fresh);
    *out = atomic_load(&o->real);
    return 0;
}

static int64_t read_real(struct file *f, struct uio *u, uint64_t off) {
    struct file *real;
    int err = real_of(f, &real);
    if (err)
        return err;
    return real->ops->read ? real->ops->read(real, u, off) : -LINUX_EINVAL;
}
static int64_t write_real(struct file *f, struct uio *u, uint64_t off) {
    struct file *real;
    int err = real_of(f, &real);
    if (err)
        return err;
    return real->ops->write ? real->ops->write(real, u, off) : -LINUX_EINVAL;
}
static int64_t seek_real(struct file *f, int64_t off, int whence) {
    struct file *real;
    struct vfs_attr a;
    int err = real_of(f, &real);
    if (!err && real->ops->llseek)
        return real->ops->llseek(real, off, whence);
    err = err ? err : inode_attr(f->inode, &a);
    if (err)
        return err;
    if (off < 0 || (uint64_t)off >= a.size)
        return -LINUX_ENXIO;
    return whence == LINUX_SEEK_DATA ? off : (int64_t)a.size;
}
static int sync_real(struct file *f, bool data_only) {
    struct file *real;
    int err = real_of(f, &real);
    return !err && real->ops->fsync ? real->ops->fsync(real, data_only) : err;
}
static int allocate_real(struct file *f, int mode, uint64_t off, uint64_t len) {
    struct file *real;
    int err = real_of(f, &real);
    if (err)
        return err;
    return real->ops->fallocate ? real->ops->fallocate(real, mode, off, len) : -LINUX_EOPNOTSUPP;
}
static int map_real(struct file *f, int prot, bool shared) {
    struct file *real;
    int err = real_of(f, &real);
    if (err)
        return err;
    return real->ops->mmap_fd ? real->ops->mmap_fd(real, prot, shared) : -LINUX_ENODEV;
}
static int place_real(struct file *f, uint64_t *off, uint64_t len) {
    struct file *real;
    int err = real_of(f, &real);
    return !err && real->ops->mmap_at ? real->ops->mmap_at(real, off, len) : err;
}
const struct file_ops layers_file_fops = {
    .read = read_real, .write = write_real, .llseek = seek_real, .fsync = sync_real,
    .fallocate = allocate_real, .mmap_fd = map_real, .mmap_at = place_real, .release = release};
