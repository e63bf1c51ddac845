// SPDX-License-Identifier: Apache-2.0
// The path walk. Over cached names it runs under one hold of the dcache lock, takes no reference and
// allocates nothing; it drops the lock, after pinning where it is, only for a name that is not cached, a
// symlink, or a directory with its own permission check. Called by namei.c and open.c.
#include "abi/misc.h"
#include "fs/core.h"
#include <string.h>

static enum last_type type_of(const char *name, size_t len) {
    if (len == 1 && name[0] == '.')
        return LAST_DOT;
    return len == 2 && name[0] == '.' && name[1] == '.' ? LAST_DOTDOT : LAST_NORM;
}
static struct inode *here(const struct walk *w) { return w->cur.dentry->inode; }

// ---- Dropping the dcache lock -----------------------------------------------------------------------------
static void unlock_pinned(struct walk *w) {
    struct path old = w->pin;
    path_get(&w->cur);
    w->pin = w->cur;
    lock_drop(&w->vfs->dcache);
    path_put(&old);
}
static void relock(struct walk *w) { lock_take(&w->vfs->dcache); }

static int may_search(struct walk *w) {
    struct inode *i = here(w);
    if (!inode_is_dir(i))
        return -LINUX_ENOTDIR;
    if (__builtin_expect(!i->ops->permission, 1))
        return vfs_mode_permission(i, MAY_EXEC, &w->ctx->cred);
    unlock_pinned(w);
    int err = i->ops->permission(i, MAY_EXEC, &w->ctx->cred);
    relock(w);
    return err;
}

// ---- Steps. The dcache lock is held; an error leaves it held ----------------------------------------------
static int cross_mounts(struct walk *w) {
    struct mount *m;
    while ((m = mount_find_locked(w->cur.mnt, w->cur.dentry))) {
        if (w->flags & WALK_NO_XDEV)
            return -LINUX_EXDEV;
        w->cur = (struct path){m, m->root};
    }
    return 0;
}
static int step_up(struct walk *w) {
    for (;;) {
        if (path_equal(&w->cur, &w->root)) {
            if (w->flags & WALK_BENEATH)
                return -LINUX_EXDEV;
            break;
        }
        if (w->cur.dentry != w->cur.mnt->root) {
            w->cur.dentry = w->cur.dentry->parent;
            break;
        }
        if (!w->cur.mnt->parent)
            break;
        if (w->flags & WALK_NO_XDEV)
            return -LINUX_EXDEV;
        w->cur = (struct path){w->cur.mnt->parent, w->cur.mnt->mountpoint};
    }
    return cross_mounts(w);
}
// What comes after the component that is being looked up, over the ends of symlinks' texts, as far as it is
// plain names.
static void look_ahead(const struct walk *w, struct vfs_ahead *a) {
    const char *s = w->s;
    unsigned depth = w->depth;
    for (a->n = 0;;) {
        while (*s == '/')
            s++;
        if (*s) {
            size_t len = (size_t)(strchrnul(s, '/') - s);
            if (a->n == VFS_AHEAD_MAX || len > LINUX_NAME_MAX || type_of(s, len) != LAST_NORM)
                break;
            a->names[a->n].p = s;
            a->names[a->n++].len = len;
            s += len;
        } else if (depth > 0) {
            s = w->frames[--depth].rest;
        } else {
            a->open = w->flags & WALK_OPEN;
            return;
        }
    }
    a->open = false;
}
static int child_slow(struct walk *w, const char *name, size_t len, struct dentry **out) {
    unlock_pinned(w);
    struct dentry *d = NULL;
    struct vfs_ahead next;
    look_ahead(w, &next);
    int err = dcache_lookup(w->cur.dentry, name, len, &next, &d);
    dentry_put(w->held);
    w->held = err ? NULL : d;
    relock(w);
    *out = w->held;
    return err;
}
static int child_of(struct walk *w, const char *name, size_t len, struct dentry **out) {
    struct dentry *dir = w->cur.dentry;
    if (len > LINUX_NAME_MAX)
        return -LINUX_ENAMETOOLONG;
    if (dir->sb->no_dcache || dir->inode->ops->revalidate || dir->inode->ops->recheck)
        return child_slow(w, name, len, out);
    *out = dcache_find_locked(dir, name, len, name_hash(w->vfs, name, len));
    return *out ? 0 : child_slow(w, name, len, out);
}

// ---- Symlinks ---------------------------------------------------------------------------------------------
static void put_text(struct walk *w, char *text) {
    if (text == w->first)
        w->first_used = false;
    else
        free(text);
}
// The rest of the text is put aside, with the text that is read in its place. At most one frame a link.
static void push_text(struct walk *w, char *text) {
    w->frames[w->depth].rest = w->s;
    w->frames[w->depth++].text = text;
    w->s = text;
}
static int jump(struct walk *w, struct dentry *link) {
    struct path to;
    if (w->flags & WALK_NO_MAGIC)
        return -LINUX_ELOOP;
    int err = link->inode->ops->jump(link->inode, w->ctx, &to);
    if (err < 0)
        return err;
    if ((w->flags & (WALK_BENEATH | WALK_IN_ROOT)) || ((w->flags & WALK_NO_XDEV) && to.mnt != w->cur.mnt)) {
        path_put(&to);
        return -LINUX_EXDEV;
    }
    path_put(&w->pin);
    w->cur = w->pin = to;
    return 0;
}
static int to_root(struct walk *w) {
    if (w->flags & WALK_BENEATH)
        return -LINUX_EXDEV;
    if ((w->flags & WALK_NO_XDEV) && w->root.mnt != w->cur.mnt)
        return -LINUX_EXDEV;
    w->cur = w->root;
    return 0;
}
// fs.protected_symlinks: in a directory that all may write to, such as /tmp, a link is followed by its
// owner, or when the directory's owner made it. The last component alone asks.
static int may_follow(const struct walk *w, const struct inode *link) {
    const struct inode *dir = w->cur.dentry->inode;
    uint32_t owner = link->attr.uid, open_to_all = LINUX_S_ISVTX | 0002;
    if (!knob(&w->vfs->knobs, KNOB_PROTECTED_SYMLINKS) || owner == w->ctx->cred.fsuid ||
        (dir->attr.mode & open_to_all) != open_to_all || owner == dir->attr.uid)
        return 0;
    return -LINUX_EACCES;
}

int walk_into_link(struct walk *w, struct dentry *link) {
    struct inode *i = link->inode;
    if ((w->flags & WALK_NO_LINKS) || ++w->links > WALK_MAX_LINKS ||
        (w->cur.mnt->flags & LINUX_MS_NOSYMFOLLOW))
        return -LINUX_ELOOP;
    if (i->ops->jump)
        return jump(w, link);
    if (!i->ops->readlink)
        return -LINUX_EINVAL;
    char *text = w->first_used ? xcalloc(1, LINUX_PATH_MAX) : w->first;
    if (!text)
        return -LINUX_ENOMEM;
    w->first_used |= text == w->first;
    int err = i->ops->readlink(i, text, LINUX_PATH_MAX);
    if (err >= 0 && !*text)
        err = -LINUX_ENOENT;
    if (err >= 0 && *text == '/')
        err = to_root(w);
    if (err < 0) {
        put_text(w, text);
        return err;
    }
    push_text(w, text);
    return 0;
}
// With the dcache lock held, cur is the link's directory.
static int follow(struct walk *w, struct dentry *link) {
    dentry_get(link);
    unlock_pinned(w);
    int err = walk_into_link(w, link);
    dentry_put(link);
    relock(w);
    return err;
}

// ---- The walk ---------------------------------------------------------------------------------------------
static void pop_finished(struct walk *w) {
    while (*w->s == '/')
        w->s++;
    while (!*w->s && w->depth > 0) {
        w->depth--;
        w->s = w->frames[w->depth].rest;
        put_text(w, w->frames[w->depth].text);
        while (*w->s == '/')
            w->s++;
    }
}
// Is there a component after the one that ends at s? Slashes alone are none, but ask for a directory at the
// end.
static bool more_after(struct walk *w, const char *s) {
    bool slash = *s == '/';
    while (*s == '/')
        s++;
    if (*s)
        return true;
    for (unsigned k = w->depth; k-- > 0;) {
        const char *r = w->frames[k].rest;
        slash |= *r == '/';
        while (*r == '/')
            r++;
        if (*r)
            return true;
    }
    w->must_dir |= slash;
    return false;
}
static int step(struct walk *w, const char *name, size_t len, bool last) {
    switch (type_of(name, len)) {
    case LAST_DOT:
        return 0;
    case LAST_DOTDOT:
        return step_up(w);
    default:
        break;
    }
    struct dentry *d;
    int err = child_of(w, name, len, &d);
    if (err)
        return err;
    if (!d->inode)
        return -LINUX_ENOENT;
    if (inode_is_lnk(d->inode) && (!last || w->must_dir || (w->flags & WALK_FOLLOW)))
        return last && may_follow(w, d->inode) ? -LINUX_EACCES : follow(w, d);
    w->cur.dentry = d;
    return cross_mounts(w);
}
// One component; 1 when the walk is at its end.
static int walk_one(struct walk *w, bool parent) {
    pop_finished(w);
    if (!*w->s) {
        if (parent) {
            w->last_type = LAST_ROOT;
            w->last_len = 0;
        }
        return 1;
    }
    int err = may_search(w);
    if (err)
        return err;
    const char *name = w->s;
    size_t len = (size_t)(strchrnul(name, '/') - name);
    bool last = !more_after(w, name + len);
    if (last && parent) {
        w->last = name;
        w->last_len = len;
        w->last_type = type_of(name, len);
        w->s = name + len;
        return 1;
    }
    w->s = name + len;
    return step(w, name, len, last);
}
int walk_run(struct walk *w, bool parent) {
    int err;
    relock(w);
    while (!(err = walk_one(w, parent)))
        ;
    unlock_pinned(w);
    return err < 0 ? err : 0;
}
int walk_begin(struct walk *w, const struct vfs_ctx *ctx, const struct path *base, const char *name,
               unsigned flags) {
    // Not the whole: the buffer for the first link is big.
    memset(w, 0, offsetof(struct walk, frames));
    w->first_used = false;
    w->ctx = ctx;
    w->vfs = ctx->vfs;
    w->flags = flags;
    w->s = name;
    w->cur = base ? *base : ctx->cwd;
    w->root = flags & (WALK_BENEATH | WALK_IN_ROOT) ? w->cur : ctx->root;
    size_t len = strnlen(name, LINUX_PATH_MAX);
    if (len >= LINUX_PATH_MAX)
        return -LINUX_ENAMETOOLONG;
    if (len == 0)
        return flags & WALK_EMPTY ? 0 : -LINUX_ENOENT;
    return *name == '/' ? to_root(w) : 0;
}
void walk_end(struct walk *w) {
    while (w->depth > 0)
        put_text(w, w->frames[--w->depth].text);
    dentry_put(w->held);
    path_put(&w->pin);
    w->held = NULL;
    w->pin = (struct path){0};
}

int vfs_walk(const struct vfs_ctx *ctx, const struct path *base, const char *name, unsigned flags,
             struct path *out) {
    struct walk w cleanup_walk;
    int err = walk_begin(&w, ctx, base, name, flags);
    if (err)
        return err;
    err = walk_run(&w, false);
    if (err)
        return err;
    if ((w.must_dir || (flags & WALK_DIRECTORY)) && !inode_is_dir(here(&w)))
        return -LINUX_ENOTDIR;
    *out = w.pin;
    w.pin = (struct path){0};
    return 0;
}
