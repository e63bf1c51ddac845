// SPDX-License-Identifier: Apache-2.0
// tmpfs as a file system: options, quota, statfs, the root, teardown.
#include "fs/tmpfs/node.h"

static bool take(_Atomic uint64_t *used, uint64_t max, uint64_t n) {
    uint64_t was = atomic_load_explicit(used, memory_order_relaxed);
    do {
        if (max && (was > max || n > max - was))
            return false;
    } while (!atomic_compare_exchange_weak(used, &was, was + n));
    return true;
}
bool tquota_take(struct tsuper *s, uint64_t pages) { return take(&s->pages, s->max_pages, pages); }
void tquota_give(struct tsuper *s, uint64_t pages) { atomic_fetch_sub(&s->pages, pages); }

static int tmpfs_statfs(struct superblock *sb, struct linux_statfs *out) {
    struct tsuper *s = sb->priv;
    uint64_t pages = atomic_load(&s->pages), inodes = atomic_load(&s->inodes);
    // Without a limit of its own: the host's memory is the limit, which a guest need not know.
    out->f_blocks = s->max_pages ? s->max_pages : 1ull << 28;
    out->f_bfree = out->f_bavail = pages < out->f_blocks ? out->f_blocks - pages : 0;
    out->f_files = s->max_inodes ? s->max_inodes : 1ull << 24;
    out->f_ffree = inodes < out->f_files ? out->f_files - inodes : 0;
    return 0;
}
static void tmpfs_shutdown(struct superblock *sb) {
    struct tsuper *s = sb->priv;
    if (sb->root)
        tdir_destroy_tree(sb->root->inode);
    if (s->origin)
        s->origin->shutdown(sb);
}
static void tmpfs_kill(struct superblock *sb) {
    struct tsuper *s = sb->priv;
    if (!s)
        return;
    if (s->origin)
        s->origin->kill(sb);
    invariant(atomic_load(&s->inodes) == 0 && atomic_load(&s->pages) == 0);
    free(s);
}
static const struct super_ops tmpfs_super_ops = {
    .statfs = tmpfs_statfs, .shutdown = tmpfs_shutdown, .kill = tmpfs_kill};
bool sb_is_tmpfs(const struct superblock *sb) { return sb->ops == &tmpfs_super_ops; }

static int make_root(struct superblock *sb, const struct tmpfs_opts *o) {
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | (o->mode & LINUX_S_IALLUGO), .uid = o->uid, .gid = o->gid, .nlink = 2};
    struct inode *root = tnode_new(sb, &a);
    if (!root)
        return -LINUX_ENOMEM;
    sb->root = dentry_root(sb, root);
    if (!sb->root)
        inode_put(root);
    return sb->root ? 0 : -LINUX_ENOMEM;
}
int tmpfs_create(struct vfs *vfs, const struct tmpfs_opts *o, struct superblock **out) {
    struct superblock *sb = super_new(vfs, &tmpfs_super_ops, "tmpfs", LINUX_TMPFS_MAGIC);
    if (!sb)
        return -LINUX_ENOMEM;
    struct tsuper *s = znew(struct tsuper);
    sb->priv = s;
    if (s) {
        s->max_pages = o->max_bytes / GUEST_PAGE_SIZE + (o->max_bytes % GUEST_PAGE_SIZE != 0);
        s->max_inodes = o->max_inodes;
    }
    if (!s || make_root(sb, o)) {
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}
