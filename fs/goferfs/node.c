// SPDX-License-Identifier: Apache-2.0
// Nodes of goferfs: see node.h. Called by dir.c, file.c and attr.c.
#include "fs/goferfs/node.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fdcharge.h"
#include "base/hostfstat.h"
#include <string.h>

#define MAX_HANDLES 1024u  // that can be given back; the gofer has room for some thousands
#define MAX_IDLE    256u   // descriptors kept open for the next open

// ---- Attributes -------------------------------------------------------------------------------------------
// Host mounts below the root are one file system here, whose inode numbers must differ.
uint64_t gfs_ino(const struct gfs *g, uint64_t host_dev, uint64_t host_ino) {
    if (host_dev == g->root_dev)
        return host_ino;
    return host_ino ^ (((host_dev ^ g->root_dev) * 0x9e3779b97f4a7c15ull) & ~0xffffffffull);
}

void gfs_attr(const struct gfs *g, const struct gofer_attr *from, struct vfs_attr *to) {
    *to = (struct vfs_attr){
        .ino = gfs_ino(g, from->dev, from->ino),
        .size = from->size,
        .blocks = from->blocks,
        .mode = from->mode,
        .nlink = from->nlink,
        .uid = from->uid,
        .gid = from->gid,
        .blksize = from->blksize,
        .rdev = from->rdev,
        .atime = (int64_t)from->atime,
        .mtime = (int64_t)from->mtime,
        .ctime = (int64_t)from->ctime,
        .btime = (int64_t)from->btime,
    };
}

// Others read these fields while we write, some without a lock: each is loaded and stored whole, and stored
// only when it changes. Type and number stay.
#define COPY(to, from) __atomic_store_n(&(to), __atomic_load_n(&(from), __ATOMIC_RELAXED), __ATOMIC_RELAXED)
#define SET(to, v)                                                                                           \
    do {                                                                                                     \
        if (__atomic_load_n(&(to), __ATOMIC_RELAXED) != (v))                                                 \
            __atomic_store_n(&(to), (v), __ATOMIC_RELAXED);                                                  \
    } while (0)
void gfs_update(struct inode *i, const struct gofer_attr *a) {
    struct vfs_attr n;
    gfs_attr(gfs_of(i), a, &n);
    struct vfs_attr *to = &i->attr;
    uint32_t type = node_of(i)->type;
    SET(to->mode, type | (n.mode & LINUX_S_IALLUGO));
    SET(to->size, n.size);
    SET(to->blocks, n.blocks);
    SET(to->nlink, n.nlink);
    SET(to->uid, n.uid);
    SET(to->gid, n.gid);
    SET(to->atime, n.atime);
    SET(to->mtime, n.mtime);
    SET(to->ctime, n.ctime);
    atomic_store(&node_of(i)->linked, atomic_load(&gfs_of(i)->linked_changes));
    atomic_store(&node_of(i)->checked, mono_ns());
}

void gfs_known(struct inode *i, struct vfs_attr *a) {
    struct vfs_attr *from = &i->attr;
    *a = (struct vfs_attr){
        .ino = from->ino, .rdev = from->rdev, .blksize = from->blksize, .btime = from->btime};
    COPY(a->mode, from->mode);
    COPY(a->size, from->size);
    COPY(a->blocks, from->blocks);
    COPY(a->nlink, from->nlink);
    COPY(a->uid, from->uid);
    COPY(a->gid, from->gid);
    COPY(a->atime, from->atime);
    COPY(a->mtime, from->mtime);
    COPY(a->ctime, from->ctime);
}

// ---- Life -------------------------------------------------------------------------------------------------
static void drop_handle(struct gfs *g, struct node *n) {
    if (!n->handle)
        return;
    client_release(g->c, n->handle);
    n->handle = 0;
    if (list_linked(&n->handle_lru)) {
        list_del(&n->handle_lru);
        g->nhandles--;
    }
}

static void drop_fds(struct gfs *g, struct node *n) {
    int r = n->fd_read, w = n->fd_write;
    if (r >= 0)
        fdcharge_close(r);
    if (w >= 0 && w != r)
        fdcharge_close(w);
    n->fd_read = n->fd_write = -1;
    if (list_linked(&n->fd_lru)) {
        list_del(&n->fd_lru);
        g->nidle--;
    }
}

// Iterative: a chain of parents can be long.
static void node_put(struct gfs *g, struct node *n) {
    while (n && ref_put(&n->refs)) {
        struct node *parent = n->parent;
        drop_handle(g, n);
        drop_fds(g, n);
        list_del(&n->link_in_dir);
        free(n->name);
        free(n->link);
        hostfile_put(n->file);
        free(n);
        n = parent;
    }
}

static struct node *node_get(struct node *n) {
    ref_get(&n->refs);
    return n;
}

static void handle_used(struct gfs *g, struct node *n) {
    if (!n->parent || n->deleted)
        return;  // stays
    if (list_linked(&n->handle_lru))
        list_del(&n->handle_lru);
    else
        g->nhandles++;
    list_add(&g->handles, &n->handle_lru);
    if (g->nhandles > MAX_HANDLES)
        drop_handle(g, container_of(g->handles.prev, struct node, handle_lru));
}

static struct node *node_new(struct gfs *g, struct node *parent, const char *name, const struct gofer_attr *a,
                             const char *link) {
    struct node *n = znew(struct node);
    if (!n)
        return NULL;
    ref_init(&n->refs, 1);
    list_init(&n->handle_lru);
    list_init(&n->fd_lru);
    list_init(&n->kids);
    list_init(&n->link_in_dir);
    n->fd_read = n->fd_write = -1;
    n->type = a->mode & LINUX_S_IFMT;
    n->host_dev = a->dev;
    n->host_ino = a->ino;
    n->checked = mono_ns();
    if (parent)
        n->name = xstrdup(name);
    if (link)
        n->link = xstrdup(link);
    if ((parent && !n->name) || (link && !n->link)) {
        free(n->name);
        free(n->link);
        free(n);
        return NULL;
    }
    n->parent = parent ? node_get(parent) : NULL;
    return n;
}

const struct inode_ops *gfs_ops(const struct gfs *g, uint32_t mode) {
    switch (mode & LINUX_S_IFMT) {
    case LINUX_S_IFDIR:
        return g->stable ? &gfs_dir_ops : &gfs_dir_live_ops;
    case LINUX_S_IFREG:
        return g->stable ? &gfs_file_ops : &gfs_file_live_ops;
    case LINUX_S_IFLNK:
        return g->stable ? &gfs_link_ops : &gfs_link_live_ops;
    default:
        return g->stable ? &gfs_other_ops : &gfs_other_live_ops;
    }
}

static const struct file_ops *fops_of(uint32_t mode) {
    if (LINUX_S_ISDIR(mode))
        return &gfs_dir_fops;
    return LINUX_S_ISREG(mode) ? &gfs_file_fops : NULL;
}

struct inode *gfs_inode(struct superblock *sb, struct inode *dir, const char *name,
                        const struct gofer_attr *a, uint64_t handle, const char *link) {
    struct gfs *g = sb->priv;
    struct vfs_attr attr;
    gfs_attr(g, a, &attr);
    struct node *n = node_new(g, dir ? node_of(dir) : NULL, name, a, link);
    if (!n)
        return NULL;
    bool shares = !sb->read_only && !LINUX_S_ISDIR(a->mode);
    n->file = shares ? hostfile_get(sb->vfs, a) : NULL;
    bool whole = n->file || !shares;
    struct inode *i = whole ? inode_new(sb, gfs_ops(g, a->mode), fops_of(a->mode), &attr) : NULL;
    LOCKED(&g->lock);
    if (!i) {
        node_put(g, n);
        return NULL;
    }
    n->handle = handle;
    if (handle)
        handle_used(g, n);
    if (n->parent)
        list_add_tail(&n->parent->kids, &n->link_in_dir);
    i->priv = n;
    return i;
}

void gfs_evict(struct inode *i) {
    struct gfs *g = gfs_of(i);
    struct node *n = node_of(i);
    LOCKED(&g->lock);
    if (n->deleted && LINUX_S_ISDIR(n->type))
        vfs_use_files(i->sb->vfs, -1);
    drop_fds(g, n);
    node_put(g, n);
}

bool gfs_drop_handles(struct gfs *g) {
    bool any = !list_empty(&g->handles);
    for (unsigned n = 0; n < GOFER_IDS_MAX && !list_empty(&g->handles); n++)
        drop_handle(g, container_of(g->handles.prev, struct node, handle_lru));
    return any;
}

// ---- Handles ----------------------------------------------------------------------------------------------
void node_give_handle(struct gfs *g, struct node *n, uint64_t h) {
    if (h == 0)
        return;
    if (n->handle) {
        client_release(g->c, h);
        return;
    }
    n->handle = h;
    handle_used(g, n);
}

static struct gofer_str name_of(const struct node *n) {
    return (struct gofer_str){n->name, (uint32_t)strlen(n->name)};
}

// Walks from `from` (which has a handle) down the names to n. 1: look again, old handles were given back.
static int walk_down(struct gfs *g, struct node *from, struct node *n, const struct gofer_names *names) {
    struct client_walk w;
    int err = client_walk(g->c, from->handle, GOFER_WALK_HANDLE_ANY, names, &w);
    if (err == -LINUX_ENFILE && gfs_drop_handles(g))
        return 1;
    if (err)
        return err;
    if (w.stop)
        return w.stop == LINUX_ENOENT ? -LINUX_ESTALE : -w.stop;
    const struct gofer_attr *a = &w.attrs.v[names->n - 1];
    if (w.handle == 0 || (a->mode & LINUX_S_IFMT) != n->type) {
        client_release(g->c, w.handle);
        return -LINUX_ESTALE;  // something quite different has that name now
    }
    node_give_handle(g, n, w.handle);
    return 0;
}

int node_handle(struct gfs *g, struct node *n, uint64_t *h) {
    struct gofer_names names;
    while (!n->handle) {
        // One walk does as many levels as it may; a deeper tree takes one for every GOFER_WALK_MAX.
        struct node *from = n, *chain[GOFER_WALK_MAX];
        unsigned count = 0;
        for (; !from->handle; from = from->parent) {
            if (from->deleted || !from->parent)
                return -LINUX_ESTALE;
            chain[count++ % GOFER_WALK_MAX] = from;
        }
        names.n = count < GOFER_WALK_MAX ? count : GOFER_WALK_MAX;
        for (unsigned k = 0; k < names.n; k++)
            names.v[k] = name_of(chain[(count - 1 - k) % GOFER_WALK_MAX]);
        int err = walk_down(g, from, chain[(count - names.n) % GOFER_WALK_MAX], &names);
        if (err < 0)
            return err;
    }
    handle_used(g, n);
    *h = n->handle;
    return 0;
}

// Puts the names from the nearest ancestor with a handle down to n before those in *names. The ancestor, or
// NULL: there are too many.
static struct node *prepend_down(struct node *n, struct gofer_names *names, unsigned *depth) {
    struct node *from;
    *depth = 0;
    for (from = n; !from->handle && from->parent && !from->deleted; from = from->parent)
        ++*depth;
    if (!from->handle || names->n + *depth > GOFER_WALK_MAX)
        return NULL;
    memmove(names->v + *depth, names->v, names->n * sizeof(names->v[0]));
    names->n += *depth;
    for (unsigned k = *depth; k-- > 0; n = n->parent)
        names->v[k] = name_of(n);
    return from;
}

// Takes the first `depth` components, which lead to dir, off the answer.
static int cut_walk(struct gfs *g, struct node *dir, unsigned depth, struct client_walk *w) {
    int at = client_walk_dir(w) - (int)depth;
    if (at < -1) {  // not even dir was reached
        client_release(g->c, w->handle);
        return w->stop && w->stop != LINUX_ENOENT && w->attrs.n < depth ? -w->stop : -LINUX_ESTALE;
    }
    if (at == -1) {
        node_give_handle(g, dir, w->handle);
        w->handle = 0;
    }
    w->attrs.n -= depth;
    memmove(w->attrs.v, w->attrs.v + depth, w->attrs.n * sizeof(w->attrs.v[0]));
    return 0;
}

int node_walk(struct gfs *g, struct node *dir, const struct gofer_names *below, unsigned flags,
              struct client_walk *w) {
    for (;;) {
        struct gofer_names names = *below;
        unsigned depth;
        uint64_t h;
        struct node *from = prepend_down(dir, &names, &depth);
        int err = from ? client_walk(g->c, from->handle, flags, &names, w) : node_handle(g, dir, &h);
        if (from && !err)
            return cut_walk(g, dir, depth, w);
        if (err == -LINUX_EMFILE && (flags & GOFER_WALK_OPEN))
            flags &= ~GOFER_WALK_OPEN;  // no room here for the descriptor
        else if (err && (err != -LINUX_ENFILE || !gfs_drop_handles(g)))
            return err;
    }
}

int node_readdir(struct gfs *g, struct node *n, uint64_t pos, void *buf, bool *end) {
    struct gofer_names names = {0};
    unsigned depth;
    uint64_t h, of_n = 0;
    struct node *from = prepend_down(n, &names, &depth);
    int err = from ? 0 : node_handle(g, n, &h);
    if (err)
        return err;
    if (!from)
        names.n = 0;
    err = client_readdir(g->c, from ? from->handle : h, &names, pos, buf, end, &of_n);
    node_give_handle(g, n, of_n);
    return err == -LINUX_ENOENT ? -LINUX_ESTALE : err;
}

int node_target(struct gfs *g, struct node *n, uint64_t *h, const char **name) {
    if (n->handle || !n->parent || n->deleted) {
        *name = NULL;
        return node_handle(g, n, h);
    }
    *name = n->name;
    return node_handle(g, n->parent, h);
}

int node_pin(struct gfs *g, struct node *n) {
    uint64_t h;
    int err = node_handle(g, n, &h);
    if (!err && list_linked(&n->handle_lru)) {
        list_del(&n->handle_lru);
        g->nhandles--;
    }
    return err;
}

void node_unlinked(struct gfs *g, struct node *n) {
    n->deleted = true;
    if (list_linked(&n->handle_lru)) {
        list_del(&n->handle_lru);
        g->nhandles--;
    }
}

void node_rename(struct gfs *g, struct node *n, struct node *dir, char *name) {
    struct node *old = n->parent;
    free(n->name);
    n->name = name;
    n->parent = node_get(dir);
    list_del(&n->link_in_dir);
    list_add_tail(&dir->kids, &n->link_in_dir);
    node_put(g, old);
    if (n->deleted && !LINUX_S_ISDIR(n->type)) {
        n->deleted = false;
        if (n->handle)
            handle_used(g, n);
    }
}

// ---- Descriptors ------------------------------------------------------------------------------------------
// For reading, by way of a directory that has no handle: one walk brings both. -1: it could not, ask plainly.
static int walk_open(struct gfs *g, struct node *n, struct gofer_attr *a) {
    struct gofer_names names = {1, {name_of(n)}};
    struct client_walk w;
    if (node_walk(g, n->parent, &names, GOFER_WALK_HANDLE_DIR | GOFER_WALK_OPEN, &w))
        return -1;
    client_release(g->c, w.handle);
    if (w.fd >= 0)
        *a = w.attrs.v[0];
    return w.fd;
}

int node_becomes(struct gfs *g, struct inode *i, const struct gofer_attr *a) {
    struct node *n = node_of(i);
    struct hostfile *f = n->file ? hostfile_get(i->sb->vfs, a) : NULL;
    if (n->file && !f)
        return -LINUX_ENOMEM;
    if (n->opens) {
        hostfile_put(f);
        return -LINUX_ESTALE;
    }
    drop_fds(g, n);  // that waited for an open
    hostfile_put(n->file);
    n->file = f;
    n->host_dev = a->dev;
    n->host_ino = a->ino;
    return 0;
}
static bool node_is(const struct node *n, const struct gofer_attr *a) {
    if (a->ino != n->host_ino || a->dev != n->host_dev)
        return false;
    return !n->file || n->opens || hostfile_is(n->file, a);
}

static int ask_open(struct gfs *g, struct inode *i, unsigned flags) {
    struct node *n = node_of(i);
    uint64_t h;
    const char *name;
    struct gofer_attr a;
    int err, fd = -1;
    if (flags == GOFER_OPEN_READ && n->parent && !n->deleted && !n->handle && !n->parent->handle)
        fd = walk_open(g, n, &a);
    else if (flags == GOFER_OPEN_READ && n->parent && !n->deleted && !n->handle)
        fd = ahead_open(g, n, &a);
    if (fd < 0) {
        if ((err = node_target(g, n, &h, &name)))
            return err;
        fd = client_open(g->c, h, name, flags, &a);
    }
    if (fd < 0)
        return fd;
    err = node_is(n, &a) ? 0 : node_becomes(g, i, &a);
    if (err) {
        close(fd);
        return err;
    }
    gfs_update(i, &a);
    return fd;
}

static bool drop_idle(struct gfs *g) {
    bool any = !list_empty(&g->idle);
    while (!list_empty(&g->idle))
        drop_fds(g, list_first(&g->idle, struct node, fd_lru));
    return any;
}

// When either side runs out of descriptors, the idle ones go.
static int open_fd(struct gfs *g, struct inode *i, unsigned flags) {
    int fd = ask_open(g, i, flags);
    if ((fd == -LINUX_EMFILE || fd == -LINUX_ENFILE) && drop_idle(g))
        fd = ask_open(g, i, flags);
    return fd;
}

static int open_for_write(struct gfs *g, struct inode *i, bool read) {
    struct node *n = node_of(i);
    if (n->fd_write >= 0)
        return 0;
    int fd = open_fd(g, i, GOFER_OPEN_READ | GOFER_OPEN_WRITE);
    if (fd == -LINUX_EACCES && !read) {  // a file that our host user may only write
        fd = open_fd(g, i, GOFER_OPEN_WRITE);
        if (fd >= 0)
            n->fd_write = fd;
        return fd < 0 ? fd : 0;
    }
    if (fd < 0)
        return fd;
    n->fd_write = fd;
    if (n->fd_read < 0)
        n->fd_read = fd;  // else the old one stays: it may be mapped
    return 0;
}

static int open_for_read(struct gfs *g, struct inode *i) {
    struct node *n = node_of(i);
    if (n->fd_read >= 0)
        return 0;
    int fd = open_fd(g, i, GOFER_OPEN_READ);
    if (fd < 0)
        return fd;
    n->fd_read = fd;
    return 0;
}

static int open_fds(struct gfs *g, struct inode *i, unsigned accmode) {
    bool read = accmode != LINUX_O_WRONLY;
    int err = accmode != LINUX_O_RDONLY ? open_for_write(g, i, read) : 0;
    if (err)
        return err;
    return read ? open_for_read(g, i) : 0;
}

static void now_idle(struct gfs *g, struct node *n);

static int charge_new(int r, bool new_read, int w, bool new_write) {
    int err = new_read ? fdcharge_take(r) : 0;
    if (err)
        return err;
    return new_write ? fdcharge_take(w) : 0;
}

// The descriptors that were not there before are charged to who opens the file; refused, they go.
static int charge_opened(struct node *n, int had_read, int had_write) {
    int r = n->fd_read, w = n->fd_write;
    bool new_read = r != had_read, new_write = w != had_write && w != r;
    int err = charge_new(r, new_read, w, new_write);
    if (!err)
        return 0;
    if (new_write)
        fdcharge_close(w);
    if (new_read)
        fdcharge_close(r);
    n->fd_read = had_read;
    n->fd_write = had_write;
    return err;
}

int node_open(struct gfs *g, struct inode *i, unsigned flags) {
    struct node *n = node_of(i);
    if (list_linked(&n->fd_lru)) {  // not idle any more; drop_idle() leaves it alone
        list_del(&n->fd_lru);
        g->nidle--;
    }
    int had_read = n->opens ? n->fd_read : -1, had_write = n->opens ? n->fd_write : -1;
    int err = open_fds(g, i, flags & LINUX_O_ACCMODE);
    if (err) {
        if (!n->opens)
            now_idle(g, n);
        return err;
    }
    err = charge_opened(n, had_read, had_write);
    if (err)
        return err;
    n->opens++;
    return 0;
}

// The descriptors of a file that nobody has open wait for the next open, up to MAX_IDLE files and as long as
// there are plenty.
static void now_idle(struct gfs *g, struct node *n) {
    int r = n->fd_read, w = n->fd_write;
    if (r < 0 && w < 0)
        return;
    bool kept = (r < 0 || fdcharge_take_spare(r) == 0) && (w < 0 || w == r || fdcharge_take_spare(w) == 0);
    list_add(&g->idle, &n->fd_lru);
    g->nidle++;
    if (!kept)
        drop_fds(g, n);
    else if (g->nidle > MAX_IDLE)
        drop_fds(g, container_of(g->idle.prev, struct node, fd_lru));
}

void node_close(struct gfs *g, struct node *n) {
    if (--n->opens == 0)
        now_idle(g, n);
}

// The host may have changed a file that is open: where there is a limit it is asked, so that it is charged
// for what guests do alone.
uint64_t node_size(struct node *n) {
    struct stat st;
    if (!vfs_disk_limited(n->file->vfs) || host_fstat(n->fd_write, &st) < 0)
        return n->file->counted;
    atomic_store(&n->file->sure, true);
    return (uint64_t)st.st_size;
}

void node_adopt(struct gfs *g, struct node *n, int fd, bool write) {
    n->fd_read = fd;
    n->fd_write = write ? fd : -1;
    now_idle(g, n);
}
