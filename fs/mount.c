// SPDX-License-Identifier: Apache-2.0
// The mount table of one sandbox. A mount lies on a dentry of another mount; the path walk asks for it only
// where dentry->mounts says that there is one. Changes are made under mounts_lock and the dcache lock, so
// that a reader may hold either. Trees of mounts are in mnt_tree.c, namespaces in mnt_ns.c.
#include "abi/misc.h"
#include "abi/mount.h"
#include "fs/mnt.h"
#include "fs/notify.h"
#include <stdio.h>
#include <string.h>

struct mount *mount_get(struct mount *m) {
    ref_get(&m->refs);
    return m;
}
static void uncover(struct dentry *at) {
    atomic_fetch_sub(&at->mounts, 1);
    atomic_fetch_sub(&at->sb->covered, 1);
}
static void off_place(struct mount *parent, struct mount *m);
static void mount_free(struct mount *m) {
    atomic_fetch_sub(&m->sb->vfs->nmounts, 1);
    budget_give(&m->sb->vfs->buffers, MOUNT_BYTES);
    free(m->source);
    free(m);
}
void mount_discard(struct mount *m) {
    dentry_put(m->root);
    mount_free(m);
}
// Nobody can come to m any more, and to what was left on it by m alone: no lock. What ends with it is put on
// `ends`.
static void mount_end(struct mount *m, struct list *ends) {
    while (!list_empty(&m->children)) {
        struct mount *c = list_first(&m->children, struct mount, sibling);
        struct dentry *at = c->mountpoint;
        off_place(m, c);
        dentry_put(at);
        if (ref_put(&c->refs))
            list_add_tail(ends, &c->link);
    }
    struct superblock *sb = m->sb;
    notify_mount_gone(m);
    dentry_put(m->root);
    mount_free(m);
    super_put(sb);
}
// A mount's parent and mountpoint are let go when it is taken off the table, never here.
void mount_put(struct mount *m) {
    if (m && atomic_load_explicit(&m->expiring, memory_order_relaxed) > 0)
        atomic_fetch_sub_explicit(&m->expiring, 1, memory_order_relaxed);
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
    struct mount *m = budget_take(&v->buffers, MOUNT_BYTES) ? znew(struct mount) : NULL;
    char *source = m ? xstrdup(src ? src : "none") : NULL;
    if (!source) {
        if (m)
            budget_give(&v->buffers, MOUNT_BYTES);
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
    list_init(&m->heard);
    list_init(&m->peers);
    list_init(&m->slaves);
    list_init(&m->slave);
    atomic_fetch_add(&v->nmounts, 1);
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
// Mounts on one mount are in the order of this. A name that something lies on is not renamed, and other
// dentries of the same name (mount_same_place()) have the same one.
static int place_order(const struct dentry *a, const struct dentry *b) {
    if (a->sb != b->sb)
        return (uintptr_t)a->sb < (uintptr_t)b->sb ? -1 : 1;
    return (a->namehash > b->namehash) - (a->namehash < b->namehash);
}
// The first one that is not before that place.
static struct rb_node *first_at(const struct mount *parent, const struct dentry *at) {
    struct rb_node *found = NULL;
    for (struct rb_node *n = parent->by_place.node; n;) {
        bool before = place_order(rb_entry(n, struct mount, at_place)->mountpoint, at) < 0;
        found = before ? found : n;
        n = before ? n->right : n->left;
    }
    return found;
}
struct mount *mount_find_locked(struct mount *parent, struct dentry *at) {
    if (!atomic_load_explicit(&at->mounts, memory_order_relaxed) &&
        !(at->sb->no_dcache && atomic_load_explicit(&at->sb->covered, memory_order_relaxed)))
        return NULL;
    for (struct rb_node *n = first_at(parent, at); n; n = rb_next(n)) {
        struct mount *m = rb_entry(n, struct mount, at_place);
        if (mount_same_place(m->mountpoint, at))
            return m;
        if (place_order(m->mountpoint, at))
            break;
    }
    return NULL;
}
// Behind those that are at the same place: who came first is found.
static void into_order(struct mount *parent, struct mount *m) {
    struct rb_node **link = &parent->by_place.node, *up = NULL;
    while (*link) {
        up = *link;
        bool before = place_order(m->mountpoint, rb_entry(up, struct mount, at_place)->mountpoint) < 0;
        link = before ? &up->left : &up->right;
    }
    rb_insert(&parent->by_place, &m->at_place, up, link);
}
// m comes off its place: on nothing.
static void off_place(struct mount *parent, struct mount *m) {
    list_del(&m->sibling);
    if (!m->mountpoint)
        return;
    rb_erase(&parent->by_place, &m->at_place);
    uncover(m->mountpoint);
    m->mountpoint = NULL;
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

int mount_room(struct vfs *v) {
    unsigned n = atomic_load(&v->nmounts);
    if (n >= MOUNTS_MAX)
        return -LINUX_ENOSPC;
    return n % 64 == 0 && vfs_caller_dies(v) ? -LINUX_EINTR : 0;
}
void mount_enter(struct vfs *v, struct mount *m, struct mnt_ns *ns) {
    struct rb_node **link = &ns->mounts.node, *parent = NULL;
    if (!m->number) {
        m->id = (int)(++v->next_mount & INT32_MAX);
        m->number = v->next_mount + LINUX_MNT_UNIQUE_ID_OFFSET;
    }
    while (*link) {
        parent = *link;
        link = m->number < rb_entry(parent, struct mount, by_number)->number ? &parent->left : &parent->right;
    }
    rb_insert(&ns->mounts, &m->by_number, parent, link);
    m->ns = ns;
}
void mount_exit(struct vfs *v, struct mount *m) {
    rb_erase(&m->ns->mounts, &m->by_number);
    if (m->ns->root == m)
        m->ns->root = NULL;
    m->ns = NULL;
}
static void put_at(struct mount *m, struct path place) {
    m->parent = place.mnt;
    m->mountpoint = place.dentry;
    atomic_fetch_add(&place.dentry->mounts, 1);
    atomic_fetch_add(&place.dentry->sb->covered, 1);
    list_add_tail(&place.mnt->children, &m->sibling);
    into_order(place.mnt, m);
}
void mount_link(struct vfs *v, struct mount *m, struct path place, struct mnt_ns *ns) {
    LOCKED(&v->dcache);
    if (ns)
        mount_enter(v, m, ns);
    if (place.mnt)
        put_at(m, place);
    else if (ns)
        ns->root = m;
}
void mount_unlink(struct vfs *v, struct mount *m) {
    LOCKED(&v->dcache);
    m->left = (struct path){m->parent, m->mountpoint};
    off_place(m->parent, m);
    m->parent = NULL;
    if (m->ns)
        mount_exit(v, m);
}
void mount_leave(struct vfs *v, struct mount *m) {
    LOCKED(&v->dcache);
    m->left = (struct path){m->parent, NULL};
    m->parent = NULL;
    if (m->ns)
        mount_exit(v, m);
    mount_get(m);  // no way leads up from it
}
struct path mount_hang(struct vfs *v, struct mount *m, const struct path *to) {
    struct path was = {m->parent, m->mountpoint};
    if (to->mnt)
        path_get(to);
    LOCKED(&v->dcache);
    off_place(m->parent, m);
    m->parent = NULL;
    if (to->mnt)
        put_at(m, *to);
    else
        m->ns->root = m;
    return was;
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
bool dentry_lies_below(const struct dentry *d, const struct dentry *top) {
    if (d == top)
        return true;
    if (d->sb != top->sb)
        return false;
    LOCKED(&top->sb->vfs->dcache);
    while (!mount_same_place(d, top) && d->parent != d)
        d = d->parent;
    return mount_same_place(d, top);
}

int vfs_root(struct vfs *v, struct path *out) {
    LOCKED(&v->mounts_lock);
    if (!v->ns->root)
        return -LINUX_ENOENT;
    *out = (struct path){v->ns->root, v->ns->root->root};
    path_get(out);
    return 0;
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
int64_t mount_root_text(struct mount *m, char *buf, size_t size) {
    static const char deleted[] = "//deleted";
    struct vfs *v = m->sb->vfs;
    struct back b = {buf, buf + size};
    LOCKED(&v->dcache);
    const struct dentry *d = m->root;
    bool named = d->parent != d, gone = named && !d->hashed && !d->sb->no_dcache;
    bool ok = push(&b, "", 1) && (!gone || push(&b, deleted, sizeof deleted - 1));
    if (!named)
        ok = ok && push(&b, d == d->sb->root ? "/" : d->name, d == d->sb->root ? 1 : strlen(d->name));
    for (; ok && d->parent != d; d = d->parent)
        ok = push(&b, d->name, strlen(d->name)) && push(&b, "/", 1);
    if (!ok)
        return -LINUX_ENAMETOOLONG;
    size_t len = (size_t)(buf + size - b.p);
    memmove(buf, b.p, len);
    return (int64_t)len - 1;
}
void super_set_options(struct superblock *sb, char *text) {
    char *was = text;
    {
        LOCKED(&sb->vfs->mounts_lock);
        was = sb->options;
        sb->options = text;
    }
    free(was);
}
int super_options(struct superblock *sb, char *buf, size_t size) {
    LOCKED(&sb->vfs->mounts_lock);
    return sb->options ? snprintf(buf, size, "%s", sb->options) : 0;
}
