// SPDX-License-Identifier: Apache-2.0
// The mount table of one sandbox. A mount lies on a dentry of another mount; the path walk asks for it only
// where dentry->mounts says that there is one. Changes are made under mounts_lock and the dcache lock, so
// that a reader may hold either. LIMIT: one namespace, no propagation.
#include "abi/misc.h"
#include "fs/core.h"
#include <string.h>

struct mount *mount_get(struct mount *m) {
    ref_get(&m->refs);
    return m;
}
// A mount's parent and mountpoint are let go when it is taken off the table, never here: no chains.
void mount_put(struct mount *m) {
    if (!m || !ref_put(&m->refs))
        return;
    dentry_put(m->root);
    super_put(m->sb);
    free(m->source);
    free(m);
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
    return m;
}
struct mount *mount_find_locked(struct mount *parent, struct dentry *at) {
    struct vfs *v = at->sb->vfs;
    struct mount *m;
    if (!atomic_load_explicit(&at->mounts, memory_order_relaxed))
        return NULL;
    list_for_each(m, &v->mounts, link)
        if (m->parent == parent && m->mountpoint == at)
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

// Puts m on the table, at *at (borrowed; NULL: the root). mounts_lock is held.
static int mount_attach(struct vfs *v, struct mount *m, const struct path *at) {
    if (at) {
        bool dir = inode_is_dir(at->dentry->inode);
        if (dir != (bool)inode_is_dir(m->root->inode))
            return -LINUX_ENOTDIR;
        if (at->dentry->inode->dead)
            return -LINUX_ENOENT;
        m->parent = mount_get(at->mnt);
        m->mountpoint = dentry_get(at->dentry);
    } else if (v->root_mnt) {
        return -LINUX_EBUSY;
    }
    m->id = v->next_mount_id++;
    LOCKED(&v->dcache);
    if (at)
        atomic_fetch_add(&at->dentry->mounts, 1);
    else
        v->root_mnt = m;
    list_add_tail(&v->mounts, &m->link);
    return 0;
}
static int mount_at(struct vfs *v, struct superblock *sb, struct dentry *root, const struct path *at,
                    unsigned flags, const char *source) {
    struct mount *m = mount_new(v, sb, root, flags, source);
    if (!m)
        return -LINUX_ENOMEM;
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
    return mount_at(v, sb, sb->root, at, flags, source);
}
int vfs_bind(struct vfs *v, const struct path *from, const struct path *at, unsigned flags,
             const char *source) {
    ref_get(&from->mnt->sb->active);
    int err = mount_at(v, from->mnt->sb, from->dentry, at, flags, source);
    if (err)
        super_put(from->mnt->sb);
    return err;
}

// Takes m off the table; the table's reference and those on its place are put by the caller.
static void mount_detach(struct vfs *v, struct mount *m, struct path *place) {
    LOCKED(&v->dcache);
    list_del(&m->link);
    *place = (struct path){m->parent, m->mountpoint};
    if (m->mountpoint)
        atomic_fetch_sub(&m->mountpoint->mounts, 1);
    m->parent = NULL;
    m->mountpoint = NULL;
    if (v->root_mnt == m)
        v->root_mnt = NULL;
}
static int may_umount(struct vfs *v, struct mount *m) {
    struct mount *c;
    if (!list_linked(&m->link))
        return -LINUX_EINVAL;
    if (m == v->root_mnt)
        return -LINUX_EBUSY;
    list_for_each(c, &v->mounts, link)
        if (c->parent == m)
            return -LINUX_EBUSY;
    return ref_read(&m->refs) > 2 ? -LINUX_EBUSY : 0;  // the table's, and the caller's
}
int vfs_umount(struct vfs *v, const struct path *at) {
    struct mount *m = at->mnt;
    struct path place = {0};
    if (at->dentry != m->root)
        return -LINUX_EINVAL;
    lock_take(&v->mounts_lock);
    int err = may_umount(v, m);
    if (!err)
        mount_detach(v, m, &place);
    lock_drop(&v->mounts_lock);
    if (err)
        return err;
    path_put(&place);
    mount_put(m);
    return 0;
}
// The end of the sandbox: the last made first.
void mounts_destroy(struct vfs *v);
void mounts_destroy(struct vfs *v) {
    while (!list_empty(&v->mounts)) {
        struct mount *m = container_of(v->mounts.prev, struct mount, link);
        struct path place;
        mount_detach(v, m, &place);
        path_put(&place);
        invariant(ref_read(&m->refs) == 1);
        mount_put(m);
    }
}

int vfs_root(struct vfs *v, struct path *out) {
    LOCKED(&v->mounts_lock);
    if (!v->root_mnt)
        return -LINUX_ENOENT;
    *out = (struct path){v->root_mnt, v->root_mnt->root};
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
