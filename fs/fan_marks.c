// SPDX-License-Identifier: Apache-2.0
// Groups of fanotify(7) and their marks: see fanotify.h. A mark on an inode is a watch of it and holds it;
// one on a mount or a file system ends with that. Locks: notify_lock.
#include "fs/core.h"
#include "fs/fanotify.h"
#include "fs/landlock.h"

#define MARKS_MOST  131072u  // of a sandbox
#define IGNORE_BITS (LINUX_FAN_MARK_IGNORE | LINUX_FAN_MARK_IGNORED_MASK)

// ---- Marks; notify_lock is held ---------------------------------------------------------------------------
static const void *object_of(const struct path *p, enum fan_on on) {
    if (on == FAN_ON_INODE)
        return p->dentry->inode;
    return on == FAN_ON_MOUNT ? (const void *)p->mnt : p->dentry->sb;
}
static struct list *marks_of(const struct path *p, enum fan_on on) {
    if (on == FAN_ON_INODE)
        return &p->dentry->inode->watches;
    return on == FAN_ON_MOUNT ? &p->mnt->marks : &p->dentry->sb->marks;
}
static struct fan_mark *find(const struct fan_group *g, const struct path *p, enum fan_on on) {
    struct watch *w;
    list_for_each(w, marks_of(p, on), on_inode)
        if (w->mark && w->mark->group == g)
            return w->mark;
    return NULL;
}
void fan_mark_forget(struct fan_mark *m) {
    list_del(&m->in_group);
    m->group->user->marks--;
    atomic_fetch_sub(&fan_marks, 1);
}
void fan_marks_of_super_end(struct superblock *sb, struct list *gone) {
    struct fan_group *g;
    while (!list_empty(&sb->marks))
        watch_detach(list_first(&sb->marks, struct watch, on_inode), gone);
    list_for_each(g, &sb->vfs->fan_groups, link)
        for (struct list *at = g->marks.next, *next; at != &g->marks; at = next) {
            struct fan_mark *m = list_entry(at, struct fan_mark, in_group);
            next = at->next;
            if (m->on == FAN_ON_INODE && m->w.inode->sb == sb)
                watch_detach(&m->w, gone);
        }
}
static int make(struct fan_group *g, const struct path *p, enum fan_on on, struct fan_mark **fresh) {
    bool unlimited = g->flags & LINUX_FAN_UNLIMITED_MARKS;
    if (atomic_load(&fan_marks) >= MARKS_MOST ||
        (!unlimited && g->user->marks >= knob(&g->vfs->knobs, KNOB_FANOTIFY_MARKS)))
        return -LINUX_ENOSPC;
    struct fan_mark *m = *fresh;
    *fresh = NULL;
    m->w.mark = m;
    m->group = g;
    m->on = on;
    m->object = object_of(p, on);
    list_add_tail(&g->marks, &m->in_group);
    g->user->marks++;
    atomic_fetch_add(&fan_marks, 1);
    if (on == FAN_ON_INODE) {
        watch_attach(&m->w, p);
    } else {
        list_add_tail(marks_of(p, on), &m->w.on_inode);
        atomic_fetch_add(&notify_watches, 1);
    }
    return 0;
}
static void set_mask(struct fan_mark *m, uint32_t mask) {
    if (m->on == FAN_ON_INODE)
        watch_set_mask(&m->w, mask);
    else
        m->w.mask = mask;
}
// A mark does not become what is less than it was.
static int may_change(const struct fan_mark *m, unsigned flags) {
    const unsigned surviving = LINUX_FAN_MARK_IGNORED_SURV_MODIFY;
    if ((flags & LINUX_FAN_MARK_EVICTABLE) && !(m->flags & LINUX_FAN_MARK_EVICTABLE))
        return -LINUX_EEXIST;
    if ((flags & LINUX_FAN_MARK_IGNORED_MASK) && (m->flags & LINUX_FAN_MARK_IGNORE))
        return -LINUX_EEXIST;
    bool weaker = (flags & LINUX_FAN_MARK_IGNORE) && !(flags & surviving) && (m->flags & surviving);
    return weaker ? -LINUX_EEXIST : 0;
}
static void widen(struct fan_mark *m, uint32_t mask, unsigned flags) {
    if (flags & IGNORE_BITS) {
        m->ignore |= mask;
        m->flags |= flags & (LINUX_FAN_MARK_IGNORED_SURV_MODIFY | LINUX_FAN_MARK_IGNORE);
    } else {
        set_mask(m, m->w.mask | mask);
    }
    if (!(flags & LINUX_FAN_MARK_EVICTABLE))
        m->flags &= ~LINUX_FAN_MARK_EVICTABLE;
}
static int mark_locked(struct fan_group *g, const struct path *p, enum fan_on on, uint32_t mask,
                       unsigned flags, struct fan_mark **fresh) {
    struct fan_mark *m = find(g, p, on);
    int err = m ? may_change(m, flags) : make(g, p, on, fresh);
    if (err)
        return err;
    if (!m) {
        m = find(g, p, on);
        m->flags = flags & LINUX_FAN_MARK_EVICTABLE;
    }
    widen(m, mask, flags);
    return 0;
}
int fan_mark(struct fan_group *g, const struct path *p, enum fan_on on, uint32_t mask, unsigned flags) {
    const struct inode *i = p->dentry->inode;
    // Who is writing would end it at once.
    if (on == FAN_ON_INODE && (flags & IGNORE_BITS) && !(flags & LINUX_FAN_MARK_IGNORED_SURV_MODIFY) &&
        atomic_load(&i->writers) > 0)
        return 0;
    struct fan_mark *fresh = znew(struct fan_mark);
    if (!fresh)
        return -LINUX_ENOMEM;
    lock_take(&notify_lock);
    int err = mark_locked(g, p, on, mask, flags, &fresh);
    lock_drop(&notify_lock);
    free(fresh);
    if (!err && on == FAN_ON_INODE)
        watch_unpin_deleted(p->dentry->inode, p->dentry);
    return err;
}
int fan_unmark(struct fan_group *g, const struct path *p, enum fan_on on, uint32_t mask, unsigned flags,
               uint32_t keep) {
    struct list gone = LIST_INIT(gone);
    lock_take(&notify_lock);
    struct fan_mark *m = find(g, p, on);
    if (m && (flags & IGNORE_BITS))
        m->ignore &= ~mask;
    else if (m)
        set_mask(m, m->w.mask & ~mask);
    if (m && !((m->w.mask | m->ignore) & ~keep))
        watch_detach(&m->w, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
    return m ? 0 : -LINUX_ENOENT;
}

// ---- Groups -----------------------------------------------------------------------------------------------
// A few at a time: others wait for the lock. True: there may be more.
static bool flush_some(struct fan_group *g, int on) {
    struct list gone = LIST_INIT(gone);
    unsigned n = 0;
    lock_take(&notify_lock);
    for (struct list *at = g->marks.next, *next; n < 64 && at != &g->marks; at = next) {
        struct fan_mark *m = list_entry(at, struct fan_mark, in_group);
        next = at->next;
        if (on >= 0 && m->on != (enum fan_on)on)
            continue;
        watch_detach(&m->w, &gone);
        n++;
    }
    lock_drop(&notify_lock);
    watches_free(&gone);
    return n == 64;
}
void fan_flush(struct fan_group *g, enum fan_on on) {
    while (flush_some(g, (int)on))
        ;
}
static int join_user(struct fan_group *g) {
    LOCKED(&notify_lock);
    if (g->user->groups >= knob(&g->vfs->knobs, KNOB_FANOTIFY_GROUPS))
        return -LINUX_EMFILE;
    g->user->groups++;
    list_add_tail(&g->vfs->fan_groups, &g->link);
    return 0;
}
int fan_group_new(struct vfs *v, uint32_t uid, unsigned flags, unsigned file_flags, bool unprivileged,
                  struct fan_group **out) {
    struct fan_group *g = znew(struct fan_group);
    if (!g)
        return -LINUX_ENOMEM;
    g->vfs = v;
    g->flags = flags;
    g->file_flags = file_flags;
    g->unprivileged = unprivileged;
    list_init(&g->link);
    list_init(&g->marks);
    list_init(&g->events);
    list_init(&g->told);
    list_init(&g->lost.link);
    g->lost.mask = LINUX_FAN_Q_OVERFLOW;
    lock_init(&g->lock, RANK_OBJECT);
    waitq_init(&g->wait);
    g->user = notify_user_get(uid);
    int err = g->user ? join_user(g) : -LINUX_ENOMEM;
    if (err) {
        fan_group_free(g);
        return err;
    }
    *out = g;
    return 0;
}
void fan_group_free(struct fan_group *g) {
    while (flush_some(g, -1))
        ;
    // From here on nobody can find it.
    while (!list_empty(&g->events)) {
        struct fan_queued *q = list_first(&g->events, struct fan_queued, link);
        list_del(&q->link);
        fan_queued_free(g, q);
    }
    lock_take(&notify_lock);
    if (list_linked(&g->link))
        g->user->groups--;
    list_del(&g->link);
    lock_drop(&notify_lock);
    if (g->user)
        notify_user_put(g->user);
    waitq_destroy(&g->wait);
    lock_destroy(&g->lock);
    free(g);
}

// ---- Files of events --------------------------------------------------------------------------------------
bool fan_is_internal(const struct path *p) { return mount_is_nameless(p->dentry->sb->vfs, p->mnt); }
int fan_open(const struct fan_group *g, const struct vfs_cred *c, const struct path *p, struct file **out) {
    if ((g->file_flags & LINUX_O_ACCMODE) != LINUX_O_RDONLY && path_read_only(p))
        return -LINUX_EROFS;
    int err = file_open_dentry(p->mnt, p->dentry, g->file_flags & ~(unsigned)LINUX_O_CLOEXEC, out);
    if (err)
        return err;
    err = landlock_may_open(c, *out);
    if (err) {
        file_put(*out);
        *out = NULL;
    }
    return err;
}
