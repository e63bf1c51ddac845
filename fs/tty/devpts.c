// SPDX-License-Identifier: Apache-2.0
// devpts: a directory of terminals named by their numbers, and "ptmx", which makes them. Each instance counts
// for itself; all together have at most DEVPTS_MAX. A terminal's buffers are charged to the sandbox' memory
// as a tmpfs' pages are. A number is free again when the terminal's last file is closed too; its name goes
// with the master. Names of the dentry cache are checked each time, since terminals come and go without a
// call on the directory. Lock: devpts->lock (RANK_LEAF), since the last reference of a terminal can go
// anywhere.
#include "abi/stat.h"
#include "fs/core.h"
#include "fs/tmpfs/node.h"
#include "fs/tty/pty.h"
#include <stdio.h>

#define ROOT_INO  1
#define PTMX_INO  2
#define FIRST_INO 3  // terminal N has this one and N more
#define BYTES     (sizeof(struct pty) + LDISC_OUT + LDISC_ECHO + TTY_IN)
#define PAGES     ((BYTES + GUEST_PAGE_SIZE - 1) / GUEST_PAGE_SIZE)

struct devpts {               // sb->priv
    struct tsuper charge;     // for fs/tmpfs/quota.c
    struct devpts_opts opts;  // [c]
    struct inode *ptmx;       // [c] owned
    struct lock lock;
    struct slot {
        struct inode *inode;  // NULL: the number is free
        bool named;           // it can be found; the inode is owned
    } * terminals;            // [lock] by number
    unsigned size;            // [lock] of the table
};
unsigned devpts_count(struct vfs *v) { return atomic_load(&v->nptys); }

static struct devpts *devpts_of(const struct inode *i) { return i->sb->priv; }

// ---- Terminals as inodes ----------------------------------------------------------------------------------
static int node_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    LOCKED(&i->lock);
    inode_apply_attr(&i->attr, a, which);
    return 0;
}
static int terminal_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    return tty_open(&((struct pty *)i->priv)->tty, f);
}
static void terminal_evict(struct inode *i) {
    struct devpts *d = devpts_of(i);
    struct pty *p = i->priv;
    {
        LOCKED(&d->lock);
        d->terminals[p->index].inode = NULL;
    }
    atomic_fetch_sub(&i->sb->vfs->nptys, 1);
    tquota_give(&d->charge, PAGES);
    ctty_put(&p->tty.ctl);
}
static const struct inode_ops terminal_ops = {
    .open = terminal_open, .setattr = node_setattr, .evict = terminal_evict};
const struct inode_ops ptmx_inode_ops = {.open = ptmx_open, .setattr = node_setattr};

// ---- The directory ----------------------------------------------------------------------------------------
// A decimal number without leading zeros, or -1.
static int64_t number_of(const char *name) {
    int64_t n = 0;
    if (!*name || (*name == '0' && name[1]))
        return -1;
    for (; *name; name++) {
        if (*name < '0' || *name > '9' || n >= DEVPTS_MAX)
            return -1;
        n = n * 10 + (*name - '0');
    }
    return n;
}
// Referenced, or NULL.
static struct inode *devpts_find(struct devpts *d, const char *name) {
    int64_t n = number_of(name);
    if (!strcmp(name, "ptmx"))
        return inode_get(d->ptmx);
    LOCKED(&d->lock);
    return n >= 0 && n < d->size && d->terminals[n].named ? inode_get(d->terminals[n].inode) : NULL;
}
static int root_lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct inode *i = devpts_find(devpts_of(dir), d->name);
    if (i)
        dentry_attach(d, i);
    return 0;
}
static bool root_revalidate(struct dentry *parent, struct dentry *d) {
    struct inode *now = devpts_find(devpts_of(parent->inode), d->name);
    bool same = now == d->inode;
    if (now)
        inode_put(now);
    return same;
}
// The first number from n on that can be found, or -1.
static int64_t next_named(struct devpts *d, uint64_t n) {
    LOCKED(&d->lock);
    for (; n < d->size; n++)
        if (d->terminals[n].named)
            return (int64_t)n;
    return -1;
}
static int root_readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct devpts *d = devpts_of(f->inode);
    char name[24];
    if (*off == 0 && s->emit(s, ".", 1, ROOT_INO, LINUX_DT_DIR, 1))
        *off = 1;
    if (*off == 1 && s->emit(s, "..", 2, ROOT_INO, LINUX_DT_DIR, 2))
        *off = 2;
    if (*off == 2 && s->emit(s, "ptmx", 4, PTMX_INO, LINUX_DT_CHR, 3))
        *off = 3;
    for (int64_t n; *off >= 3 && (n = next_named(d, *off - 3)) >= 0; *off = (uint64_t)n + 4) {
        int len = snprintf(name, sizeof name, "%lld", (long long)n);
        if (!s->emit(s, name, (size_t)len, FIRST_INO + (uint64_t)n, LINUX_DT_CHR, (uint64_t)n + 4))
            break;
    }
    return 0;
}
static const struct inode_ops root_ops = {
    .lookup = root_lookup, .revalidate = root_revalidate, .setattr = node_setattr};
static const struct file_ops root_fops = {.readdir = root_readdir};

// ---- Numbers ----------------------------------------------------------------------------------------------
static bool count_one(struct vfs *v) {
    unsigned was = atomic_load(&v->nptys);
    do {
        if (was >= DEVPTS_MAX)
            return false;
    } while (!atomic_compare_exchange_weak(&v->nptys, &was, was + 1));
    return true;
}
// The lowest free number; the table grows when it must. The lock is held.
static int64_t free_number(struct devpts *d) {
    unsigned n = 0;
    while (n < d->size && d->terminals[n].inode)
        n++;
    if (d->opts.max && n >= d->opts.max)
        return -LINUX_ENOSPC;
    if (n < d->size)
        return n;
    unsigned size = d->size ? d->size * 2 : 16;
    struct slot *more = xrealloc(d->terminals, size * sizeof *more);
    if (!more)
        return -LINUX_ENOMEM;
    memset(more + d->size, 0, (size - d->size) * sizeof *more);
    d->terminals = more;
    d->size = size;
    return n;
}
static struct inode *terminal_inode(struct superblock *sb, const struct vfs_ctx *ctx, struct pty *p) {
    const struct devpts_opts *o = &((struct devpts *)sb->priv)->opts;
    struct vfs_attr a = {.mode = LINUX_S_IFCHR | o->mode,
                         .nlink = 1,
                         .ino = FIRST_INO + p->index,
                         .uid = o->uid == DEVPTS_OWNER ? ctx->cred.fsuid : o->uid,
                         .gid = o->gid == DEVPTS_OWNER ? ctx->cred.fsgid : o->gid,
                         .blksize = 1024,
                         .rdev = p->tty.ctl.dev};
    struct inode *i = inode_new(sb, &terminal_ops, NULL, &a);
    if (i)
        i->priv = p;
    return i;
}
// Its inode has a reference of the pty, the caller one.
static struct inode *new_terminal(struct superblock *sb, const struct vfs_ctx *ctx, unsigned n) {
    struct pty *p = znew(struct pty);
    if (!p || pty_init(p, n)) {
        free(p);
        return NULL;
    }
    struct inode *i = terminal_inode(sb, ctx, p);
    if (!i) {
        ctty_put(&p->tty.ctl);
        return NULL;
    }
    ctty_get(&p->tty.ctl);
    ref_get(&sb->active);
    p->sb = sb;
    return i;
}
// Charged for already; that goes over to the inode.
static int add_terminal(struct superblock *sb, const struct vfs_ctx *ctx, struct pty **out) {
    struct devpts *d = sb->priv;
    LOCKED(&d->lock);
    int64_t n = free_number(d);
    if (n < 0)
        return (int)n;
    struct inode *i = new_terminal(sb, ctx, (unsigned)n);
    if (!i)
        return -LINUX_ENOMEM;
    d->terminals[n] = (struct slot){i, true};
    *out = i->priv;
    return 0;
}
int devpts_new(struct superblock *sb, const struct vfs_ctx *ctx, struct pty **out) {
    struct devpts *d = sb->priv;
    if (!count_one(sb->vfs))
        return -LINUX_ENOSPC;
    bool charged = tquota_take(&d->charge, PAGES);
    int err = charged ? add_terminal(sb, ctx, out) : -LINUX_ENOMEM;
    if (err) {
        atomic_fetch_sub(&sb->vfs->nptys, 1);
        if (charged)
            tquota_give(&d->charge, PAGES);
    }
    return err;
}
void devpts_remove(struct pty *p) {
    struct dentry *root = p->sb->root;
    struct devpts *d = p->sb->priv;
    struct inode *i;
    char name[16];
    {
        LOCKED(&d->lock);
        i = d->terminals[p->index].inode;
        d->terminals[p->index].named = false;
    }
    {
        LOCKED(&i->lock);
        i->attr.nlink = 0;
    }
    int len = snprintf(name, sizeof name, "%u", p->index);
    struct dentry *known = dcache_find(root, name, (size_t)len);
    if (known && known->inode == i)
        dcache_unhash(known);
    if (known)
        dentry_put(known);
    inode_put(i);
}

// ---- The file system --------------------------------------------------------------------------------------
static int devpts_statfs(struct superblock *sb, struct linux_statfs *out) {
    out->f_bsize = 1024;
    out->f_namelen = LINUX_NAME_MAX;
    return 0;
}
static void devpts_shutdown(struct superblock *sb) {
    struct devpts *d = sb->priv;
    if (d && d->ptmx)
        inode_put(d->ptmx);
}
static void devpts_kill(struct superblock *sb) {
    struct devpts *d = sb->priv;
    if (!d)
        return;
    invariant(atomic_load(&d->charge.quota.pages) == 0);
    lock_destroy(&d->lock);
    free(d->terminals);
    free(d);
}
static const struct super_ops devpts_super_ops = {
    .statfs = devpts_statfs, .shutdown = devpts_shutdown, .kill = devpts_kill};
bool sb_is_devpts(const struct superblock *sb) { return sb->ops == &devpts_super_ops; }

int devpts_show(struct superblock *sb, char *buf, size_t size) {
    if (!sb_is_devpts(sb))
        return 0;
    const struct devpts_opts *o = &((struct devpts *)sb->priv)->opts;
    int n = 0;
    if (o->uid != DEVPTS_OWNER)
        n += snprintf(buf, size, ",uid=%u", o->uid);
    if (o->gid != DEVPTS_OWNER)
        n += snprintf(buf + n, size - (size_t)n, ",gid=%u", o->gid);
    n += snprintf(buf + n, size - (size_t)n, ",mode=%03o,ptmxmode=%03o", o->mode, o->ptmxmode);
    if (o->max)
        n += snprintf(buf + n, size - (size_t)n, ",max=%u", o->max);
    return n;
}
static struct inode *make_ptmx(struct superblock *sb, const struct devpts_opts *o) {
    struct vfs_attr a = {.mode = LINUX_S_IFCHR | o->ptmxmode,
                         .nlink = 1,
                         .ino = PTMX_INO,
                         .blksize = 1024,
                         .rdev = LINUX_MKDEV(5, 2)};
    return inode_new(sb, &ptmx_inode_ops, NULL, &a);
}
static int make_root(struct superblock *sb) {
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | 0755, .nlink = 2, .ino = ROOT_INO, .blksize = 1024};
    struct inode *root = inode_new(sb, &root_ops, &root_fops, &a);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (root && !sb->root)
        inode_put(root);
    return sb->root ? 0 : -LINUX_ENOMEM;
}
int devpts_create(struct vfs *vfs, const struct devpts_opts *o, struct superblock **out) {
    struct superblock *sb = super_new(vfs, &devpts_super_ops, "devpts", LINUX_DEVPTS_SUPER_MAGIC);
    if (!sb)
        return -LINUX_ENOMEM;
    struct devpts *d = znew(struct devpts);
    sb->priv = d;
    if (d) {
        lock_init(&d->lock, RANK_LEAF);
        d->charge.memory = vfs->memory;
        d->opts = *o;
        d->ptmx = make_ptmx(sb, o);
    }
    if (!d || !d->ptmx || make_root(sb)) {
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}
