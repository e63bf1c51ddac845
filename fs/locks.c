// SPDX-License-Identifier: Apache-2.0
// Advisory locks: POSIX (owned by a descriptor table), open-file-description and flock (owned by the open
// file), all on inode->locks under inode->lock. One owner's POSIX locks never overlap. Nobody sleeps here:
// who must wait puts itself on inode->lock_waitq.
#include "abi/poll.h"
#include "fs/core.h"

struct held_lock {
    struct list link;
    void *owner;
    int pid;
    short type;     // LINUX_F_RDLCK, F_WRLCK
    bool flock;     // whole file, apart from the others
    uint64_t start, end;  // inclusive
};

static void unlink_lock(struct inode *i, struct held_lock *l) {
    list_del(&l->link);
    free(l);
    atomic_fetch_sub_explicit(&i->nlocks, 1, memory_order_relaxed);
}
// One owner's POSIX locks stand together and in order of their start: F_GETLK shows the first that is in the
// way.
static void link_lock(struct inode *i, struct held_lock *l) {
    struct list *before = &i->locks;
    struct held_lock *o;
    bool seen = false;
    list_for_each(o, &i->locks, link) {
        bool same = !l->flock && !o->flock && o->owner == l->owner;
        if ((same && o->start > l->start) || (seen && !same)) {
            before = &o->link;
            break;
        }
        seen = seen || same;
    }
    list_add_tail(before, &l->link);
    atomic_fetch_add_explicit(&i->nlocks, 1, memory_order_relaxed);
}
static bool overlaps(const struct held_lock *l, uint64_t start, uint64_t end) {
    return l->start <= end && l->end >= start;
}
static struct held_lock *conflict(struct inode *i, const struct held_lock *want) {
    struct held_lock *l;
    list_for_each(l, &i->locks, link)
        if (l->flock == want->flock && l->owner != want->owner && overlaps(l, want->start, want->end) &&
            (l->type == LINUX_F_WRLCK || want->type == LINUX_F_WRLCK))
            return l;
    return NULL;
}

// The range of a request, from l_whence, l_start and l_len (which may be negative, or 0 for "to the end").
static int range_of(struct file *f, const struct linux_flock *l, struct held_lock *out) {
    struct vfs_attr a;
    int64_t from = 0, start, end;
    int err;
    switch (l->l_whence) {
    case LINUX_SEEK_SET:
        break;
    case LINUX_SEEK_CUR:
        from = vfs_pos(f);
        break;
    case LINUX_SEEK_END:
        err = inode_attr(f->inode, &a);
        if (err)
            return err;
        from = (int64_t)a.size;
        break;
    default:
        return -LINUX_EINVAL;
    }
    if (__builtin_add_overflow(from, l->l_start, &start))
        return -LINUX_EOVERFLOW;
    if (start < 0)
        return -LINUX_EINVAL;
    end = INT64_MAX;
    if (l->l_len > 0 && __builtin_add_overflow(start, l->l_len - 1, &end))
        return -LINUX_EOVERFLOW;
    if (l->l_len < 0) {
        end = start - 1;
        if (__builtin_add_overflow(start, l->l_len, &start) || start < 0)
            return -LINUX_EINVAL;
    }
    out->start = (uint64_t)start;
    out->end = (uint64_t)end;
    return 0;
}

// Makes room for `want` among its owner's locks; `spare` is used when one is cut in two. True: something was
// released.
static bool carve(struct inode *i, struct held_lock *want, struct held_lock **spare) {
    struct held_lock *l, *tmp;
    bool released = false;
    list_for_each_safe(l, tmp, &i->locks, link) {
        if (l->flock || l->owner != want->owner)
            continue;
        if (l->type == want->type) {
            if ((l->end != INT64_MAX && l->end + 1 < want->start) ||
                (want->end != INT64_MAX && want->end + 1 < l->start))
                continue;
            want->start = l->start < want->start ? l->start : want->start;
            want->end = l->end > want->end ? l->end : want->end;
            unlink_lock(i, l);
            continue;
        }
        if (!overlaps(l, want->start, want->end))
            continue;
        released = true;
        if (l->start < want->start && l->end > want->end) {
            struct held_lock *right = *spare;
            *spare = NULL;
            *right = *l;
            right->start = want->end + 1;
            l->end = want->start - 1;
            link_lock(i, right);
        } else if (l->start < want->start) {
            l->end = want->start - 1;
        } else if (l->end > want->end) {
            l->start = want->end + 1;
        } else {
            unlink_lock(i, l);
        }
    }
    return released;
}
int vfs_lock(struct file *f, void *owner, int pid, const struct linux_flock *req) {
    struct inode *i = f->inode;
    struct held_lock want = {.owner = owner, .pid = pid, .type = req->l_type};
    if (req->l_type != LINUX_F_RDLCK && req->l_type != LINUX_F_WRLCK && req->l_type != LINUX_F_UNLCK)
        return -LINUX_EINVAL;
    int err = range_of(f, req, &want);
    if (err)
        return err;
    if ((want.type == LINUX_F_RDLCK && !(f->mode & FMODE_READ)) ||
        (want.type == LINUX_F_WRLCK && !(f->mode & FMODE_WRITE)))
        return -LINUX_EBADF;
    bool unlock = want.type == LINUX_F_UNLCK, all = want.start == 0 && want.end == INT64_MAX;
    // Unlocking everything needs no memory: it is what close does.
    struct held_lock *spare = all ? NULL : znew(struct held_lock);
    struct held_lock *made = unlock ? NULL : znew(struct held_lock);
    if ((!all && !spare) || (!unlock && !made)) {
        free(spare);
        free(made);
        return -LINUX_ENOLCK;
    }
    bool released = false;
    lock_take(&i->lock);
    if (!unlock && conflict(i, &want)) {
        err = -LINUX_EAGAIN;
    } else {
        released = carve(i, &want, &spare);
        if (made) {
            *made = want;
            link_lock(i, made);
            made = NULL;
        }
    }
    lock_drop(&i->lock);
    free(spare);
    free(made);
    if (released)
        waitq_wake(&i->lock_waitq, LINUX_POLLIN);
    return err;
}
// ---- Deadlocks --------------------------------------------------------------------------------------------
// Who waits for whom, of all files. Owners are only compared.
struct lock_wait {
    struct vfs *vfs;   // [c]
    struct list link;  // [w] vfs->waits_lock
    const void *owner, *blocker;  // [w]
};
#define MAX_HOPS 32  // longer circles are not found, nor are those through two threads of one owner

static const void *waits_for(const struct vfs *v, const void *owner) {
    struct lock_wait *w;
    list_for_each(w, &v->lock_waits, link)
        if (w->owner == owner)
            return w->blocker;
    return NULL;
}
int vfs_lock_wait(struct file *f, void *owner, const struct linux_flock *req, struct lock_wait **w) {
    struct inode *i = f->inode;
    struct held_lock want = {.owner = owner, .type = req->l_type};
    const void *blocker = NULL;
    int err = range_of(f, req, &want);
    if (err)
        return err;
    if (!*w && !(*w = znew(struct lock_wait)))
        return -LINUX_ENOLCK;
    {
        LOCKED(&i->lock);
        struct held_lock *l = conflict(i, &want);
        blocker = l ? l->owner : NULL;
    }
    struct vfs *v = i->sb->vfs;
    LOCKED(&v->waits_lock);
    if (!(*w)->owner) {
        (*w)->vfs = v;
        list_add_tail(&v->lock_waits, &(*w)->link);
    }
    (*w)->owner = owner;
    (*w)->blocker = blocker;
    for (int hop = 0; blocker && hop < MAX_HOPS; hop++, blocker = waits_for(v, blocker))
        if (blocker == owner)
            return -LINUX_EDEADLK;
    return 0;
}
void vfs_lock_wait_end(struct lock_wait *w) {
    if (w && w->owner) {
        LOCKED(&w->vfs->waits_lock);
        list_del(&w->link);
    }
    free(w);
}

int vfs_lock_test(struct file *f, void *owner, struct linux_flock *req) {
    struct inode *i = f->inode;
    struct held_lock want = {.owner = owner, .type = req->l_type};
    if (req->l_type != LINUX_F_RDLCK && req->l_type != LINUX_F_WRLCK)
        return -LINUX_EINVAL;
    int err = range_of(f, req, &want);
    if (err)
        return err;
    LOCKED(&i->lock);
    struct held_lock *l = conflict(i, &want);
    if (!l) {
        req->l_type = LINUX_F_UNLCK;
        return 0;
    }
    *req = (struct linux_flock){.l_type = l->type, .l_whence = LINUX_SEEK_SET, .l_pid = l->pid};
    req->l_start = (int64_t)l->start;
    req->l_len = l->end == INT64_MAX ? 0 : (int64_t)(l->end - l->start + 1);
    return 0;
}

static bool drop_owned(struct inode *i, void *owner, bool flock_only) {
    struct held_lock *l, *tmp;
    bool any = false;
    list_for_each_safe(l, tmp, &i->locks, link)
        if (l->owner == owner && (l->flock || !flock_only)) {
            unlink_lock(i, l);
            any = true;
        }
    return any;
}
int vfs_flock(struct file *f, int op) {
    struct inode *i = f->inode;
    int kind = op & ~LINUX_LOCK_NB;
    struct held_lock want = {.owner = f, .flock = true, .end = INT64_MAX};
    if (f->mode & FMODE_PATH)
        return -LINUX_EBADF;
    if (kind != LINUX_LOCK_SH && kind != LINUX_LOCK_EX && kind != LINUX_LOCK_UN)
        return -LINUX_EINVAL;
    want.type = kind == LINUX_LOCK_EX ? LINUX_F_WRLCK : LINUX_F_RDLCK;
    struct held_lock *made = kind == LINUX_LOCK_UN ? NULL : znew(struct held_lock);
    if (kind != LINUX_LOCK_UN && !made)
        return -LINUX_ENOLCK;
    int err = 0;
    lock_take(&i->lock);
    // As on Linux, a conversion lets the old lock go first.
    bool released = drop_owned(i, f, true);
    if (made && conflict(i, &want)) {
        err = -LINUX_EAGAIN;
    } else if (made) {
        *made = want;
        link_lock(i, made);
        made = NULL;
    }
    lock_drop(&i->lock);
    free(made);
    if (released)
        waitq_wake(&i->lock_waitq, LINUX_POLLIN);
    return err;
}
// The open file goes, and with it the locks that it owns.
void locks_release_file(struct file *f) {
    struct inode *i = f->inode;
    lock_take(&i->lock);
    bool released = drop_owned(i, f, false);
    lock_drop(&i->lock);
    if (released)
        waitq_wake(&i->lock_waitq, LINUX_POLLIN);
}
