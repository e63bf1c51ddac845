// SPDX-License-Identifier: Apache-2.0
// The nodes of tmpfs: making, attributes, files, symlinks, the end. Names are in names.c, bytes in data.c.
#include "abi/fileattr.h"
#include "abi/misc.h"
#include "fs/tmpfs/node.h"
#include <string.h>

static const struct inode_ops *ops_of(uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFDIR:
        return &tmpfs_dir_ops;
    case LINUX_S_IFREG:
        return &tmpfs_file_ops;
    case LINUX_S_IFLNK:
        return &tmpfs_link_ops;
    default:
        return &tmpfs_special_ops;
    }
}
static const struct file_ops *fops_of(uint32_t mode) {
    if (LINUX_S_ISDIR(mode))
        return &tmpfs_dir_fops;
    return LINUX_S_ISREG(mode) ? &tmpfs_file_fops : NULL;  // device nodes are inert: opening says ENXIO
}
struct inode *tnode_uncharged(struct superblock *sb, const struct vfs_attr *a) {
    struct tsuper *s = sb->priv;
    struct tnode *n = znew(struct tnode);
    struct inode *i = n ? inode_new(sb, ops_of(a->mode), fops_of(a->mode), a) : NULL;
    if (!i) {
        free(n);
        return NULL;
    }
    if (!i->attr.ino)
        i->attr.ino = s->ino_base + inode_next_ino(sb->vfs);
    i->priv = n;
    n->inode = i;
    list_init(&n->xattrs);
    list_init(&n->pin_link);
    list_init(&n->mapped_link);
    if (LINUX_S_ISREG(a->mode))
        tdata_init(&n->data);
    if (LINUX_S_ISDIR(a->mode))
        n->dir.next_cookie = 2;  // after "." and ".."
    return i;
}
struct inode *tnode_new(struct superblock *sb, const struct vfs_attr *a) {
    struct tsuper *s = sb->priv;
    if (!tquota_take_bytes(s, INODE_BYTES))
        return NULL;
    struct inode *i = tnode_uncharged(sb, a);
    if (i)
        tnode(i)->charged = true;
    else
        tquota_give_bytes(s, INODE_BYTES);
    return i;
}
void tmpfs_evict(struct inode *i) {
    struct tnode *n = tnode(i);
    struct tsuper *s = tsuper(i);
    if (n->lower)
        s->origin->evict(i);
    txattr_free(n);
    switch (inode_type(i)) {
    case LINUX_S_IFREG:
        tdata_free(n);
        break;
    case LINUX_S_IFLNK:
        tquota_give(s, n->target_pages);
        free(n->target);
        break;
    case LINUX_S_IFDIR:
        while (n->dir.names.node) {  // whiteouts alone
            struct tentry *e = rb_entry(n->dir.names.node, struct tentry, by_name);
            invariant(!e->inode);
            tdir_remove(n, e);
        }
        break;
    default:
        break;
    }
    tquota_give_bytes(s, (uint64_t)(n->charged + n->extra_links) * INODE_BYTES);
    free(n);
}

// ---- Attributes -------------------------------------------------------------------------------------------
int tmpfs_getattr(struct inode *i, struct vfs_attr *a) {
    struct tnode *n = tnode(i);
    lock_nested(&i->lock);
    // Stores through a mapping allocate pages unseen. LIMIT: nor do they move mtime.
    if (inode_is_reg(i) && n->data.mapped)
        tquota_recount(n);
    *a = i->attr;
    lock_drop(&i->lock);
    return 0;
}
static int set_size(struct tnode *n, uint64_t size) {
    uint64_t old = n->inode->attr.size;
    if ((size < old && (n->seals & LINUX_F_SEAL_SHRINK)) || (size > old && (n->seals & LINUX_F_SEAL_GROW)))
        return -LINUX_EPERM;
    return tdata_truncate(n, size);
}
static int apply_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct tnode *n = tnode(i);
    LOCKED_NESTED(&i->lock);
    if ((which & ATTR_MODE) && (n->seals & LINUX_F_SEAL_EXEC) && ((a->mode ^ i->attr.mode) & 0111))
        return -LINUX_EPERM;
    int err = which & ATTR_SIZE ? set_size(n, a->size) : 0;
    if (err)
        return err;
    err = which & ATTR_MODE ? tacl_follow_mode(i, a->mode) : 0;
    if (err)
        return err;
    if (which & ATTR_KILL_CAPS)
        txattr_drop_caps(n);
    inode_apply_attr(&i->attr, a, which);
    return 0;
}
// The first `size` bytes are the node's own from now on, as far as they are not yet.
static int own_bytes(struct inode *i, uint64_t size) {
    bool lower = atomic_load_explicit(&tnode(i)->lower_data, memory_order_acquire);
    return lower ? tsuper(i)->origin->copy_up(i, size) : 0;
}
int tmpfs_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    int err = which & ATTR_SIZE ? own_bytes(i, a->size) : 0;
    if (err)
        return err;
    err = apply_attr(i, a, which);
    if (err)
        return err;
    if (tnode(i)->lower)
        tsuper(i)->origin->changed(i);
    return 0;
}
static int swap_flags(struct inode *i, uint32_t was, uint32_t flags) {
    LOCKED(&i->lock);
    if (atomic_load(&i->flags) != was)
        return -LINUX_EAGAIN;
    atomic_store(&i->flags, flags);
    i->attr.ctime = inode_now();
    return 0;
}
int tmpfs_set_flags(struct inode *i, uint32_t was, uint32_t flags) {
    int err = swap_flags(i, was, flags);
    if (err)
        return err;
    if (tnode(i)->lower)
        tsuper(i)->origin->changed(i);
    return 0;
}

// ---- Files ------------------------------------------------------------------------------------------------
// relatime: at most one store after each change, and one a day.
void tmpfs_accessed(struct inode *i, unsigned flags) {
    struct vfs_attr *a = &i->attr;
    const int64_t day = 86400ll * 1000000000;
    if ((flags & LINUX_O_NOATIME) || inode_flagged(i, LINUX_FS_NOATIME_FL))
        return;
    int64_t now = inode_now();
    if (a->atime <= a->mtime || a->atime <= a->ctime || a->atime < now - day)
        a->atime = now;
}
void tmpfs_used(struct file *f) {
    const unsigned none = LINUX_MS_NOATIME | (inode_is_dir(f->inode) ? LINUX_MS_NODIRATIME : 0);
    if (!f->path.mnt || !(f->path.mnt->flags & none))
        tmpfs_accessed(f->inode, atomic_load_explicit(&f->flags, memory_order_relaxed));
}
static int64_t file_read(struct file *f, struct uio *u, uint64_t off) {
    struct inode *i = f->inode;
    struct tnode *n = tnode(i);
    if (atomic_load_explicit(&n->lower_data, memory_order_acquire))
        return tsuper(i)->origin->read(f, u, off);
    lock_nested(&i->lock);
    int64_t got = tdata_read(n, u, off);
    tmpfs_used(f);
    lock_drop(&i->lock);
    return got;
}
static int64_t file_write(struct file *f, struct uio *u, uint64_t off) {
    struct inode *i = f->inode;
    struct tnode *n = tnode(i);
    if (u->left == 0)
        return 0;
    int err = own_bytes(i, UINT64_MAX);
    if (err)
        return err;
    LOCKED_NESTED(&i->lock);
    if (n->seals & (LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE))
        return -LINUX_EPERM;
    if ((n->seals & LINUX_F_SEAL_GROW) && (off > i->attr.size || u->left > i->attr.size - off))
        return -LINUX_EPERM;
    int64_t got = tdata_write(n, u, off);
    if (got > 0)
        i->attr.mtime = i->attr.ctime = inode_now();
    return got;
}
static int64_t file_llseek(struct file *f, int64_t off, int whence) {
    struct inode *i = f->inode;
    if (off < 0)
        return -LINUX_ENXIO;
    if (atomic_load(&tnode(i)->lower_data))
        return tsuper(i)->origin->llseek(f, off, whence);
    lock_nested(&i->lock);
    int64_t at = tdata_seek(tnode(i), (uint64_t)off, whence);
    lock_drop(&i->lock);
    return at;
}
static int file_fallocate(struct file *f, int mode, uint64_t off, uint64_t len) {
    struct inode *i = f->inode;
    struct tnode *n = tnode(i);
    bool punch = mode & 2 /* PUNCH_HOLE */, grows = !(mode & 1 /* KEEP_SIZE */);
    int err = own_bytes(i, UINT64_MAX);
    if (err)
        return err;
    LOCKED_NESTED(&i->lock);
    if ((punch && (n->seals & (LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE))) ||
        (grows && (n->seals & LINUX_F_SEAL_GROW) && off + len > i->attr.size))
        return -LINUX_EPERM;
    err = tdata_fallocate(n, mode, off, len);
    if (err)
        return err;
    i->attr.mtime = i->attr.ctime = inode_now();
    return 0;
}
static int file_mmap_fd(struct file *f, int prot, bool shared) {
    struct inode *i = f->inode;
    struct tnode *n = tnode(i);
    int err = 0;
    bool writes = shared && (f->mode & FMODE_WRITE);
    if (writes && (prot & 2 /* PROT_WRITE */) &&
        (n->seals & (LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE)))
        return -LINUX_EPERM;
    if (atomic_load(&n->lower_data)) {
        // A read-only or private view goes straight to the lower file's descriptor.
        if (!writes)
            return tsuper(i)->origin->mmap_fd(f, prot, shared);
        err = tsuper(i)->origin->copy_up(i, UINT64_MAX);
        if (err)
            return err;
    }
    lock_nested(&i->lock);
    int fd = tdata_fd(n);
    lock_drop(&i->lock);
    return fd;
}
static int file_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    f->ops = i->fops;
    return tnode(i)->lower ? tsuper(i)->origin->open(i, f) : 0;
}
static void file_release(struct file *f) {
    if (tnode(f->inode)->lower)
        tsuper(f->inode)->origin->release(f);
}
const struct file_ops tmpfs_file_fops = {
    .read = file_read, .write = file_write, .llseek = file_llseek, .fallocate = file_fallocate,
    .mmap_fd = file_mmap_fd, .release = file_release,
};
void vfs_mmap_shared(struct file *f, int delta) {
    if (f->ops == &tmpfs_file_fops)
        atomic_fetch_add(&tnode(f->inode)->shared_maps, delta);
}

static int link_read(struct inode *i, char *buf, size_t size) {
    struct tnode *node = tnode(i);
    lock_nested(&i->lock);
    tmpfs_accessed(i, 0);
    lock_drop(&i->lock);
    const char *target = __atomic_load_n(&node->target, __ATOMIC_ACQUIRE);
    if (!target && node->lower)
        return tsuper(i)->origin->readlink(i, buf, size);
    size_t n = strlen(target);
    if (n >= size)
        return -LINUX_ENAMETOOLONG;
    memcpy(buf, target, n + 1);
    return 0;
}

#define COMMON_OPS                                                                                           \
    .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .evict = tmpfs_evict, .getxattr = tmpfs_getxattr,    \
    .setxattr = tmpfs_setxattr, .listxattr = tmpfs_listxattr, .removexattr = tmpfs_removexattr
const struct inode_ops tmpfs_file_ops = {COMMON_OPS, .set_acl = tmpfs_set_acl, .set_flags = tmpfs_set_flags,
                                         .open = file_open};
const struct inode_ops tmpfs_link_ops = {COMMON_OPS, .readlink = link_read};
const struct inode_ops tmpfs_special_ops = {COMMON_OPS, .set_acl = tmpfs_set_acl};
