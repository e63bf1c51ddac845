// SPDX-License-Identifier: Apache-2.0
// The message queues of a namespace as files of one directory, mq_overview(7), "Mounting the message queue
// filesystem". A file here is the queue: it is opened as mq_open(3) does, and what it shows is mq.c's. Names
// come and go without the VFS (mq_unlink(3)), so each is looked at again (revalidate).
#include "abi/misc.h"
#include "base/fault.h"
#include "sentry/ipc/ipc.h"
#include "sentry/ipc/ipc_ns.h"
#include "sentry/ipc/mq_impl.h"
#include "sentry/kernel.h"
#include <string.h>

#define ROOT_INO 1u

static struct mq_table *table_of(const struct superblock *sb) { return &((struct ipc_ns *)sb->priv)->mq; }
static struct mqueue *queue_in(const struct inode *i) { return i->priv; }

// ---- Files ------------------------------------------------------------------------------------------------
static int get_attr(struct inode *i, struct vfs_attr *a) {
    struct mqueue *q = queue_in(i);
    LOCKED(&i->lock);
    *a = i->attr;
    LOCKED(&q->table->lock);
    a->mode = LINUX_S_IFREG | q->mode;
    a->uid = q->uid;
    a->gid = q->gid;
    a->nlink = q->name != NULL;
    return 0;
}
static int set_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct mqueue *q = queue_in(i);
    LOCKED(&i->lock);
    inode_apply_attr(&i->attr, a, which & ~ATTR_SIZE);
    LOCKED(&q->table->lock);
    q->mode = i->attr.mode & LINUX_S_IALLUGO;
    q->uid = i->attr.uid;
    q->gid = i->attr.gid;
    return 0;
}
static int open_queue(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    mq_open_file(queue_in(i), f);
    return 0;
}
static void evict(struct inode *i) { queue_put(queue_in(i)); }
static const struct inode_ops queue_inode_ops = {
    .getattr = get_attr, .setattr = set_attr, .open = open_queue, .evict = evict};

// q's reference is taken over.
static int attach(struct superblock *sb, struct dentry *d, struct mqueue *q) {
    struct vfs_attr a = {.mode = LINUX_S_IFREG | q->mode,
                         .ino = ROOT_INO + q->number,
                         .nlink = 1,
                         .uid = q->uid,
                         .gid = q->gid,
                         .size = MQ_SHOWN_SIZE};
    struct inode *i = inode_new(sb, &queue_inode_ops, &mq_ops, &a);
    if (!i) {
        queue_put(q);
        return -LINUX_ENOMEM;
    }
    i->priv = q;
    dentry_attach(d, i);
    return 0;
}

// ---- The directory ----------------------------------------------------------------------------------------
static struct mqueue *find_ref(struct mq_table *x, const char *name) {
    LOCKED(&x->lock);
    struct mqueue *q = mq_find(x, name);
    if (q)
        ref_get(&q->refs);
    return q;
}
static int lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct mqueue *q = find_ref(table_of(dir->sb), d->name);
    return q ? attach(dir->sb, d, q) : 0;
}
static int still_right(struct dentry *parent, struct dentry *d) {
    struct mq_table *x = table_of(parent->sb);
    LOCKED(&x->lock);
    return mq_find(x, d->name) == (d->inode ? queue_in(d->inode) : NULL);
}
static int create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    struct mqueue *q;
    int err = mq_make(ctx->task, table_of(dir->sb), d->name, mode, &q);
    return err < 0 ? err : attach(dir->sb, d, q);
}
static int unlink_queue(struct inode *dir, struct dentry *d) {
    struct mqueue *q = queue_in(d->inode);
    {
        LOCKED(&q->table->lock);
        if (!q->name)
            return -LINUX_ENOENT;
        mq_drop_name(q);
    }
    queue_put(q);
    return 0;
}
static int set_root_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    LOCKED(&i->lock);
    inode_apply_attr(&i->attr, a, which & ~ATTR_SIZE);
    return 0;
}
static const struct inode_ops root_ops = {.lookup = lookup,
                                          .recheck = still_right,
                                          .create = create,
                                          .unlink = unlink_queue,
                                          .setattr = set_root_attr};

static bool emit_dots(struct file *f, struct readdir_sink *s, uint64_t *off) {
    const struct inode *up = f->path.dentry->parent->inode;
    for (; *off < 2; (*off)++)
        if (!s->emit(s, "..", *off + 1, *off ? up->attr.ino : ROOT_INO, LINUX_S_IFDIR >> 12, *off + 1))
            return false;
    return true;
}
// A queue's number is its place.
static int readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct mq_table *x = table_of(f->inode->sb);
    const struct mqueue *q;
    if (!emit_dots(f, s, off))
        return 0;
    LOCKED(&x->lock);
    list_for_each(q, &x->queues, link) {
        if (!q->name || q->number + 1 < *off)
            continue;
        if (!s->emit(s, q->name, strlen(q->name), ROOT_INO + q->number, LINUX_S_IFREG >> 12, q->number + 2))
            return 0;
        *off = q->number + 2;
    }
    return 0;
}
static const struct file_ops root_fops = {.readdir = readdir};

// ---- The file system --------------------------------------------------------------------------------------
static void kill_super(struct superblock *sb) {
    struct ipc_ns *ns = sb->priv;
    if (ns)
        ns_put(&ns->ns);
}
static const struct super_ops mqfs_super_ops = {.kill = kill_super};

int mqfs_create(struct vfs *vfs, struct ipc_ns *ns, struct superblock **out) {
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | 01777, .ino = ROOT_INO, .nlink = 2};
    struct superblock *sb = super_new(vfs, &mqfs_super_ops, "mqueue", LINUX_MQUEUE_MAGIC);
    if (!sb)
        return -LINUX_ENOMEM;
    ns_get(&ns->ns);
    sb->priv = ns;
    struct inode *root = inode_new(sb, &root_ops, &root_fops, &a);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (!sb->root) {
        if (root)
            inode_put(root);
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}
