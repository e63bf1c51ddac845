// SPDX-License-Identifier: Apache-2.0
// The file system: from tables of entries to inodes and open files. Names are looked up each time and never
// cached, because processes end at any time; an inode holds its process as an object, not alive.
//
// The text of a file is made at its first read, and again at each read from offset 0, and kept in between, so
// that one pass over a file sees one state. Called by the VFS. Locks: one for each open file's text, of the
// rank of offsets: it is taken inside the offset's lock and outside of all others.
#include "sentry/procfs/procfs.h"
#include "abi/poll.h"
#include "abi/procmap.h"
#include "base/fault.h"
#include "fs/mnt_ns.h"
#include "fs/vfs.h"
#include "sentry/mm/mm.h"
#include "sentry/proc/cred.h"
#include "sentry/procfs/impl.h"
#include "sentry/run/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_INO   1
#define STORE_MAX  4096u  // the longest text that can be written
#define NUMBERS_AT 1024   // position in a listing where the numbered names begin

static const struct inode_ops dir_ops, file_ops_of_inodes, link_ops, magic_ops;
static const struct file_ops text_fops, polled_fops, dir_fops;

static struct proc_node *node_of(const struct inode *i) { return i->priv; }

struct proc_super {        // sb->priv
    struct pid_ns *ns;     // [c] owned
    _Atomic int hide;      // [a] enum proc_hide
    _Atomic uint32_t gid;  // [a]
    bool pids_only;        // [c]
};
static struct proc_super *super_of(const struct inode *i) { return i->sb->priv; }

static bool in_group(const struct task *t, uint32_t gid) {
    bool in = t->cred->fsgid == gid || t->cred->egid == gid;
    for (unsigned k = 0; k < t->cred->ngroups && !in; k++)
        in = t->cred->groups[k] == gid;
    return in;
}
// May the caller see so much of the process n, with what is hidden from `least` on?
static bool may_see(const struct proc_super *s, const struct proc_node *n, enum proc_hide least) {
    int hide = atomic_load_explicit(&s->hide, memory_order_relaxed);
    if (hide < (int)least || !n->g || !task_current)
        return true;
    if (hide != PROC_HIDE_UNTRACEABLE && in_group(task_current, atomic_load(&s->gid)))
        return true;
    return proc_may_trace(n);
}
static bool is_process(const struct proc_node *n) { return n->e == &proc_process_entry; }

// ---- Inodes -----------------------------------------------------------------------------------------------
// The same object has the same number each time it is looked up.
static uint64_t ino_of(uint64_t dir, const char *name) {
    uint64_t h = dir * 0x9e3779b97f4a7c15ull;
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3ull;
    h = (h ^ h >> 29) & 0x7fffffffffffull;
    return h > ROOT_INO ? h : h + 2;
}

// A process's directory is of that process: who gets its number later has another one. n: below a directory
// that is of no process, or of the same.
static uint64_t process_ino_of(const struct proc_node *dir, uint64_t dir_ino, const struct proc_node *n,
                               const char *name) {
    return ino_of(n->g && n->g != dir->g ? dir_ino + n->g->start_ns : dir_ino, name);
}

// Who owns the files of a process: its effective user; or root, when it must not be looked into or has no
// memory.
static void owner_of(const struct proc_node *n, struct vfs_attr *a) {
    struct task *t = n->g ? proc_task(n) : NULL;
    if (!t)
        return;
    bool open_dir = LINUX_S_ISDIR(n->e->mode) && (n->e->mode & 07777) == 0555;
    {
        LOCKED(&t->k->tasks_lock);
        if ((t->mm && t->mm->dumpable == 1) || open_dir) {
            a->uid = t->cred->euid;
            a->gid = t->cred->egid;
        }
    }
    task_put(t);
}

// As on Linux: two, one for each directory in it, processes and threads included. They come and go while an
// inode stays.
static uint32_t links_of(const struct proc_node *n) {
    uint32_t links = 2;
    if (n->e->flags & PROC_SYSCTL)
        return 1;
    for (const struct proc_entry *e = n->e->children; e && e->name; e++)
        links += LINUX_S_ISDIR(e->mode);
    return links + (n->e->list && n->e->list->links ? n->e->list->links(n) : 0);
}
static int dir_getattr(struct inode *i, struct vfs_attr *a) {
    if (is_process(node_of(i)) && !may_see(super_of(i), node_of(i), PROC_HIDE_ALL))
        return -LINUX_ENOENT;
    *a = i->attr;
    a->nlink = links_of(node_of(i));
    return 0;
}

static const struct inode_ops *ops_of(const struct proc_entry *e) {
    if (LINUX_S_ISDIR(e->mode))
        return &dir_ops;
    if (LINUX_S_ISREG(e->mode))
        return &file_ops_of_inodes;
    return e->jump ? &magic_ops : &link_ops;
}

static const struct file_ops *fops_of(const struct proc_entry *e) {
    if (e->fops)
        return e->fops;
    return LINUX_S_ISDIR(e->mode) ? &dir_fops : &text_fops;
}

static struct inode *proc_inode(struct superblock *sb, const struct proc_node *n, uint64_t ino) {
    struct vfs_attr a = {.mode = n->e->mode, .ino = ino, .nlink = 1, .blksize = 1024};
    if (n->e->mode_of)
        a.mode = (a.mode & LINUX_S_IFMT) | n->e->mode_of(n);
    if (n->e->jump)
        a.size = 64;
    owner_of(n, &a);
    struct proc_node *copy = znew(struct proc_node);
    if (!copy)
        return NULL;
    struct inode *i = inode_new(sb, ops_of(n->e), fops_of(n->e), &a);
    if (!i) {
        free(copy);
        return NULL;
    }
    *copy = *n;
    if (copy->g)
        tgroup_get(copy->g);
    i->priv = copy;
    if (LINUX_S_ISDIR(a.mode)) {
        i->stays_empty = n->e->children && !n->e->children->name && !n->e->list;
        lock_destroy(&i->lock);
        lock_init(&i->lock, RANK_PROC_DIR);  // look-ups under it take tasks_lock
    }
    return i;
}

static void evict(struct inode *i) {
    struct proc_node *n = node_of(i);
    if (n->g)
        tgroup_put(n->g);
    free(n);
}

// Opening and changing of sizes (O_TRUNC) do nothing; all else is refused.
static int set_attr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    return which & ~(ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_KILL_PRIV) ? -LINUX_EPERM : 0;
}

// ---- Directories ------------------------------------------------------------------------------------------
// A decimal number without leading zeros, or -1.
static int32_t number_of(const char *s) {
    int64_t n = 0;
    if (*s < '0' || *s > '9' || (*s == '0' && s[1]))
        return -1;
    for (; *s; s++) {
        if (*s < '0' || *s > '9')
            return -1;
        n = n * 10 + (*s - '0');
        if (n > INT32_MAX)
            return -1;
    }
    return (int32_t)n;
}

static int find_child(const struct proc_node *dir, const char *name, struct proc_node *child) {
    *child = *dir;
    for (const struct proc_entry *e = dir->e->children; e && e->name; e++)
        if (!strcmp(e->name, name)) {
            child->e = e;
            return 0;
        }
    const struct proc_list *l = dir->e->list;
    const char *prefix = l && l->prefix ? l->prefix : "";
    if (!l || strncmp(name, prefix, strlen(prefix)))
        return -LINUX_ENOENT;
    int32_t number = l->number ? l->number(dir, name) : number_of(name + strlen(prefix));
    if (number < 0)
        return -LINUX_ENOENT;
    child->e = l->child;
    return l->find(dir, number, child);
}

struct tgroup *procfs_process(const struct file *f) {
    if ((f->mode & FMODE_PATH) || f->inode->ops != &dir_ops)
        return NULL;
    const struct proc_node *n = node_of(f->inode);
    return n->e == &proc_process_entry ? n->g : NULL;
}

// With subset=pid: what is of no process.
static bool is_left_out(const struct proc_node *dir, const struct proc_entry *e) {
    if (dir->e != &proc_root_entry || e == &proc_process_entry)
        return false;
    return strcmp(e->name, "self") && strcmp(e->name, "thread-self");
}

// A missing name is an error at once, so that creating one is ENOENT as on Linux.
static int lookup(struct inode *dir, struct dentry *d, const struct vfs_ahead *next) {
    struct proc_node *n = node_of(dir), child;
    if (n->g && !((n->e->flags & PROC_NSPROXY) ? !proc_ended(n) : proc_alive(n)))
        return -LINUX_ENOENT;
    const struct proc_super *s = super_of(dir);
    int err = find_child(n, d->name, &child);
    if (err == 0 && is_process(&child) && !may_see(s, &child, PROC_HIDE_UNTRACEABLE)) {
        tgroup_put(child.g);
        return -LINUX_ENOENT;
    }
    if (err == 0 && s->pids_only && is_left_out(n, child.e))
        return -LINUX_ENOENT;
    if (err == -LINUX_ENOENT && dir->sb->magic != LINUX_PROC_SUPER_MAGIC)
        return 0;  // of proc alone a missing name is told before what one wanted to do with it
    if (err < 0)
        return err;
    struct inode *i = proc_inode(dir->sb, &child, process_ino_of(n, dir->attr.ino, &child, d->name));
    if (child.g && child.g != n->g)
        tgroup_put(child.g);
    if (!i)
        return -LINUX_ENOMEM;
    dentry_attach(d, i);
    return 0;
}

static bool emit(struct file *f, struct readdir_sink *s, const char *name, uint32_t mode, uint64_t next) {
    struct proc_node child = {0};
    const struct proc_node *n = node_of(f->inode);
    bool process = n->e->list && n->e->list->child == &proc_process_entry && find_child(n, name, &child) == 0;
    uint64_t ino =
        process ? process_ino_of(n, f->inode->attr.ino, &child, name) : ino_of(f->inode->attr.ino, name);
    if (child.g && child.g != n->g)
        tgroup_put(child.g);
    if (!strcmp(name, "."))
        ino = f->inode->attr.ino;
    else if (!strcmp(name, ".."))
        ino = f->path.dentry->parent->inode->attr.ino;
    return s->emit(s, name, strlen(name), ino, mode >> 12, next);
}

static bool is_hidden(const struct file *f, const struct proc_node *dir, int32_t number) {
    const struct proc_super *s = super_of(f->inode);
    struct proc_node child = *dir;
    child.e = &proc_process_entry;
    if (atomic_load(&s->hide) < PROC_HIDE_ALL || dir->e->list->find(dir, number, &child))
        return false;
    bool hidden = !may_see(s, &child, PROC_HIDE_ALL);
    tgroup_put(child.g);
    return hidden;
}
static bool emit_numbers(struct file *f, struct readdir_sink *s, const struct proc_node *n, uint64_t *off) {
    const struct proc_list *l = n->e->list;
    char name[32];
    for (;;) {
        int32_t number = l->next(n, (int32_t)(*off - NUMBERS_AT));
        if (number < 0)
            return true;
        uint64_t next = (uint64_t)number + 1 + NUMBERS_AT;
        if (l->child == &proc_process_entry && is_hidden(f, n, number)) {
            *off = next;
            continue;
        }
        if (!l->name)
            snprintf(name, sizeof name, "%s%d", l->prefix ? l->prefix : "", number);
        else if (!l->name(n, number, name, sizeof name)) {
            *off = next;
            continue;
        }
        if (!emit(f, s, name, l->child->mode, next))
            return false;
        *off = next;
    }
}

static int readdir(struct file *f, struct readdir_sink *s, uint64_t *off) {
    const struct proc_node *n = node_of(f->inode);
    static const char *const dots[] = {".", ".."};
    if (n->g && !proc_alive(n))
        return -LINUX_ENOENT;
    if ((n->e->flags & PROC_NSPROXY) && proc_ended(n))
        return -LINUX_EINVAL;
    for (; *off < 2; (*off)++)
        if (!emit(f, s, dots[*off], LINUX_S_IFDIR, *off + 1))
            return 0;
    for (uint64_t at = 2; n->e->children && n->e->children[at - 2].name; at++) {
        if (at < *off)
            continue;
        const struct proc_entry *e = &n->e->children[at - 2];
        if (super_of(f->inode)->pids_only && is_left_out(n, e))
            continue;
        if (!emit(f, s, e->name, e->mode, at + 1))
            return 0;
        *off = at + 1;
    }
    if (*off < NUMBERS_AT)
        *off = NUMBERS_AT;
    if (n->e->list && *off - NUMBERS_AT <= INT32_MAX)
        emit_numbers(f, s, n, off);
    return 0;
}

// A process reads its own descriptors whatever it has become, proc(5); others' need the right to trace it.
static int dir_permission(struct inode *i, int mask, const struct vfs_cred *c) {
    const struct proc_node *n = node_of(i);
    if (is_process(n) && !may_see(super_of(i), n, PROC_HIDE_CONTENT))
        return atomic_load(&super_of(i)->hide) == PROC_HIDE_ALL ? -LINUX_ENOENT : -LINUX_EPERM;
    if (mask && (n->e->flags & PROC_PTRACE)) {
        if (task_current && task_current->tg == n->g)
            return 0;
        if (!proc_may_trace(n))
            return -LINUX_EACCES;
    }
    return vfs_mode_permission(i, mask, c);
}

// ---- Links ------------------------------------------------------------------------------------------------
static int read_link(struct inode *i, char *buf, size_t size) {
    const struct proc_node *n = node_of(i);
    if ((n->e->flags & PROC_PTRACE) && !proc_may_trace(n))
        return -LINUX_EACCES;
    return n->e->link(n, buf, size);
}

static int jump(struct inode *i, const struct vfs_ctx *ctx, struct path *out) {
    const struct proc_node *n = node_of(i);
    if (!proc_may_trace(n))
        return -LINUX_EACCES;
    return n->e->jump(n, out);
}

// ---- Files ------------------------------------------------------------------------------------------------
struct open_text {
    struct lock lock;
    struct proc_text text;  // [lock]
    bool made;              // [lock]
    struct mnt_ns *ns;      // owned: PROC_POLLS; else NULL
    _Atomic uint64_t seen;  // of its changes
};

static int may_open(const struct proc_node *n) {
    if (n->g && !proc_alive(n))
        return -LINUX_ESRCH;
    if ((n->e->flags & PROC_NSPROXY) && proc_ended(n))
        return -LINUX_EINVAL;
    bool has_memory = true;
    if (n->e->flags & (PROC_MEMORY | PROC_NEEDS_MM)) {
        struct mm *mm = proc_mm(n);
        has_memory = mm != NULL;
        if (mm)
            mm_put(mm);
    }
    if ((n->e->flags & PROC_NEEDS_MM) && !has_memory)
        return -LINUX_ESRCH;
    bool asked = (n->e->flags & PROC_PTRACE) && !((n->e->flags & PROC_MEMORY) && !has_memory);
    return asked && !proc_may_trace(n) ? -LINUX_EACCES : 0;
}

static int open_file(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    const struct proc_node *n = node_of(i);
    if ((f->mode & FMODE_WRITE) && !n->e->store && !n->e->open)
        return -LINUX_EACCES;
    int err = may_open(n);
    if (err < 0)
        return err;
    if (n->e->open)
        return n->e->open(n, f);
    struct open_text *o = znew(struct open_text);
    if (!o)
        return -LINUX_ENOMEM;
    lock_init(&o->lock, RANK_FILE_POS);
    o->ns = n->e->flags & PROC_POLLS ? proc_mnt_ns(n) : NULL;
    o->seen = o->ns ? mnt_ns_changes(o->ns) : 0;
    f->priv = o;
    f->ops = o->ns ? &polled_fops : &text_fops;
    return 0;
}

static void release(struct file *f) {
    struct open_text *o = f->priv;
    if (!o)
        return;
    proc_text_free(&o->text);
    if (o->ns)
        mnt_ns_put(o->ns);
    lock_destroy(&o->lock);
    free(o);
}

static int make_text(struct open_text *o, const struct proc_node *n) {
    o->text.len = 0;
    o->text.failed = false;
    o->made = false;
    int err = n->e->text ? (proc_put(&o->text, n->e->text, strlen(n->e->text)), 0) : n->e->show(&o->text, n);
    if (err == 0 && o->text.failed)
        err = -LINUX_ENOMEM;
    o->made = err == 0;
    return err;
}

static int64_t read_file(struct file *f, struct uio *u, uint64_t off) {
    struct open_text *o = f->priv;
    const struct proc_node *n = node_of(f->inode);
    if (!n->e->show && !n->e->text)
        return -LINUX_EINVAL;
    lock_nested(&o->lock);
    int64_t r = off && o->made ? 0 : make_text(o, n);
    if (r == 0 && off < o->text.len) {
        size_t left = o->text.len - off;
        r = uio_to(u, o->text.buf + off, left < u->left ? left : u->left);
    }
    lock_drop(&o->lock);
    return r;
}

static int64_t write_file(struct file *f, struct uio *u, uint64_t off) {
    const struct proc_node *n = node_of(f->inode);
    char text[STORE_MAX];
    if (!n->e->store)
        return -LINUX_EIO;
    if (u->left >= sizeof text)
        return -LINUX_EINVAL;
    int64_t len = uio_from(u, text, u->left);
    if (len < 0)
        return len;
    text[len] = '\0';
    int err = n->e->store(n, text, (size_t)len);
    return err < 0 ? err : len;
}

// As mounts_poll() of Linux: that something has changed is told once.
static uint32_t poll_file(struct file *f, struct waiter *w) {
    struct open_text *o = f->priv;
    if (w)
        waitq_add(mnt_ns_waitq(o->ns), w);
    uint64_t now = mnt_ns_changes(o->ns);
    bool changed = atomic_exchange(&o->seen, now) != now;
    return LINUX_POLLIN | LINUX_POLLRDNORM | (changed ? LINUX_POLLERR | LINUX_POLLPRI : 0);
}

static int64_t ioctl_file(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    const struct proc_node *n = node_of(f->inode);
    return cmd == LINUX_PROCMAP_QUERY && n->e->show == proc_show_maps ? proc_map_query(n, arg, ua)
                                                                      : -LINUX_ENOTTY;
}

static const struct file_ops text_fops = {
    .read = read_file, .write = write_file, .ioctl = ioctl_file, .release = release, .seek = SEEK_NO_END};
static const struct file_ops polled_fops = {
    .read = read_file, .poll = poll_file, .release = release, .seek = SEEK_NO_END};
static const struct file_ops dir_fops = {.readdir = readdir};
static const struct inode_ops dir_ops = {.lookup = lookup,
                                         .getattr = dir_getattr,
                                         .permission = dir_permission,
                                         .setattr = set_attr,
                                         .evict = evict};
static const struct inode_ops file_ops_of_inodes = {.open = open_file, .setattr = set_attr, .evict = evict};
static const struct inode_ops link_ops = {.readlink = read_link, .setattr = set_attr, .evict = evict};
static const struct inode_ops magic_ops = {
    .readlink = read_link, .jump = jump, .setattr = set_attr, .evict = evict};

// ---- The file system --------------------------------------------------------------------------------------
static void kill_super(struct superblock *sb) {
    struct proc_super *s = sb->priv;
    if (s)
        ns_put(&s->ns->ns);
    free(s);
}
static const struct super_ops proc_super_ops = {.kill = kill_super};

bool procfs_is(const struct superblock *sb) {
    return sb->ops == &proc_super_ops && sb->magic == LINUX_PROC_SUPER_MAGIC;
}
void procfs_look(const struct superblock *sb, struct procfs_opts *o) {
    struct proc_super *s = sb->priv;
    *o = (struct procfs_opts){(enum proc_hide)atomic_load(&s->hide), atomic_load(&s->gid), s->pids_only};
}
void procfs_change(struct superblock *sb, const struct procfs_opts *o) {
    struct proc_super *s = sb->priv;
    atomic_store(&s->gid, o->gid);
    atomic_store(&s->hide, o->hide);
}
int procfs_create(struct vfs *vfs, struct pid_ns *ns, const struct procfs_opts *o, struct superblock **out) {
    int err = procfs_create_tree(vfs, ns, &proc_root_entry, "proc", LINUX_PROC_SUPER_MAGIC, out);
    if (err < 0)
        return err;
    ((struct proc_super *)(*out)->priv)->pids_only = o->pids_only;
    procfs_change(*out, o);
    return 0;
}

int procfs_create_tree(struct vfs *vfs, struct pid_ns *ns, const struct proc_entry *tree, const char *type,
                       int64_t magic, struct superblock **out) {
    struct superblock *sb = super_new(vfs, &proc_super_ops, type, magic);
    if (!sb)
        return -LINUX_ENOMEM;
    struct proc_super *s = znew(struct proc_super);
    if (!s) {
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    ns_get(&ns->ns);
    s->ns = ns;
    sb->priv = s;
    sb->no_dcache = true;
    sb->revealing = true;
    lock_destroy(&sb->rename_lock);
    lock_init(&sb->rename_lock, RANK_PROC_DIR);
    struct proc_node root = {.e = tree, .ns = ns};
    struct inode *i = proc_inode(sb, &root, ROOT_INO);
    if (i)
        sb->root = dentry_root(sb, i);
    if (i && !sb->root)
        inode_put(i);
    if (!sb->root) {
        super_put(sb);
        return -LINUX_ENOMEM;
    }
    *out = sb;
    return 0;
}
