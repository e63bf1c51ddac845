// SPDX-License-Identifier: Apache-2.0
// Directories of goferfs: lookup, listing, making, removing, renaming. Called by the VFS with the directory's
// lock held (both directories' for rename). A lookup is one round trip, which also brings what the walk will
// ask for next; a listing is one for some 400 entries, and its attributes prime the dentry cache, so that
// stat after readdir asks nothing.
//
// What is cached: below a stable mount everything, positive and negative, as long as the dentry lives.
// LIMIT: changes that the host makes to the read-only root while the sandbox runs may not be seen.
// Below a live mount (writable, or a bind that follows the host) a name is trusted for LIVE_NS, then asked
// for again.
// LIMIT: changes that the host makes below a bind are seen after up to 100 ms.
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/core.h"
#include "fs/goferfs/node.h"
#include <string.h>

// ---- What is known of names -------------------------------------------------------------------------------
// A dentry's priv is the time when its name was asked for.
static void *now_stamp(void) { return (void *)(uintptr_t)mono_ns(); }
static void stamp_at(struct dentry *d, uint64_t when) {
    __atomic_store_n(&d->priv, (void *)(uintptr_t)when, __ATOMIC_RELAXED);
}
static void stamp(struct dentry *d) { stamp_at(d, mono_ns()); }
static uint64_t stamped(struct dentry *d) { return (uintptr_t)__atomic_load_n(&d->priv, __ATOMIC_RELAXED); }

static void add_names(struct gofer_names *to, const struct vfs_ahead *next) {
    for (unsigned k = 0; next && k < next->n; k++)
        to->v[to->n++] = (struct gofer_str){next->names[k].p, (uint32_t)next->names[k].len};
}

// The inode of component k of a walk; what the walk brought for it (handle, descriptor, target) is its own
// from then on.
static struct inode *walked_inode(struct inode *dir, const char *name, struct client_walk *w, unsigned k) {
    struct gfs *g = gfs_of(dir);
    const struct gofer_attr *a = &w->attrs.v[k];
    bool last = k + 1 == w->attrs.n, link = last && LINUX_S_ISLNK(a->mode) && g->stable;
    uint64_t handle = client_walk_dir(w) == (int)k ? w->handle : 0;
    struct inode *i = gfs_inode(dir->sb, dir, name, a, handle, link ? w->link : NULL);
    if (!i)
        return NULL;
    if (handle)
        w->handle = 0;
    if (last && w->fd >= 0) {
        LOCKED(&g->lock);
        node_adopt(g, node_of(i), w->fd, false);
        w->fd = -1;
    }
    return i;
}

// Names below d, into the dentry cache, down to the first that is missing. Nobody else has d yet: it is in no
// cache.
static void learn_below(struct dentry *d, const struct gofer_names *names, struct client_walk *w) {
    struct dentry *at = dentry_get(d);
    for (unsigned k = 1; at && k < names->n && k <= w->attrs.n; k++) {
        char name[GOFER_NAME_MAX + 1];
        struct inode *i = NULL;
        memcpy(name, names->v[k].p, names->v[k].n);
        name[names->v[k].n] = 0;
        bool missing = k == w->attrs.n;
        if (missing ? w->stop != LINUX_ENOENT : !(i = walked_inode(at->inode, name, w, k)))
            break;
        struct dentry *child = dcache_prime(at, name, names->v[k].n, i, now_stamp());
        dentry_put(at);
        at = child;
    }
    dentry_put(at);
}

// ---- Batches of a listing ---------------------------------------------------------------------------------
// Positions are the host's, but for the dots, which come first: 0 stands before ".", DOT1 before "..", DOT2
// before the host's first. No host file system uses those numbers.
#define DOT1 ((uint64_t)INT64_MAX - 3)
#define DOT2 ((uint64_t)INT64_MAX - 2)

struct dirbuf {
    struct gofer_in in;
    uint64_t next;  // position of in's first entry
    bool valid, end;
    const char *except;  // or NULL: a name that is not for the cache
    uint8_t bytes[GOFER_BYTES_MAX];
};

// The bytes are not cleared.
static struct dirbuf *dirbuf_new(void) {
    struct dirbuf *b = xrealloc(NULL, sizeof *b);
    if (b)
        memset(b, 0, offsetof(struct dirbuf, bytes));
    return b;
}

// A name that is known already, below a live mount. What the listing tells counts as an answer to a question
// about it, unless that may be older than what was done here since it was asked for: then it is asked for.
static void refresh(struct dentry *d, const struct gofer_attr *a, uint64_t asked) {
    struct gfs *g = d->sb->priv;
    struct node *n = node_of(d->inode);
    LOCKED(&g->lock);
    uint64_t checked = atomic_load(&n->checked);
    if (n->deleted || n->fd_write >= 0 || checked == 0 || checked >= asked)
        return;
    if (n->host_ino != a->ino || n->host_dev != a->dev)
        return;
    gfs_update(d->inode, a);
    stamp_at(d, asked);
}

// What a listing brought along, into the dentry cache. Only a help: failures are passed over.
static void prime(struct dentry *parent, const struct gofer_entry *e, uint64_t asked) {
    struct inode *dir = parent->inode;
    struct dentry *known = dcache_find(parent, e->name.p, e->name.n);
    bool stable = gfs_of(dir)->stable;
    if (known && !known->inode && !stable) {  // the host has made it since
        dcache_unhash(known);
        dentry_put(known);
        known = NULL;
    }
    if (known) {
        if (!stable && e->has_attr)
            refresh(known, &e->attr, asked);
        dentry_put(known);
        return;
    }
    struct inode *i = e->has_attr ? gfs_inode(dir->sb, dir, e->name.p, &e->attr, 0, NULL) : NULL;
    if (i)
        dentry_put(dcache_prime(parent, e->name.p, e->name.n, i, (void *)(uintptr_t)asked));
}

// All of a batch at once, while the directory's lock has been held since it was asked for: nobody in here can
// have made or removed one of these names meanwhile.
static void prime_all(struct dentry *dir, const struct dirbuf *b, uint64_t asked) {
    struct gofer_in at = b->in;
    struct gofer_entry e;
    while (gofer_get_entry(&at, &e) > 0)
        if (!b->except || strcmp(b->except, e.name.p))
            prime(dir, &e, asked);
}

static int dirbuf_fill(struct dentry *dir, struct dirbuf *b, uint64_t pos) {
    struct gfs *g = gfs_of(dir->inode);
    uint64_t asked = mono_ns();
    lock_take(&g->lock);
    int n = node_readdir(g, node_of(dir->inode), pos == DOT2 ? 0 : pos, b->bytes, &b->end);
    lock_drop(&g->lock);
    if (n < 0)
        return n;
    b->in = (struct gofer_in){b->bytes, (size_t)n, false};
    b->next = pos;
    b->valid = true;
    prime_all(dir, b, asked);
    return 0;
}

// Names of one directory that are asked for one after another, as by git status: its others are likely to be
// next. So a listing is asked for, one batch of it, once in LIVE_NS.
#define RUN 8u
static bool is_run(struct node *dir) {
    uint64_t now = mono_ns();
    if (now - atomic_load_explicit(&dir->run_start, memory_order_relaxed) >= LIVE_NS) {
        atomic_store_explicit(&dir->run_start, now, memory_order_relaxed);
        atomic_store_explicit(&dir->run, 0, memory_order_relaxed);
    }
    return atomic_fetch_add_explicit(&dir->run, 1, memory_order_relaxed) + 1 == RUN;
}
// Caller holds the directory's lock. except: the name that is just looked up, or NULL.
static void list_ahead(struct dentry *dir, const char *except) {
    struct dirbuf *b = dirbuf_new();
    if (!b)
        return;
    b->except = except;
    dirbuf_fill(dir, b, 0);
    free(b);
}

// ---- Lookup -----------------------------------------------------------------------------------------------
static int gfs_lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct gfs *g = gfs_of(dir);
    struct gofer_names names = {1, {{d->name, (uint32_t)strlen(d->name)}}};
    struct client_walk w;
    add_names(&names, next);
    lock_take(&g->lock);
    int err = node_walk(g, node_of(dir), &names,
                        GOFER_WALK_HANDLE_DIR | (next && next->open ? GOFER_WALK_OPEN : 0), &w);
    lock_drop(&g->lock);
    if (err)
        return err;
    stamp(d);
    if (w.attrs.n == 0)
        return w.stop == LINUX_ENOENT ? 0 : -w.stop;
    struct inode *i = walked_inode(dir, d->name, &w, 0);
    if (i) {
        dentry_attach(d, i);
        learn_below(d, &names, &w);
    }
    client_release(g->c, w.handle);  // what found no node
    if (w.fd >= 0)
        close(w.fd);
    if (i && !g->stable && is_run(node_of(dir)))
        list_ahead(d->parent, d->name);
    return i ? 0 : -LINUX_ENOMEM;
}

// A node is known by one of its file's names (its own). When that was removed, it lives by its handle, until
// it is found by another: that is its own from then on, or each look at that name would make one more node of
// the file.
static bool is_still(const struct node *n, const struct gofer_attr *a) {
    if (a->ino != n->host_ino || a->dev != n->host_dev)
        return false;
    if (!n->deleted)
        return true;
    return !LINUX_S_ISDIR(n->type) && n->handle && (!n->file || hostfile_is(n->file, a));
}
// Asks for the node's own name, because d's and its parent may change meanwhile; or for `found`, which d had.
static bool ask_again(struct gfs *g, struct node *dir, const char *found, struct inode *i) {
    struct node *n = node_of(i);
    struct client_walk w;
    LOCKED(&g->lock);
    if (!n->parent)
        return false;
    struct node *at = n->deleted ? dir : n->parent;
    const char *name = n->deleted ? found : n->name;
    struct gofer_names names = {1, {{name, (uint32_t)strlen(name)}}};
    if (node_walk(g, at, &names, at->handle ? 0 : GOFER_WALK_HANDLE_DIR, &w))
        return false;
    client_release(g->c, w.handle);
    if (w.stop || !is_still(n, &w.attrs.v[0]))
        return false;
    char *own = n->deleted ? xstrdup(found) : NULL;
    if (n->deleted && !own)
        return false;
    if (own)
        node_rename(g, n, dir, own);
    gfs_update(i, &w.attrs.v[0]);
    return true;
}

// Live mounts: is the name still what it was? A round trip when the answer is older than LIVE_NS.
static bool gfs_revalidate(struct dentry *parent, struct dentry *d) {
    char name[LINUX_NAME_MAX + 1];
    if (mono_ns() - stamped(d) < LIVE_NS)
        return true;
    if (!d->inode)
        return false;
    dentry_name(d, name);
    if (!ask_again(d->sb->priv, node_of(parent->inode), name, d->inode))
        return false;
    stamp(d);
    if (is_run(node_of(parent->inode))) {
        lock_nested(&parent->inode->lock);
        list_ahead(parent, NULL);
        lock_drop(&parent->inode->lock);
    }
    return true;
}

// ---- Listing ----------------------------------------------------------------------------------------------
static int dir_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    f->ops = i->fops;
    // The buffer is made by the first readdir: most directories are opened for their names' sake.
    f->priv = NULL;
    return 0;
}
static void dir_release(struct file *f) { free(f->priv); }

static uint64_t parent_ino(struct gfs *g, const struct node *n) {
    LOCKED(&g->lock);
    const struct node *up = n->parent ? n->parent : n;
    return gfs_ino(g, up->host_dev, up->host_ino);
}

static bool emit_dots(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct gfs *g = gfs_of(f->inode);
    if (*off == 0) {
        if (!s->emit(s, ".", 1, f->inode->attr.ino, LINUX_DT_DIR, DOT1))
            return false;
        *off = DOT1;
    }
    if (*off == DOT1) {
        uint64_t up = parent_ino(g, node_of(f->inode));
        if (!s->emit(s, "..", 2, up, LINUX_DT_DIR, DOT2))
            return false;
        *off = DOT2;
    }
    return true;
}

static uint64_t entry_ino(const struct gfs *g, const struct gofer_entry *e) {
    struct vfs_attr a;
    if (!e->has_attr)
        return e->ino;
    gfs_attr(g, &e->attr, &a);
    return a.ino;
}

static int dir_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct inode *dir = f->inode;
    struct gfs *g = gfs_of(dir);
    struct dirbuf *b = f->priv;
    bool anew = *off == 0 || *off == DOT1;
    if (!emit_dots(f, s, off))
        return 0;
    if (!b && !(b = f->priv = dirbuf_new()))
        return -LINUX_ENOMEM;
    if (b->valid && (b->next != *off || anew))
        b->valid = false;  // after a seek, and at each new start
    for (;;) {
        if (!b->valid || (b->in.left == 0 && !b->end)) {
            int err = dirbuf_fill(f->path.dentry, b, *off);
            if (err)
                return err;
        }
        struct gofer_in at = b->in;
        struct gofer_entry e;
        if (gofer_get_entry(&at, &e) <= 0)
            return 0;
        if (!s->emit(s, e.name.p, e.name.n, entry_ino(g, &e), e.dtype, e.offset))
            return 0;
        b->in = at;
        b->next = *off = e.offset;
    }
}

static int dir_fsync(struct file *f, bool data_only) {
    struct gfs *g = gfs_of(f->inode);
    if (g->stable)
        return 0;
    uint64_t h;
    LOCKED(&g->lock);
    int err = node_handle(g, node_of(f->inode), &h);
    return err ? err : client_fsync(g->c, h, NULL, data_only);
}

// ---- Changes (live mounts) --------------------------------------------------------------------------------
static void dir_changed(struct inode *dir) { atomic_store(&node_of(dir)->checked, 0); }

// The inode of what was just made.
static int attach_new(struct inode *dir, struct dentry *d, const struct gofer_attr *a, int fd) {
    struct gfs *g = gfs_of(dir);
    dir_changed(dir);
    struct inode *i = gfs_inode(dir->sb, dir, d->name, a, 0, NULL);
    if (!i) {
        if (fd >= 0)
            close(fd);
        return -LINUX_ENOMEM;
    }
    if (fd >= 0) {
        LOCKED(&g->lock);
        node_adopt(g, node_of(i), fd, true);
    }
    stamp(d);
    dentry_attach(d, i);
    return 0;
}

// Makes what own says: a file (its descriptor is the answer), a directory, or a symlink to target.
static int make_on_host(struct inode *dir, const char *name, const struct vfs_attr *own, const char *target,
                        struct gofer_attr *a) {
    struct gfs *g = gfs_of(dir);
    uint32_t mode = own->mode & LINUX_S_IALLUGO;
    uint64_t h;
    LOCKED(&g->lock);
    int err = node_handle(g, node_of(dir), &h);
    if (err)
        return err;
    switch (own->mode & LINUX_S_IFMT) {
    case LINUX_S_IFDIR:
        return client_mkdir(g->c, h, name, mode, own->uid, own->gid, a);
    case LINUX_S_IFLNK:
        return client_symlink(g->c, h, name, target, own->uid, own->gid, a);
    default:
        return client_create(g->c, h, name, mode, own->uid, own->gid, a);
    }
}

static int gfs_make(struct inode *dir, struct dentry *d, uint32_t mode, const char *target,
                    const struct vfs_ctx *ctx) {
    struct vfs_attr own;
    struct gofer_attr a;
    inode_init_owner(&own, dir, mode, &ctx->cred);
    if (!vfs_use_files(dir->sb->vfs, 1))
        return -LINUX_ENOSPC;
    int fd = make_on_host(dir, d->name, &own, target, &a);
    if (fd < 0) {
        vfs_use_files(dir->sb->vfs, -1);
        return fd;
    }
    return attach_new(dir, d, &a, LINUX_S_ISREG(mode) ? fd : -1);
}

static int gfs_create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    return gfs_make(dir, d, LINUX_S_IFREG | (mode & LINUX_S_IALLUGO), NULL, ctx);
}

// LIMIT: device nodes, fifos and sockets cannot be made on a writable host root: EPERM.
static int gfs_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                     const struct vfs_ctx *ctx) {
    return LINUX_S_ISREG(mode) ? gfs_create(dir, d, mode, ctx) : -LINUX_EPERM;
}

static int gfs_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    return gfs_make(dir, d, LINUX_S_IFDIR | (mode & LINUX_S_IALLUGO), NULL, ctx);
}

static int gfs_symlink(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx) {
    return gfs_make(dir, d, LINUX_S_IFLNK | 0777, target, ctx);
}

static int link_on_host(struct inode *dir, const char *name, struct inode *target, struct gofer_attr *a) {
    struct gfs *g = gfs_of(dir);
    uint64_t h, from;
    const char *from_name;
    LOCKED(&g->lock);
    int err = node_handle(g, node_of(dir), &h);
    if (err)
        return err;
    err = node_target(g, node_of(target), &from, &from_name);
    return err ? err : client_link(g->c, h, name, from, from_name, a);
}

// LIMIT: two names of one host file are one inode only when link(2) was called inside.
static int gfs_link(struct inode *dir, struct dentry *d, struct inode *target) {
    struct gofer_attr a;
    int err = link_on_host(dir, d->name, target, &a);
    if (err)
        return err;
    dir_changed(dir);
    gfs_update(target, &a);
    gfs_linked_changed(target);
    stamp(d);
    dentry_attach(d, inode_get(target));
    return 0;
}

// Whether the host file may have more than one name.
static bool others(const struct inode *i) {
    const struct node *n = node_of(i);
    return i->attr.nlink > 1 || (n->file && hostfile_shared(n->file));
}

// A file that may still be in use, or has other names, keeps a handle when it loses this one.
static int pin_if_used(struct gfs *g, struct inode *i) {
    struct node *n = node_of(i);
    bool used = n->fd_read >= 0 || n->fd_write >= 0 || others(i);
    return used && !n->deleted ? node_pin(g, n) : 0;
}

// The name is gone from the host. With other names left, the handle stands for the inode from now on.
// How many there are the host says: by another node of the file they may have become more or less.
static void name_gone(struct gfs *g, struct inode *i) {
    struct node *n = node_of(i);
    struct gofer_attr a;
    uint32_t links = i->attr.nlink;
    bool asks = n->file && others(i), told = false;
    node_unlinked(g, n);
    gfs_linked_changed(i);
    if (LINUX_S_ISDIR(n->type) || links == 0)
        links = 1;
    links--;
    if (asks && n->handle && !client_getattr(g->c, n->handle, NULL, &a) && hostfile_is(n->file, &a)) {
        told = true;
        links = a.nlink;
    }
    if (n->file && links == 0 && (told || !asks))
        hostfile_gone(n->file);
    __atomic_store_n(&i->attr.nlink, links, __ATOMIC_RELAXED);
    atomic_store(&n->checked, 0);
}

static int remove_name(struct inode *dir, struct dentry *d, bool is_dir) {
    struct gfs *g = gfs_of(dir);
    uint64_t h;
    LOCKED(&g->lock);
    int err = is_dir ? 0 : pin_if_used(g, d->inode);
    if (err)
        return err;
    err = node_handle(g, node_of(dir), &h);
    if (err)
        return err;
    err = client_unlink(g->c, h, d->name, is_dir);
    if (err)
        return err;
    name_gone(g, d->inode);
    dir_changed(dir);
    return 0;
}
static int gfs_unlink(struct inode *dir, struct dentry *d) { return remove_name(dir, d, false); }
static int gfs_rmdir(struct inode *dir, struct dentry *d) { return remove_name(dir, d, true); }

static unsigned rename_flags(unsigned flags) {
    return (flags & LINUX_RENAME_NOREPLACE ? GOFER_RENAME_NOREPLACE : 0) |
           (flags & LINUX_RENAME_EXCHANGE ? GOFER_RENAME_EXCHANGE : 0);
}

// g->lock is held.
static int rename_on_host(struct gfs *g, struct inode *odir, struct dentry *od, struct inode *ndir,
                          struct dentry *nd, unsigned flags) {
    bool replaces = nd->inode && !(flags & LINUX_RENAME_EXCHANGE) && !LINUX_S_ISDIR(nd->inode->attr.mode);
    uint64_t oh, nh;
    int err = replaces ? pin_if_used(g, nd->inode) : 0;
    if (err)
        return err;
    err = node_handle(g, node_of(odir), &oh);
    if (err)
        return err;
    err = node_handle(g, node_of(ndir), &nh);
    return err ? err : client_rename(g->c, oh, od->name, nh, nd->name, rename_flags(flags));
}

static int gfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                      unsigned flags) {
    struct gfs *g = gfs_of(odir);
    bool swap = flags & LINUX_RENAME_EXCHANGE;
    char *to cleanup_free = xstrdup(nd->name);
    char *back cleanup_free = swap ? xstrdup(od->name) : NULL;
    if (!to || (swap && !back))
        return -LINUX_ENOMEM;
    LOCKED(&g->lock);
    int err = rename_on_host(g, odir, od, ndir, nd, flags);
    if (err)
        return err;
    node_rename(g, node_of(od->inode), node_of(ndir), take_ptr(to));
    if (swap)
        node_rename(g, node_of(nd->inode), node_of(odir), take_ptr(back));
    else if (nd->inode)
        name_gone(g, nd->inode);
    dir_changed(odir);
    dir_changed(ndir);
    return 0;
}

const struct inode_ops gfs_dir_ops = {
    .lookup = gfs_lookup,
    .getxattr = gfs_getxattr,
    .listxattr = gfs_listxattr,
    .open = dir_open,
    .evict = gfs_evict,
};
const struct inode_ops gfs_dir_live_ops = {
    .lookup = gfs_lookup,
    .create = gfs_create,
    .mkdir = gfs_mkdir,
    .mknod = gfs_mknod,
    .symlink = gfs_symlink,
    .link = gfs_link,
    .unlink = gfs_unlink,
    .rmdir = gfs_rmdir,
    .rename = gfs_rename,
    .getattr = gfs_getattr,
    .setattr = gfs_setattr,
    .revalidate = gfs_revalidate,
    .getxattr = gfs_getxattr,
    .setxattr = gfs_setxattr,
    .listxattr = gfs_listxattr,
    .removexattr = gfs_removexattr,
    .open = dir_open,
    .evict = gfs_evict,
};
const struct file_ops gfs_dir_fops = {
    .readdir = dir_readdir,
    .fsync = dir_fsync,
    .release = dir_release,
};
