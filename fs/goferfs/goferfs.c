// SPDX-License-Identifier: Apache-2.0
// The file system over the gofer: one superblock for one of its roots. Nodes are in node.c, directories in
// dir.c, files in file.c, attributes in attr.c; node.h has the picture and the locks. The sentry mounts it
// directly (a bind), or below an overlay (the read-only host root).
//
// A read-only root is taken to be stable: what was once learnt of a file is not asked for again. Unless
// goferfs_follow_host() was called: then names and attributes are trusted for LIVE_NS only, as below a
// writable root.
#include "base/clock.h"
#include "fs/goferfs/node.h"
#include <string.h>

static int gfs_statfs(struct superblock *sb, struct linux_statfs *out) {
    struct gfs *g = sb->priv;
    struct gofer_statfs_rep r;
    uint64_t h;
    if (!sb->root || !sb->root->inode)
        return -LINUX_EIO;
    LOCKED(&g->lock);
    int err = node_handle(g, node_of(sb->root->inode), &h);
    if (err)
        return err;
    err = client_statfs(g->c, h, &r);
    if (err)
        return err;
    *out = (struct linux_statfs){
        .f_type = (int64_t)r.type,
        .f_bsize = (int64_t)r.bsize,
        .f_frsize = (int64_t)r.bsize,
        .f_blocks = r.blocks,
        .f_bfree = r.bfree,
        .f_bavail = r.bavail,
        .f_files = r.files,
        .f_ffree = r.ffree,
        .f_namelen = (int64_t)r.namelen,
    };
    // What --disk leaves, where that is less than the host has.
    uint64_t left = r.bsize ? vfs_disk_left(sb->vfs) / (uint64_t)r.bsize : UINT64_MAX;
    out->f_bfree = out->f_bfree < left ? out->f_bfree : left;
    out->f_bavail = out->f_bavail < left ? out->f_bavail : left;
    return 0;
}

static void gfs_kill(struct superblock *sb) {
    struct gfs *g = sb->priv;
    if (!g)
        return;
    lock_destroy(&g->lock);
    gofer_client_free(g->c);
    free(g);
}

static const struct super_ops gfs_super_ops = {.statfs = gfs_statfs, .kill = gfs_kill};

static struct gfs *gfs_new(struct gofer_client *c, bool stable, uint64_t root_dev) {
    struct gfs *g = znew(struct gfs);
    if (!g)
        return NULL;
    lock_init(&g->lock, RANK_OBJECT);
    list_init(&g->handles);
    list_init(&g->idle);
    g->c = gofer_client_get(c);
    g->stable = stable;
    g->root_dev = root_dev;
    return g;
}

// Takes over handle when it succeeds.
static int make_root(struct superblock *sb, const struct gofer_attr *a, uint64_t handle) {
    struct inode *i = gfs_inode(sb, NULL, NULL, a, handle, NULL);
    if (!i)
        return -LINUX_ENOMEM;
    sb->root = dentry_root(sb, i);
    if (sb->root)
        return 0;
    node_of(i)->handle = 0;
    inode_put(i);
    return -LINUX_ENOMEM;
}

int goferfs_create(struct vfs *vfs, struct gofer_client *c, unsigned root, bool read_only,
                   struct superblock **out) {
    uint64_t handle;
    bool writable;
    struct gofer_attr a;
    int err = client_attach(c, root, &handle, &writable, &a);
    if (err)
        return err;
    struct superblock *sb = super_new(vfs, &gfs_super_ops, "gofer", LINUX_V9FS_MAGIC);
    if (sb) {
        sb->read_only = read_only || !writable;
        sb->priv = gfs_new(c, sb->read_only, a.dev);
    }
    err = !sb || !sb->priv ? -LINUX_ENOMEM : make_root(sb, &a, handle);
    if (err) {
        client_release(c, handle);
        if (sb)
            super_put(sb);
        return err;
    }
    *out = sb;
    return 0;
}

void goferfs_follow_host(struct superblock *sb) {
    struct gfs *g = sb->priv;
    struct inode *root = sb->root->inode;
    g->stable = false;
    root->ops = gfs_ops(g, root->attr.mode);
}
