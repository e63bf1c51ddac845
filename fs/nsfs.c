// SPDX-License-Identifier: Apache-2.0
// See nsfs.h. Each way to a namespace is a name and an inode of its own; all of one namespace have its
// number, by which programs compare them. What the ioctls of such a file answer is the sentry's.
#include "fs/nsfs.h"
#include "abi/sched.h"
#include "fs/core.h"
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    uint64_t flag;
} kinds[NS_KINDS] = {
    [NS_USER] = {"user", LINUX_CLONE_NEWUSER}, [NS_MNT] = {"mnt", LINUX_CLONE_NEWNS},
    [NS_UTS] = {"uts", LINUX_CLONE_NEWUTS},    [NS_IPC] = {"ipc", LINUX_CLONE_NEWIPC},
    [NS_PID] = {"pid", LINUX_CLONE_NEWPID},    [NS_CGROUP] = {"cgroup", LINUX_CLONE_NEWCGROUP},
    [NS_NET] = {"net", LINUX_CLONE_NEWNET},    [NS_TIME] = {"time", LINUX_CLONE_NEWTIME},
};

const char *ns_kind_name(enum ns_kind kind) { return kinds[kind].name; }
uint64_t ns_kind_flag(enum ns_kind kind) { return kinds[kind].flag; }

void ns_init(struct ns *n, enum ns_kind kind, struct vfs *v, uint64_t ino, struct ns *owner,
             void (*free)(struct ns *n)) {
    ref_init(&n->refs, 1);
    n->kind = kind;
    n->vfs = v;
    n->ino = ino ? ino : inode_next_ino(v) + 0xf0000000u;
    n->owner = owner ? ns_get(owner) : NULL;
    n->free = free;
}

struct ns *ns_get(struct ns *n) {
    ref_get(&n->refs);
    return n;
}

void nsfs_set_uncharge(struct vfs *v, void (*fn)(struct ns *owner, enum ns_kind kind)) {
    v->ns_uncharge = fn;
}

// No recursion: user namespaces lie in each other, many deep.
void ns_put(struct ns *n) {
    while (n && ref_put(&n->refs)) {
        struct ns *owner = n->owner;
        if (n->charged)
            n->vfs->ns_uncharge(owner, n->kind);
        n->free(n);
        n = owner;
    }
}

static void evict(struct inode *i) { ns_put(i->priv); }
// As an immutable file: nobody writes it, whatever he may.
static int permission(struct inode *i, int mask, const struct vfs_cred *c) {
    return mask & MAY_WRITE ? -LINUX_EPERM : vfs_mode_permission(i, mask, c);
}
static const struct inode_ops nsfs_inode_ops = {.permission = permission, .evict = evict};
static const struct file_ops nsfs_file_ops = {.seek = SEEK_DEFAULT};

int nsfs_path(struct vfs *v, struct ns *n, struct path *out) {
    struct mount *m = v->nameless[NAMELESS_NS];
    char name[32];
    struct vfs_attr a = {.mode = LINUX_S_IFREG | 0444, .ino = n->ino, .nlink = 1, .blksize = 4096};
    struct inode *i = inode_new(m->sb, &nsfs_inode_ops, &nsfs_file_ops, &a);
    if (!i)
        return -LINUX_ENOMEM;
    i->priv = ns_get(n);
    snprintf(name, sizeof name, "%s:[%llu]", kinds[n->kind].name, (unsigned long long)n->ino);
    struct dentry *d = dentry_new(m->sb, NULL, name, strlen(name));
    if (!d) {
        inode_put(i);
        return -LINUX_ENOMEM;
    }
    d->inode = i;
    *out = (struct path){mount_get(m), d};
    return 0;
}

struct ns *nsfs_of_path(const struct path *p) {
    const struct inode *i = p->dentry->inode;
    return i && i->ops == &nsfs_inode_ops ? i->priv : NULL;
}

struct ns *nsfs_of(const struct file *f) {
    return f->mode & FMODE_PATH ? NULL : nsfs_of_path(&f->path);
}
