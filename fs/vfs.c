// SPDX-License-Identifier: Apache-2.0
// One sandbox' file system state: made before the first mount, destroyed when every task is gone. Also what
// belongs to no other file: files without names.
#include "base/clock.h"
#include "base/log.h"
#include "fs/core.h"
#include "fs/mnt_ns.h"
#include <string.h>

#define MNT_NS_FIRST 0xeffffff8u  // the number of the first namespace of mounts, as Linux has it
#define BUCKETS 256u  // to begin with; the dentry cache grows them

static const struct super_ops anon_super_ops;
static const struct inode_ops anon_root_ops;
static const struct inode_ops socket_inode_ops = {.setattr = inode_setattr_block};

// Files without names: those of pipes, of sockets, and all others, each a file system of its own.
static const struct {
    const char *name;
    uint64_t magic;
} nameless[NAMELESS_KINDS] = {
    [NAMELESS_ANON] = {"anon", LINUX_ANON_INODE_FS_MAGIC},
    [NAMELESS_PIPE] = {"pipefs", LINUX_PIPEFS_MAGIC},
    [NAMELESS_SOCKET] = {"sockfs", LINUX_SOCKFS_MAGIC},
    [NAMELESS_NS] = {"nsfs", LINUX_NSFS_MAGIC},
};

static int make_nameless(struct vfs *v, enum nameless kind) {
    struct superblock *sb = super_new(v, &anon_super_ops, nameless[kind].name, nameless[kind].magic);
    if (!sb)
        return -LINUX_ENOMEM;
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | 0555, .ino = inode_next_ino(v), .nlink = 2};
    struct inode *root = inode_new(sb, &anon_root_ops, NULL, &a);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (root && !sb->root)
        inode_put(root);
    v->nameless[kind] = sb->root ? mount_new(v, sb, sb->root, 0, nameless[kind].name) : NULL;
    if (!v->nameless[kind])
        super_put(sb);
    return v->nameless[kind] ? 0 : -LINUX_ENOMEM;
}
static bool make_all_nameless(struct vfs *v) {
    for (int i = 0; i < NAMELESS_KINDS; i++)
        if (make_nameless(v, i))
            return false;
    return true;
}
bool mount_is_nameless(const struct vfs *v, const struct mount *m) {
    for (int i = 0; i < NAMELESS_KINDS; i++)
        if (v->nameless[i] == m)
            return true;
    return m == v->shm;
}
static int make_shm(struct vfs *v) {
    struct tmpfs_opts o = {.mode = 0777};
    struct superblock *sb;
    int err = tmpfs_create(v, &o, &sb);
    if (err)
        return err;
    v->shm = mount_new(v, sb, sb->root, 0, "shm");
    if (!v->shm)
        super_put(sb);
    return v->shm ? 0 : -LINUX_ENOMEM;
}
static void locks_init(struct vfs *v) {
    lock_init(&v->dcache, RANK_DCACHE);
    lock_init(&v->mounts_lock, RANK_MOUNTS);
    lock_init(&v->waits_lock, RANK_LEAF);
    lock_init(&v->acl_lock, RANK_LEAF);
    lock_init(&v->host_files_lock, RANK_LEAF);
    for (unsigned i = 0; i < APPEND_STRIPES; i++)
        lock_init(&v->append[i], RANK_FILE_POS);
}
static void vfs_release(struct vfs *v) {
    if (v->ns)
        mnt_ns_put(v->ns);
    if (v->shm)
        mount_put(v->shm);
    for (int i = 0; i < NAMELESS_KINDS; i++)
        if (v->nameless[i])
            mount_put(v->nameless[i]);
    long left = atomic_load(&v->inodes) + atomic_load(&v->dentry_count) + atomic_load(&v->files) +
                atomic_load(&v->supers);
    if (left)
        panic("vfs: %ld inodes, %ld names, %ld files, %ld file systems are still in use",
              atomic_load(&v->inodes), atomic_load(&v->dentry_count), atomic_load(&v->files),
              atomic_load(&v->supers));
    vfs_memory_free(v->memory);
    lock_destroy(&v->dcache);
    lock_destroy(&v->mounts_lock);
    lock_destroy(&v->waits_lock);
    lock_destroy(&v->acl_lock);
    lock_destroy(&v->host_files_lock);
    for (unsigned i = 0; i < APPEND_STRIPES; i++)
        lock_destroy(&v->append[i]);
    free(v->buckets);
    free(v);
}
struct vfs *vfs_create(void) {
    struct vfs *v = znew(struct vfs);
    if (!v)
        return NULL;
    locks_init(v);
    knobs_init(&v->knobs);
    v->landlock.max = LANDLOCK_BYTES;
    list_init(&v->lru);
    list_init(&v->lock_waits);
    list_init(&v->fan_groups);
    v->seed = random_u64() | 1;
    v->bucket_mask = BUCKETS - 1;
    v->buckets = xcalloc(BUCKETS, sizeof *v->buckets);
    atomic_init(&v->next_dev, 32);  // small majors are devices
    atomic_init(&v->next_ino, 1);
    v->memory = vfs_memory_new();
    v->ns = mnt_ns_new(v, MNT_NS_FIRST, NULL);
    if (!v->buckets || !v->memory || !v->ns || !make_all_nameless(v) || make_shm(v)) {
        vfs_release(v);
        return NULL;
    }
    return v;
}
void vfs_destroy(struct vfs *v) {
    invariant(ref_read(&v->ns->ns.refs) == 1);
    vfs_release(v);
}
// Major 0, as Linux gives to file systems without a device.
uint64_t vfs_new_dev(struct vfs *v) {
    return LINUX_MKDEV(0, atomic_fetch_add_explicit(&v->next_dev, 1, memory_order_relaxed));
}

// For objects that keep nothing in an inode: what fstat(2) shows of them.
static struct inode *anon_inode(struct vfs *v) {
    struct vfs_attr a = {.mode = 0600, .ino = inode_next_ino(v), .nlink = 1};
    return inode_new(v->nameless[NAMELESS_ANON]->sb, &anon_root_ops, NULL, &a);
}

static enum nameless kind_of(uint32_t mode) {
    if (LINUX_S_ISFIFO(mode))
        return NAMELESS_PIPE;
    return LINUX_S_ISSOCK(mode) ? NAMELESS_SOCKET : NAMELESS_ANON;
}

struct inode *vfs_anon_inode(struct vfs *v, uint32_t mode, uint32_t uid, uint32_t gid) {
    struct vfs_attr a = {.mode = mode, .ino = inode_next_ino(v), .nlink = 1, .uid = uid, .gid = gid};
    enum nameless kind = kind_of(mode);
    const struct inode_ops *ops = kind == NAMELESS_SOCKET ? &socket_inode_ops : &anon_root_ops;
    return inode_new(v->nameless[kind]->sb, ops, NULL, &a);
}

static struct mount *mount_of(const struct vfs *v, const struct inode *i) {
    unsigned kind = 0;
    while (v->nameless[kind]->sb != i->sb)
        kind++;
    return v->nameless[kind];
}

int file_anon(struct vfs *v, const char *name, struct inode *i, const struct file_ops *ops, void *priv,
              unsigned flags, struct file **out) {
    if (!i && !(i = anon_inode(v)))
        return -LINUX_ENOMEM;
    struct mount *m = mount_of(v, i);
    struct dentry *d = dentry_new(m->sb, NULL, name, strlen(name));
    if (!d) {
        inode_put(i);
        return -LINUX_ENOMEM;
    }
    d->inode = i;
    struct path p = {mount_get(m), d};
    unsigned acc = flags & LINUX_O_ACCMODE;
    unsigned mode = (acc != LINUX_O_WRONLY ? FMODE_READ : 0) | (acc != LINUX_O_RDONLY ? FMODE_WRITE : 0);
    struct file *f = file_new(v, &p, flags, mode);
    if (!f) {
        path_put(&p);
        return -LINUX_ENOMEM;
    }
    f->ops = ops;
    f->priv = priv;
    f->mode |= FMODE_NAMELESS;
    *out = f;
    return 0;
}

void vfs_set_caller_dies(struct vfs *v, bool (*fn)(void)) { v->caller_dies = fn; }
bool vfs_caller_dies(const struct vfs *v) { return v->caller_dies && v->caller_dies(); }
