// SPDX-License-Identifier: Apache-2.0
// The directory calls of tmpfs. Each first plans (finds or allocates entries, asks whether a lower file
// system shows the name: then a whiteout stays behind), and may fail; then it commits, and cannot.
// Directories' locks are held.
#include "abi/fileattr.h"
#include "fs/tmpfs/node.h"
#include <string.h>

// ---- A planned change of one name -------------------------------------------------------------------------
struct plan {
    struct tnode *dir;
    struct tentry *e;  // the entry, or NULL: none, and none is needed
    bool fresh;        // e is not in the directory yet
    bool lower;        // the name shows in the lower directory
};
static int plan_name(struct plan *p, struct inode *dir, struct dentry *d, bool set) {
    *p = (struct plan){.dir = tnode(dir)};
    if (p->dir->lower) {
        int has = tsuper(dir)->origin->has(dir, d);
        if (has < 0)
            return has;
        p->lower = has;
    }
    p->e = tdir_find(p->dir, d->name, strlen(d->name), d->namehash);
    if (!p->e && (set || p->lower)) {
        p->e = tentry_new(d);
        p->fresh = true;
    }
    return !p->e && p->fresh ? -LINUX_ENOMEM : 0;
}
static void plan_drop(struct plan *p) {
    if (p->fresh)
        free(p->e);
}
static void dir_touched(struct tnode *n, int delta) {
    struct inode *dir = n->inode;
    dir->attr.mtime = dir->attr.ctime = inode_now();
    if (!n->lower)
        dir->attr.size += (uint64_t)((int64_t)delta * TMPFS_NAME_SIZE);
    else
        tsuper(dir)->origin->changed(dir);
}
// Both return the inode that the entry held: its reference is now the caller's.
static struct inode *plan_set(struct plan *p, struct inode *i /* taken over */) {
    struct inode *old = p->e->inode;
    if (p->fresh) {
        p->e->inode = i;
        tdir_insert(p->dir, p->e);
        p->fresh = false;
    } else {
        p->dir->dir.live += (i != NULL) - (old != NULL);
        p->e->inode = i;
    }
    return old;
}
static struct inode *plan_clear(struct plan *p) {
    if (!p->e)
        return NULL;
    if (p->lower)
        return plan_set(p, NULL);
    struct inode *old = p->e->inode;
    tdir_remove(p->dir, p->e);
    return old;
}

static void count_names(struct inode *i, int delta) {
    if (tnode(i)->lower)
        tsuper(i)->origin->renamed(i, delta);
}
// A directory's ".." comes or goes. A count of 1 says that the file system does not count them.
static void count_subdir(struct inode *dir, int delta) {
    if (dir->attr.nlink > 1)
        dir->attr.nlink += (uint32_t)delta;
}
static void drop_link(struct inode *i) {
    if (inode_is_dir(i)) {  // its lock is held by the caller
        i->attr.nlink = 0;
        i->attr.ctime = inode_now();
    } else {
        lock_nested(&i->lock);
        if (i->attr.nlink > 0)
            i->attr.nlink--;
        if (tnode(i)->extra_links) {
            tnode(i)->extra_links--;
            tquota_give_bytes(tsuper(i), INODE_BYTES);
        }
        i->attr.ctime = inode_now();
        lock_drop(&i->lock);
    }
    count_names(i, -1);
}

// ---- New objects ------------------------------------------------------------------------------------------
static struct inode *new_inode(struct inode *dir, uint32_t mode, const struct vfs_ctx *ctx, uint64_t rdev) {
    bool is_dir = LINUX_S_ISDIR(mode);
    struct vfs_attr a = {.nlink = is_dir ? 2 : 1, .rdev = rdev, .size = is_dir ? 2 * TMPFS_NAME_SIZE : 0};
    inode_init_owner(&a, dir, mode, &ctx->cred);
    struct inode *i = tnode_new(dir->sb, &a);
    if (!i)
        return NULL;
    if (tacl_inherit(dir, i)) {
        inode_put(i);
        return NULL;
    }
    atomic_init(&i->flags, atomic_load(&dir->flags) & (LINUX_FS_NODUMP_FL | LINUX_FS_NOATIME_FL));
    return i;
}
static int no_inode(const struct inode *dir) {
    struct linux_statfs s;
    tquota_statfs(dir->sb->priv, &s);
    return s.f_ffree ? -LINUX_ENOMEM : -LINUX_ENOSPC;
}
// i: taken over, or NULL (none could be made).
static int add_new(struct inode *dir, struct dentry *d, struct inode *i) {
    struct plan p;
    if (!i)
        return no_inode(dir);
    int err = plan_name(&p, dir, d, true);
    if (err) {
        inode_put(i);
        return err;
    }
    plan_set(&p, i);
    if (inode_is_dir(i))
        count_subdir(dir, 1);
    dir_touched(p.dir, 1);
    dentry_attach(d, inode_get(i));
    return 0;
}
static int dir_create(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    return add_new(dir, d, new_inode(dir, mode, ctx, 0));
}
static int dir_mknod(struct inode *dir, struct dentry *d, uint32_t mode, uint64_t rdev,
                     const struct vfs_ctx *ctx) {
    struct inode *i = new_inode(dir, mode, ctx, rdev);
    if (i && LINUX_S_ISCHR(mode))
        devfs_attach(i);
    return add_new(dir, d, i);
}
// A target that is not short has a page, as Linux' tmpfs has it.
#define SHORT_TARGET 128u
static int set_target(struct inode *i, const char *target) {
    struct tnode *n = tnode(i);
    i->attr.size = strlen(target);
    if (i->attr.size >= SHORT_TARGET) {
        if (!tquota_take(tsuper(i), 1))
            return -LINUX_ENOSPC;
        n->target_pages = 1;
        i->attr.blocks = GUEST_PAGE_SIZE / 512;
    }
    n->target = xstrdup(target);
    return n->target ? 0 : -LINUX_ENOMEM;
}
static int dir_symlink(struct inode *dir, struct dentry *d, const char *target, const struct vfs_ctx *ctx) {
    struct inode *i = new_inode(dir, LINUX_S_IFLNK | 0777, ctx, 0);
    if (!i)
        return no_inode(dir);
    int err = set_target(i, target);
    if (err) {
        inode_put(i);
        return err;
    }
    return add_new(dir, d, i);
}
// A further name counts as an inode, as Linux' tmpfs has it: names are memory too. (Not the first of an
// O_TMPFILE.)
static int dir_link(struct inode *dir, struct dentry *d, struct inode *i) {
    struct plan p;
    int err = plan_name(&p, dir, d, true);
    if (err)
        return err;
    lock_nested(&i->lock);
    bool further = i->attr.nlink > 0, paid = !further || tquota_take_bytes(tsuper(dir), INODE_BYTES);
    if (paid) {
        i->attr.nlink++;
        tnode(i)->extra_links += further;
        i->attr.ctime = inode_now();
    }
    lock_drop(&i->lock);
    if (!paid) {
        plan_drop(&p);
        return -LINUX_ENOSPC;
    }
    plan_set(&p, inode_get(i));
    count_names(i, 1);
    if (tnode(i)->lower)
        tsuper(i)->origin->changed(i);
    dir_touched(p.dir, 1);
    dentry_attach(d, inode_get(i));
    return 0;
}
static int dir_tmpfile(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    struct inode *i = new_inode(dir, mode, ctx, 0);
    if (!i)
        return no_inode(dir);
    i->attr.nlink = 0;
    dentry_attach(d, i);
    return 0;
}
int tmpfs_add(struct inode *dir, const char *name, struct inode *i) {
    struct dentry *d = dentry_new(dir->sb, dir->sb->root, name, strlen(name));
    if (!d || !i) {
        if (d)
            dentry_put(d);
        if (i)
            inode_put(i);
        return -LINUX_ENOMEM;
    }
    int err = add_new(dir, d, i);
    dentry_put(d);
    return err;
}

// ---- Names that go, or move -------------------------------------------------------------------------------
static int dir_unlink(struct inode *dir, struct dentry *d) {
    struct plan p;
    int err = plan_name(&p, dir, d, false);
    if (err)
        return err;
    struct inode *old = plan_clear(&p);
    drop_link(d->inode);
    dir_touched(p.dir, -1);
    if (old)
        inode_put(old);
    return 0;
}
static int check_empty(struct inode *i) {
    struct tnode *n = tnode(i);
    if (n->dir.live)
        return -LINUX_ENOTEMPTY;
    return n->lower ? tsuper(i)->origin->empty(i) : 0;
}
static int dir_rmdir(struct inode *dir, struct dentry *d) {
    struct plan p;
    int err = check_empty(d->inode);
    if (err)
        return err;
    err = plan_name(&p, dir, d, false);
    if (err)
        return err;
    struct inode *old = plan_clear(&p);
    count_subdir(dir, -1);
    drop_link(d->inode);
    dir_touched(p.dir, -1);
    if (old)
        inode_put(old);
    return 0;
}
static void stamp(struct inode *i) {
    if (!inode_is_dir(i)) {  // directories: vfs_rename() does it, once it has dropped its locks
        lock_nested(&i->lock);
        i->attr.ctime = inode_now();
        lock_drop(&i->lock);
    }
    if (tnode(i)->lower)
        tsuper(i)->origin->changed(i);
}
static void exchange(struct plan *o, struct plan *n, struct inode *moved, struct inode *other) {
    bool mdir = inode_is_dir(moved), odir = inode_is_dir(other);
    struct inode *was_moved = plan_set(o, inode_get(other)), *was_other = plan_set(n, inode_get(moved));
    if (o->dir != n->dir && mdir != odir) {
        count_subdir(o->dir->inode, odir ? 1 : -1);
        count_subdir(n->dir->inode, mdir ? 1 : -1);
    }
    if (was_moved)
        inode_put(was_moved);
    if (was_other)
        inode_put(was_other);
    stamp(other);
    dir_touched(o->dir, 0);
    dir_touched(n->dir, 0);
}
static void move(struct plan *o, struct plan *n, struct inode *moved, struct inode *victim) {
    bool is_dir = inode_is_dir(moved);
    struct inode *replaced = plan_set(n, inode_get(moved)), *was = plan_clear(o);
    if (is_dir) {
        count_subdir(o->dir->inode, -1);
        if (!victim)
            count_subdir(n->dir->inode, 1);
    }
    if (victim)
        drop_link(victim);
    if (was)
        inode_put(was);
    if (replaced)
        inode_put(replaced);
    dir_touched(o->dir, -1);
    dir_touched(n->dir, victim ? 0 : 1);
}
static int dir_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
                      unsigned flags) {
    bool swap = flags & LINUX_RENAME_EXCHANGE;
    struct inode *moved = od->inode, *victim = nd->inode;
    struct plan o, n;
    int err = !swap && victim && inode_is_dir(victim) ? check_empty(victim) : 0;
    if (err)
        return err;
    err = plan_name(&o, odir, od, swap);
    if (err)
        return err;
    err = plan_name(&n, ndir, nd, true);
    if (err) {
        plan_drop(&o);
        return err;
    }
    if (swap)
        exchange(&o, &n, moved, victim);
    else
        move(&o, &n, moved, victim);
    stamp(moved);
    return 0;
}

// ---- Looking ----------------------------------------------------------------------------------------------
static int dir_lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct tnode *n = tnode(dir);
    struct tentry *e = tdir_find(n, d->name, strlen(d->name), d->namehash);
    if (e && e->inode)
        dentry_attach(d, inode_get(e->inode));
    return e || !n->lower ? 0 : tsuper(dir)->origin->lookup(dir, d, next);
}
static uint64_t parent_ino(struct dentry *d) {
    LOCKED(&d->sb->vfs->dcache);
    return d->parent->inode->attr.ino;
}
static int dir_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct inode *dir = f->inode;
    struct tnode *n = tnode(dir);
    tmpfs_used(f);
    if (*off == 0) {
        if (!s->emit(s, ".", 1, dir->attr.ino, LINUX_DT_DIR, 1))
            return 0;
        *off = 1;
    }
    if (*off == 1) {
        if (!s->emit(s, "..", 2, parent_ino(f->path.dentry), LINUX_DT_DIR, 2))
            return 0;
        *off = 2;
    }
    struct tentry *e = *off < READDIR_LOWER ? tdir_from(n, *off) : NULL;
    while (e) {
        struct rb_node *next = rb_next(&e->by_cookie);
        if (e->inode && !s->emit(s, e->name, e->len, e->inode->attr.ino,
                                 LINUX_MODE_TO_DT(inode_type(e->inode)), e->cookie + 1))
            return 0;
        *off = e->cookie + 1;
        e = next ? rb_entry(next, struct tentry, by_cookie) : NULL;
    }
    return n->lower ? tsuper(dir)->origin->readdir(f, s, off) : 0;
}
static int64_t dir_read(struct file *f, struct uio *u, uint64_t off) { return -LINUX_EISDIR; }
const struct file_ops tmpfs_dir_fops = {.readdir = dir_readdir, .read = dir_read, .seek = SEEK_NO_END};
const struct inode_ops tmpfs_dir_ops = {
    .lookup = dir_lookup,
    .create = dir_create,
    .mkdir = dir_create,
    .mknod = dir_mknod,
    .symlink = dir_symlink,
    .link = dir_link,
    .unlink = dir_unlink,
    .rmdir = dir_rmdir,
    .rename = dir_rename,
    .tmpfile = dir_tmpfile,
    .getattr = tmpfs_getattr,
    .setattr = tmpfs_setattr,
    .evict = tmpfs_evict,
    .getxattr = tmpfs_getxattr,
    .setxattr = tmpfs_setxattr,
    .listxattr = tmpfs_listxattr,
    .set_acl = tmpfs_set_acl,
    .set_flags = tmpfs_set_flags,
    .removexattr = tmpfs_removexattr,
};
