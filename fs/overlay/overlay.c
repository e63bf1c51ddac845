// SPDX-License-Identifier: Apache-2.0
// The overlay: a tmpfs through which a read-only lower file system shows.
//
// There is one node (a tmpfs node with `lower` set) for each lower name in use. It carries a copy of the
// attributes, so chmod, chown, link and rename of a lower file copy nothing; its bytes stay the lower file's
// until the first write (data.c). A directory's own entries lie over the lower names: an entry without an
// inode is a whiteout. A directory that is moved keeps its `lower`, so a whole tree moves without being
// copied, and a directory that is made has none, so nothing shows through it. Open files, descriptors and
// names share the node: what is written through one is seen by all, and the inode number never changes.
//
// Nodes are found again by their lower dentry (by_lower). A node that differs from lower is pinned: it keeps
// a reference of its own as long as it has a visible name. The lower dentry is held by the node, and with it
// all its parents, so the dcache finds the same one again.
//
// Lower inode numbers are shown as they are; new nodes number from 2^32.
// LIMIT: two lower names of one host file are two nodes: a write through one is not seen through the other,
// as on Linux without index=on. Extended attributes of lower files are not shown.
#include "fs/overlay/overlay.h"
#include <string.h>

// ---- Nodes by lower name ----------------------------------------------------------------------------------
static struct tnode *find_locked(struct overlay *o, const struct dentry *lower, struct rb_node **parent,
                                 struct rb_node ***link) {
    *link = &o->by_lower.node;
    *parent = NULL;
    while (**link) {
        struct tnode *n = rb_entry(**link, struct tnode, by_lower);
        if (n->lower == lower)
            return n;
        *parent = **link;
        *link = (uintptr_t)lower < (uintptr_t)n->lower ? &(*parent)->left : &(*parent)->right;
    }
    return NULL;
}
static void erase_locked(struct overlay *o, struct tnode *n) {
    if (n->in_tree)
        rb_erase(&o->by_lower, &n->by_lower);
    n->in_tree = false;
}
// The node of `lower` if it is alive, referenced.
static struct inode *node_of_lower(struct overlay *o, const struct dentry *lower) {
    struct rb_node *parent, **link;
    LOCKED(&o->lock);
    struct tnode *n = find_locked(o, lower, &parent, &link);
    if (!n)
        return NULL;
    if (ref_get_unless_zero(&n->inode->refs))
        return n->inode;
    erase_locked(o, n);  // it is on its way out
    return NULL;
}
static void node_insert(struct overlay *o, struct tnode *n) {
    struct rb_node *parent, **link;
    LOCKED(&o->lock);
    find_locked(o, n->lower, &parent, &link);
    rb_insert(&o->by_lower, &n->by_lower, parent, link);
    n->in_tree = true;
}
// The node that shows `lower` (taken over). One directory's lookups are serialised by its lock, so nobody
// else makes the same node meanwhile.
static int node_for(struct superblock *sb, struct dentry *lower, struct inode **out) {
    struct overlay *o = ((struct tsuper *)sb->priv)->origin_priv;
    struct vfs_attr a;
    if ((*out = node_of_lower(o, lower))) {
        dentry_put(lower);
        return 0;
    }
    int err = inode_attr(lower->inode, &a);
    struct inode *i = err ? NULL : tnode_uncharged(sb, &a);
    if (!i) {
        dentry_put(lower);
        return err ? err : -LINUX_ENOMEM;
    }
    struct tnode *n = tnode(i);
    n->lower = lower;
    n->names = 1;
    atomic_init(&n->lower_data, LINUX_S_ISREG(a.mode));
    node_insert(o, n);
    *out = i;
    return 0;
}

// ---- Hooks of tmpfs ---------------------------------------------------------------------------------------
static int ovl_lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct dentry *lower;
    struct inode *i;
    int err = dcache_lookup(tnode(dir)->lower, d->name, strlen(d->name), next, &lower);
    if (err)
        return err;
    if (!lower->inode) {
        dentry_put(lower);
        return 0;
    }
    err = node_for(dir->sb, lower, &i);
    if (!err)
        dentry_attach(d, i);
    return err;
}
static int ovl_has(struct inode *dir, struct dentry *name) {
    struct dentry *lower;
    int err = dcache_lookup(tnode(dir)->lower, name->name, strlen(name->name), NULL, &lower);
    if (err)
        return err;
    bool has = lower->inode;
    dentry_put(lower);
    return has;
}
static void ovl_changed(struct inode *i) {
    struct tnode *n = tnode(i);
    struct overlay *o = overlay_of(i);
    if (atomic_load_explicit(&n->pinned, memory_order_relaxed))
        return;
    LOCKED(&o->lock);
    if (atomic_load(&n->pinned) || !n->names)
        return;
    atomic_store(&n->pinned, true);
    list_add_tail(&o->pinned, &n->pin_link);
    inode_get(i);
}
// The caller has a reference of its own: this frees nothing.
static void ovl_renamed(struct inode *i, int names) {
    struct tnode *n = tnode(i);
    struct overlay *o = overlay_of(i);
    lock_take(&o->lock);
    n->names += (unsigned)names;
    bool unpin = n->names == 0 && atomic_load(&n->pinned);
    if (unpin) {
        atomic_store(&n->pinned, false);
        list_del(&n->pin_link);
    }
    lock_drop(&o->lock);
    if (unpin)
        inode_put(i);
}
static void ovl_evict(struct inode *i) {
    struct tnode *n = tnode(i);
    struct overlay *o = overlay_of(i);
    lock_take(&o->lock);
    erase_locked(o, n);
    lock_drop(&o->lock);
    invariant(!n->holders);
    ovl_list_free(n);
    dentry_put(n->lower);
}
static void ovl_shutdown(struct superblock *sb) {
    struct overlay *o = ((struct tsuper *)sb->priv)->origin_priv;
    for (;;) {
        lock_take(&o->lock);
        struct tnode *n = list_empty(&o->pinned) ? NULL : list_first(&o->pinned, struct tnode, pin_link);
        if (n) {
            list_del(&n->pin_link);
            atomic_store(&n->pinned, false);
        }
        lock_drop(&o->lock);
        if (!n)
            return;
        if (inode_is_dir(n->inode))
            tdir_destroy_tree(n->inode);
        inode_put(n->inode);
    }
}
static void ovl_kill(struct superblock *sb) {
    struct overlay *o = ((struct tsuper *)sb->priv)->origin_priv;
    super_put(o->lower);
    lock_destroy(&o->lock);
    free(o);
}
static const struct torigin origin = {
    .lookup = ovl_lookup,
    .has = ovl_has,
    .empty = ovl_empty,
    .readdir = ovl_readdir,
    .copy_up = ovl_copy_up,
    .open = ovl_open,
    .release = ovl_release,
    .readlink = ovl_readlink,
    .read = ovl_read,
    .llseek = ovl_llseek,
    .mmap_fd = ovl_mmap_fd,
    .changed = ovl_changed,
    .renamed = ovl_renamed,
    .evict = ovl_evict,
    .shutdown = ovl_shutdown,
    .kill = ovl_kill,
};

// What the upper file system holds already lies over the lower one. Its root becomes the root of both, with
// the attributes of the lower root.
static void merge_roots(struct superblock *upper, struct superblock *lower, const struct vfs_attr *a) {
    struct inode *root = upper->root->inode;
    struct tnode *n = tnode(root);
    dcache_forget_children(upper->root);
    root->attr = *a;
    n->lower = dentry_get(lower->root);
    n->names = 1;
    node_insert(overlay_of(root), n);
}
int overlay_create(struct vfs *vfs, struct superblock *lower, struct superblock *upper,
                   struct superblock **out) {
    struct vfs_attr a;
    if (!sb_is_tmpfs(upper) || ((struct tsuper *)upper->priv)->origin)
        return -LINUX_EINVAL;
    int err = inode_attr(lower->root->inode, &a);
    struct overlay *o = err ? NULL : znew(struct overlay);
    if (!o)
        return err ? err : -LINUX_ENOMEM;
    lock_init(&o->lock, RANK_OBJECT);
    list_init(&o->pinned);
    o->lower = lower;
    struct tsuper *s = upper->priv;
    s->origin = &origin;
    s->origin_priv = o;
    s->ino_base = 1ull << 32;
    upper->type = "overlay";
    upper->magic = LINUX_OVERLAYFS_SUPER_MAGIC;
    merge_roots(upper, lower, &a);
    *out = upper;
    return 0;
}
