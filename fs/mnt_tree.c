// SPDX-License-Identifier: Apache-2.0
// Trees of mounts: walked, copied, put in a place, taken off. What is taken off is put by the caller, when no
// lock is held, since that may end a file system.
#include "abi/misc.h"
#include "fs/mnt.h"

struct mount *tree_next_beside(const struct mount *m, const struct mount *top) {
    for (; m != top; m = m->parent)
        if (m->sibling.next != &m->parent->children)
            return list_first(&m->sibling, struct mount, sibling);
    return NULL;
}

struct mount *tree_next(const struct mount *m, const struct mount *top) {
    if (!list_empty(&m->children))
        return list_first(&m->children, struct mount, sibling);
    return tree_next_beside(m, top);
}

bool tree_has(const struct mount *tree, const struct mount *m) {
    while (m && m != tree)
        m = m->parent;
    return m;
}

bool tree_has_unbindable(struct mount *tree) {
    for (const struct mount *m = tree; m; m = tree_next(m, tree))
        if (m->unbindable)
            return true;
    return false;
}

bool is_ns_of_mounts(const struct mount *m) {
    const struct ns *n = nsfs_of_path(&(struct path){NULL, m->root});
    return n && n->kind == NS_MNT;
}

void put_all(struct list *gone) {
    while (!list_empty(gone)) {
        struct mount *m = list_first(gone, struct mount, link);
        list_del(&m->link);
        mount_put_left(m);
    }
}

// ---- Copies -----------------------------------------------------------------------------------------------
static int copy_one(struct mount *m, struct dentry *root, unsigned how, struct mount **out) {
    int err = mount_room(m->sb->vfs);
    if (err)
        return err;
    ref_get(&m->sb->active);
    struct mount *c = mount_new(m->sb->vfs, m->sb, root, m->flags, m->source);
    if (!c) {
        super_put(m->sb);  // never the last one
        return -LINUX_ENOMEM;
    }
    c->locked_flags = m->locked_flags;
    propagation_inherit(c, m, how);
    m->copy = *out = c;
    return 0;
}

// *err: it may not be left out.
static bool is_copied(const struct mount *m, unsigned how, int *err) {
    if (m->unbindable && !(how & COPY_UNBINDABLE)) {
        *err = m->locked ? -LINUX_EPERM : 0;
        return false;
    }
    return (how & COPY_NAMESPACES) || !is_ns_of_mounts(m);
}

static int copy_onto(struct mount *m, unsigned how) {
    struct mount *c;
    int err = copy_one(m, m->root, how, &c);
    if (err)
        return err;
    c->locked = m->locked;
    struct path place = {m->parent->copy, m->mountpoint};
    path_get(&place);
    mount_link(m->sb->vfs, c, place, NULL);
    return 0;
}

static int copy_rest(struct mount *top, struct dentry *root, unsigned how) {
    int err = 0;
    for (struct mount *m = tree_next(top, top), *next; !err && m; m = next) {
        bool in = m->parent != top || dentry_lies_below(m->mountpoint, root);
        if (in && is_copied(m, how, &err)) {
            next = tree_next(m, top);
            err = copy_onto(m, how);
        } else {
            next = tree_next_beside(m, top);
        }
    }
    return err;
}

void tree_discard(struct mount *copy, struct list *gone) { tree_take_off(copy, TAKE_ALONE, gone); }

int tree_copy(struct mount *top, struct dentry *root, bool all, unsigned how, struct mount **out,
              struct list *gone) {
    if (top->unbindable && !(how & COPY_UNBINDABLE))
        return -LINUX_EINVAL;
    int err = copy_one(top, root, how, out);
    if (!err && all && (err = copy_rest(top, root, how)))
        tree_discard(*out, gone);
    return err;
}

// ---- Put in a place ---------------------------------------------------------------------------------------
void tree_lock(struct mount *tree, bool top_too) {
    for (struct mount *m = tree; m; m = tree_next(m, tree)) {
        m->locked = m != tree || top_too;
        m->locked_flags |= (m->flags & (MOUNT_FLAGS & ~MOUNT_ATIME)) | MOUNT_ATIME_LOCKED;
    }
}

static void enter_all(struct mount *tree, struct mnt_ns *ns) {
    LOCKED(&ns->vfs->dcache);
    for (struct mount *m = tree; m; m = tree_next(m, tree))
        mount_enter(ns->vfs, m, ns);
}

static void exit_all(struct mount *tree) {
    LOCKED(&tree->sb->vfs->dcache);
    for (struct mount *m = tree; m; m = tree_next(m, tree))
        mount_exit(tree->sb->vfs, m);
}

static void share_all(struct mount *tree) {
    for (struct mount *m = tree; m; m = tree_next(m, tree)) {
        m->new_group = !m->group;
        m->kept = m->unbindable;
        propagation_set(m, LINUX_MS_SHARED);
    }
}

static void unshare_all(struct mount *tree) {
    for (struct mount *m = tree; m; m = tree_next(m, tree)) {
        if (m->new_group)
            m->group = 0;
        m->unbindable = m->kept;
    }
}

static struct mount *topmost(struct mount *m) {
    struct mount *over;
    while ((over = mount_find_locked(m, m->root)))
        m = over;
    return m;
}

// What lies at c's place comes to lie on c.
static void settle(struct mount *c, const struct ns *owner) {
    struct path place = c->left, was = {0};
    struct mount *there = mount_find_locked(place.mnt, place.dentry), *over = topmost(c);
    c->left = (struct path){0};
    if (place.mnt->ns->ns.owner != owner)
        tree_lock(c, false);
    c->locked = false;
    enter_all(c, place.mnt->ns);
    if (there) {
        struct path on = {over, over->root};
        was = mount_hang(c->sb->vfs, there, &on);
    }
    mount_link(c->sb->vfs, c, place, NULL);
    mnt_ns_changed(place.mnt->ns);
    path_put(&was);  // c has both too
}

static void move_to(struct mount *m, const struct path *at, struct path *was) {
    struct mount *there = mount_find_locked(at->mnt, at->dentry), *over = topmost(m);
    *was = mount_hang(m->sb->vfs, m, at);
    mnt_ns_changed(m->ns);
    if (there) {
        struct path on = {over, over->root}, old = mount_hang(m->sb->vfs, there, &on);
        path_put(&old);  // m has both too
    }
}

static int spread(struct mount *tree, const struct path *at, struct list *copies, struct list *gone) {
    if (!at->mnt->group)
        return 0;
    share_all(tree);
    int err = propagate_mount(tree, at, copies, gone);
    if (!err)
        return 0;
    while (!list_empty(copies)) {
        struct mount *c = list_first(copies, struct mount, link);
        struct path left = c->left;
        list_del(&c->link);
        c->left = (struct path){0};
        path_put(&left);  // its tree and the caller have both too
        tree_discard(c, gone);
    }
    unshare_all(tree);
    return err;
}

int tree_attach(struct mnt_ns *ns, struct mount *tree, const struct path *at, struct path *was,
                struct list *gone) {
    struct list copies = LIST_INIT(copies);
    int err = spread(tree, at, &copies, gone);
    if (err)
        return err;
    if (tree->ns && tree->ns == at->mnt->ns) {
        move_to(tree, at, was);
    } else {
        if (tree->ns)
            exit_all(tree);
        tree->left = *at;
        path_get(at);
        list_add(&copies, &tree->link);
    }
    while (!list_empty(&copies)) {
        struct mount *c = list_first(&copies, struct mount, link);
        list_del(&c->link);
        settle(c, ns->ns.owner);
    }
    return 0;
}

// ---- Taken off --------------------------------------------------------------------------------------------
static void take_one(struct mount *m, unsigned how) {
    bool below = m->parent && m->parent->fate == MOUNT_DOOMED;
    if (m->ns)
        mnt_ns_changed(m->ns);
    if (below && !(how & TAKE_SYNC) && (m->locked || (how & TAKE_CONNECTED)))
        mount_leave(m->sb->vfs, m);
    else
        mount_unlink(m->sb->vfs, m);
    propagation_set(m, LINUX_MS_PRIVATE);
}

void tree_take_off(struct mount *top, unsigned how, struct list *gone) {
    struct list doomed = LIST_INIT(doomed);
    struct mount *m;
    if (how & TAKE_PROPAGATE)
        propagate_unlock(top);
    for (m = top; m; m = tree_next(m, top)) {
        m->fate = MOUNT_DOOMED;
        list_add_tail(&doomed, &m->link);
    }
    if (how & TAKE_PROPAGATE)
        propagate_umount(&doomed);
    list_for_each(m, &doomed, link)
        take_one(m, how);
    list_for_each(m, &doomed, link)
        m->fate = MOUNT_STAYS;
    list_splice_tail(gone, &doomed);
}
