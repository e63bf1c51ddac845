// SPDX-License-Identifier: Apache-2.0
// The mount table of one sandbox. A mount lies on a dentry of another mount; the path walk asks for it only
// where dentry->mounts says that there is one. Changes are made under mounts_lock and the dcache lock, so
// that a reader may hold either. Trees of mounts, and namespaces, are in mnt_ns.c.
// LIMIT: no propagation: MS_SHARED and MS_SLAVE are taken and have no effect.
#include "abi/misc.h"
#include "fs/core.h"
#include "fs/notify.h"
#include <string.h>

struct mount *mount_get(struct mount *m) {
    ref_get(&m->refs);
    return m;
}
static void uncover(struct dentry *at) {
    atomic_fetch_sub(&at->mounts, 1);
    atomic_fetch_sub(&at->sb->covered, 1);
}
// Nobody can come to m any more, and to what was left on it by m alone: no lock. What ends with it is put on
// `ends`.
static void mount_end(struct mount *m, struct list *ends) {
    while (!list_empty(&m->children)) {
        struct mount *c = list_first(&m->children, struct mount, sibling);
        struct dentry *at = c->mountpoint;
        list_del(&c->sibling);
        uncover(at);
        c->mountpoint = NULL;
        atomic_fetch_sub(&m->sb->vfs->nmounts, 1);
        dentry_put(at);
        if (ref_put(&c->refs))
            list_add_tail(ends, &c->link);
    }
    notify_mount_gone(m);
    dentry_put(m->root);
    super_put(m->sb);
    free(m->source);
    free(m);
}
// A mount's parent and mountpoint are let go when it is taken off the table, never here.
void mount_put(struct mount *m) {
    if (!m || !ref_put(&m->refs))
        return;
    struct list ends = LIST_INIT(ends);
    mount_end(m, &ends);
    while (!list_empty(&ends)) {
        m = list_first(&ends, struct mount, link);
        list_del(&m->link);
        mount_end(m, &ends);
    }
}
void path_get(const struct path *p) {
    if (p->mnt)
        mount_get(p->mnt);
    if (p->dentry)
        dentry_get(p->dentry);
}
void path_put(const struct path *p) {
    dentry_put(p->dentry);
    mount_put(p->mnt);
}
bool path_read_only(const struct path *p) {
    return (p->mnt && (p->mnt->flags & LINUX_MS_RDONLY)) || p->dentry->sb->read_only;
}

// Takes over sb's reference on success; root is borrowed.
struct mount *mount_new(struct vfs *v, struct superblock *sb, struct dentry *root, unsigned flags,
                        const char *src) {
    struct mount *m = znew(struct mount);
    char *source = m ? xstrdup(src ? src : "none") : NULL;
    if (!source) {
        free(m);
        return NULL;
    }
    ref_init(&m->refs, 1);
    m->sb = sb;
    m->root = dentry_get(root);
    m->flags = flags;
    m->source = source;
    list_init(&m->link);
    list_init(&m->children);
    list_init(&m->sibling);
    list_init(&m->marks);
    return m;
}
// Names that are not cached are other dentries each time.
bool mount_same_place(const struct dentry *a, const struct dentry *b) {
    while (a != b) {
        if (a->sb != b->sb || !a->sb->no_dcache || a->parent == a || b->parent == b ||
            strcmp(a->name, b->name))
            return false;
        a = a->parent;
        b = b->parent;
    }
    return true;
}
struct mount *mount_find_locked(struct mount *parent, struct dentry *at) {
    struct mount *m;
    if (!atomic_load_explicit(&at->mounts, memory_order_relaxed) &&
        !(at->sb->no_dcache && atomic_load_explicit(&at->sb->covered, memory_order_relaxed)))
        return NULL;
    list_for_each(m, &parent->children, sibling)
        if (mount_same_place(m->mountpoint, at))
            return m;
    return NULL;
}
void path_into_mounts(struct vfs *v, struct path *p) {
    for (;;) {
        lock_take(&v->dcache);
        struct mount *m = mount_find_locked(p->mnt, p->dentry);
        struct path next = {m, m ? m->root : NULL};
        if (m)
            path_get(&next);
        lock_drop(&v->dcache);
        if (!m)
            return;
        path_put(p);
        *p = next;
    }
}

int mount_link(struct vfs *v, struct mount *m, struct mount *parent, struct dentry *at, struct mnt_ns *ns) {
    if (atomic_load(&v->nmounts) >= MOUNTS_MAX)
        return -LINUX_ENOSPC;
    if (parent) {
        m->parent = mount_get(parent);
        m->mountpoint = dentry_get(at);
    }
    if (!m->id)
        m->id = ++v->next_mount_id;
    atomic_fetch_add(&v->nmounts, 1);
    LOCKED(&v->dcache);
    m->ns = ns;
    if (parent) {
        atomic_fetch_add(&at->mounts, 1);
        atomic_fetch_add(&at->sb->covered, 1);
        list_add_tail(&parent->children, &m->sibling);
    } else {
        ns->root = m;
    }
    list_add_tail(&v->mounts, &m->link);
    return 0;
}
void mount_unlink(struct vfs *v, struct mount *m) {
    LOCKED(&v->dcache);
    list_del(&m->link);
    list_del(&m->sibling);
    m->left = (struct path){m->parent, m->mountpoint};
    if (m->mountpoint)
        uncover(m->mountpoint);
    m->parent = NULL;
    m->mountpoint = NULL;
    atomic_fetch_sub(&v->nmounts, 1);
    if (m->ns->root == m)
        m->ns->root = NULL;
    m->ns = NULL;
}
// Its parent owns it from now on: who still has that sees no more than before. No way leads up from it.
void mount_leave(struct vfs *v, struct mount *m) {
    LOCKED(&v->dcache);
    list_del(&m->link);
    m->left = (struct path){m->parent, NULL};
    m->parent = NULL;
    m->ns = NULL;
    mount_get(m);
}
void mount_put_left(struct mount *m) {
    struct path left = m->left;
    m->left = (struct path){0};
    path_put(&left);
    mount_put(m);
}
bool mounts_fit(const struct path *at, const struct dentry *root) {
    return (bool)inode_is_dir(at->dentry->inode) == (bool)inode_is_dir(root->inode);
}

// Puts m on the table, at *at (borrowed; NULL: the first namespace's root). mounts_lock is held.
static int mount_attach(struct vfs *v, struct mount *m, const struct path *at) {
    if (!at)
        return v->ns->root ? -LINUX_EBUSY : mount_link(v, m, NULL, NULL, v->ns);
    if (!mounts_fit(at, m->root))
        return -LINUX_ENOTDIR;
    if (at->dentry->inode->dead)
        return -LINUX_ENOENT;
    return at->mnt->ns ? mount_link(v, m, at->mnt, at->dentry, at->mnt->ns) : -LINUX_EINVAL;
}
static int mount_at(struct vfs *v, struct superblock *sb, struct dentry *root, const struct path *at,
                    unsigned flags, unsigned locked_flags, const char *source) {
    struct mount *m = mount_new(v, sb, root, flags, source);
    if (!m)
        return -LINUX_ENOMEM;
    m->locked_flags = locked_flags;
    struct path top = {0};
    if (at) {
        top = *at;
        path_get(&top);
        path_into_mounts(v, &top);  // on top of what lies there
    }
    lock_take(&v->mounts_lock);
    int err = mount_attach(v, m, at ? &top : NULL);
    lock_drop(&v->mounts_lock);
    path_put(&top);
    if (err) {
        dentry_put(m->root);
        free(m->source);
        free(m);
    }
    return err;
}
int vfs_mount(struct vfs *v, struct superblock *sb, const struct path *at, unsigned flags,
              const char *source) {
    return mount_at(v, sb, sb->root, at, flags, 0, source);
}
int vfs_mount_locked(struct vfs *v, struct superblock *sb, const struct path *at, unsigned flags,
                     unsigned locked_flags, const char *source) {
    return mount_at(v, sb, sb->root, at, flags, locked_flags, source);
}
int vfs_bind(struct vfs *v, const struct path *from, const struct path *at, unsigned flags,
             const char *source) {
    ref_get(&from->mnt->sb->active);
    int err = mount_at(v, from->mnt->sb, from->dentry, at, flags, 0, source);
    if (err)
        super_put(from->mnt->sb);
    return err;
}

static int may_umount(struct mount *m) {
    if (!m->ns)
        return -LINUX_EINVAL;
    if (m->locked)
        return -LINUX_EINVAL;
    if (m == m->ns->root || !list_empty(&m->children))
        return -LINUX_EBUSY;
    return ref_read(&m->refs) > 2 ? -LINUX_EBUSY : 0;  // the table's, and the caller's
}
int vfs_umount(struct vfs *v, const struct path *at) {
    struct mount *m = at->mnt;
    if (at->dentry != m->root)
        return -LINUX_EINVAL;
    lock_take(&v->mounts_lock);
    int err = may_umount(m);
    if (!err)
        mount_unlink(v, m);
    lock_drop(&v->mounts_lock);
    if (!err)
        mount_put_left(m);
    return err;
}
// The end of the sandbox: what lies on others first (a moved mount may be older than what it lies on). No
// namespace but the first is left.
void mounts_destroy(struct vfs *v);
void mounts_destroy(struct vfs *v) {
    while (!list_empty(&v->mounts)) {
        struct mount *m = container_of(v->mounts.prev, struct mount, link);
        while (!list_empty(&m->children))
            m = list_first(&m->children, struct mount, sibling);
        mount_unlink(v, m);
        invariant(ref_read(&m->refs) == 1);
        mount_put_left(m);
    }
}

int vfs_root(struct vfs *v, struct path *out) {
    LOCKED(&v->mounts_lock);
    if (!v->ns->root)
        return -LINUX_ENOENT;
    *out = (struct path){v->ns->root, v->ns->root->root};
    path_get(out);
    return 0;
}
int mount_parent_id(struct vfs *v, struct mount *m) {
    LOCKED(&v->mounts_lock);
    return m->parent ? m->parent->id : m->id;
}
// fn runs without a lock, on mounts that are kept alive for it.
void vfs_for_each_mount(struct vfs *v, void (*fn)(void *arg, struct mount *m), void *arg) {
    int done = -1;
    for (;;) {
        struct mount *m, *next = NULL;
        lock_take(&v->mounts_lock);
        list_for_each(m, &v->mounts, link)
            if (m->id > done) {
                next = mount_get(m);
                break;
            }
        lock_drop(&v->mounts_lock);
        if (!next)
            return;
        done = next->id;
        fn(arg, next);
        mount_put(next);
    }
}

// ---- A path as text ---------------------------------------------------------------------------------------
// Written from the end of the buffer toward its start.
struct back {
    char *start, *p;
};
static bool push(struct back *b, const char *s, size_t n) {
    if ((size_t)(b->p - b->start) < n)
        return false;
    b->p -= n;
    memcpy(b->p, s, n);
    return true;
}
static bool push_dir_chain(struct back *b, struct path at, const struct path *root, bool *reached) {
    while (!(*reached = path_equal(&at, root))) {
        if (at.dentry == at.mnt->root) {
            if (!at.mnt->parent)
                return true;
            at = (struct path){at.mnt->parent, at.mnt->mountpoint};
            continue;
        }
        if (!push(b, at.dentry->name, strlen(at.dentry->name)) || !push(b, "/", 1))
            return false;
        at.dentry = at.dentry->parent;
    }
    return true;
}
int64_t path_text(struct vfs *v, const struct path *p, const struct path *root, char *buf, size_t size) {
    static const char deleted[] = " (deleted)", far[] = "(unreachable)";
    struct back b = {buf, buf + size};
    bool reached = true, anon = mount_is_nameless(v, p->mnt);
    LOCKED(&v->dcache);
    struct dentry *d = p->dentry;
    bool gone = !anon && !d->hashed && d->parent != d && !d->sb->no_dcache;
    bool ok = push(&b, "", 1) && (!gone || push(&b, deleted, sizeof deleted - 1));
    char *end = b.p;
    if (anon)
        ok = ok && push(&b, d->name, strlen(d->name));
    else
        ok = ok && push_dir_chain(&b, *p, root, &reached);
    if (ok && !anon && b.p == end)
        ok = push(&b, "/", 1);
    if (!ok || (!reached && !push(&b, far, sizeof far - 1)))
        return -LINUX_ENAMETOOLONG;
    size_t len = (size_t)(buf + size - b.p);
    memmove(buf, b.p, len);
    return (int64_t)len - 1;
}
