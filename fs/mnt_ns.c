// SPDX-License-Identifier: Apache-2.0
// Namespaces of mounts: made, copied, ended. A mount is found by the mount and the name that it lies on
// (mount.c), so a namespace is no more than a tree of its own: who has come to its root meets nothing of
// another one.
//
// Locks: mounts_lock for every change, with the dcache lock inside. What is taken off a tree is put, which
// may end a file system, after both are dropped.
#include "abi/misc.h"
#include "abi/poll.h"
#include "fs/mnt.h"

static void mnt_ns_free(struct ns *n) {
    struct mnt_ns *ns = container_of(n, struct mnt_ns, ns);
    struct list gone = LIST_INIT(gone);
    lock_take(&ns->vfs->mounts_lock);
    if (ns->root)
        tree_take_off(ns->root, TAKE_ALONE, &gone);
    lock_drop(&ns->vfs->mounts_lock);
    put_all(&gone);
    waitq_destroy(&ns->changed);
    free(ns);
}

struct mnt_ns *mnt_ns_new(struct vfs *v, uint64_t ino, struct ns *owner) {
    struct mnt_ns *ns = znew(struct mnt_ns);
    if (!ns)
        return NULL;
    ns_init(&ns->ns, NS_MNT, v, ino, owner, mnt_ns_free);
    ns->vfs = v;
    waitq_init(&ns->changed);
    return ns;
}

void mnt_ns_changed(struct mnt_ns *ns) {
    __atomic_fetch_add(&ns->changes, 1, __ATOMIC_SEQ_CST);  // mnt_ns_changes() has no lock
    waitq_wake(&ns->changed, LINUX_POLLPRI | LINUX_POLLERR);
}

uint64_t mnt_ns_changes(const struct mnt_ns *ns) { return __atomic_load_n(&ns->changes, __ATOMIC_SEQ_CST); }
struct waitq *mnt_ns_waitq(struct mnt_ns *ns) { return &ns->changed; }

struct mnt_ns *mnt_ns_get(struct mnt_ns *ns) {
    ns_get(&ns->ns);
    return ns;
}

void mnt_ns_put(struct mnt_ns *ns) { ns_put(&ns->ns); }

struct mnt_ns *vfs_first_ns(struct vfs *v) {
    return v->ns;
}

bool ns_is_first_user(const struct ns *owner) { return !owner || !owner->owner; }

// For another owner, who may do less with it, what is shared is a slave, and nothing comes apart.
static int copy_all(struct mnt_ns *old, struct mnt_ns *ns, struct list *gone) {
    bool less =
        ns->ns.owner != old->ns.owner && !(ns_is_first_user(ns->ns.owner) && ns_is_first_user(old->ns.owner));
    struct mount *c;
    if (!old->root)
        return -LINUX_ENOENT;
    int err =
        tree_copy(old->root, old->root->root, true, COPY_UNBINDABLE | (less ? COPY_SLAVE : 0), &c, gone);
    if (err)
        return err;
    if (less)
        tree_lock(c, false);
    mount_link(ns->vfs, c, (struct path){0}, ns);
    for (struct mount *m = tree_next(c, c); m; m = tree_next(m, c))
        mount_enter(ns->vfs, m, ns);
    return 0;
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
    struct list gone = LIST_INIT(gone);
    struct mnt_ns *ns = mnt_ns_new(v, 0, owner);
    if (!ns)
        return -LINUX_ENOMEM;
    invariant(n <= 2);
    lock_take(&v->mounts_lock);
    int err = copy_all(old, ns, &gone);
    for (unsigned i = 0; !err && i < n; i++)
        was[i] = lead_over(old, paths[i]);
    lock_drop(&v->mounts_lock);
    put_all(&gone);
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
    struct mount *m = ns ? mount_new(v, sb, sb->root, mount_usual(flags), source) : NULL;
    if (!m) {
        super_put(sb);
        if (ns)
            mnt_ns_put(ns);
        return -LINUX_ENOMEM;
    }
    LOCKED(&v->mounts_lock);
    mount_link(v, m, (struct path){0}, ns);
    *out = ns;
    return 0;
}

struct mnt_ns *mnt_ns_anon(struct mnt_ns *like) {
    struct mnt_ns *ns = mnt_ns_new(like->vfs, 0, like->ns.owner);
    if (ns) {
        ns->anon = true;
        ns->origin = like->anon ? like->origin : like->ns.ino;
    }
    return ns;
}

// ---- All of one -------------------------------------------------------------------------------------------
// mounts_lock is held. The first one from that number on, or NULL.
static struct mount *from_number(struct mnt_ns *ns, uint64_t number) {
    struct mount *found = NULL;
    for (struct rb_node *n = ns->mounts.node; n;) {
        struct mount *m = rb_entry(n, struct mount, by_number);
        if (m->number >= number)
            found = m;
        n = m->number >= number ? n->left : n->right;
    }
    return found;
}
struct mount *mnt_ns_next(struct mnt_ns *ns, uint64_t number) {
    LOCKED(&ns->vfs->mounts_lock);
    struct mount *m = from_number(ns, number);
    return m ? mount_get(m) : NULL;
}
struct mount *mnt_ns_prev(struct mnt_ns *ns, uint64_t number) {
    LOCKED(&ns->vfs->mounts_lock);
    struct mount *m = number == UINT64_MAX ? NULL : from_number(ns, number + 1);
    struct rb_node *n = m ? rb_prev(&m->by_number) : rb_last(&ns->mounts);
    return n ? mount_get(rb_entry(n, struct mount, by_number)) : NULL;
}

void mount_tell(struct mount *m, const struct path *root, struct mount_info *out) {
    LOCKED(&m->sb->vfs->mounts_lock);
    const struct mount *up = m->parent ? m->parent : m;
    *out = (struct mount_info){.id = m->id,
                               .parent_id = up->id,
                               .number = m->number,
                               .parent_number = up->number,
                               .flags = m->flags,
                               .group = m->group,
                               .master = m->master ? m->master->group : 0,
                               .from = m->master && m->ns ? propagation_dominating(m, root) : 0,
                               .unbindable = m->unbindable};
}
