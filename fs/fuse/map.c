// SPDX-License-Identifier: Apache-2.0
// Maps of FUSE files. The host's kernel fills pages, and knows no daemon of a guest: so a file that is mapped
// is read whole, into memory as a memfd has (charged to its limits), of which the map is one. Later opens
// share it as long as size and mtime say that the file is what it was.
// LIMIT: a mapping of a FUSE file shows it as it was when it was mapped; shared ones that could be written,
// and files of more than 1 GiB, are ENODEV.
#include "abi/mman.h"
#include "fs/fuse/fuse.h"

#define MAP_MOST (UINT64_C(1) << 30)
#define WINDOW   8u  // pieces that are on their way at once

struct fuse_map {
    struct refcount refs;
    struct file *memory;  // owned
    uint64_t size;
    _Atomic uint64_t loaded;  // grows; threads that load it at the same time write the same bytes
    int64_t mtime;
};

void fuse_map_put(struct fuse_map *m) {
    if (!m || !ref_put(&m->refs))
        return;
    file_put(m->memory);
    free(m);
}
static bool is_current(const struct fuse_map *m, const struct vfs_attr *a) {
    return m && m->size == a->size && m->mtime == a->mtime;
}
static struct fuse_map *map_new(struct vfs *v, const struct vfs_attr *a) {
    struct fuse_map *m = znew(struct fuse_map);
    if (!m)
        return NULL;
    if (memfd_open(v, "fuse", 0, &m->memory) < 0) {
        free(m);
        return NULL;
    }
    ref_init(&m->refs, 1);
    m->size = a->size;
    m->mtime = a->mtime;
    return m;
}
static bool is_whole(const struct fuse_map *m) { return m && m->loaded == m->size; }
static struct fuse_map *map_get(struct fuse_map *m) {
    if (m)
        ref_get(&m->refs);
    return m;
}
// f's own: the newest whole one that there is, or one to be loaded. What it has mapped it goes on to map.
// A reference; NULL: no memory.
static struct fuse_map *map_for(struct file *f, const struct vfs_attr *a) {
    struct fuse_open *o = f->priv;
    struct fuse_map *fresh = map_new(o->conn->vfs, a), *old = NULL, *m;
    {
        LOCKED(&f->inode->lock);
        struct fuse_map *known = fuse_node(f->inode)->map;
        if (!is_whole(o->map) && !is_current(o->map, a)) {
            old = o->map;
            o->map = is_current(known, a) ? map_get(known) : map_get(fresh);
        }
        m = map_get(o->map);
    }
    fuse_map_put(old);
    fuse_map_put(fresh);
    return m;
}
static struct fuse_map *whole_of(struct file *f) {
    struct fuse_open *o = f->priv;
    LOCKED(&f->inode->lock);
    return is_whole(o->map) ? map_get(o->map) : NULL;
}
void fuse_map_forget(struct inode *i) {
    struct fuse_node *n = fuse_node(i);
    struct fuse_map *m;
    {
        LOCKED(&i->lock);
        m = n->map;
        n->map = NULL;
    }
    fuse_map_put(m);
}
// It is whole: for others too.
static void publish(struct inode *i, struct fuse_map *m) {
    struct fuse_map *old;
    {
        LOCKED(&i->lock);
        old = fuse_node(i)->map;
        fuse_node(i)->map = m;
        ref_get(&m->refs);
    }
    fuse_map_put(old);
}

// ---- Loading ----------------------------------------------------------------------------------------------
static int keep(struct fuse_map *m, struct fuse_req *r, uint64_t at, size_t asked) {
    struct uio_kernel k;
    uio_kernel_init(&k, r->out, r->out_size);
    int64_t n = r->out_size ? vfs_pwrite(NULL, m->memory, &k.u, at) : 0;
    if (n != (int64_t)r->out_size)
        return n < 0 ? (int)n : -LINUX_ENOMEM;
    uint64_t to = r->out_size < asked ? m->size : at + asked, was = m->loaded;  // a short one is the end
    while (was < to && !atomic_compare_exchange_weak(&m->loaded, &was, to))
        ;
    return 0;
}
static int load_window(struct file *f, struct fuse_map *m) {
    struct fuse_req *pieces[WINDOW];
    size_t sizes[WINDOW];
    unsigned n = 0;
    int err = 0;
    uint64_t from = m->loaded;
    for (uint64_t at = from; n < WINDOW && at < m->size; at += sizes[n++]) {
        int one = fuse_ask_read(f, at, m->size - at, &pieces[n], &sizes[n]);
        if (one && one != FS_WAIT)
            return one;
        err = err ? err : one;
    }
    for (unsigned k = 0; !err && k < n; from += sizes[k++])
        err = keep(m, pieces[k], from, sizes[k]);
    for (unsigned k = 0; err != FS_WAIT && k < n; k++)
        fuse_drop(pieces[k]);
    return err;
}
static int load(struct file *f, struct fuse_map *m) {
    const struct vfs_ctx ctx = {.vfs = f->inode->sb->vfs, .fsize_limit = UINT64_MAX};
    if (m->memory->inode->attr.size < m->size) {
        int err = vfs_ftruncate(&ctx, m->memory, m->size);
        if (err)
            return err;
    }
    while (m->loaded < m->size) {
        int err = load_window(f, m);
        if (err)
            return err;
    }
    publish(f->inode, m);
    return 0;
}
// A reference of f's own whole one; NULL and *err.
static struct fuse_map *loaded(struct file *f, int *err) {
    struct vfs_attr a;
    *err = fuse_getattr(f->inode, &a);
    if (!*err && a.size > MAP_MOST)
        *err = -LINUX_ENODEV;
    struct fuse_map *m = *err ? NULL : map_for(f, &a);
    if (!m) {
        *err = *err ? *err : -LINUX_ENOMEM;
        return NULL;
    }
    *err = is_whole(m) ? 0 : load(f, m);
    fuse_map_put(m);
    return *err ? NULL : whole_of(f);
}
int fuse_mmap_fd(struct file *f, int prot, bool shared) {
    struct fuse_map *m = whole_of(f);
    int err = 0;
    if (shared && (prot & LINUX_PROT_WRITE))
        err = -LINUX_ENODEV;
    while (!m && !err)  // again, when another thread has found meanwhile that the file has changed
        m = loaded(f, &err);
    int fd = err ? err : vfs_mmap_fd(m->memory, prot, shared);
    fuse_map_put(m);
    return fd;
}
