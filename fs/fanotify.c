// SPDX-License-Identifier: Apache-2.0
// See fanotify.h. An event is shown to all marks that it may concern: those of its file system, of the mount,
// of the object and of the directory that it lies in. Each group adds up what its marks want and what they
// ignore, and has then one event, merged with one of the same kind that nobody has read yet.
//
// Locks: notify_lock for marks, and for the sums while an event is told; a group's own (RANK_OBJECT), inside
// it, for its queue. Events are freed after both are dropped.
#include "fs/fanotify.h"
#include "abi/poll.h"
#include "fs/core.h"
#include <string.h>

#define MERGE_MOST 128  // of a queue's last events an event is compared with
#define ON_CHILD_EVENTS \
    (LINUX_FAN_ACCESS | LINUX_FAN_MODIFY | LINUX_FAN_ATTRIB | LINUX_FAN_CLOSE_WRITE | \
     LINUX_FAN_CLOSE_NOWRITE | LINUX_FAN_OPEN | LINUX_FAN_OPEN_EXEC)

_Atomic uint32_t fan_marks;

// ---- The queue --------------------------------------------------------------------------------------------
void fan_queued_free(struct fan_group *g, struct fan_queued *q) {
    if (q == &g->lost)
        return;
    path_put(&q->path);
    notify_user_uncharge(g->user, q->cost);
    free(q);
}
static bool same_id(const struct fan_id *a, const struct fan_id *b) {
    return a->dev == b->dev && a->ino == b->ino;
}
// As Linux' fanotify_should_merge(): a mask must not be read as what did not happen.
static bool merges(const struct fan_queued *a, const struct fan_queued *b) {
    const uint32_t apart = LINUX_FAN_ONDIR | LINUX_FAN_RENAME | LINUX_FAN_Q_OVERFLOW;
    return !((a->mask ^ b->mask) & apart) && a->who.pid == b->who.pid && a->who.tid == b->who.tid &&
           path_equal(&a->path, &b->path) && same_id(&a->dir, &b->dir) && same_id(&a->ndir, &b->ndir) &&
           same_id(&a->object, &b->object) && a->len == b->len && a->nlen == b->nlen &&
           !memcmp(a->names, b->names, a->len + a->nlen);
}
static bool merge(struct fan_group *g, const struct fan_queued *q) {
    struct list *at = g->events.prev;
    for (int i = 0; i < MERGE_MOST && at != &g->events; i++, at = at->prev) {
        struct fan_queued *old = list_entry(at, struct fan_queued, link);
        if (!merges(old, q))
            continue;
        old->mask |= q->mask;
        return true;
    }
    return false;
}
static struct fan_queued *queued_new(struct fan_group *g, size_t names) {
    size_t cost = sizeof(struct fan_queued) + names;
    if (!notify_user_charge(g->user, cost))
        return NULL;
    struct fan_queued *q = xcalloc(1, cost);
    if (q)
        q->cost = cost;
    else
        notify_user_uncharge(g->user, cost);
    return q;
}
static bool has_room(const struct fan_group *g) {
    return (g->flags & LINUX_FAN_UNLIMITED_QUEUE) || g->nevents < knob(&g->vfs->knobs, KNOB_FANOTIFY_EVENTS);
}
static void append(struct fan_group *g, struct fan_queued *q) {
    list_add_tail(&g->events, &q->link);
    g->nevents++;
    waitq_wake(&g->wait, LINUX_POLLIN);
}
// q, whose path is borrowed, is taken over when it returns true. NULL: there was no memory.
static bool enqueue(struct fan_group *g, struct fan_queued *q) {
    LOCKED(&g->lock);
    if (q && merge(g, q))
        return false;
    if (!q || !has_room(g)) {
        if (!list_linked(&g->lost.link))
            append(g, &g->lost);
        return false;
    }
    path_get(&q->path);
    append(g, q);
    return true;
}
struct fan_queued *fan_take(struct fan_group *g, size_t room,
                            size_t (*size)(const struct fan_group *g, const struct fan_queued *q), int *err) {
    LOCKED(&g->lock);
    *err = -LINUX_EAGAIN;
    if (list_empty(&g->events))
        return NULL;
    struct fan_queued *q = list_first(&g->events, struct fan_queued, link);
    *err = -LINUX_EINVAL;
    if (size(g, q) > room)
        return NULL;
    list_del(&q->link);
    g->nevents--;
    return q;
}

// ---- What a group is told of an event ---------------------------------------------------------------------
static struct fan_id id_of(const struct inode *i) {
    return i ? (struct fan_id){i->sb->dev, i->attr.ino} : (struct fan_id){0};
}
static void put_name(struct fan_queued *q, const struct notify_name *n, size_t *len) {
    memcpy(q->names + q->len + q->nlen, n->p, n->len);
    *len = n->len;
}
// As fanotify_alloc_event() of Linux decides what is recorded.
static struct fan_queued *with_handles(struct fan_group *g, const struct fan_event *e, uint32_t mask) {
    bool dirent = mask & FAN_DIRENT_EVENTS, rename = mask & LINUX_FAN_RENAME;
    const struct inode *id = dirent && !(g->flags & LINUX_FAN_REPORT_TARGET_FID) ? e->dir : e->object;
    const struct inode *dir = !dirent && inode_is_dir(e->object) ? e->object : e->dir, *child = NULL;
    bool tells_dir = (g->flags & LINUX_FAN_REPORT_DIR_FID) && dir;
    bool named = tells_dir && (g->flags & LINUX_FAN_REPORT_NAME) && e->name &&
                 (dirent || !(e->mask & LINUX_FAN_ONDIR));
    if (tells_dir) {
        bool too = dirent ? g->flags & LINUX_FAN_REPORT_TARGET_FID
                          : (g->flags & LINUX_FAN_REPORT_FID) && !(e->mask & LINUX_FAN_ONDIR);
        child = too && id != dir ? id : NULL;
        id = dir;
    }
    bool old = named && (!rename || g->old_dir), new = named &&rename && g->new_dir;
    struct fan_queued *q = queued_new(g, (old ? e->name->len : 0) + (new ? e->nname->len : 0));
    if (!q)
        return NULL;
    if (old)
        put_name(q, e->name, &q->len);
    if (new)
        put_name(q, e->nname, &q->nlen);
    if (named || child) {
        q->dir = id_of(named && !old ? NULL : dir);
        q->ndir = id_of(new ? e->ndir : NULL);
        q->object = id_of(child);
    } else {
        q->object = id_of(id);
    }
    return q;
}
// Without handles the event is a file to be opened.
static bool can_tell(const struct fan_group *g, const struct fan_event *e) {
    unsigned fid = g->flags & FAN_FID_BITS;
    if (!fid)
        return e->path && (inode_is_reg(e->object) || inode_is_dir(e->object));
    return (fid & LINUX_FAN_REPORT_FID) || e->dir || (e->mask & LINUX_FAN_ONDIR);
}
static void tell_group(struct fan_group *g, const struct fan_event *e, struct notify_who who) {
    unsigned fid = g->flags & FAN_FID_BITS;
    uint32_t mask = e->mask & g->marked & ~g->ignored;
    if (!(mask & ~FAN_FLAGS) || !can_tell(g, e))
        return;
    struct fan_queued *q = fid ? with_handles(g, e, mask) : queued_new(g, 0);
    if (q) {
        q->mask = fid ? mask : mask & ~FAN_FLAGS;
        q->who = who;
        if (!(g->flags & LINUX_FAN_REPORT_TID))
            q->who.tid = 0;
        if (!fid)
            q->path = *e->path;
    }
    if (enqueue(g, q) || !q)
        return;
    q->path = (struct path){0};
    fan_queued_free(g, q);
}

// ---- Which marks an event concerns ------------------------------------------------------------------------
enum role { AS_SUPER, AS_MOUNT, AS_OBJECT, AS_DIR, AS_NEW_DIR };
// As fsnotify_effective_ignore_mask(): with FAN_MARK_IGNORE the flags of the mask count, else as they did.
static uint32_t ignored_by(const struct fan_mark *m, bool ondir, bool of_child) {
    uint32_t flags = m->flags & LINUX_FAN_MARK_IGNORE
                         ? m->ignore
                         : LINUX_FAN_ONDIR | (m->w.mask & LINUX_FAN_EVENT_ON_CHILD);
    if ((ondir && !(flags & LINUX_FAN_ONDIR)) || (of_child && !(flags & LINUX_FAN_EVENT_ON_CHILD)))
        return 0;
    return m->ignore & ~FAN_FLAGS;
}
static void consider(struct fan_mark *m, const struct fan_event *e, enum role role, uint64_t stamp,
                     struct list *told) {
    struct fan_group *g = m->group;
    bool ondir = e->mask & LINUX_FAN_ONDIR, of_child = role == AS_DIR && !(e->mask & FAN_DIRENT_EVENTS);
    if (g->seen != stamp) {
        g->seen = stamp;
        g->marked = g->ignored = 0;
        g->old_dir = g->new_dir = false;
        list_add_tail(told, &g->told);
    }
    if ((e->mask & LINUX_FAN_MODIFY) && !(m->flags & LINUX_FAN_MARK_IGNORED_SURV_MODIFY))
        m->ignore = 0;
    g->ignored |= ignored_by(m, ondir, of_child);
    if ((ondir && !(m->w.mask & LINUX_FAN_ONDIR)) || (of_child && !(m->w.mask & LINUX_FAN_EVENT_ON_CHILD)))
        return;
    g->marked |= m->w.mask;
    g->old_dir |= role == AS_DIR || role == AS_SUPER;
    g->new_dir |= role == AS_NEW_DIR || role == AS_SUPER;
}
static void consider_all(struct list *marks, const struct fan_event *e, enum role role, uint64_t stamp,
                         struct list *told) {
    struct watch *w;
    list_for_each(w, marks, on_inode)
        if (w->mark)
            consider(w->mark, e, role, stamp, told);
}
static void find_groups(const struct fan_event *e, uint64_t stamp, struct list *told) {
    bool dirent = e->mask & FAN_DIRENT_EVENTS;
    struct superblock *sb = e->object->sb;
    consider_all(&sb->marks, e, AS_SUPER, stamp, told);
    if (e->path)
        consider_all(&e->path->mnt->marks, e, AS_MOUNT, stamp, told);
    if (!dirent)
        consider_all(&e->object->watches, e, AS_OBJECT, stamp, told);
    if (e->dir && (dirent || (e->mask & ON_CHILD_EVENTS)))
        consider_all(&e->dir->watches, e, AS_DIR, stamp, told);
    if (e->ndir)
        consider_all(&e->ndir->watches, e, AS_NEW_DIR, stamp, told);
}
void fanotify_tell(const struct fan_event *e) {
    struct vfs *v = e->object->sb->vfs;
    struct list told = LIST_INIT(told);
    struct notify_who who = v->notify_who ? v->notify_who() : (struct notify_who){0};
    lock_take(&notify_lock);
    find_groups(e, ++v->fan_stamp, &told);
    while (!list_empty(&told)) {
        struct fan_group *g = list_first(&told, struct fan_group, told);
        list_del(&g->told);
        tell_group(g, e, who);
    }
    lock_drop(&notify_lock);
}
