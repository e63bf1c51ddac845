// SPDX-License-Identifier: Apache-2.0
// See notify.h. A watch sits on a list of its inode and in the tree of its inotify instance, and holds the
// inode, so that an object which is watched stays what it is, whatever becomes of caches. Each inode keeps
// the union of what is watched of it, so that the lists are looked at only for events that somebody wants.
//
// Locks: notify_lock (RANK_NOTIFY) for all lists, inside the dcache lock, which an event for a directory
// needs to read the name. A queue's own lock comes inside. Watches are freed after both are dropped, and
// never hold the last reference of an inode whose hook is running.
#include "fs/notify.h"
#include "fs/core.h"
#include "fs/fanotify.h"
#include <string.h>

#define NOT_TOLD_ISDIR (LINUX_IN_DELETE_SELF | LINUX_IN_MOVE_SELF)  // as inotify has always had it

struct event {
    uint32_t mask;
    bool unlinked;  // IN_EXCL_UNLINK does not want it
    const struct notify_name *name;
};

_Atomic uint32_t notify_watches;
struct lock notify_lock = LOCK_INITIALIZER(RANK_NOTIFY);

static uint32_t wanted(const struct inode *i) {
    return atomic_load_explicit(&i->notify_mask, memory_order_relaxed);
}

// ---- Watches ----------------------------------------------------------------------------------------------
static void recount(struct inode *i) {
    const struct watch *w;
    uint32_t all = 0;
    list_for_each(w, &i->watches, on_inode)
        all |= w->mask | LINUX_IN_UNMOUNT;
    atomic_store_explicit(&i->notify_mask, all, memory_order_relaxed);
}
void watch_attach(struct watch *w, const struct path *p) {
    w->inode = inode_get(p->dentry->inode);
    w->pin = dentry_get(p->dentry);
    list_add_tail(&w->inode->watches, &w->on_inode);
    recount(w->inode);
    atomic_fetch_add(&notify_watches, 1);
}
struct watch *watch_find(struct inode *i, const struct inotify *owner) {
    struct watch *w;
    list_for_each(w, &i->watches, on_inode)
        if (w->owner == owner)
            return w;
    return NULL;
}
void watch_set_mask(struct watch *w, uint32_t mask) {
    w->mask = mask;
    recount(w->inode);
}
void watch_detach(struct watch *w, struct list *gone) {
    if (w->owner)
        inotify_forget(w);
    if (w->mark)
        fan_mark_forget(w->mark);
    list_del(&w->on_inode);
    if (w->inode)  // else a mark of a mount or a file system
        recount(w->inode);
    list_add_tail(gone, &w->on_inode);
    atomic_fetch_sub(&notify_watches, 1);
}
void watches_free(struct list *gone) {
    while (!list_empty(gone)) {
        struct watch *w = list_first(gone, struct watch, on_inode);
        list_del(&w->on_inode);
        dentry_put(w->pin);
        if (w->inode)
            inode_put(w->inode);
        free(w);
    }
}
static void end_watch(struct watch *w, struct list *gone) {
    if (w->owner)
        inotify_queue(w->owner, w->wd, LINUX_IN_IGNORED, NULL);
    watch_detach(w, gone);
}
// Takes the dentries that watches of i hold.
static void unpin(struct inode *i) {
    struct dentry *pins[16];
    unsigned n;
    do {
        struct watch *w;
        n = 0;
        lock_take(&notify_lock);
        list_for_each(w, &i->watches, on_inode) {
            if (n == sizeof pins / sizeof pins[0])
                break;
            if (w->pin)
                pins[n++] = w->pin;
            w->pin = NULL;
        }
        lock_drop(&notify_lock);
        for (unsigned k = 0; k < n; k++)
            dentry_put(pins[k]);
    } while (n == sizeof pins / sizeof pins[0]);
}
static bool is_nameless(struct inode *i) {
    struct vfs_attr a;
    if (!inode_is_dir(i))
        return inode_attr(i, &a) < 0 || a.nlink == 0;
    lock_nested(&i->lock);  // its parent's is held where it was just removed
    bool dead = i->dead;
    lock_drop(&i->lock);
    return dead;
}
void watch_unpin_deleted(struct inode *i, struct dentry *d) {
    lock_take(&d->sb->vfs->dcache);
    bool lasts = d->hashed || d->parent == d;
    lock_drop(&d->sb->vfs->dcache);
    if (lasts)
        return;
    if (!d->sb->no_dcache && is_nameless(i))
        atomic_store(&i->unlinked, true);  // it was, before anybody watched
    unpin(i);
}

// ---- Delivering -------------------------------------------------------------------------------------------
// F_NOTIFY tells of what is in a directory, and of itself.
static bool tell_file(struct watch *w, const struct event *e) {
    const struct vfs *v = w->inode->sb->vfs;
    if (!(e->name || (e->mask & LINUX_IN_ISDIR)) || !v->file_told)
        return false;
    v->file_told(w->told);
    return true;
}
static void deliver_locked(struct inode *i, const struct event *e, struct list *gone) {
    struct watch *w, *next;
    list_for_each_safe(w, next, &i->watches, on_inode) {
        if (w->mark || !(w->mask & e->mask & (LINUX_IN_ALL_EVENTS | LINUX_FAN_RENAME)) ||
            (e->unlinked && (w->mask & LINUX_IN_EXCL_UNLINK)))
            continue;
        if (w->owner)
            inotify_queue(w->owner, w->wd, e->mask, e->name);
        else if (!tell_file(w, e))
            continue;
        if (w->mask & LINUX_IN_ONESHOT)
            end_watch(w, gone);
    }
}
static void deliver(struct inode *i, const struct event *e) {
    struct list gone = LIST_INIT(gone);
    if (!(wanted(i) & e->mask))
        return;
    lock_take(&notify_lock);
    deliver_locked(i, e, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}
// Under the dcache lock d keeps its name and parent. *nameless: whether its name is gone.
static void tell_parent(struct dentry *d, struct event e, bool *nameless, struct list *gone) {
    LOCKED(&d->sb->vfs->dcache);
    struct dentry *parent = d->parent;
    *nameless = !d->hashed && parent != d && !d->sb->no_dcache;
    if (parent == d || !(wanted(parent->inode) & e.mask))
        return;
    struct notify_name name = {.p = d->name, .len = strlen(d->name)};
    e.name = &name;
    e.unlinked = e.unlinked && *nameless;
    LOCKED(&notify_lock);
    deliver_locked(parent->inode, &e, gone);
}
// The directory is told to fanotify by one event with the object.
static void tell_marks(struct dentry *d, uint32_t event, const struct path *via) {
    LOCKED(&d->sb->vfs->dcache);
    struct notify_name name = {.p = d->name, .len = strlen(d->name)};
    bool lies = d->parent != d && !d->sb->no_dcache;
    fanotify_tell(&(struct fan_event){.mask = event,
                                      .object = d->inode,
                                      .path = via,
                                      .dir = lies ? d->parent->inode : NULL,
                                      .name = lies ? &name : NULL});
}
void notify_object(struct dentry *d, uint32_t event, const struct path *via) {
    struct list gone = LIST_INIT(gone);
    bool nameless;
    uint32_t isdir = inode_is_dir(d->inode) ? LINUX_IN_ISDIR : 0;
    struct event e = {.mask = (event & LINUX_IN_ALL_EVENTS) | isdir, .unlinked = via};
    tell_parent(d, e, &nameless, &gone);
    watches_free(&gone);
    e.unlinked = via && nameless;
    deliver(d->inode, &e);
    if (fanotify_on())
        tell_marks(d, event | isdir, via);
}
void notify_name(struct inode *dir, uint32_t event, const struct notify_name *name) {
    struct event e = {.mask = event, .name = name};
    deliver(dir, &e);
    if (fanotify_on())
        fanotify_tell(&(struct fan_event){.mask = event, .object = name->child, .dir = dir, .name = name});
}
void notify_new_name(struct inode *dir, struct dentry *d) {
    struct notify_name name = {.p = d->name, .len = strlen(d->name), .child = d->inode};
    notify_name(dir, LINUX_IN_CREATE | (inode_is_dir(d->inode) ? LINUX_IN_ISDIR : 0), &name);
}
void notify_linked(struct inode *i) {
    if (!notify_on())
        return;
    atomic_store(&i->unlinked, false);
    notify_inode(i, LINUX_IN_ATTRIB);
}
void notify_inode(struct inode *i, uint32_t event) {
    bool isdir = inode_is_dir(i) && !(event & NOT_TOLD_ISDIR);
    struct event e = {.mask = event | (isdir ? LINUX_IN_ISDIR : 0)};
    deliver(i, &e);
    if (fanotify_on())
        fanotify_tell(
            &(struct fan_event){.mask = event | (inode_is_dir(i) ? LINUX_FAN_ONDIR : 0), .object = i});
}
static uint32_t new_cookie(void) {
    static _Atomic uint32_t last;
    uint32_t c = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return c ? c : new_cookie();  // 0 is "none"
}
void notify_moved(struct inode *odir, struct notify_name *from, struct inode *ndir, struct notify_name *to) {
    uint32_t isdir = inode_is_dir(from->child) ? LINUX_IN_ISDIR : 0;
    from->cookie = to->cookie = new_cookie();
    if (fanotify_on())
        fanotify_tell(&(struct fan_event){.mask = LINUX_FAN_RENAME | isdir,
                                          .object = from->child,
                                          .dir = odir,
                                          .name = from,
                                          .ndir = ndir,
                                          .nname = to});
    if (odir == ndir)  // for F_NOTIFY
        deliver(odir, &(struct event){.mask = LINUX_FAN_RENAME | isdir, .name = from});
    notify_name(odir, LINUX_IN_MOVED_FROM | isdir, from);
    notify_name(ndir, LINUX_IN_MOVED_TO | isdir, to);
}
void notify_opened(struct file *f) {
    if (f->mode & (FMODE_PATH | FMODE_NOTIFY))
        return;
    f->mode |= FMODE_NOTIFY;
    notify_file(f, LINUX_IN_OPEN | (f->mode & FMODE_EXEC ? LINUX_FAN_OPEN_EXEC : 0));
}

// ---- Ends -------------------------------------------------------------------------------------------------
void notify_unlinked(struct inode *i, bool is_rmdir) {
    if (!notify_on() || !(wanted(i) || fanotify_on()))  // who begins to watch it now finds out by itself
        return;
    if (!is_rmdir)
        notify_inode(i, LINUX_IN_ATTRIB);
    if (is_nameless(i))
        atomic_store(&i->unlinked, true);
    unpin(i);
}
static void end_all_locked(struct inode *i, struct list *gone) {
    while (!list_empty(&i->watches))
        end_watch(list_first(&i->watches, struct watch, on_inode), gone);
}
void notify_dentry_gone(struct inode *i) {
    struct list gone = LIST_INIT(gone);
    if (!(wanted(i) || fanotify_on()) || !atomic_load(&i->unlinked))
        return;
    if (fanotify_on())
        fanotify_tell(&(struct fan_event){
            .mask = LINUX_IN_DELETE_SELF | (inode_is_dir(i) ? LINUX_FAN_ONDIR : 0), .object = i});
    lock_take(&notify_lock);
    deliver_locked(i, &(struct event){.mask = LINUX_IN_DELETE_SELF}, &gone);
    end_all_locked(i, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}
static bool lies_on(const struct watch *w, const void *sb) { return w->inode->sb == sb; }
static void unmounted(struct watch *w, struct list *gone) {
    inotify_queue(w->owner, w->wd, LINUX_IN_UNMOUNT, NULL);
    end_watch(w, gone);
}
void notify_super_gone(struct superblock *sb) {
    struct list gone = LIST_INIT(gone);
    if (!notify_on())
        return;
    lock_take(&notify_lock);
    inotify_each(lies_on, sb, unmounted, &gone);
    fan_marks_of_super_end(sb, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}
void notify_mount_gone(struct mount *m) {
    struct list gone = LIST_INIT(gone);
    if (!fanotify_on())
        return;
    lock_take(&notify_lock);
    while (!list_empty(&m->marks))
        watch_detach(list_first(&m->marks, struct watch, on_inode), &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}
void vfs_set_notify_who(struct vfs *v, struct notify_who (*fn)(void)) { v->notify_who = fn; }
