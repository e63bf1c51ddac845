// SPDX-License-Identifier: Apache-2.0
// See client.h. Called by goferfs. The lock (RANK_CLIENT) guards the connection's buffers, so nothing of a
// reply is used after it is dropped: every function copies its results out first.
#include "fs/goferfs/client.h"
#include "abi/errno.h"
#include "abi/stat.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/refcount.h"
#include "base/log.h"
#include <string.h>

struct gofer_client {
    struct refcount refs;  // its owner's, and each superblock's
    struct lock lock;
    struct gofer_channel ch;                       // [c]
    void (*on_sleep)(void *owner, bool begins);    // [c] or NULL
    void *sleep_owner;                             // [c]
    bool dead;                                     // [lock] the gofer is gone or has lied
    uint32_t tag;                                  // [lock]
    struct gofer_ids freed;                        // [lock] handles to be released
    uint8_t tx[GOFER_MSG_MAX], rx[GOFER_MSG_MAX];  // [lock]
};

struct gofer_client *gofer_client_new(const struct gofer_channel *ch) {
    struct gofer_client *c = znew(struct gofer_client);
    if (!c)
        return NULL;
    ref_init(&c->refs, 1);
    lock_init(&c->lock, RANK_CLIENT);
    c->ch = *ch;
    return c;
}

struct gofer_client *gofer_client_open(int sock) {
    struct gofer_channel ch = gofer_channel_socket(sock);
    return gofer_client_new(&ch);
}

void gofer_client_on_sleep(struct gofer_client *c, void (*fn)(void *owner, bool begins), void *owner) {
    c->on_sleep = fn;
    c->sleep_owner = owner;
}
struct gofer_client *gofer_client_get(struct gofer_client *c) {
    ref_get(&c->refs);
    return c;
}
void gofer_client_free(struct gofer_client *c) {
    if (!c || !ref_put(&c->refs))
        return;
    c->ch.close(c->ch.arg);
    lock_destroy(&c->lock);
    free(c);
}

// ---- One round trip; the lock is held ---------------------------------------------------------------------
static int broken(struct gofer_client *c, const char *why) {
    if (!c->dead)
        log_error("gofer connection: %s", why);
    c->dead = true;
    return -LINUX_EIO;
}

static void finish_header(struct gofer_client *c, unsigned type, size_t n) {
    struct gofer_hdr h = {.size = (uint32_t)n, .type = (uint16_t)type, .tag = ++c->tag};
    gofer_put_hdr(c->tx, &h);
}

static void close_fds(struct gofer_fds *fds) {
    while (fds->n)
        close(fds->v[--fds->n]);
}
#define cleanup_fds __attribute__((cleanup(close_fds)))  // struct gofer_fds fds cleanup_fds = {0};

// The one that came, or -1: the caller's.
static int take_one(struct gofer_fds *fds) { return fds->n ? fds->v[--fds->n] : -1; }

// Are these descriptors what a reply to such a message may bring?
static int check_fds(struct gofer_client *c, unsigned type, const struct gofer_hdr *h,
                     const struct gofer_fds *got, bool wanted) {
    unsigned flags = gofer_type_flags(type);
    unsigned most = flags & GOFER_DONATES_SOME ? GOFER_FDS_MAX : 1;
    if (h->nfds != got->n || got->n > most || (got->n && (!wanted || h->error)))
        return broken(c, "descriptors that nobody asked for, or none");
    for (unsigned i = 0; i < got->n; i++)
        if (!gofer_fd_is_regular(got->v[i]))
            return broken(c, "donated descriptor is no regular file");
    if ((flags & GOFER_DONATES) && !h->error && !got->n)
        return broken(c, "no descriptor");
    return 0;
}

// Sends the n bytes of c->tx. On success *in is the reply's fields. fds: empty, or NULL.
static int round_trip(struct gofer_client *c, unsigned type, size_t n, struct gofer_in *in,
                      struct gofer_fds *fds) {
    if (c->dead)
        return -LINUX_EIO;
    finish_header(c, type, n);
    struct gofer_fds got cleanup_fds = {0};
    if (c->on_sleep)
        c->on_sleep(c->sleep_owner, true);
    int64_t len = c->ch.exchange(c->ch.arg, c->tx, n, c->rx, sizeof(c->rx), &got);
    if (c->on_sleep)
        c->on_sleep(c->sleep_owner, false);
    if (len == -LINUX_EMFILE)
        return -LINUX_EMFILE;
    if (len < 0)
        return broken(c, "gone");
    struct gofer_hdr h;
    if (gofer_get_hdr(c->rx, (size_t)len, &h) || h.type != type || h.tag != c->tag || h.error > 0 ||
        h.error < -4095)
        return broken(c, "reply does not fit the request");
    int err = check_fds(c, type, &h, &got, fds != NULL);
    if (err || h.error)
        return err ? err : h.error;
    *in = (struct gofer_in){c->rx + GOFER_HDR_SIZE, (size_t)len - GOFER_HDR_SIZE, false};
    if (fds) {
        *fds = got;
        got.n = 0;
    }
    return 0;
}

static void flush_released(struct gofer_client *c) {
    if (c->dead || c->freed.n == 0)
        return;
    struct gofer_release_req q = {c->freed};
    struct gofer_out out = {c->tx, GOFER_HDR_SIZE, sizeof(c->tx), false};
    struct gofer_fds none = {0};
    c->freed.n = 0;
    gofer_put_release_req(&out, &q);
    finish_header(c, GOFER_TYPE_release, out.len);
    if (c->ch.exchange(c->ch.arg, c->tx, out.len, NULL, 0, &none) < 0)
        broken(c, "gone");
}

void client_release(struct gofer_client *c, uint64_t handle) {
    if (handle == 0)
        return;
    LOCKED(&c->lock);
    c->freed.v[c->freed.n++] = handle;
    if (c->freed.n == GOFER_IDS_MAX)
        flush_released(c);
}

// One typed call for each message. When the gofer has no handle left, those that we were about to give back
// help.
#define GOFER_MSG(name, number, flags) \
    __attribute__((unused)) static int try_##name(struct gofer_client *c, \
                                                  const struct gofer_##name##_req *q, \
                                                  struct gofer_##name##_rep *r, struct gofer_fds *fds) { \
        struct gofer_out out = {c->tx, GOFER_HDR_SIZE, sizeof(c->tx), false}; \
        struct gofer_in in; \
        int err = gofer_put_##name##_req(&out, q); \
        if (err) \
            return -LINUX_EINVAL; \
        err = round_trip(c, number, out.len, &in, fds); \
        return !err && gofer_get_##name##_rep(&in, r) ? broken(c, "malformed reply") : err; \
    } \
    __attribute__((unused)) static int call_##name(struct gofer_client *c, \
                                                   const struct gofer_##name##_req *q, \
                                                   struct gofer_##name##_rep *r, struct gofer_fds *fds) { \
        int err = try_##name(c, q, r, fds); \
        if (err == -LINUX_ENFILE && c->freed.n) { \
            flush_released(c); \
            err = try_##name(c, q, r, fds); \
        } \
        return err; \
    }
#include "gofer/proto.def"

static struct gofer_str str(const char *s) {
    return (struct gofer_str){s ? s : "", s ? (uint32_t)strnlen(s, GOFER_BYTES_MAX) : 0};
}

// Attributes that no file has would confuse everyone above.
static int check_attr(struct gofer_client *c, const struct gofer_attr *a) {
    static const uint32_t types[] = {LINUX_S_IFREG,  LINUX_S_IFDIR, LINUX_S_IFLNK, LINUX_S_IFCHR,
                                     LINUX_S_IFBLK, LINUX_S_IFIFO, LINUX_S_IFSOCK};
    bool known = false;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        known |= (a->mode & LINUX_S_IFMT) == types[i];
    if (!known || (a->mode & ~(LINUX_S_IFMT | 07777u)) || a->size > INT64_MAX || a->blocks > INT64_MAX)
        return broken(c, "impossible attributes");
    return 0;
}

// The attributes of a reply to a call that ended with err.
static int take_attr(struct gofer_client *c, int err, const struct gofer_attr *from, struct gofer_attr *to) {
    if (err)
        return err;
    err = check_attr(c, from);
    if (err)
        return err;
    *to = *from;
    return 0;
}

// ---- The calls --------------------------------------------------------------------------------------------
int client_attach(struct gofer_client *c, unsigned root, uint64_t *handle, bool *writable,
                  struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_attach_req q = {root};
    struct gofer_attach_rep r;
    int err = take_attr(c, call_attach(c, &q, &r, NULL), &r.attr, a);
    if (err)
        return err;
    *handle = r.handle;
    *writable = r.writable != 0;
    return 0;
}

static bool is_type(const struct gofer_attrs *a, uint32_t i, uint32_t type) {
    return i < a->n && (a->v[i].mode & LINUX_S_IFMT) == type;
}

// More components than were asked for, or an end without all of them, are lies; so is a way on through a
// file.
static int check_walk(struct gofer_client *c, const struct gofer_walk_req *q, const struct gofer_walk_rep *r,
                      unsigned nfds) {
    uint32_t n = r->attrs.n;
    if (n > q->names.n || r->stop > 4095 || (r->stop == 0) != (n == q->names.n))
        return broken(c, "impossible walk");
    if (r->handle && r->stop && (n == 0 || !(q->flags & GOFER_WALK_HANDLE_DIR)))
        return broken(c, "a handle of nothing");
    if (nfds && (r->stop || !is_type(&r->attrs, n - 1, LINUX_S_IFREG)))
        return broken(c, "a descriptor of nothing");
    for (uint32_t i = 0; i < n; i++) {
        int err = check_attr(c, &r->attrs.v[i]);
        if (err)
            return err;
        if (i + 1 < n && !is_type(&r->attrs, i, LINUX_S_IFDIR))
            return broken(c, "a walk through a file");
    }
    return 0;
}

int client_walk_dir(const struct client_walk *w) {
    int last = (int)w->attrs.n - 1;
    return last < 0 || is_type(&w->attrs, (uint32_t)last, LINUX_S_IFDIR) ? last : last - 1;
}

int client_walk(struct gofer_client *c, uint64_t h, unsigned flags, const struct gofer_names *names,
                struct client_walk *out) {
    LOCKED(&c->lock);
    struct gofer_walk_req q = {h, flags, *names};
    struct gofer_walk_rep r;
    struct gofer_fds fds cleanup_fds = {0};
    int err = call_walk(c, &q, &r, flags & GOFER_WALK_OPEN ? &fds : NULL);
    if (err)
        return err;
    err = check_walk(c, &q, &r, fds.n);
    if (err)
        return err;
    out->handle = r.handle;
    out->fd = take_one(&fds);
    out->stop = (int)r.stop;
    out->attrs = r.attrs;
    memcpy(out->link, r.link.p, r.link.n);
    out->link[r.link.n] = 0;
    return 0;
}

int client_open(struct gofer_client *c, uint64_t h, const char *name, unsigned flags, struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_open_req q = {h, str(name), flags};
    struct gofer_open_rep r;
    struct gofer_fds fds cleanup_fds = {0};
    int err = take_attr(c, call_open(c, &q, &r, &fds), &r.attr, a);
    return err ? err : take_one(&fds);
}

int client_open_all(struct gofer_client *c, uint64_t h, const struct gofer_names *names,
                    struct gofer_attrs *attrs, struct gofer_fds *fds) {
    LOCKED(&c->lock);
    struct gofer_open_all_req q = {h, *names};
    struct gofer_open_all_rep r;
    struct gofer_fds got cleanup_fds = {0};
    int err = call_open_all(c, &q, &r, &got);
    if (err)
        return err;
    if (r.attrs.n != got.n || got.n > names->n)
        return broken(c, "other files than were asked for");
    for (uint32_t i = 0; i < got.n; i++) {
        if ((err = check_attr(c, &r.attrs.v[i])))
            return err;
        if (!is_type(&r.attrs, i, LINUX_S_IFREG))
            return broken(c, "a descriptor of nothing");
    }
    *attrs = r.attrs;
    *fds = got;
    got.n = 0;
    return 0;
}

int client_readdir(struct gofer_client *c, uint64_t h, const struct gofer_names *names, uint64_t offset,
                   void *buf, bool *end, uint64_t *handle) {
    LOCKED(&c->lock);
    struct gofer_readdir_req q = {.handle = h, .offset = offset};
    struct gofer_readdir_rep r;
    if (names)
        q.names = *names;
    int err = call_readdir(c, &q, &r, NULL);
    if (err)
        return err;
    struct gofer_in in = {(const uint8_t *)r.entries.p, r.entries.n, false};
    struct gofer_entry e;
    int more;
    while ((more = gofer_get_entry(&in, &e)) > 0)
        if (e.has_attr && (err = check_attr(c, &e.attr)))
            return err;
    if (more < 0)
        return broken(c, "malformed directory entries");
    if (r.entries.n == 0 && !r.end)
        return broken(c, "a directory without end");
    if (r.handle && (q.names.n == 0 || !handle))
        return broken(c, "a handle that nobody asked for");
    if (handle)
        *handle = r.handle;
    memcpy(buf, r.entries.p, r.entries.n);
    *end = r.end != 0;
    return (int)r.entries.n;
}

int client_readlink(struct gofer_client *c, uint64_t h, const char *name, char buf[GOFER_PATH_MAX + 1]) {
    LOCKED(&c->lock);
    struct gofer_readlink_req q = {h, str(name)};
    struct gofer_readlink_rep r;
    int err = call_readlink(c, &q, &r, NULL);
    if (err)
        return err;
    memcpy(buf, r.target.p, r.target.n);
    buf[r.target.n] = 0;
    return (int)r.target.n;
}

int client_getattr(struct gofer_client *c, uint64_t h, const char *name, struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_getattr_req q = {h, str(name)};
    struct gofer_getattr_rep r;
    return take_attr(c, call_getattr(c, &q, &r, NULL), &r.attr, a);
}

int client_create(struct gofer_client *c, uint64_t h, const char *name, uint32_t mode, uint32_t uid,
                  uint32_t gid, struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_create_req q = {h, str(name), mode, uid, gid};
    struct gofer_create_rep r;
    struct gofer_fds fds cleanup_fds = {0};
    int err = take_attr(c, call_create(c, &q, &r, &fds), &r.attr, a);
    return err ? err : take_one(&fds);
}

int client_mkdir(struct gofer_client *c, uint64_t h, const char *name, uint32_t mode, uint32_t uid,
                 uint32_t gid, struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_mkdir_req q = {h, str(name), mode, uid, gid};
    struct gofer_mkdir_rep r;
    return take_attr(c, call_mkdir(c, &q, &r, NULL), &r.attr, a);
}

int client_symlink(struct gofer_client *c, uint64_t h, const char *name, const char *target, uint32_t uid,
                   uint32_t gid, struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_symlink_req q = {h, str(name), str(target), uid, gid};
    struct gofer_symlink_rep r;
    return take_attr(c, call_symlink(c, &q, &r, NULL), &r.attr, a);
}

int client_link(struct gofer_client *c, uint64_t h, const char *name, uint64_t from, const char *from_name,
                struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_link_req q = {h, str(name), from, str(from_name)};
    struct gofer_link_rep r;
    return take_attr(c, call_link(c, &q, &r, NULL), &r.attr, a);
}

int client_unlink(struct gofer_client *c, uint64_t h, const char *name, bool dir) {
    LOCKED(&c->lock);
    struct gofer_unlink_req q = {h, str(name), dir ? GOFER_UNLINK_DIR : 0};
    struct gofer_unlink_rep r;
    return call_unlink(c, &q, &r, NULL);
}

int client_rename(struct gofer_client *c, uint64_t h, const char *name, uint64_t to, const char *to_name,
                  unsigned flags) {
    LOCKED(&c->lock);
    struct gofer_rename_req q = {h, str(name), to, str(to_name), flags};
    struct gofer_rename_rep r;
    return call_rename(c, &q, &r, NULL);
}

int client_setattr(struct gofer_client *c, struct gofer_setattr_req *q, const char *name,
                   struct gofer_attr *a) {
    LOCKED(&c->lock);
    struct gofer_setattr_rep r;
    q->name = str(name);
    return take_attr(c, call_setattr(c, q, &r, NULL), &r.attr, a);
}

int client_statfs(struct gofer_client *c, uint64_t h, struct gofer_statfs_rep *r) {
    LOCKED(&c->lock);
    struct gofer_statfs_req q = {h};
    return call_statfs(c, &q, r, NULL);
}

int client_fsync(struct gofer_client *c, uint64_t h, const char *name, bool data_only) {
    LOCKED(&c->lock);
    struct gofer_fsync_req q = {h, str(name), data_only};
    struct gofer_fsync_rep r;
    return call_fsync(c, &q, &r, NULL);
}

static int64_t copy_out(const struct gofer_str *s, void *buf, size_t size) {
    if (size == 0)
        return s->n;
    if (s->n > size)
        return -LINUX_ERANGE;
    memcpy(buf, s->p, s->n);
    return s->n;
}

int64_t client_getxattr(struct gofer_client *c, uint64_t h, const char *name, const char *x, void *buf,
                        size_t size) {
    LOCKED(&c->lock);
    struct gofer_getxattr_req q = {h, str(name), str(x)};
    struct gofer_getxattr_rep r;
    int err = call_getxattr(c, &q, &r, NULL);
    return err ? err : copy_out(&r.value, buf, size);
}

int client_setxattr(struct gofer_client *c, uint64_t h, const char *name, const char *x, const void *v,
                    size_t n, unsigned flags) {
    if (n > GOFER_BYTES_MAX)
        return -LINUX_E2BIG;
    LOCKED(&c->lock);
    struct gofer_setxattr_req q = {h, str(name), str(x), {v, (uint32_t)n}, flags};
    struct gofer_setxattr_rep r;
    return call_setxattr(c, &q, &r, NULL);
}

int64_t client_listxattr(struct gofer_client *c, uint64_t h, const char *name, char *buf, size_t size) {
    LOCKED(&c->lock);
    struct gofer_listxattr_req q = {h, str(name)};
    struct gofer_listxattr_rep r;
    int err = call_listxattr(c, &q, &r, NULL);
    return err ? err : copy_out(&r.list, buf, size);
}

int client_removexattr(struct gofer_client *c, uint64_t h, const char *name, const char *x) {
    LOCKED(&c->lock);
    struct gofer_removexattr_req q = {h, str(name), str(x)};
    struct gofer_removexattr_rep r;
    return call_removexattr(c, &q, &r, NULL);
}

int client_connect(struct gofer_client *c, uint64_t h, const char *name) {
    LOCKED(&c->lock);
    struct gofer_connect_req q = {h, str(name)};
    struct gofer_connect_rep r;
    return call_connect(c, &q, &r, NULL);
}
