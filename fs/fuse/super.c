// SPDX-License-Identifier: Apache-2.0
// A FUSE mount: the connection that an open /dev/fuse gets, and the root, of which nothing is known but its
// kind.
#include "fs/fuse/fuse.h"
#include <stdio.h>
#include <string.h>

static int fuse_statfs(struct superblock *sb, struct linux_statfs *out) {
    struct linux_fuse_statfs_out o;
    struct fuse_req *r;
    int err = fuse_ask(sb->priv,
                       &(struct fuse_question){.opcode = LINUX_FUSE_STATFS,
                                               .nodeid = LINUX_FUSE_ROOT_ID,
                                               .out_least = sizeof o,
                                               .out_most = sizeof o},
                       &r);
    if (err)
        return err;
    memcpy(&o, r->out, sizeof o);
    out->f_bsize = o.bsize;
    out->f_frsize = o.frsize ? o.frsize : o.bsize;
    out->f_blocks = o.blocks;
    out->f_bfree = o.bfree;
    out->f_bavail = o.bavail;
    out->f_files = o.files;
    out->f_ffree = o.ffree;
    out->f_namelen = o.namelen;
    return 0;
}
static void fuse_shutdown(struct superblock *sb) { fuse_abort(sb->priv); }
static void fuse_kill(struct superblock *sb) { fuse_conn_put(sb->priv); }
static const struct super_ops super_ops = {
    .statfs = fuse_statfs, .shutdown = fuse_shutdown, .kill = fuse_kill, .made = fuse_made};

void fuse_abort_super(struct superblock *sb) {
    if (sb->ops == &super_ops)
        fuse_abort(sb->priv);
}

// For /proc/mounts, with the ids as they were given.
static char *options_text(const struct fuse_opts *o) {
    char text[160], more[64] = "";
    if (o->max_read)
        snprintf(more, sizeof more, ",max_read=%u", o->max_read);
    snprintf(text, sizeof text, ",user_id=%u,group_id=%u%s%s%s", idmap_shown(o->uids, o->user_id),
             idmap_shown(o->gids, o->group_id), o->default_permissions ? ",default_permissions" : "",
             o->allow_other ? ",allow_other" : "", more);
    return xstrdup(text);
}
static int make_root(struct superblock *sb, const struct fuse_opts *o) {
    const struct linux_fuse_attr a = {.ino = LINUX_FUSE_ROOT_ID, .mode = o->rootmode, .nlink = 1};
    struct inode *i = fuse_inode_new(sb, LINUX_FUSE_ROOT_ID, 0, &a);
    if (!i)
        return -LINUX_ENOMEM;
    sb->root = dentry_root(sb, i);
    if (sb->root)
        return 0;
    inode_put(i);
    return -LINUX_ENOMEM;
}
static int set_up(struct superblock *sb, struct fuse_conn *c, struct file *dev, const struct fuse_opts *o) {
    const char *kind = o->is_block ? "fuseblk" : "fuse";
    snprintf(c->type_name, sizeof c->type_name, "%s%s%s", kind, o->subtype ? "." : "",
             o->subtype ? o->subtype : "");
    sb->type = c->type_name;
    sb->options = options_text(o);
    int err = sb->options ? make_root(sb, o) : -LINUX_ENOMEM;
    if (err)
        return err;
    err = fuse_dev_attach(dev, c);
    return err ? err : fuse_begin(c);
}
bool vfs_has_fuse(const struct vfs *v) { return atomic_load_explicit(&v->has_fuse, memory_order_relaxed); }
int fuse_create(struct vfs *v, struct file *dev, const struct fuse_opts *o, struct superblock **out) {
    uint32_t type = o->rootmode & LINUX_S_IFMT;
    if (type != LINUX_S_IFDIR && type != LINUX_S_IFREG)
        return -LINUX_EINVAL;
    struct fuse_conn *c = fuse_conn_new(v);
    if (!c)
        return -LINUX_ENOMEM;
    c->opts = *o;
    c->opts.subtype = NULL;
    struct superblock *sb = super_new(v, &super_ops, "fuse", LINUX_FUSE_SUPER_MAGIC);
    if (!sb) {
        fuse_conn_put(c);
        return -LINUX_ENOMEM;
    }
    sb->priv = c;
    int err = set_up(sb, c, dev, o);
    if (err) {
        fuse_abort(c);  // the device may have it already
        super_put(sb);
        return err;
    }
    v->has_fuse = true;
    *out = sb;
    return 0;
}
