// SPDX-License-Identifier: Apache-2.0
// F_NOTIFY, fcntl(2): a signal when something happens in a directory. A watch (fs/notify.h) without an
// inotify instance, that belongs to an open file and to the table of descriptors that asked; any close there
// ends it.
#include "fs/core.h"
#include "fs/notify.h"

static const struct {
    uint32_t dn, in;
} kinds[] = {
    {LINUX_DN_ACCESS, LINUX_IN_ACCESS},
    {LINUX_DN_MODIFY, LINUX_IN_MODIFY},
    {LINUX_DN_CREATE, LINUX_IN_CREATE | LINUX_IN_MOVED_TO},
    {LINUX_DN_DELETE, LINUX_IN_DELETE | LINUX_IN_MOVED_FROM},
    {LINUX_DN_RENAME, LINUX_FAN_RENAME},  // within the directory
    {LINUX_DN_ATTRIB, LINUX_IN_ATTRIB},
};

static uint32_t mask_of(uint32_t arg) {
    uint32_t mask = arg & LINUX_DN_MULTISHOT ? 0 : LINUX_IN_ONESHOT;
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (arg & kinds[i].dn)
            mask |= kinds[i].in;
    return mask;
}

static struct watch *find(const struct file *f, const void *owner) {
    struct watch *w;
    list_for_each(w, &f->inode->watches, on_inode)
        if (w->told == f && w->told_by == owner)
            return w;
    return NULL;
}

static void set(struct file *f, const void *owner, uint32_t mask, struct watch **fresh) {
    struct watch *w = find(f, owner);
    if (w) {
        uint32_t once = mask & w->mask & LINUX_IN_ONESHOT;
        watch_set_mask(w, ((mask | w->mask) & ~LINUX_IN_ONESHOT) | once);
        return;
    }
    w = *fresh;
    *fresh = NULL;
    w->told = f;
    w->told_by = owner;
    w->mask = mask;
    watch_attach(w, &f->path);
}

int dnotify_set(struct file *f, const void *owner, uint32_t arg) {
    if (!(arg & ~LINUX_DN_MULTISHOT)) {
        dnotify_flush(f, owner);
        return 0;
    }
    if (!inode_is_dir(f->inode))
        return -LINUX_ENOTDIR;
    struct watch *fresh = znew(struct watch);
    if (!fresh)
        return -LINUX_ENOMEM;
    lock_take(&notify_lock);
    set(f, owner, mask_of(arg), &fresh);
    lock_drop(&notify_lock);
    free(fresh);
    return 0;
}

void dnotify_flush(struct file *f, const void *owner) {
    struct list gone = LIST_INIT(gone);
    if (!atomic_load_explicit(&f->inode->notify_mask, memory_order_relaxed))
        return;
    lock_take(&notify_lock);
    struct watch *w = find(f, owner);
    if (w)
        watch_detach(w, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}

void dnotify_end(struct file *f) {
    struct list gone = LIST_INIT(gone);
    struct watch *w, *next;
    if (!atomic_load_explicit(&f->inode->notify_mask, memory_order_relaxed))
        return;
    lock_take(&notify_lock);
    list_for_each_safe(w, next, &f->inode->watches, on_inode)
        if (w->told == f)
            watch_detach(w, &gone);
    lock_drop(&notify_lock);
    watches_free(&gone);
}
