// SPDX-License-Identifier: Apache-2.0
// Directories of FUSE: names that the daemon is asked for, and for how long they are true. A dentry's `priv`
// is that time and the epoch of its directory in which it was told.
// LIMIT: FUSE daemons are offered no READDIRPLUS, IOCTL, POLL, locks (they are local), ACLs and write-back
// cache, as by an older kernel.
#include "abi/misc.h"
#include "base/clock.h"
#include "fs/fuse/fuse.h"
#include <string.h>

// ---- For how long -----------------------------------------------------------------------------------------
#define NS_PER_MS 1000000u
static void *pack(uint64_t until_ns, uint32_t epoch) {
    return (void *)(uintptr_t)((until_ns / NS_PER_MS) << 16 | (epoch & 0xffff));
}
static void note(struct dentry *d, uint64_t sec, uint32_t nsec) {
    void *p = pack(fuse_until(sec, nsec), fuse_node(d->parent->inode)->epoch);
    __atomic_store_n(&d->priv, p, __ATOMIC_RELAXED);
}
static bool still_true(struct inode *dir, struct dentry *d) {
    uint64_t p = (uintptr_t)__atomic_load_n(&d->priv, __ATOMIC_RELAXED);
    return (p & 0xffff) == (fuse_node(dir)->epoch & 0xffff) && (p >> 16) * NS_PER_MS > mono_ns();
}

// ---- Looking up -------------------------------------------------------------------------------------------
static struct fuse_question name_question(unsigned op, const struct inode *dir, const char *name) {
    return (struct fuse_question){
        .opcode = op, .nodeid = fuse_node(dir)->nodeid, .args = {{name, strlen(name) + 1}}};
}
// 0 and *e; a missing name is a nodeid of 0.
static int ask_name(struct inode *dir, const char *name, struct fuse_req **r,
                    struct linux_fuse_entry_out *e) {
    struct fuse_question q = name_question(LINUX_FUSE_LOOKUP, dir, name);
    q.out_least = q.out_most = sizeof *e;
    *e = (struct linux_fuse_entry_out){0};
    {
        LOCKED(&fuse_conn(dir)->lock);
        if (fuse_conn(dir)->nforgets >= FUSE_FORGETS_MAX)
            return -LINUX_ENOMEM;
    }
    int err = fuse_ask(fuse_conn(dir), &q, r);
    if (err)
        return err == -LINUX_ENOENT ? 0 : err;
    memcpy(e, (*r)->out, sizeof *e);
    return 0;
}
static int dir_lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct linux_fuse_entry_out e;
    struct fuse_req *r = NULL;
    struct inode *i;
    int err;
    if (fuse_makes(dir, d->name))
        return 0;
    do {  // a directory that an earlier run has found lies behind another dentry now
        err = ask_name(dir, d->name, &r, &e);
    } while (!err && e.nodeid && r->used && LINUX_S_ISDIR(e.attr.mode));
    if (err)
        return err;
    note(d, e.entry_valid, e.entry_valid_nsec);
    if (!e.nodeid)
        return 0;
    err = fuse_inode_for(dir->sb, r, &e, &i);
    if (!err)
        dentry_attach(d, i);
    return err;
}
// The name is what it was: the time runs anew.
static bool same_object(struct dentry *d, struct fuse_req *r, const struct linux_fuse_entry_out *e) {
    struct inode *i = d->inode;
    if (!i || !e->nodeid)
        return !i && !e->nodeid;
    struct fuse_node *n = fuse_node(i);
    if (n->nodeid != e->nodeid || n->generation != e->generation || fuse_attr_check(&e->attr, i->type))
        return false;
    if (r->used)
        return r->inode == i;
    atomic_fetch_add(&n->nlookup, 1);
    fuse_take_attr(i, &e->attr, e->attr_valid, e->attr_valid_nsec);
    r->used = true;
    r->inode = inode_get(i);
    return true;
}
static int dir_recheck(struct dentry *parent, struct dentry *d) {
    struct linux_fuse_entry_out e;
    struct fuse_req *r = NULL;
    if (fuse_makes(parent->inode, d->name))
        return !d->inode;
    if (still_true(parent->inode, d))
        return 1;
    int err = ask_name(parent->inode, d->name, &r, &e);
    if (err)
        return err;
    if (!same_object(d, r, &e)) {
        if (r)
            fuse_unask(r);
        return 0;
    }
    note(d, e.entry_valid, e.entry_valid_nsec);
    return 1;
}

// ---- Making -----------------------------------------------------------------------------------------------
// The question's answer is the new name's entry.
static int make(struct inode *dir, struct dentry *d, const struct fuse_question *q, uint32_t type) {
    struct linux_fuse_entry_out e;
    struct fuse_req *r;
    struct inode *i;
    int err = fuse_ask(fuse_conn(dir), q, &r);
    if (err)
        return err;
    memcpy(&e, r->out, sizeof e);
    if ((e.attr.mode & LINUX_S_IFMT) != type)
        return -LINUX_EIO;
    err = fuse_inode_for(dir->sb, r, &e, &i);
    if (err)
        return err;
    fuse_stale(dir);
    dentry_attach(d, i);
    note(d, e.entry_valid, e.entry_valid_nsec);
    return 0;
}
#define ENTRY \
    .out_least = sizeof(struct linux_fuse_entry_out), .out_most = sizeof(struct linux_fuse_entry_out)
static int dir_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                     const struct vfs_ctx *ctx) {
    const struct linux_fuse_mknod_in in = {.mode = mode, .rdev = (uint32_t)rdev, .umask = ctx->umask};
    return make(dir, d,
                &(struct fuse_question){.opcode = LINUX_FUSE_MKNOD,
                                        .nodeid = fuse_node(dir)->nodeid,
                                        .args = {{&in, sizeof in}, {d->name, strlen(d->name) + 1}},
                                        ENTRY},
                mode & LINUX_S_IFMT);
}
static int dir_mkdir(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    const struct linux_fuse_mkdir_in in = {.mode = mode, .umask = ctx->umask};
    return make(dir, d,
                &(struct fuse_question){.opcode = LINUX_FUSE_MKDIR,
                                        .nodeid = fuse_node(dir)->nodeid,
                                        .args = {{&in, sizeof in}, {d->name, strlen(d->name) + 1}},
                                        ENTRY},
                LINUX_S_IFDIR);
}
static int dir_symlink(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx) {
    return make(
        dir, d,
        &(struct fuse_question){.opcode = LINUX_FUSE_SYMLINK,
                                .nodeid = fuse_node(dir)->nodeid,
                                .args = {{d->name, strlen(d->name) + 1}, {target, strlen(target) + 1}},
                                ENTRY},
        LINUX_S_IFLNK);
}
static int dir_link(struct inode *dir, struct dentry *d, struct inode *target) {
    const struct linux_fuse_link_in in = {.oldnodeid = fuse_node(target)->nodeid};
    int err = make(dir, d,
                   &(struct fuse_question){.opcode = LINUX_FUSE_LINK,
                                           .nodeid = fuse_node(dir)->nodeid,
                                           .args = {{&in, sizeof in}, {d->name, strlen(d->name) + 1}},
                                           ENTRY},
                   target->type);
    if (!err)
        fuse_stale(target);
    return err;
}
// Name and open in one.
static int create_and_open(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    struct linux_fuse_entry_out e;
    struct linux_fuse_open_out o;
    uint32_t flags = ctx->open_flags & ~(uint32_t)LINUX_O_NOCTTY;
    const struct linux_fuse_create_in in = {.flags = flags, .mode = mode, .umask = ctx->umask};
    const struct fuse_question q = {.opcode = LINUX_FUSE_CREATE,
                                    .nodeid = fuse_node(dir)->nodeid,
                                    .args = {{&in, sizeof in}, {d->name, strlen(d->name) + 1}},
                                    .out_least = sizeof e + sizeof o,
                                    .out_most = sizeof e + sizeof o};
    struct fuse_req *r;
    struct inode *i;
    int err = fuse_ask(fuse_conn(dir), &q, &r);
    if (err)
        return err;
    memcpy(&e, r->out, sizeof e);
    memcpy(&o, r->out + sizeof e, sizeof o);
    if (!LINUX_S_ISREG(e.attr.mode))
        return -LINUX_EIO;
    struct fuse_open *opened = r->opened ? NULL : fuse_open_new(fuse_conn(dir), e.nodeid, false);
    if (!r->opened && !opened)
        return -LINUX_ENOMEM;
    err = fuse_inode_for(dir->sb, r, &e, &i);
    if (opened) {
        opened->fh = o.fh;
        opened->flags = flags;
        opened->open_flags = o.open_flags;
        opened->nothing = err != 0;  // the answer is given back as it stands
        if (err)
            fuse_open_put(opened);
        else
            r->opened = opened;
    }
    if (err)
        return err;
    fuse_stale(dir);
    dentry_attach(d, i);
    note(d, e.entry_valid, e.entry_valid_nsec);
    return 0;
}
static int dir_create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    int err = ctx->open_flags & LINUX_O_CREAT ? create_and_open(dir, d, mode, ctx) : -LINUX_ENOSYS;
    return err == -LINUX_ENOSYS ? dir_mknod(dir, d, mode, 0, ctx) : err;
}

// ---- Taking away and moving -------------------------------------------------------------------------------
static int take_away(struct inode *dir, struct dentry *d, unsigned op) {
    struct fuse_question q = name_question(op, dir, d->name);
    struct fuse_req *r;
    int err = fuse_ask(fuse_conn(dir), &q, &r);
    if (err)
        return err;
    fuse_stale(dir);
    fuse_stale(d->inode);
    return 0;
}
static int dir_unlink(struct inode *dir, struct dentry *d) { return take_away(dir, d, LINUX_FUSE_UNLINK); }
static int dir_rmdir(struct inode *dir, struct dentry *d) { return take_away(dir, d, LINUX_FUSE_RMDIR); }
static int dir_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                      unsigned flags) {
    const struct linux_fuse_rename2_in in = {.newdir = fuse_node(ndir)->nodeid, .flags = flags};
    struct fuse_question q = {.opcode = flags ? LINUX_FUSE_RENAME2 : LINUX_FUSE_RENAME,
                              .nodeid = fuse_node(odir)->nodeid,
                              .args = {{&in, flags ? sizeof in : sizeof(struct linux_fuse_rename_in)},
                                       {od->name, strlen(od->name) + 1},
                                       {nd->name, strlen(nd->name) + 1}}};
    struct fuse_req *r;
    int err = fuse_ask(fuse_conn(odir), &q, &r);
    if (err)
        return err == -LINUX_ENOSYS && flags ? -LINUX_EINVAL : err;
    fuse_stale(odir);
    fuse_stale(ndir);
    fuse_stale(od->inode);
    if (nd->inode)
        fuse_stale(nd->inode);
    return 0;
}

// ---- Listing ----------------------------------------------------------------------------------------------
#define LIST_BYTES 32768u
static size_t dirent_size(const struct linux_fuse_dirent *e) {
    return (sizeof *e + e->namelen + 7) & ~(size_t)7;
}
static int emit_all(struct readdir_sink *s, const unsigned char *p, size_t n, uint64_t *off) {
    while (n >= sizeof(struct linux_fuse_dirent)) {
        struct linux_fuse_dirent e;
        memcpy(&e, p, sizeof e);
        if (e.namelen == 0 || e.namelen > LINUX_NAME_MAX)
            return -LINUX_EIO;
        if (dirent_size(&e) > n)
            break;
        const char *name = (const char *)p + sizeof e;
        if (memchr(name, '/', e.namelen) || memchr(name, '\0', e.namelen))
            return -LINUX_EIO;
        if (!s->emit(s, name, e.namelen, e.ino, e.type & 15, e.off))
            break;
        *off = e.off;
        p += dirent_size(&e);
        n -= dirent_size(&e);
    }
    return 0;
}
static int dir_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_read_in in = {.fh = o->fh, .offset = *off, .size = LIST_BYTES, .flags = o->flags};
    struct fuse_req *r;
    int err = fuse_ask(o->conn,
                       &(struct fuse_question){.opcode = LINUX_FUSE_READDIR,
                                               .nodeid = o->nodeid,
                                               .args = {{&in, sizeof in}},
                                               .out_most = LIST_BYTES},
                       &r);
    return err ? err : emit_all(s, r->out, r->out_size, off);
}
static int dir_fsync(struct file *f, bool data_only) {
    struct fuse_open *o = f->priv;
    const struct linux_fuse_fsync_in in = {.fh = o->fh,
                                           .fsync_flags = data_only ? LINUX_FUSE_FSYNC_FDATASYNC : 0};
    struct fuse_req *r;
    int err = fuse_ask(o->conn,
                       &(struct fuse_question){
                           .opcode = LINUX_FUSE_FSYNCDIR, .nodeid = o->nodeid, .args = {{&in, sizeof in}}},
                       &r);
    return err == -LINUX_ENOSYS ? 0 : err;
}
static void dir_release(struct file *f) { fuse_open_put(f->priv); }

const struct inode_ops fuse_dir_ops = {.lookup = dir_lookup,
                                       .create = dir_create,
                                       .mkdir = dir_mkdir,
                                       .mknod = dir_mknod,
                                       .symlink = dir_symlink,
                                       .link = dir_link,
                                       .unlink = dir_unlink,
                                       .rmdir = dir_rmdir,
                                       .rename = dir_rename,
                                       .recheck = dir_recheck,
                                       .getattr = fuse_getattr,
                                       .setattr = fuse_setattr,
                                       .permission = fuse_permission,
                                       .getxattr = fuse_getxattr,
                                       .setxattr = fuse_setxattr,
                                       .listxattr = fuse_listxattr,
                                       .removexattr = fuse_removexattr,
                                       .open = fuse_open_file,
                                       .evict = fuse_evict};
const struct file_ops fuse_dir_fops = {.readdir = dir_readdir, .fsync = dir_fsync, .release = dir_release};
