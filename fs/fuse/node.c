// SPDX-License-Identifier: Apache-2.0
// Nodes of FUSE: inodes by the daemon's numbers, how often each was looked up, attributes and for how long
// they are true. A directory has one dentry, whatever the daemon says: else it could have us lock one twice.
// So a directory that is looked up anew is a new inode, though its number is known.
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fuse/fuse.h"
#include "fs/nsfs.h"
#include <string.h>

#define FOREVER_SEC 1000000000u  // longer than that is for ever

uint64_t fuse_until(uint64_t sec, uint32_t nsec) {
    if (!sec && !nsec)
        return 0;
    return mono_ns() + (sec < FOREVER_SEC ? sec : FOREVER_SEC) * NS_PER_SEC + nsec % NS_PER_SEC;
}

// ---- By number --------------------------------------------------------------------------------------------
static struct fuse_node *find_locked(struct fuse_conn *c, uint64_t nodeid) {
    struct rb_node *at = c->nodes.node;
    while (at) {
        struct fuse_node *n = rb_entry(at, struct fuse_node, by_id);
        if (n->nodeid == nodeid)
            return n;
        at = nodeid < n->nodeid ? at->left : at->right;
    }
    return NULL;
}
struct inode *fuse_find(struct fuse_conn *c, uint64_t nodeid) {
    LOCKED(&c->lock);
    struct fuse_node *n = find_locked(c, nodeid);
    return n && ref_get_unless_zero(&n->inode->refs) ? n->inode : NULL;
}
// The number is n's from now on, whoever had it.
static void enter(struct fuse_conn *c, struct fuse_node *n) {
    LOCKED(&c->lock);
    struct fuse_node *was = find_locked(c, n->nodeid);
    if (was) {
        rb_erase(&c->nodes, &was->by_id);
        was->known = false;
    }
    struct rb_node **link = &c->nodes.node, *parent = NULL;
    while (*link) {
        parent = *link;
        link = n->nodeid < rb_entry(parent, struct fuse_node, by_id)->nodeid ? &parent->left : &parent->right;
    }
    rb_insert(&c->nodes, &n->by_id, parent, link);
    n->known = true;
}
void fuse_evict(struct inode *i) {
    struct fuse_node *n = fuse_node(i);
    struct fuse_conn *c = fuse_conn(i);
    if (!n)
        return;
    {
        LOCKED(&c->lock);
        if (n->known)
            rb_erase(&c->nodes, &n->by_id);
    }
    if (n->nlookup && n->nodeid != LINUX_FUSE_ROOT_ID) {
        n->forget->nodeid = n->nodeid;
        n->forget->nlookup = n->nlookup;
        fuse_queue_forget(c, take_ptr(n->forget));
    }
    waitq_destroy(&n->writable);
    fuse_map_put(n->map);
    free(n->forget);
    free(n);
}

// ---- Attributes -------------------------------------------------------------------------------------------
int fuse_attr_check(const struct linux_fuse_attr *a, uint32_t type) {
    switch (a->mode & LINUX_S_IFMT) {
    case LINUX_S_IFREG:
    case LINUX_S_IFDIR:
    case LINUX_S_IFLNK:
    case LINUX_S_IFCHR:
    case LINUX_S_IFBLK:
    case LINUX_S_IFIFO:
    case LINUX_S_IFSOCK:
        break;
    default:
        return -LINUX_EIO;
    }
    return a->size > INT64_MAX || (type && (a->mode & LINUX_S_IFMT) != type) ? -LINUX_EIO : 0;
}
static int64_t time_of(uint64_t sec, uint32_t nsec) {
    const int64_t most = INT64_MAX / (int64_t)NS_PER_SEC - 1;
    int64_t s = (int64_t)sec;
    if (s > most || s < -most)
        s = s < 0 ? -most : most;
    return s * (int64_t)NS_PER_SEC + nsec % (uint32_t)NS_PER_SEC;
}
static uint32_t known_id(const struct id_map *map, uint32_t id) {
    uint32_t kid = idmap_in(map, id);
    return kid == ID_NONE ? ID_OVERFLOW : kid;
}
static struct vfs_attr attr_of(const struct fuse_conn *c, const struct linux_fuse_attr *a) {
    return (struct vfs_attr){.ino = a->ino,
                             .size = a->size,
                             .blocks = a->blocks,
                             .mode = a->mode & (LINUX_S_IFMT | LINUX_S_IALLUGO),
                             .nlink = a->nlink,
                             .uid = known_id(c->opts.uids, a->uid),
                             .gid = known_id(c->opts.gids, a->gid),
                             .blksize = a->blksize ? a->blksize : GUEST_PAGE_SIZE,
                             .rdev = a->rdev,
                             .atime = time_of(a->atime, a->atimensec),
                             .mtime = time_of(a->mtime, a->mtimensec),
                             .ctime = time_of(a->ctime, a->ctimensec)};
}
// The walk reads mode and owner without a lock.
#define STORE(field, v) __atomic_store_n(&(field), (v), __ATOMIC_RELAXED)
void fuse_take_attr(struct inode *i, const struct linux_fuse_attr *a, uint64_t sec, uint32_t nsec) {
    struct vfs_attr now = attr_of(fuse_conn(i), a);
    uint64_t until = fuse_until(sec, nsec);
    LOCKED_NESTED(&i->lock);
    STORE(i->attr.mode, (now.mode & LINUX_S_IALLUGO) | i->type);
    STORE(i->attr.uid, now.uid);
    STORE(i->attr.gid, now.gid);
    i->attr.size = now.size;
    i->attr.blocks = now.blocks;
    i->attr.nlink = now.nlink;
    i->attr.blksize = now.blksize;
    i->attr.atime = now.atime;
    i->attr.mtime = now.mtime;
    i->attr.ctime = now.ctime;
    fuse_node(i)->attr_until = until;
}
void fuse_stale(struct inode *i) { fuse_node(i)->attr_until = 0; }

static const struct inode_ops *ops_for(uint32_t type) {
    if (type == LINUX_S_IFDIR)
        return &fuse_dir_ops;
    if (type == LINUX_S_IFREG)
        return &fuse_file_inode_ops;
    return type == LINUX_S_IFLNK ? &fuse_link_ops : &fuse_node_ops;
}
static const struct file_ops *fops_for(uint32_t type) {
    if (type == LINUX_S_IFDIR)
        return &fuse_dir_fops;
    return type == LINUX_S_IFREG ? &fuse_file_fops : NULL;
}
struct inode *fuse_inode_new(struct superblock *sb, uint64_t nodeid, uint64_t generation,
                             const struct linux_fuse_attr *a) {
    struct fuse_conn *c = sb->priv;
    struct vfs_attr attr = attr_of(c, a);
    struct fuse_node *n = znew(struct fuse_node);
    struct fuse_forget *forget = znew(struct fuse_forget);
    uint32_t type = attr.mode & LINUX_S_IFMT;
    struct inode *i = n && forget ? inode_new(sb, ops_for(type), fops_for(type), &attr) : NULL;
    if (!i) {
        free(n);
        free(forget);
        return NULL;
    }
    list_init(&forget->link);
    waitq_init(&n->writable);
    n->inode = i;
    n->nodeid = nodeid;
    n->generation = generation;
    n->forget = forget;
    i->priv = n;
    enter(c, n);
    return i;
}
// The file that the number stands for already, if it is the same one. Referenced, or NULL.
static struct inode *known_file(struct fuse_conn *c, const struct linux_fuse_entry_out *e) {
    struct inode *i = LINUX_S_ISDIR(e->attr.mode) ? NULL : fuse_find(c, e->nodeid);
    if (i && (i->type != (e->attr.mode & LINUX_S_IFMT) || fuse_node(i)->generation != e->generation)) {
        inode_put(i);
        return NULL;
    }
    return i;
}
int fuse_inode_for(struct superblock *sb, struct fuse_req *r, const struct linux_fuse_entry_out *e,
                   struct inode **out) {
    struct fuse_conn *c = sb->priv;
    if (r->used && r->inode) {  // in an earlier run
        *out = inode_get(r->inode);
        return 0;
    }
    if (e->nodeid == 0 || e->nodeid == LINUX_FUSE_ROOT_ID || fuse_attr_check(&e->attr, 0))
        return -LINUX_EIO;
    struct inode *i = known_file(c, e);
    if (!i && !(i = fuse_inode_new(sb, e->nodeid, e->generation, &e->attr)))
        return -LINUX_ENOMEM;
    atomic_fetch_add(&fuse_node(i)->nlookup, 1);
    fuse_take_attr(i, &e->attr, e->attr_valid, e->attr_valid_nsec);
    r->used = true;
    r->inode = inode_get(i);
    *out = i;
    return 0;
}

// As fuse_allow_current_process() of Linux: all others are those of the namespace that has mounted it, and of
// those below. Who is over it does not wait for a daemon of theirs.
static bool may_use(const struct inode *i, uint32_t uid, uint32_t gid, const struct ns *user) {
    const struct fuse_conn *c = fuse_conn(i);
    const struct ns *owner = i->sb->owner;
    if (!c->opts.allow_other)
        return uid == c->opts.user_id && gid == c->opts.group_id;
    while (owner && user && user != owner)
        user = user->owner;
    return !owner || user;
}
static struct fuse_caller caller_of(const struct fuse_conn *c) {
    return c->vfs->fuse_caller ? c->vfs->fuse_caller() : (struct fuse_caller){0};
}
static int refresh(struct inode *i) {
    struct fuse_node *n = fuse_node(i);
    const struct linux_fuse_getattr_in in = {0};
    struct linux_fuse_attr_out o;
    struct fuse_req *r;
    if (n->attr_until > mono_ns())
        return 0;
    int err = fuse_ask(fuse_conn(i),
                       &(struct fuse_question){.opcode = LINUX_FUSE_GETATTR,
                                               .nodeid = n->nodeid,
                                               .args = {{&in, sizeof in}},
                                               .sizes = n->sizes,
                                               .out_least = sizeof o,
                                               .out_most = sizeof o},
                       &r);
    if (err)
        return err;
    memcpy(&o, r->out, sizeof o);
    if (fuse_attr_check(&o.attr, i->type))
        return -LINUX_EIO;
    if (!r->used && r->sizes == n->sizes)  // else an append would go where another one has written meanwhile
        fuse_take_attr(i, &o.attr, o.attr_valid, o.attr_valid_nsec);
    r->used = true;
    return 0;
}
int fuse_getattr(struct inode *i, struct vfs_attr *a) {
    struct fuse_caller who = caller_of(fuse_conn(i));
    if (who.asked && !may_use(i, who.uid, who.gid, who.user))
        return -LINUX_EACCES;
    int err = refresh(i);
    if (err)
        return err;
    LOCKED_NESTED(&i->lock);
    *a = i->attr;
    return 0;
}
int fuse_permission(struct inode *i, int mask, const struct vfs_cred *cred) {
    struct fuse_conn *c = fuse_conn(i);
    if (!may_use(i, cred->fsuid, cred->fsgid, caller_of(c).user))
        return -LINUX_EACCES;
    bool program = i->type == LINUX_S_IFREG && (mask & MAY_EXEC);
    if (!c->opts.default_permissions && !program)
        return 0;
    int err = refresh(i);
    if (err)
        return err;
    if (c->opts.default_permissions)
        return vfs_mode_permission(i, mask, cred);
    return i->attr.mode & 0111 ? 0 : -LINUX_EACCES;
}

static void set_times(struct linux_fuse_setattr_in *in, const struct vfs_attr *a, unsigned which) {
    const int64_t second = (int64_t)NS_PER_SEC;
    int64_t ans = (a->atime % second + second) % second, mns = (a->mtime % second + second) % second;
    if (which & ATTR_ATIME) {
        in->valid |= LINUX_FUSE_FATTR_ATIME;
        in->atime = (uint64_t)((a->atime - ans) / second);
        in->atimensec = (uint32_t)ans;
    }
    // The daemon sees to it itself where the size changes.
    if ((which & ATTR_MTIME) && !(which & ATTR_SIZE)) {
        in->valid |= LINUX_FUSE_FATTR_MTIME;
        in->mtime = (uint64_t)((a->mtime - mns) / second);
        in->mtimensec = (uint32_t)mns;
    }
}
static struct linux_fuse_setattr_in setattr_in(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct fuse_conn *c = fuse_conn(i);
    struct linux_fuse_setattr_in in = {0};
    struct vfs_attr b = i->attr;
    inode_apply_attr(&b, a, which & (ATTR_MODE | ATTR_KILL_PRIV | ATTR_KILL_SGID));
    if ((which & ATTR_MODE) || b.mode != i->attr.mode) {
        in.valid |= LINUX_FUSE_FATTR_MODE;
        in.mode = b.mode;
    }
    if (which & ATTR_UID) {
        in.valid |= LINUX_FUSE_FATTR_UID;
        in.uid = idmap_out(c->opts.uids, a->uid);
    }
    if (which & ATTR_GID) {
        in.valid |= LINUX_FUSE_FATTR_GID;
        in.gid = idmap_out(c->opts.gids, a->gid);
    }
    if (which & ATTR_SIZE) {
        in.valid |= LINUX_FUSE_FATTR_SIZE;
        in.size = a->size;
    }
    set_times(&in, a, which);
    return in;
}
int fuse_setattr(struct inode *i, const struct vfs_attr *a, unsigned which) {
    struct linux_fuse_setattr_in in = setattr_in(i, a, which);
    struct linux_fuse_attr_out o;
    struct fuse_req *r;
    if (!in.valid)
        return 0;  // ctime alone, which is the daemon's
    // What it is asked to do says which question it is, but for times, which may have gone on.
    size_t key = in.valid & (LINUX_FUSE_FATTR_ATIME | LINUX_FUSE_FATTR_MTIME)
                     ? offsetof(struct linux_fuse_setattr_in, atime)
                     : 0;
    int err = fuse_ask(fuse_conn(i),
                       &(struct fuse_question){.opcode = LINUX_FUSE_SETATTR,
                                               .nodeid = fuse_node(i)->nodeid,
                                               .args = {{&in, sizeof in}},
                                               .key = key,
                                               .out_least = sizeof o,
                                               .out_most = sizeof o},
                       &r);
    if (err)
        return err;
    memcpy(&o, r->out, sizeof o);
    if (fuse_attr_check(&o.attr, i->type))
        return -LINUX_EIO;
    fuse_take_attr(i, &o.attr, o.attr_valid, o.attr_valid_nsec);
    if (in.valid & LINUX_FUSE_FATTR_SIZE) {
        atomic_fetch_add(&fuse_node(i)->sizes, 1);
        fuse_map_forget(i);
    }
    return 0;
}
int fuse_readlink(struct inode *i, char *buf, size_t size) {
    struct fuse_req *r;
    int err = fuse_ask(fuse_conn(i),
                       &(struct fuse_question){.opcode = LINUX_FUSE_READLINK,
                                               .nodeid = fuse_node(i)->nodeid,
                                               .out_most = LINUX_PATH_MAX - 1},
                       &r);
    if (err)
        return err;
    if (r->out_size >= size)
        return -LINUX_ENAMETOOLONG;
    memcpy(buf, r->out ? (const char *)r->out : "", r->out_size);
    buf[r->out_size] = '\0';
    return 0;
}

const struct inode_ops fuse_node_ops = {.getattr = fuse_getattr,
                                        .setattr = fuse_setattr,
                                        .permission = fuse_permission,
                                        .getxattr = fuse_getxattr,
                                        .setxattr = fuse_setxattr,
                                        .listxattr = fuse_listxattr,
                                        .removexattr = fuse_removexattr,
                                        .evict = fuse_evict};
const struct inode_ops fuse_link_ops = {.getattr = fuse_getattr,
                                        .setattr = fuse_setattr,
                                        .permission = fuse_permission,
                                        .readlink = fuse_readlink,
                                        .getxattr = fuse_getxattr,
                                        .listxattr = fuse_listxattr,
                                        .evict = fuse_evict};
