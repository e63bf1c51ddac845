// SPDX-License-Identifier: Apache-2.0
// Namespaces of mounts, and what mount(2) and its kin do with trees of them. A mount is found by the mount
// and the name that it lies on (mount.c), so a namespace is no more than a tree of its own: who has come to
// its root meets nothing of another one.
//
// Locks: mounts_lock for every change, with the dcache lock inside. What is taken off a tree is put, which
// may end a file system, after both are dropped.
#include "abi/misc.h"
#include "fs/mnt_ns.h"
#include "fs/core.h"
#include <string.h>

// ---- Trees ------------------------------------------------------------------------------------------------
// The next one that does not lie on m.
static struct mount *next_beside(const struct mount *m, const struct mount *top) {
    for (; m != top; m = m->parent)
        if (m->sibling.next != &m->parent->children)
            return list_first(&m->sibling, struct mount, sibling);
    return NULL;
}

// The next mount of the tree below top, parents before their children.
static struct mount *next_of(const struct mount *m, const struct mount *top) {
    if (!list_empty(&m->children))
        return list_first(&m->children, struct mount, sibling);
    return next_beside(m, top);
}

static bool is_below(const struct dentry *d, const struct dentry *top) {
    LOCKED(&top->sb->vfs->dcache);
    while (!mount_same_place(d, top) && d->parent != d)
        d = d->parent;
    return mount_same_place(d, top);
}

static struct mount *leaf_of(struct mount *m) {
    while (!list_empty(&m->children))
        m = list_first(&m->children, struct mount, sibling);
    return m;
}

// Takes top and all that lies on it off, leaves first, onto a list by `link`. What is locked stays on its
// parent: who has a file open there must not come to see what it hides.
static void take_off(struct vfs *v, struct mount *top, struct list *gone) {
    for (struct mount *m = leaf_of(top), *next; m; m = next) {
        next = NULL;
        if (m != top)
            next = m->sibling.next == &m->parent->children
                       ? m->parent
                       : leaf_of(list_first(&m->sibling, struct mount, sibling));
        if (m != top && m->locked)
            mount_leave(v, m);
        else
            mount_unlink(v, m);
        list_add_tail(gone, &m->link);
    }
}

static void put_all(struct list *gone) {
    while (!list_empty(gone)) {
        struct mount *m = list_first(gone, struct mount, link);
        list_del(&m->link);
        mount_put_left(m);
    }
}

static struct mount *clone_of(struct vfs *v, struct mount *m, struct dentry *root) {
    ref_get(&m->sb->active);
    struct mount *c = mount_new(v, m->sb, root, m->flags, m->source);
    if (!c)
        super_put(m->sb);  // never the last one
    m->copy = c;
    c->locked_flags = m->locked_flags;
    return c;
}

static bool is_ns_of_mounts(const struct mount *m) {
    const struct ns *n = nsfs_of_path(&(struct path){NULL, m->root});
    return n && n->kind == NS_MNT;
}

static bool is_copied(const struct mount *m, const struct mount *top, const struct dentry *root) {
    if (!root)
        return !is_ns_of_mounts(m);
    return m->parent != top || is_below(m->mountpoint, root);
}

// What lies on `top` below `root`, once more on top's copy; NULL: all, for a copied namespace, which is
// younger than namespaces bound in it may be (may_bind_ns()), so without these. Mounts of the copy lie in ns
// already.
static int copy_below(struct vfs *v, struct mount *top, const struct dentry *root, struct mnt_ns *ns) {
    for (struct mount *m = next_of(top, top), *next; m; m = next) {
        if (!is_copied(m, top, root)) {
            next = next_beside(m, top);
            continue;
        }
        next = next_of(m, top);
        struct mount *c = clone_of(v, m, m->root);
        if (c)
            c->locked = m->locked;
        int err = c ? mount_link(v, c, m->parent->copy, m->mountpoint, ns) : -LINUX_ENOMEM;
        if (err) {
            if (c)
                mount_put(c);
            return err;
        }
    }
    return 0;
}

// ---- Namespaces -------------------------------------------------------------------------------------------
static void mnt_ns_free(struct ns *n) {
    struct mnt_ns *ns = container_of(n, struct mnt_ns, ns);
    struct list gone = LIST_INIT(gone);
    lock_take(&ns->vfs->mounts_lock);
    if (ns->root)
        take_off(ns->vfs, ns->root, &gone);
    lock_drop(&ns->vfs->mounts_lock);
    put_all(&gone);
    free(ns);
}

struct mnt_ns *mnt_ns_new(struct vfs *v, uint64_t ino, struct ns *owner) {
    struct mnt_ns *ns = znew(struct mnt_ns);
    if (!ns)
        return NULL;
    ns_init(&ns->ns, NS_MNT, v, ino, owner, mnt_ns_free);
    ns->vfs = v;
    return ns;
}

struct mnt_ns *mnt_ns_get(struct mnt_ns *ns) {
    ns_get(&ns->ns);
    return ns;
}

void mnt_ns_put(struct mnt_ns *ns) { ns_put(&ns->ns); }

struct mnt_ns *vfs_first_ns(struct vfs *v) {
    return v->ns;
}

// Is it (NULL: nobody's) the first user namespace?
static bool is_first(const struct ns *owner) { return !owner || !owner->owner; }

// A copy for another owner, who may do less with it.
static void lock_all(struct mnt_ns *ns) {
    for (struct mount *m = ns->root; m; m = next_of(m, ns->root)) {
        m->locked = m != ns->root;
        m->locked_flags |= m->flags & (MOUNT_FLAGS & ~LINUX_MS_RELATIME);
    }
}

static int copy_all(struct vfs *v, struct mnt_ns *old, struct mnt_ns *ns) {
    if (!old->root)
        return -LINUX_ENOENT;
    struct mount *c = clone_of(v, old->root, old->root->root);
    int err = c ? mount_link(v, c, NULL, NULL, ns) : -LINUX_ENOMEM;
    if (err) {
        if (c)
            mount_put(c);
        return err;
    }
    err = copy_below(v, old->root, NULL, ns);
    if (err == 0 && ns->ns.owner != old->ns.owner && !(is_first(ns->ns.owner) && is_first(old->ns.owner)))
        lock_all(ns);
    return err;
}

// mounts_lock is held. The mount of p in the copy; what it was is put by the caller.
static struct mount *lead_over(struct mnt_ns *old, struct path *p) {
    struct mount *was = p->mnt;
    if (!was || was->ns != old)
        return NULL;
    p->mnt = mount_get(was->copy);
    return was;
}

int mnt_ns_copy(struct mnt_ns *old, struct ns *owner, struct mnt_ns **out, struct path *paths[], unsigned n) {
    struct vfs *v = old->vfs;
    struct mount *was[2] = {NULL, NULL};
    struct mnt_ns *ns = mnt_ns_new(v, 0, owner);
    if (!ns)
        return -LINUX_ENOMEM;
    invariant(n <= 2);
    lock_take(&v->mounts_lock);
    int err = copy_all(v, old, ns);
    for (unsigned i = 0; !err && i < n; i++)
        was[i] = lead_over(old, paths[i]);
    lock_drop(&v->mounts_lock);
    for (unsigned i = 0; i < n; i++)
        mount_put(was[i]);
    if (err) {
        mnt_ns_put(ns);
        return err;
    }
    *out = ns;
    return 0;
}

bool vfs_is_in(struct mnt_ns *ns, const struct path *p) {
    LOCKED(&ns->vfs->mounts_lock);
    return p->mnt->ns == ns;
}

struct path mnt_ns_root(struct mnt_ns *ns) {
    struct path root = {0};
    {
        LOCKED(&ns->vfs->mounts_lock);
        if (ns->root) {
            root = (struct path){ns->root, ns->root->root};
            path_get(&root);
        }
    }
    if (root.mnt)
        path_into_mounts(ns->vfs, &root);
    return root;
}

bool vfs_is_root_of(struct mnt_ns *ns, const struct path *p) {
    struct path root cleanup_path = mnt_ns_root(ns);
    return path_equal(&root, p);
}

int mnt_ns_begin(struct vfs *v, struct superblock *sb, unsigned flags, const char *source,
                 struct ns *owner, struct mnt_ns **out) {
    struct mnt_ns *ns = mnt_ns_new(v, 0, owner);
    struct mount *m = ns ? mount_new(v, sb, sb->root, flags, source) : NULL;
    int err = -LINUX_ENOMEM;
    if (m) {
        LOCKED(&v->mounts_lock);
        err = mount_link(v, m, NULL, NULL, ns);
    } else {
        super_put(sb);
    }
    if (err == 0) {
        *out = ns;
        return 0;
    }
    if (m)
        mount_put(m);
    if (ns)
        mnt_ns_put(ns);
    return err;
}

// ---- Mounting ---------------------------------------------------------------------------------------------
// What lies on top at a place; owned.
static struct path top_of(struct vfs *v, const struct path *at) {
    struct path top = *at;
    path_get(&top);
    path_into_mounts(v, &top);
    return top;
}

// Nothing that the owner could not take off hides a part of it.
static bool is_whole(const struct mount *m) {
    const struct mount *c;
    list_for_each(c, &m->children, sibling)
        if (c->locked && !c->mountpoint->inode->stays_empty)
            return false;
    return m->root == m->sb->root;
}

// As mount_too_revealing() of Linux: a file system that shows more than its owner's (proc, sysfs) comes anew
// into a namespace of another one than the first only where one is seen whole, and as read-only as that is.
static int may_show(struct mnt_ns *ns, const struct superblock *sb, unsigned flags, unsigned *locked) {
    if (is_first(ns->ns.owner) || !sb->revealing)
        return 0;
    LOCKED(&ns->vfs->mounts_lock);
    for (const struct mount *m = ns->root; m; m = next_of(m, ns->root)) {
        unsigned kept = (m->locked_flags | (m->sb->read_only ? LINUX_MS_RDONLY : 0)) & LINUX_MS_RDONLY;
        if (strcmp(m->sb->type, sb->type) || (kept & ~flags) || !is_whole(m))
            continue;
        *locked = kept;
        return 0;
    }
    return -LINUX_EPERM;
}

int vfs_mount_in(struct mnt_ns *ns, struct superblock *sb, const struct path *at, unsigned flags,
                 const char *source) {
    unsigned locked = 0;
    int err = vfs_is_in(ns, at) ? may_show(ns, sb, flags, &locked) : -LINUX_EINVAL;
    err = err ? err : vfs_mount_locked(ns->vfs, sb, at, flags, locked, source);
    if (err)
        super_put(sb);
    return err;
}

// A file that stands for a namespace has no place. One of mounts is bound in younger ones alone: no ring of
// references.
static bool may_bind_ns(const struct mnt_ns *ns, const struct path *from) {
    const struct ns *n = nsfs_of_path(from);
    return n && (n->kind != NS_MNT || n->ino > ns->ns.ino);
}

// Would one see what a locked mount below d lies on?
static bool has_locked(const struct mount *m, const struct dentry *d) {
    const struct mount *c;
    list_for_each(c, &m->children, sibling)
        if (c->locked && is_below(c->mountpoint, d))
            return true;
    return false;
}

static int bind_locked(struct mnt_ns *ns, const struct path *from, const struct path *at, bool recursive,
                       struct list *gone) {
    struct vfs *v = ns->vfs;
    if ((from->mnt->ns != ns && !may_bind_ns(ns, from)) || at->mnt->ns != ns)
        return -LINUX_EINVAL;
    if (!recursive && has_locked(from->mnt, from->dentry))
        return -LINUX_EINVAL;
    if (!mounts_fit(at, from->dentry))
        return -LINUX_ENOTDIR;
    if (at->dentry->inode->dead)
        return -LINUX_ENOENT;
    struct mount *c = clone_of(v, from->mnt, from->dentry);
    if (!c)
        return -LINUX_ENOMEM;
    int err = recursive ? copy_below(v, from->mnt, from->dentry, ns) : 0;
    err = err ? err : mount_link(v, c, at->mnt, at->dentry, ns);
    if (err == 0)
        return 0;
    while (!list_empty(&c->children))
        take_off(v, list_first(&c->children, struct mount, sibling), gone);
    list_add_tail(gone, &c->link);
    return err;
}

int vfs_bind_tree(struct mnt_ns *ns, const struct path *from, const struct path *at, bool recursive) {
    struct list gone = LIST_INIT(gone);
    struct path top cleanup_path = top_of(ns->vfs, at);
    lock_take(&ns->vfs->mounts_lock);
    int err = bind_locked(ns, from, &top, recursive, &gone);
    lock_drop(&ns->vfs->mounts_lock);
    put_all(&gone);
    return err;
}

static bool lies_on(const struct mount *m, const struct mount *tree) {
    while (m && m != tree)
        m = m->parent;
    return m;
}

// m, with all that lies on it, to another place of its namespace. mounts_lock is held; the old place is to be
// put.
static struct path hang(struct vfs *v, struct mount *m, const struct path *to) {
    struct path was = {m->parent, m->mountpoint};
    if (to->mnt)
        path_get(to);
    LOCKED(&v->dcache);
    list_del(&m->sibling);
    if (was.dentry) {
        atomic_fetch_sub(&was.dentry->mounts, 1);
        atomic_fetch_sub(&was.dentry->sb->covered, 1);
    }
    m->parent = to->mnt;
    m->mountpoint = to->dentry;
    if (!to->mnt) {
        m->ns->root = m;
        return was;
    }
    atomic_fetch_add(&to->dentry->mounts, 1);
    atomic_fetch_add(&to->dentry->sb->covered, 1);
    list_add_tail(&to->mnt->children, &m->sibling);
    return was;
}

static int may_move(struct mnt_ns *ns, const struct path *from, const struct path *at) {
    if (from->mnt->ns != ns || at->mnt->ns != ns || from->dentry != from->mnt->root || !from->mnt->parent ||
        from->mnt->locked)
        return -LINUX_EINVAL;
    if (lies_on(at->mnt, from->mnt))
        return -LINUX_ELOOP;
    if (at->dentry->inode->dead)
        return -LINUX_ENOENT;
    return mounts_fit(at, from->dentry) ? 0 : -LINUX_ENOTDIR;
}

int vfs_move_mount(struct mnt_ns *ns, const struct path *from, const struct path *at) {
    struct path top cleanup_path = top_of(ns->vfs, at), was = {0};
    lock_take(&ns->vfs->mounts_lock);
    int err = may_move(ns, from, &top);
    if (!err)
        was = hang(ns->vfs, from->mnt, &top);
    lock_drop(&ns->vfs->mounts_lock);
    path_put(&was);
    return err;
}

int vfs_remount(struct mnt_ns *ns, const struct path *at, unsigned flags) {
    LOCKED(&ns->vfs->mounts_lock);
    if (at->mnt->ns != ns || at->dentry != at->mnt->root)
        return -LINUX_EINVAL;
    if (at->mnt->locked_flags & ~flags)
        return -LINUX_EPERM;
    at->mnt->flags = flags & MOUNT_FLAGS;
    return 0;
}

int vfs_umount_tree(struct mnt_ns *ns, const struct path *at) {
    struct list gone = LIST_INIT(gone);
    lock_take(&ns->vfs->mounts_lock);
    bool ok = at->mnt->ns == ns && at->dentry == at->mnt->root && at->mnt != ns->root && !at->mnt->locked;
    if (ok)
        take_off(ns->vfs, at->mnt, &gone);
    lock_drop(&ns->vfs->mounts_lock);
    put_all(&gone);
    return ok ? 0 : -LINUX_EINVAL;
}

// ---- pivot_root -------------------------------------------------------------------------------------------
static bool reaches(const struct path *p, const struct path *top) {
    const struct mount *m = p->mnt;
    const struct dentry *d = p->dentry;
    for (; m && m != top->mnt; m = m->parent)
        d = m->mountpoint;
    return m && is_below(d, top->dentry);
}

static int may_pivot(struct mnt_ns *ns, const struct path *root, const struct path *to,
                     const struct path *old) {
    if (to->mnt->ns != ns || old->mnt->ns != ns || root->mnt->ns != ns)
        return -LINUX_EINVAL;
    if (to->mnt == root->mnt || old->mnt == root->mnt)
        return -LINUX_EBUSY;
    if (root->dentry != root->mnt->root || to->dentry != to->mnt->root || !to->mnt->parent ||
        to->mnt->locked || root->mnt->locked)
        return -LINUX_EINVAL;
    return reaches(old, to) && reaches(to, root) ? 0 : -LINUX_EINVAL;
}

int vfs_pivot_root(struct mnt_ns *ns, const struct path *root, const struct path *to,
                   const struct path *old) {
    struct vfs *v = ns->vfs;
    struct path top cleanup_path = top_of(v, old), was[2] = {{0}};
    lock_take(&v->mounts_lock);
    int err = may_pivot(ns, root, to, &top);
    if (!err) {
        struct path place = {root->mnt->parent, root->mnt->mountpoint};
        was[0] = hang(v, to->mnt, &place);
        was[1] = hang(v, root->mnt, &top);
    }
    lock_drop(&v->mounts_lock);
    path_put(&was[0]);
    path_put(&was[1]);
    return err;
}
