// SPDX-License-Identifier: Apache-2.0
// The file system of control groups: directories are groups, files are rows of files.c. Names are looked at
// again each time (groups come and go in other mounts of it as well; which files there are depends on what is
// enabled above). Directories' locks have the rank of procfs': looking up takes tasks_lock.
#include "abi/misc.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/cgroup/files.h"
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/run.h"
#include <stdio.h>
#include <string.h>

#define STORE_MAX 4096u

struct cnode {  // inode->priv
    struct cgroup *g;           // [c] owned
    const struct cgfile *file;  // [c] NULL: the directory
};
static struct cnode *node_of(const struct inode *i) { return i->priv; }
static const struct super_ops cgroupfs_super_ops;
static const struct inode_ops dir_ops, file_inode_ops;
static const struct file_ops dir_fops, file_fops;

static enum cgroup_owned owned_of(const struct cnode *n) { return n->file ? n->file->owned : CGROUP_DIR; }

// ---- Inodes -----------------------------------------------------------------------------------------------
static uint32_t mode_of(const struct cnode *n, const struct cgroup_owner *o) {
    if (!n->file)
        return LINUX_S_IFDIR | o->mode;
    bool writable = n->file->store && (n->g->parent || !n->file->fixed_at_top);
    uint32_t usual = writable ? o->mode : 0444;
    return LINUX_S_IFREG | (n->file->mode ? n->file->mode : usual);
}
static int get_attr(struct inode *i, struct vfs_attr *a) {
    const struct cnode *n = node_of(i);
    LOCKED(&n->g->k->tasks_lock);
    const struct cgroup_owner *o = &n->g->own[owned_of(n)];
    const struct cgroup *c;
    *a = i->attr;
    a->mode = mode_of(n, o);
    a->uid = o->uid;
    a->gid = o->gid;
    a->nlink = n->file ? 1 : 2;
    if (!n->file)
        list_for_each(c, &n->g->children, sibling)
            a->nlink += cgroup_is_shown(c);
    return 0;
}
static int permission(struct inode *i, int mask, const struct vfs_cred *c) {
    struct vfs_attr a;
    get_attr(i, &a);
    __atomic_store_n(&i->attr.mode, a.mode, __ATOMIC_RELAXED);
    __atomic_store_n(&i->attr.uid, a.uid, __ATOMIC_RELAXED);
    __atomic_store_n(&i->attr.gid, a.gid, __ATOMIC_RELAXED);
    return vfs_mode_permission(i, mask, c);
}
static int set_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct cnode *n = node_of(i);
    LOCKED(&n->g->k->tasks_lock);
    struct cgroup_owner *o = &n->g->own[owned_of(n)];
    if (which & ATTR_MODE)
        o->mode = a->mode & 07777;
    if (which & ATTR_UID)
        o->uid = a->uid;
    if (which & ATTR_GID)
        o->gid = a->gid;
    __atomic_store_n(&i->attr.mode, mode_of(n, o), __ATOMIC_RELAXED);
    __atomic_store_n(&i->attr.uid, o->uid, __ATOMIC_RELAXED);
    __atomic_store_n(&i->attr.gid, o->gid, __ATOMIC_RELAXED);
    return 0;
}
static void evict(struct inode *i) {
    cgroup_put(node_of(i)->g);
    free(node_of(i));
}
// g: a reference, taken over in any case.
static struct inode *inode_for(struct superblock *sb, struct cgroup *g, const struct cgfile *file) {
    struct cnode *n = znew(struct cnode);
    uint64_t ino = file ? (g->id << 8) + (uint64_t)(file - cgroup_files) + 1 : g->id << 8;
    struct vfs_attr a = {.mode = file ? LINUX_S_IFREG : LINUX_S_IFDIR, .ino = ino, .nlink = 1};
    struct inode *i = n ? inode_new(sb, file ? &file_inode_ops : &dir_ops, file ? &file_fops : &dir_fops, &a)
                        : NULL;
    if (!i) {
        free(n);
        cgroup_put(g);
        return NULL;
    }
    *n = (struct cnode){g, file};
    i->priv = n;
    get_attr(i, &a);
    i->attr = a;
    if (!file) {
        lock_destroy(&i->lock);
        lock_init(&i->lock, RANK_PROC_DIR);
    }
    return i;
}

// ---- Directories ------------------------------------------------------------------------------------------
static bool has_file(struct cgroup *g, const struct cgfile *f) {
    LOCKED(&g->k->tasks_lock);
    if (g->dead || (f->not_at_top && !g->parent))
        return false;
    return f->at_top ? !g->parent : !f->of || (cgroup_available(g) & f->of);
}
static const struct cgfile *file_named(struct cgroup *g, const char *name) {
    for (const struct cgfile *f = cgroup_files; f->name; f++)
        if (!strcmp(f->name, name))
            return has_file(g, f) ? f : NULL;
    return NULL;
}
static int lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct cgroup *g = node_of(dir)->g, *child = NULL;
    const struct cgfile *f = file_named(g, d->name);
    if (!f && !(child = cgroup_child(g, d->name)))
        return 0;
    struct inode *i = inode_for(dir->sb, f ? cgroup_get(g) : child, f);
    if (!i)
        return -LINUX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}
static int still_right(struct dentry *parent, struct dentry *d) {
    struct cgroup *g = node_of(parent->inode)->g;
    const struct cgfile *f = file_named(g, d->name);
    struct cgroup *child = f ? NULL : cgroup_child(g, d->name);
    const struct cnode *n = d->inode ? node_of(d->inode) : NULL;
    bool right = n ? n->file == f && (f || n->g == child) : !f && !child;
    cgroup_put(child);
    return right;
}
static int make_dir(struct inode *dir, struct dentry *d, uint32_t mode, const struct vfs_ctx *ctx) {
    struct cgroup *g;
    if (strchr(d->name, '\n'))
        return -LINUX_EINVAL;
    int err = cgroup_mkdir(node_of(dir)->g, d->name, mode, ctx->cred.fsuid, ctx->cred.fsgid, &g);
    if (err)
        return err;
    struct inode *i = inode_for(dir->sb, cgroup_get(g), NULL);
    if (!i)
        cgroup_rmdir(g);
    cgroup_put(g);
    if (!i)
        return -LINUX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}
static int remove_dir(struct inode *dir, struct dentry *d) {
    const struct cnode *n = node_of(d->inode);
    return n->file ? -LINUX_ENOTDIR : cgroup_rmdir(n->g);
}
static bool emit(struct readdir_sink *s, const char *name, uint64_t ino, uint32_t type, uint64_t *off) {
    if (!s->emit(s, name, strlen(name), ino, type >> 12, *off + 1))
        return false;
    (*off)++;
    return true;
}
#define GROUPS_AT 1024u
struct entry {
    char name[LINUX_NAME_MAX + 1];
    uint64_t id;
};
#define ENTRIES 64u
// The first children whose numbers are not below that.
static unsigned children_from(struct cgroup *g, uint64_t id, struct entry *out) {
    const struct cgroup *c;
    unsigned n = 0;
    LOCKED(&g->k->tasks_lock);
    list_for_each(c, &g->children, sibling) {
        if (c->id < id || !cgroup_is_shown(c))
            continue;
        snprintf(out[n].name, sizeof out[n].name, "%s", c->name);
        out[n].id = c->id;
        if (++n == ENTRIES)
            break;
    }
    return n;
}
// A group's number is its place, so that none is passed over when others go meanwhile.
static int emit_children(struct cgroup *g, struct readdir_sink *s, uint64_t *off) {
    struct entry *all cleanup_free = xcalloc(ENTRIES, sizeof *all);
    unsigned n = ENTRIES;
    if (!all)
        return -LINUX_ENOMEM;
    while (n == ENTRIES) {
        n = children_from(g, *off - GROUPS_AT, all);
        for (unsigned k = 0; k < n; k++) {
            const struct entry *e = &all[k];
            uint64_t next = GROUPS_AT + e->id + 1;
            if (!s->emit(s, e->name, strlen(e->name), e->id << 8, LINUX_S_IFDIR >> 12, next))
                return 0;
            *off = next;
        }
        if (vfs_caller_dies(g->k->vfs))
            return -LINUX_EINTR;
    }
    return 0;
}
static int readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    struct cgroup *g = node_of(f->inode)->g;
    const uint64_t up = f->path.dentry->parent->inode->attr.ino;
    uint64_t n = 0;
    while (*off < 2)
        if (!emit(s, *off ? ".." : ".", *off ? up : f->inode->attr.ino, LINUX_S_IFDIR, off))
            return 0;
    for (const struct cgfile *c = cgroup_files; c->name; c++, n++) {
        if (n + 2 < *off)
            continue;
        *off = n + 2;
        if (has_file(g, c) && !emit(s, c->name, (g->id << 8) + n + 1, LINUX_S_IFREG, off))
            return 0;
    }
    *off = *off < GROUPS_AT ? GROUPS_AT : *off;
    return emit_children(g, s, off);
}

// ---- Files ------------------------------------------------------------------------------------------------
struct open_file {
    struct lock lock;
    struct proc_text text;  // [lock]
    uint64_t seen;          // [lock] changes, at the last read
};
static int open_file(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    const struct cnode *n = node_of(i);
    if ((f->mode & FMODE_READ) && !n->file->show)
        return -LINUX_EINVAL;
    struct open_file *o = znew(struct open_file);
    if (!o)
        return -LINUX_ENOMEM;
    lock_init(&o->lock, RANK_FILE_POS);
    f->priv = o;
    f->ops = &file_fops;
    return 0;
}
static void release(struct file *f) {
    struct open_file *o = f->priv;
    if (!o)
        return;
    proc_text_free(&o->text);
    lock_destroy(&o->lock);
    free(o);
}
static int make_text(struct open_file *o, const struct cnode *n) {
    o->text.len = 0;
    o->text.failed = false;
    LOCKED(&n->g->k->tasks_lock);
    if (n->g->dead)
        return -LINUX_ENODEV;
    o->seen = n->g->changes;
    n->file->show(&o->text, n->g);
    return o->text.failed ? -LINUX_ENOMEM : 0;
}
static int64_t read_file(struct file *f, struct uio *u, uint64_t off) {
    struct open_file *o = f->priv;
    const struct cnode *n = node_of(f->inode);
    if (!n->file->show)
        return -LINUX_EINVAL;
    lock_nested(&o->lock);
    int64_t r = off && o->text.len ? 0 : make_text(o, n);  // also where the first read is not at the start
    if (r == 0 && off < o->text.len) {
        size_t left = o->text.len - off;
        r = uio_to(u, o->text.buf + off, left < u->left ? left : u->left);
    }
    lock_drop(&o->lock);
    return r;
}
static int64_t write_file(struct file *f, struct uio *u, uint64_t off) {
    const struct cnode *n = node_of(f->inode);
    char text[STORE_MAX];
    if (!n->file->store || (n->file->fixed_at_top && !n->g->parent))
        return -LINUX_EINVAL;
    if (u->left >= sizeof text)
        return -LINUX_E2BIG;
    int64_t len = uio_from(u, text, u->left);
    if (len < 0)
        return len;
    text[len] = '\0';
    size_t end = (size_t)len;
    while (end > 0 && strchr(" \n\t", text[end - 1]))
        text[--end] = '\0';
    int err = task_current ? n->file->store(task_current, n->g, text + strspn(text, " \n\t")) : -LINUX_EPERM;
    return err < 0 ? err : len;
}
static uint32_t poll_file(struct file *f, struct waiter *w) {
    struct open_file *o = f->priv;
    const struct cnode *n = node_of(f->inode);
    uint32_t usual = LINUX_POLLIN | LINUX_POLLRDNORM | LINUX_POLLOUT | LINUX_POLLWRNORM;
    if (!n->file->tells)
        return usual;
    if (w)
        waitq_add(&n->g->changed, w);
    LOCKED(&n->g->k->tasks_lock);
    return o->seen != n->g->changes || n->g->dead ? usual | LINUX_POLLPRI | LINUX_POLLERR : usual;
}
static const struct file_ops file_fops = {
    .read = read_file, .write = write_file, .poll = poll_file, .release = release, .seek = SEEK_NO_END};
static const struct file_ops dir_fops = {.readdir = readdir};
static const struct inode_ops file_inode_ops = {
    .getattr = get_attr, .setattr = set_attr, .permission = permission, .open = open_file, .evict = evict};
static const struct inode_ops dir_ops = {.lookup = lookup,
                                         .recheck = still_right,
                                         .mkdir = make_dir,
                                         .rmdir = remove_dir,
                                         .getattr = get_attr,
                                         .setattr = set_attr,
                                         .permission = permission,
                                         .evict = evict};

// ---- The file system --------------------------------------------------------------------------------------
int cgroup_for_child(struct task *t, int fd, struct cgroup **out) {
    struct file *f cleanup_file = fd_get(t->files, fd);
    if (!f || f->inode->ops != &dir_ops)
        return -LINUX_EBADF;
    struct cgroup *g = node_of(f->inode)->g;
    TASK_VFS_CTX(t, ctx);
    LOCKED(&t->k->tasks_lock);
    struct cgroup *from = t->tg->cgroup.in ? t->tg->cgroup.in : t->k->cgroup;
    int err = g->dead ? -LINUX_ENODEV : cgroup_permission(g, CGROUP_PROCS, &ctx.cred);
    err = err ? err : cgroup_may_move(t, &ctx.cred, from, g);
    err = err ? err : cgroup_may_hold(g);
    if (err)
        return err;
    *out = cgroup_get(g);
    return 0;
}
int cgroupfs_create(struct vfs *vfs, struct cgroup *root, struct superblock **out) {
    struct superblock *sb = super_new(vfs, &cgroupfs_super_ops, "cgroup2", LINUX_CGROUP2_SUPER_MAGIC);
    if (!sb)
        return -LINUX_ENOMEM;
    sb->revealing = true;
    lock_destroy(&sb->rename_lock);
    lock_init(&sb->rename_lock, RANK_PROC_DIR);
    struct inode *i = inode_for(sb, cgroup_get(root), NULL);
    sb->root = i ? dentry_root(sb, i) : NULL;
    if (!sb->root) {
        if (i)
            inode_put(i);
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}
