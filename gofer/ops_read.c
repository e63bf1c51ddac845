// SPDX-License-Identifier: Apache-2.0
// The gofer's operations that change nothing on the host: attach, walk, open, readdir, readlink, getattr,
// statfs, getxattr, listxattr, release, connect. (open can give a descriptor for writing: it checks the root
// itself.) Called by server.c with decoded requests. No locks (one thread).
#include "abi/errno.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "gofer/server.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

int op_attach(struct gofer_server *s, const struct gofer_attach_req *q, struct gofer_attach_rep *r) {
    if (q->root >= s->nroots)
        return -LINUX_EINVAL;
    struct gofer_obj o cleanup_obj = {.fd = dup(s->roots[q->root].fd), .owned = true, .root = q->root};
    if (o.fd < 0)
        return -errno;
    int err = obj_classify(s, &o, 0, &r->attr);
    if (err)
        return err;
    // LIMIT: a host procfs, sysfs or /dev cannot be a root either; the sandbox has its own.
    if (o.kind == KIND_MASKED)
        return -LINUX_EACCES;
    r->writable = s->roots[q->root].writable;
    return handle_new(s, &o, &r->handle);
}

// The target of a KIND_LINK, into s->scratch.
static int read_link(struct gofer_server *s, const struct gofer_obj *o, struct gofer_str *out) {
    ssize_t n = readlinkat(o->fd, "", (char *)s->scratch, GOFER_PATH_MAX + 1);
    if (n < 0)
        return -errno;
    if (n > GOFER_PATH_MAX)
        return -LINUX_ENAMETOOLONG;
    *out = (struct gofer_str){(const char *)s->scratch, (uint32_t)n};
    return 0;
}

// Opens o for I/O; the descriptor goes along with the reply.
static int donate(struct gofer_server *s, const struct gofer_obj *o, int flags) {
    if (o->kind == KIND_DIR)
        return -LINUX_EISDIR;
    int fd = obj_reopen(s, o, flags);
    if (fd < 0)
        return fd;
    s->out.v[s->out.n++] = fd;
    return 0;
}

// Which object is to have a handle? at: the last one reached, of `depth` components; up: the one before it.
static struct gofer_obj *wants_handle(const struct gofer_walk_req *q, const struct gofer_attrs *attrs,
                                      struct gofer_obj *at, struct gofer_obj *up) {
    uint32_t depth = attrs->n;
    bool is_dir = depth && S_ISDIR(attrs->v[depth - 1].mode);
    if (q->flags & GOFER_WALK_HANDLE_ANY)
        return depth == q->names.n ? at : NULL;
    if (!(q->flags & GOFER_WALK_HANDLE_DIR) || depth == 0)
        return NULL;
    if (is_dir)
        return at;
    return depth > 1 ? up : NULL;
}

// Host calls: openat2, statx and close for each component.
int op_walk(struct gofer_server *s, const struct gofer_walk_req *q, struct gofer_walk_rep *r) {
    static const struct gofer_str self;
    struct gofer_obj at cleanup_obj = {.fd = -1}, up cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &self, &at);
    if (err)
        return err;
    for (uint32_t i = 0; i < q->names.n; i++) {
        struct gofer_obj next;
        err = at.kind == KIND_LINK ? -LINUX_ELOOP : obj_child(s, &at, q->names.v[i].p, &next, &r->attrs.v[i]);
        if (err)
            break;
        obj_close(&up);
        up = at;
        at = next;
        r->attrs.n++;
    }
    r->stop = (uint32_t)-err;
    if (at.kind == KIND_LINK && r->attrs.n && (err = read_link(s, &at, &r->link)))
        return err;
    // What cannot be opened is told by `open`, to whom it may concern.
    if ((q->flags & GOFER_WALK_OPEN) && !r->stop && r->attrs.n && at.kind == KIND_FILE)
        donate(s, &at, O_RDONLY);
    struct gofer_obj *o = wants_handle(q, &r->attrs, &at, &up);
    if (!o)
        return 0;
    if (!o->owned && (o->fd = dup(o->fd)) < 0)
        return -errno;
    o->owned = true;
    return handle_new(s, o, &r->handle);
}

static int open_flags(struct gofer_server *s, const struct gofer_obj *o, uint32_t flags) {
    bool rd = flags & GOFER_OPEN_READ, wr = flags & GOFER_OPEN_WRITE;
    if (!rd && !wr)
        return -LINUX_EINVAL;
    if (flags & ~(GOFER_OPEN_READ | GOFER_OPEN_WRITE | GOFER_OPEN_APPEND | GOFER_OPEN_TRUNC))
        return -LINUX_EINVAL;
    if (!wr)
        return flags == GOFER_OPEN_READ ? O_RDONLY : -LINUX_EINVAL;
    if (!s->roots[o->root].writable)
        return -LINUX_EROFS;
    return (rd ? O_RDWR : O_WRONLY) | (flags & GOFER_OPEN_APPEND ? O_APPEND : 0) |
           (flags & GOFER_OPEN_TRUNC ? O_TRUNC : 0);
}

int op_open(struct gofer_server *s, const struct gofer_open_req *q, struct gofer_open_rep *r) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &q->name, &o);
    if (err)
        return err;
    if (o.kind == KIND_DIR)
        return -LINUX_EISDIR;
    int flags = open_flags(s, &o, q->flags);
    if (flags < 0)
        return flags;
    err = donate(s, &o, flags);
    if (err == 0)
        err = gofer_statx(s->out.v[0], "", &r->attr);  // as it is now: O_TRUNC
    gofer_ids_show(s, o.root, &r->attr);
    return err;
}

static int open_one(struct gofer_server *s, const struct gofer_obj *dir, const char *name,
                    struct gofer_attr *a) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_child(s, dir, name, &o, a);
    return err ? err : donate(s, &o, O_RDONLY);
}

int op_open_all(struct gofer_server *s, const struct gofer_open_all_req *q, struct gofer_open_all_rep *r) {
    static const struct gofer_str self;
    struct gofer_obj dir cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &self, &dir);
    if (err)
        return err;
    while (r->attrs.n < q->names.n && r->attrs.n < GOFER_FDS_MAX &&
           open_one(s, &dir, q->names.v[r->attrs.n].p, &r->attrs.v[r->attrs.n]) == 0)
        r->attrs.n++;
    return 0;
}

// One entry into the batch. False: no room.
static bool add_entry(struct gofer_server *s, const struct linux_dirent64 *d, int fd,
                      const struct gofer_obj *dir, struct gofer_out *out) {
    size_t n = strlen(d->d_name);
    if (!gofer_name_ok(d->d_name, n))  // "." and ".." (and what no sane file system has)
        return true;
    struct gofer_entry e = {
        .offset = (uint64_t)d->d_off,
        .ino = d->d_ino,
        .dtype = d->d_type,
        .name = {d->d_name, (uint32_t)n},
    };
    // What lies on another mount must be walked to, which looks at its file system's type.
    e.has_attr = gofer_statx(fd, d->d_name, &e.attr) == 0 && e.attr.dev == dir->dev;
    gofer_ids_show(s, dir->root, &e.attr);
    return gofer_put_entry(out, &e);
}

// Adds what getdents64 gave. True: all of it fitted.
static bool add_entries(struct gofer_server *s, const struct gofer_obj *dir, int fd, size_t n,
                        struct gofer_out *out) {
    for (size_t at = 0; at + sizeof(struct linux_dirent64) <= n;) {
        const struct linux_dirent64 *d = (const void *)(s->dents + at);
        if (d->d_reclen == 0 || !add_entry(s, d, fd, dir, out))
            return false;
        at += d->d_reclen;
    }
    return true;
}

// Goes down from *o, which is closed on the way.
static int walk_down(struct gofer_server *s, struct gofer_obj *o, const struct gofer_names *names) {
    for (uint32_t i = 0; i < names->n; i++) {
        struct gofer_obj next;
        int err = obj_child(s, o, names->v[i].p, &next, NULL);
        if (err)
            return err;
        obj_close(o);
        *o = next;
    }
    return 0;
}

// Stateless: the directory is opened anew for each batch (of some 400 entries) and positioned by the cookie.
int op_readdir(struct gofer_server *s, const struct gofer_readdir_req *q, struct gofer_readdir_rep *r) {
    static const struct gofer_str self;
    struct gofer_obj dir cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &self, &dir);
    if (err)
        return err;
    err = walk_down(s, &dir, &q->names);
    if (err)
        return err;
    if (dir.kind == KIND_MASKED) {
        r->end = 1;
        return 0;
    }
    if (dir.kind != KIND_DIR)
        return -LINUX_ENOTDIR;
    int fd cleanup_close = obj_reopen(s, &dir, O_RDONLY);
    if (fd < 0)
        return fd;
    if (q->offset && lseek(fd, (off_t)q->offset, SEEK_SET) < 0)
        return -errno;
    struct gofer_out out = {.p = s->scratch, .cap = GOFER_BYTES_MAX};
    for (;;) {
        long n = syscall(SYS_getdents64, fd, s->dents, sizeof(s->dents));
        if (n < 0)
            return -errno;
        if (n == 0)
            r->end = 1;
        if (n == 0 || !add_entries(s, &dir, fd, (size_t)n, &out))
            break;
    }
    r->entries = (struct gofer_str){(const char *)s->scratch, (uint32_t)out.len};
    if (q->names.n)
        handle_new(s, &dir, &r->handle);
    return 0;
}

int op_readlink(struct gofer_server *s, const struct gofer_readlink_req *q, struct gofer_readlink_rep *r) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &q->name, &o);
    if (err)
        return err;
    return o.kind == KIND_LINK ? read_link(s, &o, &r->target) : -LINUX_EINVAL;
}

int op_getattr(struct gofer_server *s, const struct gofer_getattr_req *q, struct gofer_getattr_rep *r) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, q->handle, &q->name, &o);
    return err ? err : obj_stat(s, &o, &r->attr);
}

int op_statfs(struct gofer_server *s, const struct gofer_statfs_req *q, struct gofer_statfs_rep *r) {
    const struct gofer_obj *o = handle_get(s, q->handle);
    if (!o)
        return -LINUX_EBADF;
    struct statfs fs;
    if (o->kind == KIND_MASKED)
        return -LINUX_EACCES;
    if (fstatfs(o->fd, &fs) < 0)
        return -errno;
    *r = (struct gofer_statfs_rep){
        .type = (uint32_t)fs.f_type,
        .bsize = (uint64_t)fs.f_bsize,
        .blocks = fs.f_blocks,
        .bfree = fs.f_bfree,
        .bavail = fs.f_bavail,
        .files = fs.f_files,
        .ffree = fs.f_ffree,
        .namelen = (uint64_t)fs.f_namelen,
    };
    return 0;
}

// LIMIT: only "user." attributes pass: security.*, trusted.* and system.* (ACLs) of host files stay on the
// host. Only regular files and directories have them, so that opening the object is always harmless.
int gofer_xattr_open(struct gofer_server *s, uint64_t handle, const struct gofer_str *name, unsigned mask) {
    struct gofer_obj o cleanup_obj = {.fd = -1};
    int err = obj_at(s, handle, name, &o);
    if (err)
        return err;
    if (o.kind != KIND_FILE && o.kind != KIND_DIR)
        return -LINUX_EOPNOTSUPP;
    err = gofer_ids_may(s, &o, mask);
    if (err)
        return err;
    return obj_reopen(s, &o, O_RDONLY);
}

bool gofer_xattr_ok(const struct gofer_str *xattr) {
    return xattr->n > 5 && memcmp(xattr->p, "user.", 5) == 0;
}

int op_getxattr(struct gofer_server *s, const struct gofer_getxattr_req *q, struct gofer_getxattr_rep *r) {
    if (!gofer_xattr_ok(&q->xattr))
        return -LINUX_EOPNOTSUPP;
    int fd cleanup_close = gofer_xattr_open(s, q->handle, &q->name, 4);
    if (fd < 0)
        return fd;
    ssize_t n = fgetxattr(fd, q->xattr.p, s->scratch, GOFER_BYTES_MAX);
    if (n < 0)
        return -errno;
    r->value = (struct gofer_str){(const char *)s->scratch, (uint32_t)n};
    return 0;
}

// Leaves only the names that may pass, in place; the new length.
static size_t filter_list(char *list, size_t n) {
    size_t kept = 0;
    for (size_t at = 0; at < n;) {
        size_t len = strnlen(list + at, n - at);
        struct gofer_str x = {list + at, (uint32_t)len};
        if (at + len < n && gofer_xattr_ok(&x)) {
            memmove(list + kept, list + at, len + 1);
            kept += len + 1;
        }
        at += len + 1;
    }
    return kept;
}

int op_listxattr(struct gofer_server *s, const struct gofer_listxattr_req *q, struct gofer_listxattr_rep *r) {
    int fd cleanup_close = gofer_xattr_open(s, q->handle, &q->name, 4);
    if (fd == -LINUX_EOPNOTSUPP)
        return 0;
    if (fd < 0)
        return fd;
    ssize_t n = flistxattr(fd, (char *)s->scratch, GOFER_BYTES_MAX);
    if (n < 0)
        return -errno;
    r->list =
        (struct gofer_str){(const char *)s->scratch, (uint32_t)filter_list((char *)s->scratch, (size_t)n)};
    return 0;
}

int op_release(struct gofer_server *s, const struct gofer_release_req *q, struct gofer_release_rep *r) {
    (void)r;
    for (uint32_t i = 0; i < q->handles.n; i++)
        handle_release(s, q->handles.v[i]);
    return 0;
}

int op_connect(struct gofer_server *s, const struct gofer_connect_req *q, struct gofer_connect_rep *r) {
    (void)r;
    struct gofer_obj o cleanup_obj = {.fd = -1};
    struct gofer_attr a;
    int err = obj_at(s, q->handle, &q->name, &o);
    if (err)
        return err;
    err = obj_stat(s, &o, &a);
    if (err)
        return err;
    return S_ISSOCK(a.mode) ? -LINUX_ECONNREFUSED : -LINUX_ENOTSOCK;
}
