// SPDX-License-Identifier: Apache-2.0
// Layers: directories of other file systems, merged as overlay(5) of Linux merges them.
//
// A node (struct lnode) stands for one object: a directory for all directories of its name, from the topmost
// layer down to the first that is opaque or no directory; another object for the topmost one. It has a copy
// of the object's attributes for the VFS's checks, and everything else is asked of the object. What is going
// to be changed is copied to the upper layer first (copy.c), its directories before it; then the node has an
// upper object for good. Names that hide a lower one are whiteouts there: character devices 0:0.
//
// The layers are reached by mounts of our own that lie nowhere, and changed by the calls of the VFS
// (vfs_mkdir, vfs_rename ...) in the name of who mounted us: whoever watches the upper directory itself sees
// what Linux shows there. Locks: a directory of ours, then `change`, then whatever the layers take, which are
// never of this kind themselves where they can be changed.
//
// LIMIT: of overlay(5), index, metacopy, xino and redirect_dir=on are taken and have no effect, so a merged
// directory is not renamed (EXDEV); lower files with several names are copied up one by one.
#include "fs/layers/layers.h"
#include "abi/misc.h"
#include <string.h>

const char layers_opaque[] = "trusted.overlay.opaque", layers_user_opaque[] = "user.overlay.opaque";

// ---- Nodes ------------------------------------------------------------------------------------------------
static struct lnode *find_locked(struct layers *o, const void *key, struct rb_node **parent,
                                 struct rb_node ***link) {
    *link = &o->nodes.node;
    *parent = NULL;
    while (**link) {
        struct lnode *n = rb_entry(**link, struct lnode, by_key);
        if (n->key == key)
            return n;
        *parent = **link;
        *link = (uintptr_t)key < (uintptr_t)n->key ? &(*parent)->left : &(*parent)->right;
    }
    return NULL;
}
static void erase_locked(struct layers *o, struct lnode *n) {
    if (n->in_tree)
        rb_erase(&o->nodes, &n->by_key);
    n->in_tree = false;
}
// The node of that key that is alive already, referenced; else NULL, and n has the key.
static struct inode *insert(struct layers *o, struct lnode *n, const void *key) {
    struct rb_node *parent, **link;
    LOCKED(&o->lock);
    struct lnode *was = find_locked(o, key, &parent, &link);
    if (was && ref_get_unless_zero(&was->inode->refs))
        return was->inode;
    if (was) {  // on its way out
        erase_locked(o, was);
        find_locked(o, key, &parent, &link);
    }
    n->key = key;
    rb_insert(&o->nodes, &n->by_key, parent, link);
    n->in_tree = true;
    return NULL;
}
void layers_rekey(struct inode *i, struct dentry *upper) {
    struct layers *o = layers_of(i);
    struct lnode *n = lnode(i);
    struct rb_node *parent, **link;
    LOCKED(&o->lock);
    erase_locked(o, n);
    // Who reaches the working directory by another way can have given the copy a name already, and that has a
    // node: then there are two, of which one is found.
    if (!find_locked(o, upper->inode, &parent, &link)) {
        n->key = upper->inode;
        rb_insert(&o->nodes, &n->by_key, parent, link);
        n->in_tree = true;
    }
    atomic_store_explicit(&n->upper, upper, memory_order_release);
}

static void lower_put(struct below *lower, unsigned n) {
    for (unsigned k = 0; k < n; k++)
        dentry_put(lower[k].d);
}
static void evict(struct inode *i) {
    struct layers *o = layers_of(i);
    struct lnode *n = lnode(i);
    lock_take(&o->lock);
    erase_locked(o, n);
    lock_drop(&o->lock);
    dentry_put(lnode_upper(n));
    lower_put(n->lower, n->n);
    dentry_put(n->parent);
    budget_give(vfs_buffers(i->sb->vfs), n->charged);
    free(n);
}

#define STORE(field, v) __atomic_store_n(&(field), (v), __ATOMIC_RELAXED)
void layers_sync(struct inode *i) {
    struct inode *real = lnode_real(layers_of(i), lnode(i)).dentry->inode;
    struct vfs_attr a;
    for (enum acl_kind k = 0; k < ACL_KINDS; k++)
        if (inode_has_acl(real, k) || inode_has_acl(i, k))
            acl_put(inode_acl_swap(i, k, inode_acl(real, k)));
    atomic_store(&i->flags, atomic_load(&real->flags));
    atomic_store(&i->file_caps, atomic_load(&real->file_caps));
    if (inode_attr(real, &a))
        return;
    STORE(i->attr.mode, a.mode);
    STORE(i->attr.uid, a.uid);
    STORE(i->attr.gid, a.gid);
}

// ---- Attributes -------------------------------------------------------------------------------------------
int layers_getattr(struct inode *i, struct vfs_attr *a) {
    struct lnode *n = lnode(i);
    int err = inode_attr(lnode_real(layers_of(i), n).dentry->inode, a);
    if (err)
        return err;
    a->ino = i->attr.ino;
    if (inode_is_dir(i) && n->n + (lnode_upper(n) != NULL) > 1)
        a->nlink = 1;  // as Linux: nobody counts the directories in it
    if (!lnode_upper(n) && atomic_load(&n->gone))
        a->nlink = 0;
    return 0;
}
int layers_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    int err = layers_copy_up(i, which & ATTR_SIZE ? a->size : UINT64_MAX);
    if (err)
        return err;
    err = inode_setattr(lnode_upper(lnode(i))->inode, a, which);
    layers_sync(i);
    return err;
}
static int read_link(struct inode *i, char *buf, size_t size) {
    struct inode *real = lnode_real(layers_of(i), lnode(i)).dentry->inode;
    return real->ops->readlink ? real->ops->readlink(real, buf, size) : -LINUX_EINVAL;
}
// Our own are nobody else's business.
static bool is_own(const struct layers *o, const char *name) {
    const char *prefix = o->userxattr ? "user.overlay." : "trusted.overlay.";
    return !strncmp(name, prefix, strlen(prefix));
}
static int64_t get_xattr(struct inode *i, const char *name, void *buf, size_t size) {
    struct inode *real = lnode_real(layers_of(i), lnode(i)).dentry->inode;
    if (is_own(layers_of(i), name) || !real->ops->getxattr)
        return -LINUX_EOPNOTSUPP;
    return real->ops->getxattr(real, name, buf, size);
}
static int change_xattr(struct inode *i, const char *name, const void *value, size_t size, int flags) {
    if (is_own(layers_of(i), name))
        return -LINUX_EOPNOTSUPP;
    int err = layers_copy_up(i, UINT64_MAX);
    if (err)
        return err;
    struct inode *real = lnode_upper(lnode(i))->inode;
    if (!real->ops->setxattr || !real->ops->removexattr)
        return -LINUX_EOPNOTSUPP;
    err = value ? real->ops->setxattr(real, name, value, size, flags) : real->ops->removexattr(real, name);
    layers_sync(i);
    return err;
}
static int set_xattr(struct inode *i, const char *name, const void *value, size_t size, int flags) {
    return change_xattr(i, name, value ? value : "", size, flags);
}
static int remove_xattr(struct inode *i, const char *name) {
    int64_t has = get_xattr(i, name, NULL, 0);  // nothing is copied up for a refusal
    return has < 0 ? (int)has : change_xattr(i, name, NULL, 0, 0);
}
static int64_t list_xattr(struct inode *i, char *buf, size_t size, bool trusted) {
    struct inode *real = lnode_real(layers_of(i), lnode(i)).dentry->inode;
    if (!real->ops->listxattr)
        return 0;
    int64_t len = real->ops->listxattr(real, NULL, 0, trusted), out = 0;
    if (len <= 0)
        return len;
    char *all = xcalloc(1, (size_t)len);
    if (!all)
        return -LINUX_ENOMEM;
    len = real->ops->listxattr(real, all, (size_t)len, trusted);
    for (int64_t at = 0; at < len;) {
        size_t n = strlen(all + at) + 1;
        if (!is_own(layers_of(i), all + at)) {
            if (size && (uint64_t)out + n > size) {
                out = -LINUX_ERANGE;
                break;
            }
            if (size)
                memcpy(buf + out, all + at, n);
            out += (int64_t)n;
        }
        at += (int64_t)n;
    }
    free(all);
    return len < 0 ? len : out;
}
static int set_acl(struct inode *i, enum acl_kind kind, struct acl *acl, bool keep_sgid) {
    int err = layers_copy_up(i, UINT64_MAX);
    struct inode *real = err ? NULL : lnode_upper(lnode(i))->inode;
    if (err || !real->ops->set_acl) {
        acl_put(acl);
        return err ? err : -LINUX_EOPNOTSUPP;
    }
    err = real->ops->set_acl(real, kind, acl, keep_sgid);
    layers_sync(i);
    return err;
}
static int set_flags(struct inode *i, uint32_t was, uint32_t flags) {
    int err = layers_copy_up(i, UINT64_MAX);
    if (err)
        return err;
    struct inode *real = lnode_upper(lnode(i))->inode;
    err = real->ops->set_flags ? real->ops->set_flags(real, was, flags) : -LINUX_EOPNOTSUPP;
    layers_sync(i);
    return err;
}

// ---- In the name of who mounted us ------------------------------------------------------------------------
// A merged directory shows its topmost part's mode, and a copy is made for whoever asks: what a part below
// lets nobody see is asked for here.
int layers_look(const struct layers *o, struct dentry *dir, const char *name, struct dentry **out) {
    int err = vfs_permission(dir->inode, MAY_EXEC, &o->ctx.cred);
    return err ? err : dcache_lookup(dir, name, strlen(name), NULL, out);
}
int layers_open_real(const struct layers *o, const struct path *p, unsigned flags, int mask,
                     struct file **out) {
    int err = vfs_permission(p->dentry->inode, mask, &o->ctx.cred);
    return err ? err : file_open_dentry(p->mnt, p->dentry, flags, out);
}

// ---- Looking up -------------------------------------------------------------------------------------------
bool layers_is_whiteout(struct inode *i) {
    return i && inode_type(i) == LINUX_S_IFCHR && i->attr.rdev == 0;
}
static bool is_opaque(const struct layers *o, struct inode *dir) {
    char v[2];
    const char *name = o->userxattr ? layers_user_opaque : layers_opaque;
    return dir->ops->getxattr && dir->ops->getxattr(dir, name, v, sizeof v) == 1 && v[0] == 'y';
}
struct found {
    struct dentry *upper;  // owned, or NULL
    struct below *lower;   // room for all that are below the directory; owned
    unsigned n;
    bool ends;  // nothing further below belongs to it
};
// One layer's answer. d: taken over.
static void take(struct layers *o, struct found *f, struct dentry *d, bool upper, unsigned layer) {
    struct inode *i = d->inode;
    bool first = !f->upper && f->n == 0, dir = i && inode_is_dir(i);
    if (!i || (!first && !dir)) {
        f->ends = f->ends || i;
        dentry_put(d);
        return;
    }
    f->ends = !dir || is_opaque(o, i);
    if (layers_is_whiteout(i)) {
        dentry_put(d);
        return;
    }
    if (upper)
        f->upper = d;
    else
        f->lower[f->n++] = (struct below){d, layer};
}
static int look_in_all(struct layers *o, struct lnode *dir, const char *name, struct found *f) {
    struct dentry *up = lnode_upper(dir), *d;
    int err = up ? layers_look(o, up, name, &d) : 0;
    if (err)
        return err;
    if (up)
        take(o, f, d, true, 0);
    for (unsigned k = 0; k < dir->n && !f->ends; k++) {
        err = layers_look(o, dir->lower[k].d, name, &d);
        if (err)
            return err;
        take(o, f, d, false, dir->lower[k].layer);
    }
    return 0;
}
static int lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct layers *o = layers_of(dir);
    struct lnode *n = lnode(dir);
    struct found f = {.lower = n->n ? xcalloc(n->n, sizeof *f.lower) : NULL};
    struct inode *i;
    if (n->n && !f.lower)
        return -LINUX_ENOMEM;
    int err = look_in_all(o, n, d->name, &f);
    if (err) {
        dentry_put(f.upper);
        lower_put(f.lower, f.n);
    } else if (f.upper || f.n) {
        err = layers_inode(dir->sb, d->parent, f.upper, f.lower, f.n, &i);
        err = err ? err : (dentry_attach(d, i), 0);
    }
    free(f.lower);
    return err;
}

// ---- Inodes -----------------------------------------------------------------------------------------------
static const struct inode_ops file_inode_ops = {
    .getattr = layers_getattr, .setattr = layers_setattr, .getxattr = get_xattr, .setxattr = set_xattr,
    .listxattr = list_xattr, .removexattr = remove_xattr, .set_acl = set_acl, .set_flags = set_flags,
    .open = layers_open, .evict = evict};
static const struct inode_ops link_inode_ops = {
    .getattr = layers_getattr, .setattr = layers_setattr, .getxattr = get_xattr, .setxattr = set_xattr,
    .listxattr = list_xattr, .removexattr = remove_xattr, .readlink = read_link, .evict = evict};
static const struct inode_ops device_inode_ops = {
    .getattr = layers_getattr, .setattr = layers_setattr, .getxattr = get_xattr, .setxattr = set_xattr,
    .listxattr = list_xattr, .removexattr = remove_xattr, .set_acl = set_acl, .open = layers_open_device,
    .evict = evict};
static const struct inode_ops special_inode_ops = {  // fifos, sockets: their object is ours
    .getattr = layers_getattr, .setattr = layers_setattr, .getxattr = get_xattr, .setxattr = set_xattr,
    .listxattr = list_xattr, .removexattr = remove_xattr, .set_acl = set_acl, .evict = evict};
const struct inode_ops layers_dir_ops = {
    .lookup = lookup, .create = layers_create, .mkdir = layers_mkdir, .mknod = layers_mknod,
    .symlink = layers_symlink, .link = layers_link, .unlink = layers_unlink, .rmdir = layers_rmdir,
    .rename = layers_rename, .tmpfile = layers_tmpfile, .getattr = layers_getattr,
    .setattr = layers_setattr, .getxattr = get_xattr, .setxattr = set_xattr, .listxattr = list_xattr,
    .removexattr = remove_xattr, .set_acl = set_acl, .set_flags = set_flags, .evict = evict};

static const struct inode_ops *ops_of(uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFDIR:
        return &layers_dir_ops;
    case LINUX_S_IFREG:
        return &file_inode_ops;
    case LINUX_S_IFLNK:
        return &link_inode_ops;
    case LINUX_S_IFCHR:
    case LINUX_S_IFBLK:
        return &device_inode_ops;
    default:
        return &special_inode_ops;
    }
}
static const struct file_ops *fops_of(uint32_t mode) {
    if (LINUX_S_ISDIR(mode))
        return &layers_dir_fops;
    return LINUX_S_ISREG(mode) ? &layers_file_fops : NULL;
}
// Many layers make large nodes.
static struct lnode *node_new(struct vfs *v, unsigned n) {
    uint64_t charged = n > 4 ? n * sizeof(struct below) : 0;
    if (!budget_take(vfs_buffers(v), charged))
        return NULL;
    struct lnode *node = xcalloc(1, sizeof *node + n * sizeof(struct below));
    if (!node)
        budget_give(vfs_buffers(v), charged);
    else
        node->charged = charged;
    return node;
}
static struct inode *inode_for(struct superblock *sb, const struct vfs_attr *real, unsigned n) {
    struct layers *o = sb->priv;
    struct vfs_attr a = *real;
    if (!o->one_fs)
        a.ino = inode_next_ino(sb->vfs);
    struct lnode *node = node_new(sb->vfs, n);
    struct inode *i = node ? inode_new(sb, ops_of(a.mode), fops_of(a.mode), &a) : NULL;
    if (!i) {
        if (node)
            budget_give(vfs_buffers(sb->vfs), node->charged);
        free(node);
        return NULL;
    }
    node->inode = i;
    i->priv = node;
    if (inode_is_dir(i)) {
        lock_destroy(&i->lock);
        lock_init(&i->lock, RANK_LAYERS_DIR);
    }
    return i;
}
int layers_inode(struct superblock *sb, struct dentry *parent, struct dentry *upper, struct below *lower,
                 unsigned n, struct inode **out) {
    struct dentry *real = upper ? upper : lower[0].d;
    struct vfs_attr a;
    if (upper && !inode_is_dir(upper->inode) && n) {
        lower_put(lower, n);
        n = 0;
    }
    int err = inode_attr(real->inode, &a);
    struct inode *i = err ? NULL : inode_for(sb, &a, n);
    if (!i) {
        dentry_put(upper);
        lower_put(lower, n);
        return err ? err : -LINUX_ENOMEM;
    }
    struct lnode *node = lnode(i);
    atomic_init(&node->upper, upper);
    node->parent = parent ? dentry_get(parent) : NULL;
    node->n = n;
    if (n)
        memcpy(node->lower, lower, n * sizeof *lower);
    layers_sync(i);
    struct inode *was = insert(sb->priv, node, upper ? (void *)upper->inode : (void *)lower[0].d);
    if (was)
        inode_put(i);
    *out = was ? was : i;
    return 0;
}
