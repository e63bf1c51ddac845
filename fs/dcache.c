// SPDX-License-Identifier: Apache-2.0
// The dentry cache: names by parent, positive and negative. A hashed dentry is kept by one reference of the
// cache itself, so that a put is one atomic operation and an unused name is one whose count is 1. The
// shrinker walks the LRU list from its old end, gives recently found names a second chance, and frees the
// unused.
//
// Called by walk.c, namei.c and the file systems. One lock, vfs->dcache; nothing is freed while it is held.
#include "fs/core.h"
#include "fs/by_handle.h"
#include "fs/notify.h"
#include <string.h>

#define SHRINK_BATCH 128u

static uint64_t mix(uint64_t v) {
    v ^= v >> 32;
    v *= 0xd6e8feb86659fd93ull;
    return v ^ (v >> 32);
}
uint32_t name_hash(const struct vfs *v, const char *name, size_t len) {
    uint64_t h = v->seed ^ len;
    while (len >= 8) {
        uint64_t w;
        memcpy(&w, name, 8);
        h = mix(h ^ w) + v->seed;
        name += 8;
        len -= 8;
    }
    uint64_t w = 0;
    memcpy(&w, name, len);
    return (uint32_t)mix(h ^ w);
}
static struct list *bucket_of(struct vfs *v, const struct dentry *parent, uint32_t hash) {
    return &v->buckets[mix(hash ^ ((uintptr_t)parent >> 4)) & v->bucket_mask];
}

struct dentry *dcache_find_locked(struct dentry *parent, const char *name, size_t len, uint32_t hash) {
    struct list *b = bucket_of(parent->sb->vfs, parent, hash);
    if (!b->next)
        return NULL;
    struct dentry *d;
    list_for_each(d, b, hash)
        if (d->namehash == hash && d->parent == parent && !memcmp(d->name, name, len) && !d->name[len]) {
            d->recent = true;
            return d;
        }
    return NULL;
}
struct dentry *dcache_find(struct dentry *parent, const char *name, size_t len) {
    struct vfs *v = parent->sb->vfs;
    uint32_t hash = name_hash(v, name, len);
    if (len > LINUX_NAME_MAX)
        return NULL;
    LOCKED(&v->dcache);
    struct dentry *d = dcache_find_locked(parent, name, len, hash);
    return d ? dentry_get(d) : NULL;
}

static bool is_of(const struct dentry *d, const struct superblock *sb, uint64_t ino) {
    const struct inode *i = d->sb == sb ? d->inode : NULL;
    return i && i->attr.ino == ino;
}
struct dentry *dcache_find_inode(const struct path *at, uint64_t ino) {
    struct superblock *sb = at->dentry->sb;
    struct dentry *d;
    if (mount_is_nameless(sb->vfs, at->mnt))
        return NULL;
    LOCKED(&sb->vfs->dcache);
    if (is_of(sb->root, sb, ino))
        return dentry_get(sb->root);
    list_for_each(d, &sb->vfs->lru, lru)
        if (is_of(d, sb, ino))
            return dentry_get(d);
    return NULL;
}

void dentry_name(struct dentry *d, char name[LINUX_NAME_MAX + 1]) {
    LOCKED(&d->sb->vfs->dcache);
    memcpy(name, d->name, strlen(d->name) + 1);
}

struct dentry *dentry_new(struct superblock *sb, struct dentry *parent, const char *name, size_t len) {
    struct dentry *d = znew(struct dentry);
    if (!d)
        return NULL;
    d->name = d->short_name;
    if (len >= sizeof d->short_name) {
        d->name = xstrndup(name, len);
        if (!d->name) {
            free(d);
            return NULL;
        }
    } else {
        memcpy(d->name, name, len);
    }
    ref_init(&d->refs, 1);
    list_init(&d->siblings);
    list_init(&d->children);
    list_init(&d->hash);
    list_init(&d->lru);
    d->sb = sb;
    d->namehash = name_hash(sb->vfs, name, len);
    d->parent = parent ? dentry_get(parent) : d;
    if (parent) {
        LOCKED(&sb->vfs->dcache);
        list_add(&parent->children, &d->siblings);
    }
    atomic_fetch_add_explicit(&sb->vfs->dentry_count, 1, memory_order_relaxed);
    return d;
}
struct dentry *dentry_get(struct dentry *d) {
    ref_get(&d->refs);
    return d;
}
// Iterative: the chain of parents can be as long as a guest likes.
void dentry_put(struct dentry *d) {
    while (d && ref_put(&d->refs)) {
        struct vfs *v = d->sb->vfs;
        struct dentry *parent = d->parent == d ? NULL : d->parent;
        invariant(!d->hashed && list_empty(&d->children));
        if (parent) {
            LOCKED(&v->dcache);
            list_del(&d->siblings);
        }
        atomic_fetch_sub_explicit(&v->dentry_count, 1, memory_order_relaxed);
        struct inode *i = d->inode;
        if (d->name != d->short_name)
            free(d->name);
        free(d);
        if (i) {
            notify_dentry_gone(i);
            inode_put(i);
        }
        d = parent;
    }
}
void dentry_attach(struct dentry *d, struct inode *i) {
    LOCKED(&d->sb->vfs->dcache);
    invariant(!d->inode);
    d->inode = i;
}
struct dentry *dentry_root(struct superblock *sb, struct inode *root) {
    struct dentry *d = dentry_new(sb, NULL, "/", 1);
    if (d)
        d->inode = root;
    return d;
}

// ---- In and out of the cache ------------------------------------------------------------------------------
static void into_bucket(struct vfs *v, struct dentry *d) {
    list_add(list_bucket(bucket_of(v, d->parent, d->namehash)), &d->hash);
}
// As many buckets as names. Without memory for more it stays as it is, and only slower.
static void grow_buckets(struct vfs *v) {
    size_t n = (v->bucket_mask + 1) * 4;
    struct list *more = xcalloc(n, sizeof *more);
    struct dentry *d;
    if (!more)
        return;
    free(v->buckets);
    v->buckets = more;
    v->bucket_mask = n - 1;
    list_for_each(d, &v->lru, lru)
        into_bucket(v, d);
}
// The caller gives one reference of d to the cache.
static void hash_locked(struct vfs *v, struct dentry *d) {
    if (v->ndentries > v->bucket_mask)
        grow_buckets(v);
    into_bucket(v, d);
    list_add(&v->lru, &d->lru);
    d->hashed = true;
    v->ndentries++;
}
// True: the caller now owns the cache's reference, to be put once the lock is dropped.
static bool unhash_locked(struct vfs *v, struct dentry *d) {
    if (!d->hashed)
        return false;
    list_del(&d->hash);
    list_del(&d->lru);
    d->hashed = false;
    v->ndentries--;
    return true;
}
void dcache_unhash(struct dentry *d) {
    struct vfs *v = d->sb->vfs;
    lock_take(&v->dcache);
    bool put = unhash_locked(v, d);
    lock_drop(&v->dcache);
    if (put)
        dentry_put(d);
}

static void put_all(struct list *victims) {
    while (!list_empty(victims)) {
        struct dentry *d = list_first(victims, struct dentry, lru);
        list_del(&d->lru);
        dentry_put(d);
    }
}
static void shrink_locked(struct vfs *v, unsigned n, struct list *victims) {
    size_t looks = n * 8 < v->ndentries ? n * 8 : v->ndentries;
    while (n > 0 && looks-- > 0) {
        struct dentry *d = container_of(v->lru.prev, struct dentry, lru);
        if (d->recent || ref_read(&d->refs) != 1) {
            d->recent = false;
            list_del(&d->lru);
            list_add(&v->lru, &d->lru);
            continue;
        }
        unhash_locked(v, d);
        list_add(victims, &d->lru);
        n--;
    }
}
void dcache_shrink(struct vfs *v, unsigned n) {
    struct list victims = LIST_INIT(victims);
    lock_take(&v->dcache);
    shrink_locked(v, n, &victims);
    lock_drop(&v->dcache);
    put_all(&victims);
}
// Hashes d, unless its name is there already: then that one is the answer. d's reference goes over to the
// result.
static struct dentry *dentry_insert(struct dentry *d) {
    struct vfs *v = d->sb->vfs;
    struct list victims = LIST_INIT(victims);
    lock_take(&v->dcache);
    struct dentry *was = dcache_find_locked(d->parent, d->name, strlen(d->name), d->namehash);
    if (was) {
        dentry_get(was);
    } else {
        dentry_get(d);
        hash_locked(v, d);
        if (v->ndentries > DCACHE_MAX)
            shrink_locked(v, SHRINK_BATCH, &victims);
    }
    lock_drop(&v->dcache);
    put_all(&victims);
    if (!was)
        return d;
    dentry_put(d);
    return was;
}

// ---- Looking up -------------------------------------------------------------------------------------------
// d is put when the answer is not 1.
static int recheck(struct dentry *parent, struct dentry *d) {
    int (*fn)(struct dentry *, struct dentry *) = parent->inode->ops->recheck;
    int keep = fn ? fn(parent, d) : 1;
    if (keep == 0)
        dcache_unhash(d);
    if (keep != 1)
        dentry_put(d);
    return keep;
}
int dcache_lookup_locked(struct dentry *parent, const char *name, size_t len, const struct vfs_ahead *next,
                         struct dentry **out) {
    struct inode *dir = parent->inode;
    if (len > LINUX_NAME_MAX)
        return -LINUX_ENAMETOOLONG;
    if (dir->dead)
        return -LINUX_ENOENT;
    struct dentry *d = parent->sb->no_dcache ? NULL : dcache_find(parent, name, len);
    int keep = d ? recheck(parent, d) : 0;
    if (keep) {
        *out = keep == 1 ? d : NULL;
        return keep == 1 ? 0 : keep;
    }
    if (!dir->ops->lookup)
        return -LINUX_ENOTDIR;
    d = dentry_new(parent->sb, parent, name, len);
    if (!d)
        return -LINUX_ENOMEM;
    int err = dir->ops->lookup(dir, d, next);
    if (err) {
        dentry_put(d);
        return err;
    }
    *out = parent->sb->no_dcache ? d : dentry_insert(d);
    return 0;
}
int dcache_lookup(struct dentry *parent, const char *name, size_t len, const struct vfs_ahead *next,
                  struct dentry **out) {
    struct inode *dir = parent->inode;
    if (parent->sb->no_dcache)
        return dcache_lookup_locked(parent, name, len, next, out);
    struct dentry *d = dcache_find(parent, name, len);
    if (d && dir->ops->recheck) {
        int keep = recheck(parent, d);
        if (keep == 1)
            *out = d;
        if (keep)
            return keep == 1 ? 0 : keep;
        d = NULL;
    }
    if (d && (!dir->ops->revalidate || dir->ops->revalidate(parent, d))) {
        *out = d;
        return 0;
    }
    if (d) {
        dcache_unhash(d);
        dentry_put(d);
    }
    lock_nested(&dir->lock);  // an overlay holds its own directory's lock
    int err = dcache_lookup_locked(parent, name, len, next, out);
    lock_drop(&dir->lock);
    return err;
}
struct dentry *dcache_prime(struct dentry *parent, const char *name, size_t len, struct inode *i,
                            void *priv) {
    struct dentry *d = len <= LINUX_NAME_MAX ? dcache_find(parent, name, len) : NULL;
    if (d || !(d = dentry_new(parent->sb, parent, name, len))) {
        if (i)
            inode_put(i);
        dentry_put(d);
        return NULL;  // no memory: it is a cache
    }
    d->inode = i;
    d->priv = priv;
    return dentry_insert(d);
}

// ---- Renames ----------------------------------------------------------------------------------------------
int dentry_move_prepare(struct dentry_move *m, const struct dentry *d, const struct dentry *nd,
                        bool exchange) {
    *m = (struct dentry_move){0};
    if (nd->name != nd->short_name && !(m->name_d = xstrdup(nd->name)))
        return -LINUX_ENOMEM;
    if (exchange && d->name != d->short_name && !(m->name_nd = xstrdup(d->name))) {
        free(m->name_d);
        return -LINUX_ENOMEM;
    }
    return 0;
}
// Gives d the place described; returns its old long name, to be freed.
static char *set_place(struct dentry *d, struct dentry *parent, char *long_name, const char *short_name,
                       uint32_t h) {
    char *old = d->name != d->short_name ? d->name : NULL;
    if (!long_name)
        memcpy(d->short_name, short_name, sizeof d->short_name);
    d->name = long_name ? long_name : d->short_name;
    d->namehash = h;
    d->parent = parent;
    list_del(&d->siblings);
    list_add(&parent->children, &d->siblings);
    return old;
}
void dentry_move(struct dentry_move *m, struct dentry *d, struct dentry *nd, bool exchange) {
    struct vfs *v = d->sb->vfs;
    struct dentry *oparent = d->parent, *nparent = nd->parent;
    char oname[sizeof d->short_name], nname[sizeof d->short_name], *free_d, *free_nd = NULL;
    dentry_get(nparent);
    if (exchange)
        dentry_get(oparent);
    lock_take(&v->dcache);
    memcpy(oname, d->short_name, sizeof oname);
    memcpy(nname, nd->short_name, sizeof nname);
    uint32_t ohash = d->namehash, nhash = nd->namehash;
    bool had_d = unhash_locked(v, d), had_nd = unhash_locked(v, nd);
    free_d = set_place(d, nparent, m->name_d, nname, nhash);
    if (had_d)
        hash_locked(v, d);
    if (exchange) {
        free_nd = set_place(nd, oparent, m->name_nd, oname, ohash);
        if (had_nd)
            hash_locked(v, nd);
    }
    lock_drop(&v->dcache);
    free(free_d);
    free(free_nd);
    if (!exchange && had_nd)
        dentry_put(nd);
    dentry_put(oparent);
    if (exchange)
        dentry_put(nparent);
}
bool dentry_is_ancestor(struct dentry *a, struct dentry *d) {
    LOCKED(&a->sb->vfs->dcache);
    for (;; d = d->parent) {
        if (d == a)
            return true;
        if (d->parent == d)
            return false;
    }
}

// ---- Forgetting -------------------------------------------------------------------------------------------
void dcache_forget_children(struct dentry *dir) {
    struct vfs *v = dir->sb->vfs;
    struct list victims = LIST_INIT(victims);
    struct dentry *d;
    lock_take(&v->dcache);
    list_for_each(d, &dir->children, siblings)
        if (d->hashed && ref_read(&d->refs) == 1) {
            unhash_locked(v, d);
            list_add(&victims, &d->lru);
        }
    lock_drop(&v->dcache);
    put_all(&victims);
}
// Puts d (unhashed, ours) and then every parent that this leaves without a user.
static void drop_branch(struct vfs *v, struct dentry *d) {
    for (;;) {
        struct dentry *parent = d->parent;
        if (parent == d)
            break;
        dentry_get(parent);
        dentry_put(d);
        d = parent;
        lock_take(&v->dcache);
        bool unused = d->hashed && ref_read(&d->refs) == 2;  // the cache and we
        if (unused)
            unhash_locked(v, d);
        lock_drop(&v->dcache);
        if (!unused)
            break;
        dentry_put(d);
    }
    dentry_put(d);
}
// The next one below top, parents before their children; NULL: that was the last.
static struct dentry *next_below(struct dentry *d, const struct dentry *top) {
    if (!list_empty(&d->children))
        return list_first(&d->children, struct dentry, siblings);
    while (d != top && d->siblings.next == &d->parent->children)
        d = d->parent;
    return d == top ? NULL : list_first(&d->siblings, struct dentry, siblings);
}
// All names of a file system that nobody has mounted any more.
void dcache_drop_super(struct superblock *sb) {
    struct vfs *v = sb->vfs;
    struct list victims = LIST_INIT(victims);
    struct dentry *d;
    if (!sb->root)
        return;
    lock_take(&v->dcache);
    for (d = next_below(sb->root, sb->root); d; d = next_below(d, sb->root))
        if (ref_read(&d->refs) == 1 && unhash_locked(v, d))
            list_add_tail(&victims, &d->lru);
    lock_drop(&v->dcache);
    while (!list_empty(&victims)) {
        d = list_first(&victims, struct dentry, lru);
        list_del(&d->lru);
        drop_branch(v, d);
    }
}
