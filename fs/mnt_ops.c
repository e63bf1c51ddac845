// SPDX-License-Identifier: Apache-2.0
// What mount(2) and its kin do with trees of mounts: mount, bind, move, change, take off, pivot. Each takes
// mounts_lock once, looks at everything anew under it, then does all or nothing. Checks come in Linux' order.
#include "abi/misc.h"
#include "fs/mnt.h"
#include <string.h>

// mounts_lock is held: what lies on top at a place, borrowed.
static struct path top_of(const struct path *at) {
    struct path top = *at;
    struct mount *m;
    while ((m = mount_find_locked(top.mnt, top.dentry)))
        top = (struct path){m, m->root};
    return top;
}
static bool is_root_of_mount(const struct path *p) { return p->dentry == p->mnt->root; }
static bool is_mounted(const struct path *p) { return p->mnt->ns; }

// In ns, or hung in an anonymous one by who was in ns.
static bool is_usable(const struct mnt_ns *ns, const struct mount *m) {
    return m->ns == ns || (m->ns && m->ns->anon && m->ns->origin == ns->ns.ino);
}
static bool is_anon_root(const struct mount *m) { return m->ns && m->ns->anon && m->ns->root == m; }

// The end of every change: what is left over is put when the lock has been dropped.
struct leftovers {
    struct list gone;
    struct path was;
    struct mnt_ns *anon;  // lost its root
};
static void begin(struct vfs *v, struct leftovers *l) {
    *l = (struct leftovers){0};
    list_init(&l->gone);
    lock_take(&v->mounts_lock);
}
static void end(struct vfs *v, struct leftovers *l) {
    lock_drop(&v->mounts_lock);
    put_all(&l->gone);
    path_put(&l->was);
    if (l->anon)
        mnt_ns_put(l->anon);
}

// ---- New ones ---------------------------------------------------------------------------------------------
static int may_place(const struct path *at, const struct dentry *root) {
    const struct inode *i = at->dentry->inode;
    if (i->dead || i->ops->jump)  // gone; or a magic link of procfs, which nobody mounts on
        return -LINUX_ENOENT;
    return mounts_fit(at, root) ? 0 : -LINUX_ENOTDIR;
}
// m, which nobody has seen, goes on top of *at; ns: NULL: that of `at`. Without success it is the caller's.
static int place_new(struct mnt_ns *ns, struct mount *m, const struct path *at) {
    struct vfs *v = m->sb->vfs;
    struct leftovers l;
    begin(v, &l);
    struct path top = top_of(at);
    bool fits = is_mounted(&top) && (!ns || top.mnt->ns == ns);
    int err = fits ? mount_room(v) : -LINUX_EINVAL;
    err = err ? err : may_place(&top, m->root);
    err = err ? err : tree_attach(top.mnt->ns, m, &top, &l.was, &l.gone);
    end(v, &l);
    return err;
}
// sb is taken over on success.
static int mount_at(struct mnt_ns *ns, struct vfs *v, struct superblock *sb, struct dentry *root,
                    const struct path *at, unsigned flags, unsigned locked_flags, const char *source) {
    struct mount *m = mount_new(v, sb, root, flags, source);
    if (!m)
        return -LINUX_ENOMEM;
    m->locked_flags = locked_flags;
    int err = place_new(ns, m, at);
    if (err)
        mount_discard(m);
    return err;
}
static int mount_first(struct vfs *v, struct superblock *sb, unsigned flags, const char *source) {
    struct mount *m = v->ns->root ? NULL : mount_new(v, sb, sb->root, mount_usual(flags), source);
    if (!m)
        return v->ns->root ? -LINUX_EBUSY : -LINUX_ENOMEM;
    LOCKED(&v->mounts_lock);
    mount_link(v, m, (struct path){0}, v->ns);
    return 0;
}
int vfs_mount(struct vfs *v, struct superblock *sb, const struct path *at, unsigned flags,
              const char *source) {
    if (!at)
        return mount_first(v, sb, flags, source);
    return mount_at(NULL, v, sb, sb->root, at, mount_usual(flags), 0, source);
}
int vfs_bind(struct vfs *v, const struct path *from, const struct path *at, unsigned flags,
             const char *source) {
    ref_get(&from->mnt->sb->active);
    int err = mount_at(NULL, v, from->mnt->sb, from->dentry, at, flags, 0, source);
    if (err)
        super_put(from->mnt->sb);
    return err;
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
    if (ns_is_first_user(ns->ns.owner) || !sb->revealing)
        return 0;
    LOCKED(&ns->vfs->mounts_lock);
    for (const struct mount *m = ns->root; m; m = tree_next(m, ns->root)) {
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
    err = err ? err : mount_at(ns, ns->vfs, sb, sb->root, at, flags, locked, source);
    if (err)
        super_put(sb);
    return err;
}

// ---- Copies -----------------------------------------------------------------------------------------------
// A file that stands for a namespace has no place. One of mounts is bound in younger ones alone: no ring of
// references.
static bool may_copy(const struct mnt_ns *ns, const struct path *from) {
    const struct ns *n = nsfs_of_path(from);
    if (n)
        return n->kind != NS_MNT || n->ino > ns->ns.ino;
    return is_usable(ns, from->mnt);
}

// Would one see what a locked mount below d lies on?
static bool has_locked(const struct mount *m, const struct dentry *d) {
    const struct mount *c;
    list_for_each(c, &m->children, sibling)
        if (c->locked && dentry_lies_below(c->mountpoint, d))
            return true;
    return false;
}

static int copy_of(struct mnt_ns *ns, const struct path *from, bool recursive, struct mount **out,
                   struct leftovers *l) {
    if (from->mnt->unbindable || !may_copy(ns, from))
        return -LINUX_EINVAL;
    if (!recursive && has_locked(from->mnt, from->dentry))
        return -LINUX_EINVAL;
    return tree_copy(from->mnt, from->dentry, recursive, COPY_NAMESPACES, out, &l->gone);
}

static int place_copy(struct mnt_ns *ns, struct mount *c, const struct path *to, struct leftovers *l) {
    int err = may_place(to, c->root);
    err = err ? err : tree_attach(ns, c, to, &l->was, &l->gone);
    if (err)
        tree_discard(c, &l->gone);
    return err;
}

int vfs_bind_tree(struct mnt_ns *ns, const struct path *from, const struct path *at, bool recursive) {
    struct leftovers l;
    struct mount *c;
    begin(ns->vfs, &l);
    struct path top = top_of(at);
    int err = top.mnt->ns == ns ? copy_of(ns, from, recursive, &c, &l) : -LINUX_EINVAL;
    err = err ? err : place_copy(ns, c, &top, &l);
    end(ns->vfs, &l);
    return err;
}

// ---- Trees without a place --------------------------------------------------------------------------------
static void root_of_anon(struct mnt_ns *anon, struct mount *tree, struct path *out) {
    mount_link(anon->vfs, tree, (struct path){0}, anon);
    for (struct mount *m = tree_next(tree, tree); m; m = tree_next(m, tree))
        mount_enter(anon->vfs, m, anon);
    *out = (struct path){tree, tree->root};
    path_get(out);
}

int vfs_tree_clone(struct mnt_ns *ns, const struct path *from, bool recursive, struct path *out) {
    struct mnt_ns *anon = mnt_ns_anon(ns);
    struct leftovers l;
    struct mount *c;
    if (!anon)
        return -LINUX_ENOMEM;
    begin(ns->vfs, &l);
    int err = copy_of(ns, from, recursive, &c, &l);
    if (err)
        l.anon = anon;
    else
        root_of_anon(anon, c, out);
    end(ns->vfs, &l);
    return err;
}

int vfs_mount_nowhere(struct mnt_ns *ns, struct superblock *sb, unsigned flags, const char *source,
                      struct path *out) {
    unsigned locked = 0;
    int err = may_show(ns, sb, flags, &locked);
    err = err ? err : mount_room(ns->vfs);
    struct mnt_ns *anon = err ? NULL : mnt_ns_anon(ns);
    struct mount *m = anon ? mount_new(ns->vfs, sb, sb->root, flags, source) : NULL;
    if (!m) {
        if (anon)
            mnt_ns_put(anon);
        return err ? err : -LINUX_ENOMEM;
    }
    ref_get(&sb->active);
    m->locked_flags = locked;
    LOCKED(&ns->vfs->mounts_lock);
    root_of_anon(anon, m, out);
    return 0;
}

void vfs_tree_end(const struct path *p) {
    struct vfs *v = p->mnt->sb->vfs;
    struct leftovers l;
    begin(v, &l);
    if (is_anon_root(p->mnt)) {
        l.anon = p->mnt->ns;
        tree_take_off(p->mnt, TAKE_CONNECTED, &l.gone);
    }
    end(v, &l);
}

// ---- Moves ------------------------------------------------------------------------------------------------
static bool would_cover(const struct mount *parent, const struct mount *m, const struct dentry *at) {
    return parent->group && m->root == at && propagates_to(parent, m);
}

static int may_go_beneath(struct mnt_ns *ns, const struct mount *m, const struct path *to,
                          const struct path *root) {
    const struct mount *t = to->mnt;
    if (!t->parent || !is_root_of_mount(to) || t->locked || mount_find_locked(to->mnt, to->mnt->root) ||
        t == root->mnt || tree_has(t, m))
        return -LINUX_EINVAL;
    if (would_cover(t->parent, t, t->mountpoint))
        return -LINUX_EINVAL;
    return m->ns == ns && would_cover(t->parent, m, t->mountpoint) ? -LINUX_EINVAL : 0;
}

static bool may_detach(const struct mnt_ns *ns, const struct mount *m, const struct mount *to) {
    if (m->ns == ns)
        return m->parent && !m->locked && !m->parent->group && to->ns == ns;
    return is_anon_root(m) && m->ns != to->ns && is_usable(ns, to);
}

// A namespace of mounts in a younger one's own tree would be a ring.
static bool has_older_ns(struct mount *tree, const struct mnt_ns *ns) {
    for (const struct mount *m = tree; m; m = tree_next(m, tree)) {
        const struct ns *n = nsfs_of_path(&(struct path){NULL, m->root});
        if (n && n->kind == NS_MNT && n->ino <= ns->ns.ino)
            return true;
    }
    return false;
}

static int may_move(struct mnt_ns *ns, const struct path *from, const struct path *to) {
    if (!is_root_of_mount(from) || !may_detach(ns, from->mnt, to->mnt) || !mounts_fit(to, from->dentry))
        return -LINUX_EINVAL;
    if (to->mnt->group && tree_has_unbindable(from->mnt))
        return -LINUX_EINVAL;
    if (has_older_ns(from->mnt, to->mnt->ns) || tree_has(from->mnt, to->mnt))
        return -LINUX_ELOOP;
    return to->dentry->inode->dead ? -LINUX_ENOENT : 0;
}

static int move_locked(struct mnt_ns *ns, const struct path *from, struct path to, const struct path *root,
                       bool beneath, struct leftovers *l) {
    struct mnt_ns *home = from->mnt->ns;
    if (!home || !is_mounted(&to))
        return -LINUX_EINVAL;
    int err = beneath ? may_go_beneath(ns, from->mnt, &to, root) : 0;
    if (err)
        return err;
    if (beneath)
        to = (struct path){to.mnt->parent, to.mnt->mountpoint};
    err = may_move(ns, from, &to);
    err = err ? err : tree_attach(ns, from->mnt, &to, &l->was, &l->gone);
    if (err)
        return err;
    l->anon = home->anon ? home : NULL;
    return 0;
}

int vfs_move_mount(struct mnt_ns *ns, const struct path *from, const struct path *at, const struct path *root,
                   bool beneath) {
    struct leftovers l;
    begin(ns->vfs, &l);
    int err = move_locked(ns, from, top_of(at), root, beneath, &l);
    end(ns->vfs, &l);
    return err;
}

// ---- What mounts are --------------------------------------------------------------------------------------
static bool may_change(const struct mount *m, unsigned flags) {
    if ((m->locked_flags & MOUNT_ATIME_LOCKED) && ((m->flags ^ flags) & MOUNT_ATIME))
        return false;
    return !(m->locked_flags & ~MOUNT_ATIME_LOCKED & ~flags);
}

static int may_remount(const struct mnt_ns *ns, const struct path *at, unsigned flags) {
    if (at->mnt->ns != ns || !is_root_of_mount(at))
        return -LINUX_EINVAL;
    return may_change(at->mnt, flags) ? 0 : -LINUX_EPERM;
}

int vfs_remount_check(struct mnt_ns *ns, const struct path *at, unsigned flags) {
    LOCKED(&ns->vfs->mounts_lock);
    return may_remount(ns, at, flags);
}

int vfs_remount(struct mnt_ns *ns, const struct path *at, unsigned flags) {
    LOCKED(&ns->vfs->mounts_lock);
    int err = may_remount(ns, at, flags);
    if (err)
        return err;
    at->mnt->flags = flags & MOUNT_FLAGS;
    mnt_ns_changed(ns);
    return 0;
}

static void propagate_all(struct mount *top, bool recursive, unsigned long kind) {
    for (struct mount *m = top; m; m = recursive ? tree_next(m, top) : NULL)
        propagation_set(m, kind);
}

int vfs_set_propagation(const struct path *at, unsigned long kind, bool recursive,
                        bool (*may)(void *arg, const struct ns *ns), void *arg) {
    LOCKED(&at->mnt->sb->vfs->mounts_lock);
    if (!is_root_of_mount(at) || !is_mounted(at))
        return -LINUX_EINVAL;
    if (!may(arg, &at->mnt->ns->ns))
        return -LINUX_EPERM;
    propagate_all(at->mnt, recursive, kind);
    return 0;
}

int vfs_mount_setattr(struct mnt_ns *ns, const struct path *at, bool recursive, unsigned set, unsigned clear,
                      unsigned long propagation) {
    LOCKED(&ns->vfs->mounts_lock);
    struct mount *top = at->mnt;
    if (!is_root_of_mount(at) || (top->ns != ns && !is_anon_root(top)))
        return -LINUX_EINVAL;
    for (struct mount *m = top; m; m = recursive ? tree_next(m, top) : NULL)
        if (!may_change(m, (m->flags & ~clear) | set))
            return -LINUX_EPERM;
    for (struct mount *m = top; m; m = recursive ? tree_next(m, top) : NULL)
        m->flags = (m->flags & ~clear) | set;
    if (propagation)
        propagate_all(top, recursive, propagation);
    if (top->ns)
        mnt_ns_changed(top->ns);
    return 0;
}

static int may_join(const struct path *from, const struct path *to) {
    const struct mount *f = from->mnt, *t = to->mnt;
    if (!is_root_of_mount(from) || !is_root_of_mount(to) || f->sb != t->sb ||
        !dentry_lies_below(t->root, f->root) || has_locked(f, t->root))
        return -LINUX_EINVAL;
    if (t->group || t->master || !(f->group || f->master))
        return -LINUX_EINVAL;
    return 0;
}

int vfs_set_group(const struct path *from, const struct path *to, bool (*may)(void *arg, const struct ns *ns),
                  void *arg) {
    LOCKED(&from->mnt->sb->vfs->mounts_lock);
    if (!is_mounted(from) || !is_mounted(to))
        return -LINUX_EINVAL;
    if (!may(arg, &from->mnt->ns->ns) || !may(arg, &to->mnt->ns->ns))
        return -LINUX_EPERM;
    int err = may_join(from, to);
    if (!err)
        propagation_join(to->mnt, from->mnt);
    return err;
}

// ---- Taken off --------------------------------------------------------------------------------------------
static int may_umount(const struct mnt_ns *ns, const struct path *at) {
    const struct mount *m = at->mnt;
    return is_root_of_mount(at) && m->ns && m->ns == ns && !m->locked ? 0 : -LINUX_EINVAL;
}

int vfs_may_umount(const struct mnt_ns *ns, const struct path *at) {
    LOCKED(&ns->vfs->mounts_lock);
    const struct path top = top_of(at);
    return may_umount(ns, &top);
}

// The first call marks it; whoever uses it meanwhile takes the mark away (mount_put()).
static int expire(struct mount *m, long refs) {
    if ((long)ref_read(&m->refs) != refs)
        return -LINUX_EBUSY;
    return atomic_exchange(&m->expiring, 2) > 0 ? 0 : -LINUX_EAGAIN;
}

static int umount_locked(struct mnt_ns *ns, const struct path *at, unsigned flags, struct leftovers *l) {
    bool detach = flags & LINUX_MNT_DETACH;
    struct path top = top_of(at);
    long refs = 1 + (top.mnt == at->mnt);  // the table's, the caller's
    int err = may_umount(ns, &top);
    if (err)
        return err;
    err = flags & LINUX_MNT_EXPIRE ? expire(top.mnt, refs) : 0;
    if (err)
        return err;
    if (top.mnt == ns->root)
        return detach ? -LINUX_EINVAL : -LINUX_EBUSY;
    if (!detach && propagate_busy(top.mnt, refs))
        return -LINUX_EBUSY;
    tree_take_off(top.mnt, TAKE_PROPAGATE | (detach ? 0 : TAKE_SYNC), &l->gone);
    return 0;
}

// What lies on the place as the last one: pivot_root(".", ".") leaves two at ".".
int vfs_umount_in(struct mnt_ns *ns, const struct path *at, unsigned flags) {
    struct leftovers l;
    begin(ns->vfs, &l);
    int err = umount_locked(ns, at, flags, &l);
    end(ns->vfs, &l);
    return err;
}

int vfs_umount(struct vfs *v, const struct path *at) {
    return at->mnt->ns ? vfs_umount_in(at->mnt->ns, at, 0) : -LINUX_EINVAL;
}

// ---- pivot_root -------------------------------------------------------------------------------------------
static bool reaches(const struct path *p, const struct path *top) {
    const struct mount *m = p->mnt;
    const struct dentry *d = p->dentry;
    for (; m && m != top->mnt; m = m->parent)
        d = m->mountpoint;
    return m && dentry_lies_below(d, top->dentry);
}
bool mount_is_reachable(const struct mount *m, const struct path *root) {
    LOCKED(&m->sb->vfs->mounts_lock);
    return reaches(&(struct path){(struct mount *)m, m->root}, root);
}

static bool is_shared(const struct mount *m) { return m && m->group; }

static int may_pivot(struct mnt_ns *ns, const struct path *root, const struct path *to,
                     const struct path *old) {
    if (is_shared(old->mnt) || is_shared(to->mnt->parent) || is_shared(root->mnt->parent))
        return -LINUX_EINVAL;
    if (root->mnt->ns != ns || to->mnt->ns != ns || old->mnt->ns != ns || to->mnt->locked)
        return -LINUX_EINVAL;
    if (to->dentry->inode->dead)
        return -LINUX_ENOENT;
    if (to->mnt == root->mnt || old->mnt == root->mnt)
        return -LINUX_EBUSY;
    if (!is_root_of_mount(root) || !is_root_of_mount(to) || !to->mnt->parent)
        return -LINUX_EINVAL;
    return reaches(old, to) && reaches(to, root) ? 0 : -LINUX_EINVAL;
}

int vfs_pivot_root(struct mnt_ns *ns, const struct path *root, const struct path *to,
                   const struct path *old) {
    struct vfs *v = ns->vfs;
    struct path was[2] = {{0}};
    lock_take(&v->mounts_lock);
    struct path top = top_of(old);
    int err = may_pivot(ns, root, to, &top);
    if (!err) {
        struct path place = {root->mnt->parent, root->mnt->mountpoint};
        to->mnt->locked = root->mnt->locked;
        root->mnt->locked = false;
        was[0] = mount_hang(v, to->mnt, &place);
        was[1] = mount_hang(v, root->mnt, &top);
        mnt_ns_changed(ns);
    }
    lock_drop(&v->mounts_lock);
    path_put(&was[0]);
    path_put(&was[1]);
    return err;
}
