// SPDX-License-Identifier: Apache-2.0
// inotify(7): an instance is a file with a queue of events and a tree of watches (fs/notify.h) by number.
//
// What an instance keeps is bounded for each user, as /proc/sys/fs/inotify says on Linux: instances, watches,
// events in a queue; besides, all queues of a user together hold at most NOTIFY_QUEUED_BYTES, beyond which
// events are lost as in a queue that is full (IN_Q_OVERFLOW). Locks: notify_lock for trees, numbers and
// users; an instance's own (RANK_OBJECT), inside it, for its queue.
#include "abi/ioctl.h"
#include "abi/misc.h"
#include "abi/poll.h"
#include "fs/core.h"
#include "fs/handle.h"
#include "fs/notify.h"
#include <stdio.h>
#include <string.h>

#define KNOWN_BITS   (LINUX_IN_ALL_EVENTS | LINUX_IN_UNMOUNT | LINUX_IN_Q_OVERFLOW | LINUX_IN_IGNORED | \
                    LINUX_IN_ONLYDIR | LINUX_IN_DONT_FOLLOW | LINUX_IN_EXCL_UNLINK | LINUX_IN_MASK_CREATE | \
                    LINUX_IN_MASK_ADD | LINUX_IN_ISDIR | LINUX_IN_ONESHOT)
#define KEPT_BITS    (LINUX_IN_ALL_EVENTS | LINUX_IN_EXCL_UNLINK | LINUX_IN_ONESHOT)

struct queued {
    struct list link;
    int32_t wd;
    uint32_t mask, cookie;
    uint32_t len;  // of the name
    char name[];   // no NUL
};
// Letters: [n] notify_lock  [q] its own lock
struct inotify {
    struct list link;        // [n] in instances
    struct rb_root watches;  // [n] by number
    int32_t last_wd;         // [n]
    struct notify_user *user;   // [c] owned; counted in user->instances once it is in `instances`
    const struct knobs *knobs;  // [c] borrowed: how much of all this there may be
    struct lock lock;
    struct waitq wait;
    struct list events;      // [q]
    unsigned nevents;        // [q]
    uint64_t bytes;          // [q] what reading all of them would give
    struct queued overflow;  // [q] on `events` when something was lost; made with the instance
};

static struct list instances = LIST_INIT(instances);
static const struct file_ops inotify_ops;

// ---- The queue --------------------------------------------------------------------------------------------
static size_t cost(const struct queued *q) { return sizeof *q + q->len; }
// A name is padded with zeros, one at least, to a multiple of the header's size.
static size_t name_room(const struct queued *q) {
    const size_t unit = sizeof(struct linux_inotify_event);
    return q->len ? (q->len + unit) / unit * unit : 0;
}
static void append(struct inotify *in, struct queued *q) {
    list_add_tail(&in->events, &q->link);
    in->nevents++;
    in->bytes += sizeof(struct linux_inotify_event) + name_room(q);
}
static struct queued *take_first(struct inotify *in) {
    struct queued *q = list_first(&in->events, struct queued, link);
    list_del(&q->link);
    in->nevents--;
    in->bytes -= sizeof(struct linux_inotify_event) + name_room(q);
    return q;
}
static void queued_free(struct inotify *in, struct queued *q) {
    if (q == &in->overflow)
        return;
    notify_user_uncharge(in->user, cost(q));
    free(q);
}
// The same as the last one: nothing is told twice. The cookie is not compared, as on Linux.
static bool repeats_last(struct inotify *in, int32_t wd, uint32_t mask, const struct notify_name *name) {
    if (list_empty(&in->events))
        return false;
    const struct queued *last = container_of(in->events.prev, struct queued, link);
    size_t len = name ? name->len : 0;
    return !(last->mask & LINUX_IN_IGNORED) && last->wd == wd && last->mask == mask && last->len == len &&
           !memcmp(last->name, len ? name->p : "", len);
}
static struct queued *queued_new(struct notify_user *u, size_t len) {
    size_t bytes = sizeof(struct queued) + len;
    if (!notify_user_charge(u, bytes))
        return NULL;
    struct queued *q = xcalloc(1, bytes);
    if (!q)
        notify_user_uncharge(u, bytes);
    return q;
}
void inotify_queue(struct inotify *in, int32_t wd, uint32_t mask, const struct notify_name *name) {
    size_t len = name ? name->len : 0;
    LOCKED(&in->lock);
    bool full = in->nevents >= knob(in->knobs, KNOB_INOTIFY_EVENTS);
    if (!full && repeats_last(in, wd, mask, name))
        return;
    struct queued *q = full ? NULL : queued_new(in->user, len);
    if (q) {
        q->wd = wd;
        q->mask = mask;
        q->cookie = name ? name->cookie : 0;
        q->len = (uint32_t)len;
        memcpy(q->name, len ? name->p : "", len);
    } else if (list_linked(&in->overflow.link)) {
        return;
    } else {
        q = &in->overflow;
    }
    append(in, q);
    waitq_wake(&in->wait, LINUX_POLLIN);
}

// ---- The file ---------------------------------------------------------------------------------------------
// Off the queue when it fits: an error later loses it, as on Linux. NULL with *err: EAGAIN, or EINVAL for a
// small buffer.
static struct queued *take_fitting(struct inotify *in, size_t room, int *err) {
    LOCKED(&in->lock);
    *err = -LINUX_EAGAIN;
    if (list_empty(&in->events))
        return NULL;
    const struct queued *first = list_first(&in->events, struct queued, link);
    *err = -LINUX_EINVAL;
    return sizeof(struct linux_inotify_event) + name_room(first) <= room ? take_first(in) : NULL;
}
static int64_t give(struct uio *u, const struct queued *q) {
    const struct linux_inotify_event e = {.wd = q->wd, .mask = q->mask, .cookie = q->cookie,
                                          .len = (uint32_t)name_room(q)};
    char out[sizeof e + LINUX_NAME_MAX + 1 + sizeof e] = {0};
    size_t n = sizeof e + e.len;
    memcpy(out, &e, sizeof e);
    memcpy(out + sizeof e, q->name, q->len);
    return uio_to(u, out, n) == (int64_t)n ? (int64_t)n : -LINUX_EFAULT;
}
static int64_t inotify_read(struct file *f, struct uio *u, uint64_t off) {
    struct inotify *in = f->priv;
    struct queued *q;
    int64_t done = 0;
    int err = -LINUX_EAGAIN;
    // At most a full queue: writers could keep a large buffer's reader here for good.
    for (int k = 0; k <= INOTIFY_MAX_QUEUED_EVENTS && (q = take_fitting(in, u->left, &err)); k++) {
        int64_t n = give(u, q);
        queued_free(in, q);
        if (n < 0)
            return n;
        done += n;
    }
    return done ? done : err;
}
static uint32_t inotify_poll(struct file *f, struct waiter *w) {
    struct inotify *in = f->priv;
    if (w)
        waitq_add(&in->wait, w);
    LOCKED(&in->lock);
    return list_empty(&in->events) ? 0 : LINUX_POLLIN | LINUX_POLLRDNORM;
}
static int64_t inotify_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct inotify *in = f->priv;
    if (cmd != LINUX_FIONREAD)
        return -LINUX_ENOTTY;
    lock_take(&in->lock);
    int32_t n = (int32_t)in->bytes;
    lock_drop(&in->lock);
    return ua->out(ua, uaddr(arg), &n, sizeof n);
}
// Lines as proc(5) has them.
static void inotify_show(struct file *f, void (*line)(void *arg, const char *text), void *arg) {
    struct inotify *in = f->priv;
    char text[160], handle[2 * HANDLE_BYTES + 1];
    LOCKED(&notify_lock);
    for (struct rb_node *n = rb_first(&in->watches); n; n = rb_next(n)) {
        const struct watch *w = rb_entry(n, struct watch, by_wd);
        uint64_t dev = w->inode->sb->dev;
        handle_text(w->inode->attr.ino, handle);
        snprintf(text, sizeof text,
                 "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0 fhandle-bytes:%x fhandle-type:%x "
                 "f_handle:%s\n",
                 (unsigned)w->wd, (unsigned long long)w->inode->attr.ino,
                 (unsigned)(LINUX_MAJOR(dev) << 20 | LINUX_MINOR(dev)), w->mask, HANDLE_BYTES, HANDLE_TYPE,
                 handle);
        line(arg, text);
    }
}

// ---- Instances --------------------------------------------------------------------------------------------
static int join_user(struct inotify *in) {
    LOCKED(&notify_lock);
    if (in->user->instances >= knob(in->knobs, KNOB_INOTIFY_INSTANCES))
        return -LINUX_EMFILE;
    in->user->instances++;
    list_add_tail(&instances, &in->link);
    return 0;
}
static void drop_watches(struct inotify *in) {
    for (bool more = true; more;) {
        struct list gone = LIST_INIT(gone);
        lock_take(&notify_lock);
        for (unsigned k = 0; k < 64 && in->watches.node; k++)
            watch_detach(rb_entry(in->watches.node, struct watch, by_wd), &gone);
        more = in->watches.node;
        lock_drop(&notify_lock);
        watches_free(&gone);
    }
}
static void inotify_free(struct inotify *in) {
    drop_watches(in);  // from here on nobody can find it
    while (!list_empty(&in->events))
        queued_free(in, take_first(in));
    lock_take(&notify_lock);
    if (list_linked(&in->link))
        in->user->instances--;
    list_del(&in->link);
    lock_drop(&notify_lock);
    if (in->user)
        notify_user_put(in->user);
    waitq_destroy(&in->wait);
    lock_destroy(&in->lock);
    free(in);
}
static void inotify_release(struct file *f) { inotify_free(f->priv); }

static const struct file_ops inotify_ops = {.read = inotify_read,
                                            .seek = SEEK_NOWHERE,
                                            .poll = inotify_poll,
                                            .ioctl = inotify_ioctl,
                                            .show = inotify_show,
                                            .release = inotify_release};

// in is the file's on success.
static int open_as_file(struct inotify *in, struct vfs *vfs, uint32_t uid, unsigned flags,
                        struct file **out) {
    in->knobs = &vfs->knobs;
    in->user = notify_user_get(uid);
    int err = in->user ? join_user(in) : -LINUX_ENOMEM;
    if (err)
        return err;
    return file_anon(vfs, "anon_inode:inotify", NULL, &inotify_ops, in,
                     LINUX_O_RDONLY | (flags & LINUX_IN_NONBLOCK), out);
}
int inotify_open(struct vfs *vfs, uint32_t uid, unsigned flags, struct file **out) {
    if (flags & ~(unsigned)(LINUX_IN_CLOEXEC | LINUX_IN_NONBLOCK))
        return -LINUX_EINVAL;
    struct inotify *in = znew(struct inotify);
    if (!in)
        return -LINUX_ENOMEM;
    list_init(&in->link);
    list_init(&in->events);
    list_init(&in->overflow.link);
    in->overflow.wd = -1;
    in->overflow.mask = LINUX_IN_Q_OVERFLOW;
    lock_init(&in->lock, RANK_OBJECT);
    waitq_init(&in->wait);
    int err = open_as_file(in, vfs, uid, flags, out);
    if (err)
        inotify_free(in);
    return err;
}

// ---- Watches by number; notify_lock is held ---------------------------------------------------------------
static struct watch *find_wd(struct inotify *in, int32_t wd, struct rb_node **parent,
                             struct rb_node ***link) {
    *link = &in->watches.node;
    *parent = NULL;
    while (**link) {
        struct watch *w = rb_entry(**link, struct watch, by_wd);
        if (w->wd == wd)
            return w;
        *parent = **link;
        *link = wd < w->wd ? &(*parent)->left : &(*parent)->right;
    }
    return NULL;
}
// Numbers go up and are used again only after all others.
static void insert_new(struct inotify *in, struct watch *w) {
    struct rb_node *parent, **link;
    do
        in->last_wd = in->last_wd == INT32_MAX ? 1 : in->last_wd + 1;
    while (find_wd(in, in->last_wd, &parent, &link));
    w->wd = in->last_wd;
    rb_insert(&in->watches, &w->by_wd, parent, link);
    in->user->watches++;
}
void inotify_forget(struct watch *w) {
    rb_erase(&w->owner->watches, &w->by_wd);
    w->owner->user->watches--;
}
void inotify_each(bool (*match)(const struct watch *w, const void *arg), const void *arg,
                  void (*fn)(struct watch *w, struct list *gone), struct list *gone) {
    struct inotify *in;
    list_for_each(in, &instances, link)
        for (struct rb_node *n = rb_first(&in->watches), *next; n; n = next) {
            struct watch *w = rb_entry(n, struct watch, by_wd);
            next = rb_next(n);
            if (match(w, arg))
                fn(w, gone);
        }
}

static int32_t add_locked(struct inotify *in, const struct path *p, uint32_t mask, struct watch **fresh) {
    struct watch *w = watch_find(p->dentry->inode, in);
    if (w && (mask & LINUX_IN_MASK_CREATE))
        return -LINUX_EEXIST;
    if (w) {
        watch_set_mask(w, (mask & KEPT_BITS) | (mask & LINUX_IN_MASK_ADD ? w->mask : 0));
        return w->wd;
    }
    if (in->user->watches >= knob(in->knobs, KNOB_INOTIFY_WATCHES))
        return -LINUX_ENOSPC;
    w = *fresh;
    *fresh = NULL;
    w->owner = in;
    w->mask = mask & KEPT_BITS;
    insert_new(in, w);
    watch_attach(w, p);
    return w->wd;
}
int inotify_check(struct file *f, uint32_t mask) {
    if ((mask & LINUX_IN_MASK_ADD) && (mask & LINUX_IN_MASK_CREATE))
        return -LINUX_EINVAL;
    return f->ops == &inotify_ops ? 0 : -LINUX_EINVAL;
}
bool inotify_mask_known(uint32_t mask) { return mask && !(mask & ~KNOWN_BITS); }
int inotify_add(struct file *f, const struct path *p, uint32_t mask) {
    struct watch *fresh = znew(struct watch);
    if (!fresh)
        return -LINUX_ENOMEM;
    lock_take(&notify_lock);
    int32_t wd = add_locked(f->priv, p, mask, &fresh);
    lock_drop(&notify_lock);
    free(fresh);
    if (wd >= 0)
        watch_unpin_deleted(p->dentry->inode, p->dentry);
    return wd;
}
int inotify_remove(struct file *f, int32_t wd) {
    struct list gone = LIST_INIT(gone);
    struct rb_node *parent, **link;
    if (f->ops != &inotify_ops)
        return -LINUX_EINVAL;
    lock_take(&notify_lock);
    struct watch *w = find_wd(f->priv, wd, &parent, &link);
    if (w) {
        inotify_queue(f->priv, wd, LINUX_IN_IGNORED, NULL);
        watch_detach(w, &gone);
    }
    lock_drop(&notify_lock);
    watches_free(&gone);
    return w ? 0 : -LINUX_EINVAL;
}
