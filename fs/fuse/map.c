// SPDX-License-Identifier: Apache-2.0
// Maps of FUSE files. The host's kernel fills pages, and knows no daemon of a guest: so a file that is mapped
// is read whole, into memory as a memfd has (charged to its limits), of which the map is one. Later opens
// share it as long as size and mtime say that the file is what it was.
// LIMIT: a mapping of a FUSE file shows it as it was when it was mapped; shared ones that could be written, and
// files of more than 1 GiB, are ENODEV.
#include "abi/mman.h"
#include "fs/fuse/fuse.h"

#define MAP_MOST (UINT64_C(1) << 30)
#define WINDOW   8u  // pieces that are on their way at once

struct fuse_map {
    struct refcount refs;
    struct file *memory;    // owned
    uint64_t size, loaded;  // [whose open(2) it is, until it is whole]
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
// The newest whole one that there is, or one to be loaded.
static int map_for(struct file *f, const struct vfs_attr *a) {
    struct fuse_open *o = f->priv;
    struct fuse_node *n = fuse_node(f->inode);
    struct fuse_map *old = o->map;
    if (is_current(old, a))
        return 0;
    if (old && old->loaded == old->size)
        return 0;  // what it has mapped before, it goes on to map
    {
        LOCKED(&f->inode->lock);
        if (is_current(n->map, a)) {
            o->map = n->map;
            ref_get(&o->map->refs);
        } else {
            o->map = NULL;
        }
    }
    fuse_map_put(old);
    if (!o->map)
        o->map = map_new(o->conn->vfs, a);
    return o->map ? 0 : -LINUX_ENOMEM;
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
static int keep(struct fuse_map *m, struct fuse_req *r, size_t asked) {
    struct uio_kernel k;
    uio_kernel_init(&k, r->out, r->out_size);
    int64_t n = r->out_size ? vfs_pwrite(NULL, m->memory, &k.u, m->loaded) : 0;
    if (n != (int64_t)r->out_size)
        return n < 0 ? (int)n : -LINUX_ENOMEM;
    m->loaded = r->out_size < asked ? m->size : m->loaded + asked;  // a short one is the end
    return 0;
}
static int load_window(struct file *f, struct fuse_map *m) {
    struct fuse_req *pieces[WINDOW];
    size_t sizes[WINDOW];
    unsigned n = 0;
    int err = 0;
    for (uint64_t at = m->loaded; n < WINDOW && at < m->size; at += sizes[n++]) {
        int one = fuse_ask_read(f, at, m->size - at, &pieces[n], &sizes[n]);
        if (one && one != FS_WAIT)
            return one;
        err = err ? err : one;
    }
    for (unsigned k = 0; !err && k < n && m->loaded < m->size; k++)
        err = keep(m, pieces[k], sizes[k]);
    for (unsigned k = 0; err != FS_WAIT && k < n; k++)
        fuse_drop(pieces[k]);
    return err;
}
static bool is_whole(const struct fuse_map *m) { return m && m->loaded == m->size; }
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
int fuse_mmap_fd(struct file *f, int prot, bool shared) {
    struct fuse_open *o = f->priv;
    struct vfs_attr a;
    if (shared && (prot & LINUX_PROT_WRITE))
        return -LINUX_ENODEV;
    if (!is_whole(o->map)) {
        int err = fuse_getattr(f->inode, &a);
        if (err)
            return err;
        err = a.size > MAP_MOST ? -LINUX_ENODEV : map_for(f, &a);
        if (err)
            return err;
    }
    int err = is_whole(o->map) ? 0 : load(f, o->map);
    return err ? err : vfs_mmap_fd(o->map->memory, prot, shared);
}
