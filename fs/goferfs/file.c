// SPDX-License-Identifier: Apache-2.0
// Regular files, symlinks and the rest of goferfs. The gofer donates a descriptor at the first open; it stays
// with the inode, so later opens, reads, writes, maps and fsync make no round trip. Called by the VFS. Host
// calls: one preadv2 or pwrite for each 64 KiB.
//
// Device, fifo and socket nodes have attributes only; a device answers ENXIO on open. (A fifo's inode lives
// in the sandbox: who opens it meets other guests, never a host process.)
#include "fs/goferfs/node.h"
#include "abi/misc.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int file_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct gfs *g = gfs_of(i);
    LOCKED(&g->lock);
    int err = node_open(g, i, f->flags);
    if (err)
        return err;
    f->ops = &gfs_file_fops;
    f->priv = node_of(i);
    return 0;
}

static void file_release(struct file *f) {
    struct gfs *g = gfs_of(f->inode);
    if (!f->priv)
        return;
    LOCKED(&g->lock);
    node_close(g, f->priv);
}

static int64_t file_read(struct file *f, struct uio *u, uint64_t off) {
    struct node *n = f->priv;
    return n->fd_read < 0 ? -LINUX_EBADF : uio_read_disk(n->fd_read, u, off);
}

// By how many bytes a file grows that is to reach to `end`.
static int64_t growth(uint64_t size, uint64_t end) { return end > size ? (int64_t)(end - size) : 0; }

// LIMIT: of a write that would go past --disk nothing is done, where a full disk takes a part.
static int64_t file_write(struct file *f, struct uio *u, uint64_t off) {
    struct node *n = f->priv;
    struct vfs_attr *a = &f->inode->attr;
    const struct vfs *v = f->inode->sb->vfs;
    struct hostfile *host = n->file;
    if (n->fd_write < 0 || !host)
        return -LINUX_EBADF;
    LOCKED_NESTED(&host->lock);
    uint64_t was = off + u->left > host->counted || !host->sure ? node_size(n) : host->counted;
    int64_t more = growth(was, off + u->left);
    if (!vfs_use_disk(v, more))
        return -LINUX_ENOSPC;
    int64_t done = uio_write_fd(n->fd_write, u, off);
    int64_t grown = done > 0 ? growth(was, off + (uint64_t)done) : 0;
    vfs_use_disk(v, grown - more);
    host->counted = was + (uint64_t)grown;
    if (done <= 0)
        return done;
    uint64_t size = __atomic_load_n(&a->size, __ATOMIC_RELAXED), end = off + (uint64_t)done;
    while (size < end &&
           !__atomic_compare_exchange_n(&a->size, &size, end, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    gfs_linked_changed(f->inode);
    atomic_store(&n->checked, 0);  // the times: asked for when somebody wants to see them
    return done;
}

static int file_sync_fd(struct file *f) {
    struct node *n = f->priv;
    int fd = n->fd_write >= 0 ? n->fd_write : n->fd_read;
    return gfs_of(f->inode)->stable ? -1 : fd;
}
static int file_fsync(struct file *f, bool data_only) {
    int fd = file_sync_fd(f);
    if (fd < 0)
        return 0;
    return (data_only ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

static int file_fallocate(struct file *f, int mode, uint64_t off, uint64_t len) {
    struct node *n = f->priv;
    if (n->fd_write < 0 || !n->file)
        return -LINUX_EBADF;
    const struct vfs *v = f->inode->sb->vfs;
    bool keeps = mode & LINUX_FALLOC_FL_KEEP_SIZE, frees = mode & LINUX_FALLOC_FL_PUNCH_HOLE;
    LOCKED_NESTED(&n->file->lock);
    uint64_t was = node_size(n);
    int64_t more = growth(was, off + len);
    if (keeps && !frees && more > 0 && vfs_disk_limited(v))
        return -LINUX_EOPNOTSUPP;  // LIMIT: blocks behind a file's end cannot be counted against --disk
    more = keeps ? 0 : more;
    if (!vfs_use_disk(v, more))
        return -LINUX_ENOSPC;
    if (fallocate(n->fd_write, mode, (off_t)off, (off_t)len) < 0) {
        int err = errno;
        vfs_use_disk(v, -more);
        return -err;
    }
    n->file->counted = was + (uint64_t)more;
    struct gfs *g = gfs_of(f->inode);
    uint64_t h;
    const char *name;
    struct gofer_attr a;
    LOCKED(&g->lock);
    if (!node_target(g, n, &h, &name) && !client_getattr(g->c, h, name, &a))
        gfs_update(f->inode, &a);
    return 0;
}

// Private maps need only to be readable. The descriptors stay while the file is open.
static int file_mmap_fd(struct file *f, int prot, bool shared) {
    struct node *n = f->priv;
    if (!(f->mode & FMODE_READ))
        return -LINUX_EACCES;
    if (!shared || !(f->mode & FMODE_WRITE))
        return n->fd_read;
    return n->fd_write >= 0 ? n->fd_write : -LINUX_EACCES;
}

const struct file_ops gfs_file_fops = {
    .read = file_read,
    .write = file_write,
    .fsync = file_fsync,
    .sync_fd = file_sync_fd,
    .fallocate = file_fallocate,
    .mmap_fd = file_mmap_fd,
    .release = file_release,
};

static int ask_link(struct inode *i, char text[GOFER_PATH_MAX + 1]) {
    struct gfs *g = gfs_of(i);
    uint64_t h;
    const char *name;
    LOCKED(&g->lock);
    int err = node_target(g, node_of(i), &h, &name);
    return err ? err : client_readlink(g->c, h, name, text);
}
static int link_read(struct inode *i, char *buf, size_t size) {
    char text[GOFER_PATH_MAX + 1];
    const char *target = node_of(i)->link;
    if (!target) {
        int err = ask_link(i, text);
        if (err < 0)
            return err;
        target = text;
    }
    size_t len = strlen(target);
    if (len >= size)
        return -LINUX_ENAMETOOLONG;
    memcpy(buf, target, len + 1);
    return 0;
}

const struct inode_ops gfs_file_ops = {
    .getxattr = gfs_getxattr,
    .listxattr = gfs_listxattr,
    .open = file_open,
    .evict = gfs_evict,
};
const struct inode_ops gfs_file_live_ops = {
    .getattr = gfs_getattr,
    .setattr = gfs_setattr,
    .getxattr = gfs_getxattr,
    .setxattr = gfs_setxattr,
    .listxattr = gfs_listxattr,
    .removexattr = gfs_removexattr,
    .open = file_open,
    .evict = gfs_evict,
};
const struct inode_ops gfs_link_ops = {.readlink = link_read, .evict = gfs_evict};
const struct inode_ops gfs_link_live_ops = {
    .readlink = link_read,
    .getattr = gfs_getattr,
    .setattr = gfs_setattr,
    .evict = gfs_evict,
};
// Without an open and without file_ops: the VFS answers ENXIO for a device or socket, and opens a fifo
// itself.
const struct inode_ops gfs_other_ops = {.evict = gfs_evict};
const struct inode_ops gfs_other_live_ops = {.getattr = gfs_getattr, .evict = gfs_evict};
