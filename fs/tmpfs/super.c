// SPDX-License-Identifier: Apache-2.0
// tmpfs as a file system: options, statfs, the root, teardown; and what all of them share of the sandbox'
// memory.
#include "fs/tmpfs/node.h"

static int tmpfs_statfs(struct superblock *sb, struct linux_statfs *out) {
    tquota_statfs(sb->priv, out);
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
    invariant(atomic_load(&s->quota.bytes) == 0 && atomic_load(&s->quota.pages) == 0);
    free(s);
}
static const struct super_ops tmpfs_super_ops = {
    .statfs = tmpfs_statfs, .shutdown = tmpfs_shutdown, .kill = tmpfs_kill};
struct vfs_memory *vfs_memory_new(void) {
    struct vfs_memory *m = znew(struct vfs_memory);
    if (!m)
        return NULL;
    lock_init(&m->lock, RANK_LEAF);
    list_init(&m->mapped);
    windows_init(&m->windows);
    return m;
}
void vfs_memory_free(struct vfs_memory *m) {
    if (!m)
        return;
    invariant(!atomic_load(&m->nmapped) && !atomic_load(&m->quota.pages) && !atomic_load(&m->quota.bytes));
    windows_fini(&m->windows);
    lock_destroy(&m->lock);
    free(m);
}
void vfs_limit_memory(struct vfs *vfs, uint64_t bytes, uint64_t files) {
    uint64_t pages = bytes / GUEST_PAGE_SIZE;
    vfs->memory->quota.max_pages = pages;
    vfs->memory->quota.max_bytes = (files && files < pages ? files : pages) * INODE_BYTES;
}
uint64_t vfs_memory_used(struct vfs *vfs) {
    tquota_count(vfs->memory);
    return atomic_load(&vfs->memory->quota.pages) * GUEST_PAGE_SIZE;
}
bool sb_is_tmpfs(const struct superblock *sb) { return sb->ops == &tmpfs_super_ops; }

static uint64_t pages_of(uint64_t bytes) { return bytes / GUEST_PAGE_SIZE + (bytes % GUEST_PAGE_SIZE != 0); }
static uint64_t bytes_of_inodes(uint64_t n) { return n < UINT64_MAX / INODE_BYTES ? n * INODE_BYTES : 0; }

static int make_root(struct superblock *sb, const struct tmpfs_opts *o) {
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | (o->mode & LINUX_S_IALLUGO),
                         .uid = o->uid,
                         .gid = o->gid,
                         .nlink = 2,
                         .size = 2 * TMPFS_NAME_SIZE};
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
        s->quota.max_pages = pages_of(o->max_bytes);
        s->quota.max_bytes = bytes_of_inodes(o->max_inodes);
        s->memory = vfs->memory;
    }
    if (!s || make_root(sb, o)) {
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}

static bool is_less(_Atomic uint64_t *used, uint64_t max) { return max && max < atomic_load(used); }

int tmpfs_limit(struct superblock *sb, bool set_bytes, uint64_t bytes, bool set_inodes, uint64_t inodes) {
    struct tsuper *s = sb->priv;
    uint64_t pages = pages_of(bytes), own = bytes_of_inodes(inodes);
    if ((set_bytes && is_less(&s->quota.pages, pages)) || (set_inodes && is_less(&s->quota.bytes, own)))
        return -LINUX_EINVAL;
    if (set_bytes)
        s->quota.max_pages = pages;
    if (set_inodes)
        s->quota.max_bytes = own;
    return 0;
}
