// SPDX-License-Identifier: Apache-2.0
// Open files of FUSE. Nothing of their bytes is kept here: each read and write is the daemon's. A read asks
// for all its pieces at once; the writes of one call go one after another, and of several calls one call's
// after another's, as under the inode's lock of Linux.

#include "abi/fcntl.h"
#include "abi/uio.h"
#include "fs/fuse/fuse.h"
#include <string.h>

#define PIECES_AT_ONCE 16u
#define READ_MOST      (32u << 20)  // of one call: the answers are kept until all are there
#define WRITES_MOST    32u          // pieces of one call

// ---- Opens ------------------------------------------------------------------------------------------------
struct fuse_open *fuse_open_new(struct fuse_conn *c, uint64_t nodeid, bool dir) {
    struct fuse_open *o = znew(struct fuse_open);
    unsigned op = dir ? LINUX_FUSE_RELEASEDIR : LINUX_FUSE_RELEASE;
    if (!o)
        return NULL;
    o->release = fuse_req_new(c, op, nodeid, sizeof(struct linux_fuse_release_in));
    if (!o->release) {
        free(o);
        return NULL;
    }
    ref_init(&o->refs, 1);
    o->conn = fuse_conn_get(c);
    o->nodeid = nodeid;
    o->dir = dir;
    o->nothing = true;
    return o;
}
void fuse_open_put(struct fuse_open *o) {
    if (!o || !ref_put(&o->refs))
        return;
    const struct linux_fuse_release_in in = {.fh = o->fh, .flags = o->flags};
    memcpy(fuse_header(o->release) + 1, &in, sizeof in);
    if (o->nothing)
        fuse_req_put(o->release);
    else
        fuse_submit_orphan(o->release);
    fuse_map_put(o->map);
    fuse_conn_put(o->conn);
    free(o);
}
// *out: a reference.
static int ask_open(struct inode *i, uint32_t flags, struct fuse_open **out) {
    struct fuse_conn *c = fuse_conn(i);
    bool dir = inode_is_dir(i);
    const struct linux_fuse_open_in in = {.flags = flags};
    struct linux_fuse_open_out answer;
    struct fuse_req *r = NULL;
    int err = fuse_ask(c,
                       &(struct fuse_question){.opcode = dir ? LINUX_FUSE_OPENDIR : LINUX_FUSE_OPEN,
                                               .nodeid = fuse_node(i)->nodeid,
                                               .args = {{&in, sizeof in}},
                                               .out_least = sizeof answer,
                                               .out_most = sizeof answer},
                       &r);
    if (err && err != -LINUX_ENOSYS)
        return err;
    if (!err && r->opened) {
        ref_get(&r->opened->refs);
        *out = r->opened;
        return 0;
    }
    struct fuse_open *o = fuse_open_new(c, fuse_node(i)->nodeid, dir);
    if (!o)
        return -LINUX_ENOMEM;
    o->flags = flags;
    *out = o;
    if (err)
        return 0;  // it knows of no open files
    memcpy(&answer, r->out, sizeof answer);
    o->fh = answer.fh;
    o->open_flags = answer.open_flags;
    o->nothing = false;
    r->used = true;
    ref_get(&o->refs);
    r->opened = o;
    return 0;
}
int fuse_open_file(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    const uint32_t not_sent = LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_NOCTTY | LINUX_O_TRUNC;
    struct fuse_open *o = inode_is_dir(i) ? NULL : fuse_created(i);
    int err = o ? 0 : ask_open(i, atomic_load(&f->flags) & ~not_sent, &o);
    if (err) {
        f->ops = NULL;  // there is nothing to release
        return err;
    }
    f->priv = o;
    return 0;
}
bool fuse_is_file(const struct file *f) { return f->ops == &fuse_file_fops; }
static void file_release(struct file *f) { fuse_open_put(f->priv); }

// ---- Reading ----------------------------------------------------------------------------------------------
// FS_WAIT: some of the pieces are on their way; with all there, *n is what they hold together, up to the
// first short one.
struct span {
    struct fuse_open *o;
    uint32_t flags;
    uint64_t off;
    size_t size, piece;
};
static int ask_piece(const struct span *s, size_t at, struct fuse_req **r) {
    size_t n = s->size - at < s->piece ? s->size - at : s->piece;
    const struct linux_fuse_read_in in = {
        .fh = s->o->fh, .offset = s->off + at, .size = (uint32_t)n, .flags = s->flags};
    return fuse_ask(
        s->o->conn,
        &(struct fuse_question){
            .opcode = LINUX_FUSE_READ, .nodeid = s->o->nodeid, .args = {{&in, sizeof in}}, .out_most = n},
        r);
}
int fuse_ask_read(struct file *f, uint64_t off, uint64_t most, struct fuse_req **r, size_t *size) {
    struct fuse_open *o = f->priv;
    const struct span s = {
        .o = o, .flags = atomic_load(&f->flags), .off = off, .size = most, .piece = o->conn->max_read};
    *size = most < s.piece ? (size_t)most : s.piece;
    return ask_piece(&s, 0, r);
}
static int ask_all(const struct span *s, struct fuse_req **pieces, unsigned *n, unsigned at_once) {
    int err = 0;
    unsigned waiting = 0;
    *n = 0;
    for (size_t at = 0; at < s->size && waiting < at_once; at += s->piece) {
        int one = ask_piece(s, at, &pieces[*n]);
        waiting += one == FS_WAIT;
        if (one && one != FS_WAIT)
            return err || *n ? err : one;  // what came before it is read
        err = err ? err : one;
        if (one)
            continue;
        size_t want = s->size - at < s->piece ? s->size - at : s->piece;
        ++*n;
        if (pieces[*n - 1]->out_size < want)
            break;
    }
    return err;
}
static int64_t deliver(struct uio *u, struct fuse_req **pieces, unsigned n) {
    int64_t done = 0;
    for (unsigned k = 0; k < n; k++) {
        size_t size = pieces[k]->out_size;
        int64_t got = size ? uio_to(u, pieces[k]->out, size) : 0;
        if (got < 0)
            return done ? done : got;
        done += got;
        if ((size_t)got < size)
            break;
    }
    return done;
}
static int64_t file_read(struct file *f, struct uio *u, uint64_t off) {
    struct fuse_open *o = f->priv;
    bool direct = o->open_flags & LINUX_FUSE_FOPEN_DIRECT_IO;
    struct span s = {.o = o, .flags = atomic_load(&f->flags), .off = off, .piece = o->conn->max_read};
    struct vfs_attr a = {.size = INT64_MAX};
    int err = direct ? 0 : fuse_getattr(f->inode, &a);
    if (err)
        return err;
    if (off >= a.size || u->left == 0)
        return 0;
    s.size = u->left < READ_MOST ? u->left : READ_MOST;
    if (s.size > a.size - off)
        s.size = (size_t)(a.size - off);
    struct fuse_req **pieces = xcalloc(s.size / s.piece + 1, sizeof *pieces);
    unsigned n;
    if (!pieces)
        return -LINUX_ENOMEM;
    err = ask_all(&s, pieces, &n, direct ? 1 : PIECES_AT_ONCE);
    int64_t done = err ? err : deliver(u, pieces, n);
    free(pieces);
    return done;
}

// ---- Writing ----------------------------------------------------------------------------------------------
// One piece, whose bytes are taken from u: how many the daemon has taken of it.
static int64_t write_piece(struct fuse_open *o, struct uio *u, const struct linux_fuse_write_in *in) {
    struct linux_fuse_write_out out;
    struct fuse_req *r;
    struct fuse_question q = {.opcode = LINUX_FUSE_WRITE,
                              .nodeid = o->nodeid,
                              .args = {{in, sizeof *in}},
                              // not the offset: that of an append is where the end is now
                              .key = sizeof in->fh,
                              .out_least = sizeof out,
                              .out_most = sizeof out};
    int err = fuse_asked_before(o->conn, &q, &r);
    if (err)
        return err;
    if (!r) {
        r = fuse_req_new(o->conn, q.opcode, q.nodeid, sizeof *in + in->size);
        if (!r)
            return -LINUX_ENOMEM;
        memcpy(fuse_header(r) + 1, in, sizeof *in);
        int64_t got = uio_from(u, (unsigned char *)(fuse_header(r) + 1) + sizeof *in, in->size);
        if (got != (int64_t)in->size) {
            fuse_req_put(r);
            return -LINUX_EFAULT;
        }
        return fuse_ask_new(o->conn, &q, r);
    }
    err = fuse_outcome(r);
    if (err)
        return err;
    memcpy(&out, r->out, sizeof out);
    if (out.size > in->size)
        return -LINUX_EIO;
    return out.size;
}
// u stands behind what was written in earlier runs, whose bytes the guest has still.
static int64_t skip(struct uio *u, size_t n) {
    char *buf = uio_bounce();
    for (size_t run; buf && n > 0; n -= run) {
        run = n < UIO_BOUNCE ? n : UIO_BOUNCE;
        if (uio_from(u, buf, run) != (int64_t)run)
            return -LINUX_EFAULT;
    }
    return buf ? 0 : -LINUX_ENOMEM;
}
static int64_t write_pieces(struct file *f, struct uio *u, uint64_t off) {
    struct fuse_open *o = f->priv;
    size_t total = u->left, done = 0;
    for (unsigned k = 0; done < total && k < WRITES_MOST; k++) {
        size_t n = total - done < o->conn->max_write ? total - done : o->conn->max_write;
        size_t before = u->left;
        const struct linux_fuse_write_in in = {
            .fh = o->fh, .offset = off + done, .size = (uint32_t)n, .flags = atomic_load(&f->flags)};
        int64_t wrote = write_piece(o, u, &in);
        if (wrote < 0 && (wrote == FS_WAIT || done == 0))
            return wrote;
        if (wrote <= 0)
            break;
        if (before == u->left && skip(u, (size_t)wrote) < 0)
            return done ? (int64_t)done : -LINUX_EFAULT;
        done += (size_t)wrote;
        if ((size_t)wrote < n)
            break;
    }
    return (int64_t)done;
}
static int simple(struct fuse_open *o, unsigned op, const void *in, size_t n) {
    struct fuse_req *r;
    return fuse_ask(o->conn, &(struct fuse_question){.opcode = op, .nodeid = o->nodeid, .args = {{in, n}}},
                    &r);
}
static int file_fsync(struct file *f, bool data_only) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_fsync_in in = {.fh = o->fh,
                                           .fsync_flags = data_only ? LINUX_FUSE_FSYNC_FDATASYNC : 0};
    int err = simple(o, LINUX_FUSE_FSYNC, &in, sizeof in);
    return err == -LINUX_ENOSYS ? 0 : err;
}
// O_SYNC, O_DSYNC and their kin.
static int sync_write(struct file *f, int rwf) {
    bool all = (rwf & LINUX_RWF_SYNC) || (atomic_load(&f->flags) & LINUX___O_SYNC);
    return file_fsync(f, !all);
}
static int64_t file_write(struct file *f, struct uio *u, uint64_t off) {
    int err = fuse_claim_writer(f->inode);
    if (err)
        return err;
    size_t before = u->left;
    int64_t n = write_pieces(f, u, off);
    if (n <= 0)
        return n;
    err = vfs_writes_through(f, u->flags) ? sync_write(f, u->flags) : 0;
    if (err) {
        uio_back(u, before - u->left);
        return err;
    }
    {
        LOCKED(&f->inode->lock);
        if (f->inode->attr.size < off + (uint64_t)n)
            f->inode->attr.size = off + (uint64_t)n;
    }
    atomic_fetch_add(&fuse_node(f->inode)->sizes, 1);
    fuse_stale(f->inode);
    fuse_map_forget(f->inode);
    return n;
}

// ---- The rest ---------------------------------------------------------------------------------------------
static int file_fallocate(struct file *f, int mode, uint64_t off, uint64_t len) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_fallocate_in in = {
        .fh = o->fh, .offset = off, .length = len, .mode = (uint32_t)mode};
    int err = simple(o, LINUX_FUSE_FALLOCATE, &in, sizeof in);
    fuse_stale(f->inode);
    fuse_map_forget(f->inode);
    return err == -LINUX_ENOSYS ? -LINUX_EOPNOTSUPP : err;
}
// SEEK_DATA, SEEK_HOLE.
static int64_t file_llseek(struct file *f, int64_t off, int whence) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_lseek_in in = {.fh = o->fh, .offset = (uint64_t)off, .whence = (uint32_t)whence};
    struct linux_fuse_lseek_out out;
    struct vfs_attr a;
    struct fuse_req *r;
    int err = fuse_ask(o->conn,
                       &(struct fuse_question){.opcode = LINUX_FUSE_LSEEK,
                                               .nodeid = o->nodeid,
                                               .args = {{&in, sizeof in}},
                                               .out_least = sizeof out,
                                               .out_most = sizeof out},
                       &r);
    if (err && err != -LINUX_ENOSYS)
        return err;
    if (!err) {
        memcpy(&out, r->out, sizeof out);
        return out.offset <= INT64_MAX ? (int64_t)out.offset : -LINUX_EIO;
    }
    err = fuse_getattr(f->inode, &a);
    if (err)
        return err;
    if (off < 0 || (uint64_t)off >= a.size)
        return -LINUX_ENXIO;
    return whence == LINUX_SEEK_DATA ? off : (int64_t)a.size;
}
// Of a table of descriptors or a file: nothing of where it lies here.
static uint64_t owner_of(const struct fuse_open *o, const void *owner) {
    uint64_t h = ((uintptr_t)owner ^ o->conn->vfs->seed) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 32;
}
static bool flushes(const struct fuse_open *o) {
    return !o->nothing && !(o->open_flags & LINUX_FUSE_FOPEN_NOFLUSH) &&
           !fuse_is_absent(o->conn, LINUX_FUSE_FLUSH);
}
int fuse_closing(struct file *f, void *owner) {
    struct fuse_open *o = f->ops == &fuse_file_fops ? f->priv : NULL;
    if (!o || !flushes(o))
        return 0;
    const struct linux_fuse_flush_in in = {.fh = o->fh, .lock_owner = owner_of(o, owner)};
    int err = simple(o, LINUX_FUSE_FLUSH, &in, sizeof in);
    return err == -LINUX_ENOSYS ? 0 : err;
}
// Where nobody can wait, at exec and exit, and for what dup2(2) closes: the daemon is told all the same.
static int file_flush(struct file *f, void *owner) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_flush_in in = {.fh = o->fh, .lock_owner = owner_of(o, owner)};
    if (!flushes(o) || fuse_has_flushed(o))
        return 0;
    struct fuse_req *r = fuse_req_new(o->conn, LINUX_FUSE_FLUSH, o->nodeid, sizeof in);
    if (!r)
        return -LINUX_ENOMEM;
    memcpy(fuse_header(r) + 1, &in, sizeof in);
    fuse_submit_orphan(r);
    return 0;
}

const struct inode_ops fuse_file_inode_ops = {.getattr = fuse_getattr,
                                              .setattr = fuse_setattr,
                                              .permission = fuse_permission,
                                              .getxattr = fuse_getxattr,
                                              .setxattr = fuse_setxattr,
                                              .listxattr = fuse_listxattr,
                                              .removexattr = fuse_removexattr,
                                              .open = fuse_open_file,
                                              .evict = fuse_evict};
const struct file_ops fuse_file_fops = {.read = file_read,
                                        .write = file_write,
                                        .llseek = file_llseek,
                                        .fsync = file_fsync,
                                        .fallocate = file_fallocate,
                                        .mmap_fd = fuse_mmap_fd,
                                        .flush = file_flush,
                                        .release = file_release};
