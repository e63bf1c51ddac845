// SPDX-License-Identifier: Apache-2.0
// The bytes of lower files: read and mapped straight from the lower file (no copy, no further cost than its
// own), and copied up at the first write, truncation or shared mapping of a file that is open for writing.
// Nothing is locked while the lower file is read: the copy is made aside, and put in place under the inode's
// lock by whoever is first. An open file reads through its node, so it sees the copy from then on; a mapping
// made before does not.
#include "base/cleanup.h"
#include "fs/overlay/overlay.h"
#include <string.h>

#define CHUNK 65536u

// ---- The lower file, open as long as somebody may need it -------------------------------------------------
static int hold(struct inode *i) {
    struct tnode *n = tnode(i);
    struct overlay *o = overlay_of(i);
    struct file *f = NULL;
    lock_take(&o->lock);
    bool open = n->lower_file;
    if (open)
        n->holders++;
    lock_drop(&o->lock);
    if (open)
        return 0;
    int err = file_open_dentry(NULL, n->lower, LINUX_O_RDONLY, &f);
    if (err)
        return err;
    lock_take(&o->lock);
    n->holders++;
    if (!n->lower_file) {
        n->lower_file = f;
        f = NULL;
    }
    lock_drop(&o->lock);
    file_put(f);
    return 0;
}
static void unhold(struct inode *i) {
    struct tnode *n = tnode(i);
    struct overlay *o = overlay_of(i);
    struct file *f = NULL;
    lock_take(&o->lock);
    if (--n->holders == 0) {
        f = n->lower_file;
        n->lower_file = NULL;
    }
    lock_drop(&o->lock);
    file_put(f);
}
// file->priv says whether this open file holds it. Once the data is ours nobody needs it any more.
int ovl_open(struct inode *i, struct file *f) {
    if (!atomic_load(&tnode(i)->lower_data))
        return 0;
    int err = hold(i);
    if (err)
        return err;
    f->priv = i;
    return 0;
}
void ovl_release(struct file *f) {
    if (f->priv)
        unhold(f->inode);
}
// All three run on an open file that holds.
int64_t ovl_read(struct file *f, struct uio *u, uint64_t off) {
    struct file *lower = tnode(f->inode)->lower_file;
    return lower->ops->read(lower, u, off);
}
int64_t ovl_llseek(struct file *f, int64_t off, int whence) {
    struct file *lower = tnode(f->inode)->lower_file;
    uint64_t size = f->inode->attr.size;
    if ((uint64_t)off >= size)
        return -LINUX_ENXIO;
    if (lower->ops->llseek)
        return lower->ops->llseek(lower, off, whence);
    return whence == LINUX_SEEK_DATA ? off : (int64_t)size;
}
int ovl_mmap_fd(struct file *f, int prot, bool shared) {
    struct file *lower = tnode(f->inode)->lower_file;
    return lower->ops->mmap_fd ? lower->ops->mmap_fd(lower, prot, shared) : -LINUX_ENODEV;
}
int ovl_readlink(struct inode *i, char *buf, size_t size) {
    struct tnode *n = tnode(i);
    struct inode *lower = n->lower->inode;
    int err = lower->ops->readlink ? lower->ops->readlink(lower, buf, size) : -LINUX_EINVAL;
    if (err < 0)
        return err;
    char *target = xstrdup(buf);  // kept for the next time; without memory it is asked for again
    LOCKED(&i->lock);
    if (n->target)
        free(target);
    else
        __atomic_store_n(&n->target, target, __ATOMIC_RELEASE);
    return 0;
}

// ---- Copying up -------------------------------------------------------------------------------------------
static int copy_chunks(struct file *from, struct tnode *to, uint64_t bytes, char *buf) {
    for (uint64_t off = 0; off < bytes;) {
        struct uio_kernel k;
        if (vfs_caller_dies(from->inode->sb->vfs))
            return -LINUX_EINTR;
        int64_t n = vfs_kread(from, buf, bytes - off < CHUNK ? (size_t)(bytes - off) : CHUNK, off);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;  // the host cut it meanwhile
        uio_kernel_init(&k, buf, (size_t)n);
        int64_t done = tdata_write(to, &k.u, off);
        if (done != n)
            return done < 0 ? (int)done : -LINUX_ENOSPC;
        off += (uint64_t)n;
    }
    return 0;
}
static void put_in_place(struct inode *i, struct tnode *copy) {
    struct tnode *n = tnode(i);
    LOCKED(&i->lock);
    if (!atomic_load(&n->lower_data))
        return;  // another was first
    struct tdata own = n->data;
    n->data = copy->data;
    copy->data = own;
    i->attr.size = copy->inode->attr.size;
    i->attr.blocks = copy->inode->attr.blocks;
    atomic_store_explicit(&n->lower_data, false, memory_order_release);
}
// The lower file is held.
static int copy_held(struct inode *i, uint64_t bytes) {
    struct vfs_attr a = {.mode = LINUX_S_IFREG};
    char *buf cleanup_free = xcalloc(1, CHUNK);
    if (!buf)
        return -LINUX_ENOMEM;
    struct inode *copy = tnode_uncharged(i->sb, &a);
    if (!copy)
        return -LINUX_ENOMEM;
    int err = copy_chunks(tnode(i)->lower_file, tnode(copy), bytes, buf);
    if (!err)
        put_in_place(i, tnode(copy));
    inode_put(copy);
    return err;
}
int ovl_copy_up(struct inode *i, uint64_t bytes) {
    struct vfs_attr now;
    int err = tmpfs_getattr(i, &now);
    if (err)
        return err;
    err = hold(i);
    if (err)
        return err;
    err = copy_held(i, bytes < now.size ? bytes : now.size);
    unhold(i);
    if (err)
        return err;
    tsuper(i)->origin->changed(i);
    return 0;
}
