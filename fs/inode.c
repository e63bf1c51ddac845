// SPDX-License-Identifier: Apache-2.0
// Inodes and superblocks: making, counting, freeing. A superblock has two counts: `active` (mounts, and its
// maker's handle) and `refs` (inodes). When the last active reference goes, names and roots are dropped; when
// then the last inode goes, the file system is freed.
#include "abi/caps.h"
#include "base/clock.h"
#include "fs/core.h"
#include "fs/notify.h"

#define SUPER_BYTES 4096u  // what a file system is charged: its own, its root, what its kind adds

uint64_t inode_next_ino(struct vfs *v) {
    return atomic_fetch_add_explicit(&v->next_ino, 1, memory_order_relaxed);
}
int64_t inode_now(void) { return (int64_t)clock_ns(CLOCK_REALTIME_COARSE); }

struct inode *inode_new(struct superblock *sb, const struct inode_ops *ops, const struct file_ops *fops,
                        const struct vfs_attr *attr) {
    struct inode *i = znew(struct inode);
    if (!i)
        return NULL;
    ref_init(&i->refs, 1);
    lock_init(&i->lock, LINUX_S_ISDIR(attr->mode) ? RANK_DIR : RANK_INODE);
    ref_get(&sb->refs);
    i->sb = sb;
    i->ops = ops;
    i->fops = fops;
    i->type = attr->mode & LINUX_S_IFMT;
    i->attr = *attr;
    if (!i->attr.ctime) {
        int64_t now = inode_now();
        i->attr.atime = i->attr.mtime = i->attr.ctime = i->attr.btime = now;
    }
    if (!i->attr.blksize)
        i->attr.blksize = GUEST_PAGE_SIZE;
    list_init(&i->locks);
    list_init(&i->leases);
    list_init(&i->watches);
    waitq_init(&i->lock_waitq);
    atomic_fetch_add_explicit(&sb->vfs->inodes, 1, memory_order_relaxed);
    return i;
}
struct inode *inode_get(struct inode *i) {
    ref_get(&i->refs);
    return i;
}
static void super_unref(struct superblock *sb) {
    if (!ref_put(&sb->refs))
        return;
    struct vfs *v = sb->vfs;
    if (sb->ops->kill)
        sb->ops->kill(sb);
    lock_destroy(&sb->rename_lock);
    ns_put(sb->owner);
    free(sb->options);
    free(sb);
    budget_give(&v->buffers, SUPER_BYTES);
    atomic_fetch_sub_explicit(&v->supers, 1, memory_order_relaxed);
}
void inode_put(struct inode *i) {
    if (!ref_put(&i->refs))
        return;
    struct superblock *sb = i->sb;
    invariant(list_empty(&i->locks) && !i->pipe);
    if (i->ops && i->ops->evict)
        i->ops->evict(i);
    acl_put(atomic_load(&i->acl[ACL_ACCESS]));
    acl_put(atomic_load(&i->acl[ACL_DEFAULT]));
    waitq_destroy(&i->lock_waitq);
    lock_destroy(&i->lock);
    free(i);
    atomic_fetch_sub_explicit(&sb->vfs->inodes, 1, memory_order_relaxed);
    super_unref(sb);
}

struct superblock *super_new(struct vfs *v, const struct super_ops *ops, const char *type, uint64_t magic) {
    if (!budget_take(&v->buffers, SUPER_BYTES))
        return NULL;
    struct superblock *sb = znew(struct superblock);
    if (!sb) {
        budget_give(&v->buffers, SUPER_BYTES);
        return NULL;
    }
    ref_init(&sb->active, 1);
    ref_init(&sb->refs, 1);
    sb->ops = ops;
    sb->type = type;
    sb->magic = magic;
    sb->dev = vfs_new_dev(v);
    sb->vfs = v;
    list_init(&sb->marks);
    lock_init(&sb->rename_lock, RANK_RENAME);
    atomic_fetch_add_explicit(&v->supers, 1, memory_order_relaxed);
    return sb;
}
void super_put(struct superblock *sb) {
    if (!ref_put(&sb->active))
        return;
    notify_super_gone(sb);
    dcache_drop_super(sb);
    if (sb->ops->shutdown)
        sb->ops->shutdown(sb);
    if (sb->root)
        dentry_put(sb->root);
    sb->root = NULL;
    super_unref(sb);
}

void inode_init_owner(struct vfs_attr *a, const struct inode *dir, uint32_t mode, const struct vfs_cred *c) {
    a->uid = c->fsuid;
    a->gid = c->fsgid;
    if (dir->attr.mode & LINUX_S_ISGID) {
        a->gid = dir->attr.gid;
        if (LINUX_S_ISDIR(mode))
            mode |= LINUX_S_ISGID;
    }
    a->mode = mode;
}
// Mode and owner are read without a lock by the path walk; so they are stored whole.
#define STORE(field, v) __atomic_store_n(&(field), (v), __ATOMIC_RELAXED)
void inode_apply_attr(struct vfs_attr *to, const struct vfs_attr *a, unsigned which) {
    uint32_t mode = to->mode;
    if (which & ATTR_MODE)
        mode = (mode & LINUX_S_IFMT) | (a->mode & LINUX_S_IALLUGO);
    if (which & ATTR_KILL_PRIV) {
        if (mode & LINUX_S_IXGRP)
            mode &= ~(uint32_t)LINUX_S_ISGID;
        mode &= ~(uint32_t)LINUX_S_ISUID;
    }
    if (which & ATTR_KILL_SGID)
        mode &= ~(uint32_t)LINUX_S_ISGID;
    STORE(to->mode, mode);
    if (which & ATTR_UID)
        STORE(to->uid, a->uid);
    if (which & ATTR_GID)
        STORE(to->gid, a->gid);
    if (which & ATTR_SIZE)
        to->size = a->size;
    if (which & ATTR_ATIME)
        to->atime = a->atime;
    if (which & ATTR_MTIME)
        to->mtime = a->mtime;
    to->ctime = which & ATTR_CTIME ? a->ctime : inode_now();
}
