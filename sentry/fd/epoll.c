// SPDX-License-Identifier: Apache-2.0
// epoll(7): sets of watched files with a list of those that may be ready. A watched file's queue tells the
// set, which puts the item on its ready list and tells its own waiters; epoll_wait looks only at that list,
// so its cost goes by what is ready, not by what is watched. An item on the list is a hint: the file is asked
// again before anything is reported.
//
// An item is named by its file and number, as on Linux. It holds no reference of the file: when the last one
// goes, file_put() tells, epoll_forget() is called, and the items go with it.
//
// Locks: the graph's (RANK_EPOLL) guards which items exist anywhere: the lists file->epoll_items, the trees,
// and that sets watch one another without cycles. It is held for a whole epoll_ctl, which is short. Inside it
// ep->lock (nested, an outer set before the inner one) keeps items alive while epoll_wait looks at them.
// ep->ready_lock (RANK_READY) guards the ready list and the fields that wake-up functions read; it is the
// innermost, because those run under the lock of the file's queue. A set's own queue is woken with that lock
// held (waitq_wake_nested), which has no cycles either.
#include "sentry/fd/epoll.h"
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "base/rbtree.h"
#include "fs/vfs.h"
#include "sentry/fd/async.h"
#include "sentry/proc/cred.h"
#include <stdlib.h>

#define MAX_WATCHES (1u << 20)  // of the whole sandbox; proc/sys/fs/epoll/max_user_watches
// Bits of an item that are no events.
#define MODE_BITS (LINUX_EPOLLWAKEUP | LINUX_EPOLLONESHOT | LINUX_EPOLLET | LINUX_EPOLLEXCLUSIVE)
#define ALWAYS    (LINUX_EPOLLERR | LINUX_EPOLLHUP)
#define EXCLUSIVE_OK \
    (LINUX_EPOLLIN | LINUX_EPOLLOUT | LINUX_EPOLLERR | LINUX_EPOLLHUP | LINUX_EPOLLWAKEUP | LINUX_EPOLLET | \
     LINUX_EPOLLEXCLUSIVE)

struct epoll {
    struct epoll_graph *graph;  // [c]
    struct lock lock;           // RANK_EPOLL
    struct rb_root items;       // [graph and lock]; read under either
    struct waitq wait;
    struct lock ready_lock;     // RANK_READY
    struct list ready;          // [ready_lock]
    struct file *file;          // [c] borrowed: our own
    _Atomic(struct linux_epoll_params) params;  // of busy polling, of which there is none here
};

struct item {
    struct rb_node node;
    struct epoll *ep;         // [c]
    struct file *file;        // [c] borrowed
    int fd;                   // [c]
    struct list file_link;    // [graph]
    struct waiter waiter;
    struct list ready_link;   // [ready_lock]
    uint32_t events;          // [ready_lock to write] wanted, and MODE_BITS
    uint64_t data;            // [ep->lock]
};

static const struct file_ops epoll_fops;

void epoll_graph_init(struct epoll_graph *g) {
    *g = (struct epoll_graph){0};
    lock_init(&g->lock, RANK_EPOLL);
}
void epoll_graph_destroy(struct epoll_graph *g) { lock_destroy(&g->lock); }

struct epoll *epoll_of(struct file *f) { return f->ops == &epoll_fops ? f->priv : NULL; }
struct waitq *epoll_waitq(struct epoll *ep) { return &ep->wait; }

// ---- The ready list ---------------------------------------------------------------------------------------
// False: it was there already.
static bool queue_item(struct item *it) {
    LOCKED(&it->ep->ready_lock);
    if (list_linked(&it->ready_link))
        return false;
    list_add_tail(&it->ep->ready, &it->ready_link);
    return true;
}
static void unqueue_item(struct item *it) {
    LOCKED(&it->ep->ready_lock);
    list_del(&it->ready_link);
}
static struct item *pop_item(struct epoll *ep) {
    LOCKED(&ep->ready_lock);
    if (list_empty(&ep->ready))
        return NULL;
    struct item *it = list_first(&ep->ready, struct item, ready_link);
    list_del(&it->ready_link);
    return it;
}
static unsigned count_ready(struct epoll *ep) {
    LOCKED(&ep->ready_lock);
    unsigned n = 0;
    const struct list *l;
    for (l = ep->ready.next; l != &ep->ready; l = l->next)
        n++;
    return n;
}
bool epoll_any_queued(struct epoll *ep) {
    LOCKED(&ep->ready_lock);
    return !list_empty(&ep->ready);
}
void epoll_pass_on(struct epoll *ep) {
    if (epoll_any_queued(ep))
        waitq_wake(&ep->wait, LINUX_POLLIN);
}

static uint32_t events_of(struct item *it) {
    LOCKED(&it->ep->ready_lock);
    return it->events;
}
static void set_events(struct item *it, uint32_t events) {
    LOCKED(&it->ep->ready_lock);
    it->events = events;
}
// What holds now of what is wanted; nothing when it is switched off (one-shot).
static uint32_t ask(struct item *it) {
    uint32_t want = events_of(it) & ~MODE_BITS;
    return want ? vfs_poll(it->file, NULL) & (want | ALWAYS) : 0;
}

// Wakers name the plain event and may leave its variant out.
static uint32_t widen(uint32_t e) {
    const uint32_t in = LINUX_POLLIN | LINUX_POLLRDNORM, out = LINUX_POLLOUT | LINUX_POLLWRNORM;
    return e | (e & in ? in : 0) | (e & out ? out : 0);
}

// Under the lock of the file's queue.
static bool wake_item(struct waiter *w, uint32_t events) {
    struct item *it = w->arg;
    uint32_t want = events_of(it);
    if (!(want & ~MODE_BITS) || !(widen(events) & (want | ALWAYS)))
        return false;
    queue_item(it);
    return waitq_wake_nested(&it->ep->wait, LINUX_POLLIN);
}

// ---- Items ------------------------------------------------------------------------------------------------
static int compare(const struct item *it, const struct file *f, int fd) {
    if (it->file != f)
        return (uintptr_t)it->file < (uintptr_t)f ? -1 : 1;
    return it->fd < fd ? -1 : it->fd > fd;
}

static struct item *find(struct epoll *ep, const struct file *f, int fd) {
    for (struct rb_node *n = ep->items.node; n;) {
        struct item *it = rb_entry(n, struct item, node);
        int c = compare(it, f, fd);
        if (c == 0)
            return it;
        n = c < 0 ? n->right : n->left;
    }
    return NULL;
}

static void insert(struct epoll *ep, struct item *it) {
    struct rb_node **link = &ep->items.node, *parent = NULL;
    while (*link) {
        parent = *link;
        link = compare(rb_entry(parent, struct item, node), it->file, it->fd) < 0 ? &parent->right
                                                                                  : &parent->left;
    }
    rb_insert(&ep->items, &it->node, parent, link);
}

// The graph's lock and ep->lock are held.
static void remove_item(struct item *it) {
    waitq_del(&it->waiter);  // afterwards nobody queues it
    unqueue_item(it);
    rb_erase(&it->ep->items, &it->node);
    list_del(&it->file_link);
    it->ep->graph->nwatches--;
    free(it);
}

// The last reference of a file goes: no item can be added any more.
void epoll_forget(struct epoll_graph *g, struct file *f) {
    LOCKED(&g->lock);
    while (!list_empty(&f->epoll_items)) {
        struct item *it = list_first(&f->epoll_items, struct item, file_link);
        struct epoll *ep = it->ep;
        lock_nested(&ep->lock);
        remove_item(it);
        lock_drop(&ep->lock);
    }
}

// ---- Sets that watch sets; the graph's lock is held -------------------------------------------------------
// How many sets lie below one, itself included: -LINUX_ELOOP when `top` is among them, or when there are too
// many.
static int depth_below(struct epoll *ep, const struct epoll *top, int level) {
    int deepest = 1;
    if (ep == top || level > LINUX_EP_MAX_NESTS + 1)
        return -LINUX_ELOOP;
    for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
        struct epoll *inner = epoll_of(rb_entry(n, struct item, node)->file);
        int d = inner ? depth_below(inner, top, level + 1) : 0;
        if (d < 0)
            return d;
        deepest = d + 1 > deepest ? d + 1 : deepest;
    }
    return deepest;
}
static int depth_above(struct epoll *ep, int level) {
    int highest = 1;
    const struct item *it;
    if (level > LINUX_EP_MAX_NESTS + 1)
        return highest;
    list_for_each(it, &ep->file->epoll_items, file_link) {
        int d = depth_above(it->ep, level + 1);
        highest = d + 1 > highest ? d + 1 : highest;
    }
    return highest;
}
static int check_nesting(struct epoll *outer, struct epoll *inner) {
    int below = depth_below(inner, outer, 1);
    if (below < 0)
        return below;
    return below + depth_above(outer, 1) > LINUX_EP_MAX_NESTS + 1 ? -LINUX_ELOOP : 0;
}

// ---- epoll_ctl --------------------------------------------------------------------------------------------
// What is there already counts, as if it had come now. ep->lock is held.
static bool first_look(struct item *it, struct waiter *w) {
    uint32_t want = events_of(it) & ~MODE_BITS;
    if (!(vfs_poll(it->file, w) & (want | ALWAYS)))
        return false;
    queue_item(it);
    return true;
}

static struct item *new_item(struct epoll *ep, struct file *f, int fd, const struct linux_epoll_event *ev) {
    struct item *it = znew(struct item);
    if (!it)
        return NULL;
    it->ep = ep;
    it->file = f;
    it->fd = fd;
    it->data = ev->data;
    it->events = ev->events | ALWAYS;
    list_init(&it->file_link);
    list_init(&it->ready_link);
    it->waiter = (struct waiter){.events = ~0u, .wake = wake_item, .arg = it};
    it->waiter.exclusive = ev->events & LINUX_EPOLLEXCLUSIVE;
    return it;
}

static int add_locked(struct epoll *ep, struct file *f, int fd, const struct linux_epoll_event *ev,
                      bool *ready) {
    if (find(ep, f, fd))
        return -LINUX_EEXIST;
    if (ep->graph->nwatches >= MAX_WATCHES)
        return -LINUX_ENOSPC;
    struct epoll *inner = epoll_of(f);
    int err = inner ? check_nesting(ep, inner) : 0;
    struct item *it = err ? NULL : new_item(ep, f, fd, ev);
    if (!it)
        return err ? err : -LINUX_ENOMEM;
    watch_file_end(f);
    ep->graph->nwatches++;
    list_add_tail(&f->epoll_items, &it->file_link);
    lock_nested(&ep->lock);
    insert(ep, it);
    *ready = first_look(it, &it->waiter);
    lock_drop(&ep->lock);
    return 0;
}

int epoll_add(struct file *epf, struct file *f, int fd, const struct linux_epoll_event *ev) {
    struct epoll *ep = epoll_of(epf);
    bool ready = false;
    if ((ev->events & LINUX_EPOLLEXCLUSIVE) && (epoll_of(f) || (ev->events & ~EXCLUSIVE_OK)))
        return -LINUX_EINVAL;
    lock_take(&ep->graph->lock);
    int err = add_locked(ep, f, fd, ev, &ready);
    lock_drop(&ep->graph->lock);
    if (ready)
        waitq_wake(&ep->wait, LINUX_POLLIN);
    return err;
}

static int may_modify(const struct item *it, const struct linux_epoll_event *ev) {
    if (!it)
        return -LINUX_ENOENT;
    return (ev->events & LINUX_EPOLLEXCLUSIVE) || it->waiter.exclusive ? -LINUX_EINVAL : 0;
}

int epoll_mod(struct file *epf, struct file *f, int fd, const struct linux_epoll_event *ev) {
    struct epoll *ep = epoll_of(epf);
    bool ready = false;
    lock_take(&ep->graph->lock);
    struct item *it = find(ep, f, fd);
    int err = may_modify(it, ev);
    if (err == 0) {
        lock_nested(&ep->lock);
        set_events(it, ev->events | ALWAYS);
        it->data = ev->data;
        ready = first_look(it, NULL);
        lock_drop(&ep->lock);
    }
    lock_drop(&ep->graph->lock);
    if (ready)
        waitq_wake(&ep->wait, LINUX_POLLIN);
    return err;
}

int epoll_del(struct file *epf, struct file *f, int fd) {
    struct epoll *ep = epoll_of(epf);
    LOCKED(&ep->graph->lock);
    struct item *it = find(ep, f, fd);
    if (!it)
        return -LINUX_ENOENT;
    lock_nested(&ep->lock);
    remove_item(it);
    lock_drop(&ep->lock);
    return 0;
}

// ---- epoll_wait -------------------------------------------------------------------------------------------
struct batch {
    struct linux_epoll_event ev[EPOLL_BATCH];
    struct item *items[EPOLL_BATCH];
    unsigned n;
};

// The events of a batch have been given away: one-shot items are switched off, level-triggered ones go back
// on the list until the file says that it is not ready any more.
static void commit(struct batch *b) {
    for (unsigned i = 0; i < b->n; i++) {
        struct item *it = b->items[i];
        uint32_t events = events_of(it);
        if (events & LINUX_EPOLLONESHOT)
            set_events(it, events & MODE_BITS);
        else if (!(events & LINUX_EPOLLET))
            queue_item(it);
    }
}

// Looks at no more than `*left` items, so that those that are put back are not seen twice.
static void fill(struct epoll *ep, struct batch *b, unsigned max, unsigned *left) {
    b->n = 0;
    while (*left > 0 && b->n < max && b->n < EPOLL_BATCH) {
        struct item *it = pop_item(ep);
        if (!it) {
            *left = 0;
            return;
        }
        --*left;
        uint32_t events = ask(it);
        if (!events)
            continue;
        b->items[b->n] = it;
        b->ev[b->n++] = (struct linux_epoll_event){events, it->data};
    }
}

int64_t epoll_collect(struct epoll *ep, int max,
                      int (*put)(void *arg, const struct linux_epoll_event *ev, unsigned n), void *arg) {
    struct batch b;
    int64_t done = 0;
    int err = 0;
    if (!epoll_any_queued(ep))
        return 0;
    lock_take(&ep->lock);
    for (unsigned left = count_ready(ep); left > 0 && done < max && !err;) {
        fill(ep, &b, (unsigned)(max - done), &left);
        err = b.n ? put(arg, b.ev, b.n) : 0;
        if (err) {
            for (unsigned i = 0; i < b.n; i++)
                queue_item(b.items[i]);
            break;
        }
        commit(&b);
        done += b.n;
    }
    lock_drop(&ep->lock);
    epoll_pass_on(ep);
    return done ? done : err;
}

// ---- The file ---------------------------------------------------------------------------------------------
// Readable when any watched file is: asked of a set in another one, of poll(2), and of an outer set's
// epoll_wait.
static uint32_t epoll_poll(struct file *f, struct waiter *w) {
    struct epoll *ep = f->priv;
    bool ready = false;
    if (w)
        waitq_add(&ep->wait, w);
    if (!epoll_any_queued(ep))
        return 0;
    lock_nested(&ep->lock);
    for (unsigned left = count_ready(ep); left > 0 && !ready; left--) {
        struct item *it = pop_item(ep);
        if (!it)
            break;
        ready = ask(it) != 0;
        if (ready)
            queue_item(it);
    }
    lock_drop(&ep->lock);
    return ready ? LINUX_POLLIN | LINUX_POLLRDNORM : 0;
}

static void epoll_release(struct file *f) {
    struct epoll *ep = f->priv;
    lock_take(&ep->graph->lock);
    lock_nested(&ep->lock);
    for (struct rb_node *n; (n = rb_first(&ep->items));)
        remove_item(rb_entry(n, struct item, node));
    lock_drop(&ep->lock);
    lock_drop(&ep->graph->lock);
    waitq_destroy(&ep->wait);
    lock_destroy(&ep->lock);
    lock_destroy(&ep->ready_lock);
    free(ep);
}

#define BUSY_BUDGET 64  // more is for CAP_NET_ADMIN (NAPI_POLL_WEIGHT of Linux)
static int set_params(struct epoll *ep, uint64_t arg, struct uaccess *ua) {
    struct linux_epoll_params p;
    if (ua->in(ua, &p, uaddr(arg), sizeof p) < 0)
        return -LINUX_EFAULT;
    if (p.pad || p.busy_poll_usecs > INT32_MAX || p.prefer_busy_poll > 1)
        return -LINUX_EINVAL;
    if (p.busy_poll_budget > BUSY_BUDGET && !task_capable(ua->task, LINUX_CAP_NET_ADMIN))
        return -LINUX_EPERM;
    atomic_store(&ep->params, p);
    return 0;
}
static int64_t epoll_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct epoll *ep = f->priv;
    if (cmd == LINUX_EPIOCSPARAMS)
        return set_params(ep, arg, ua);
    if (cmd != LINUX_EPIOCGPARAMS)
        return -LINUX_EINVAL;
    struct linux_epoll_params p = atomic_load(&ep->params);
    return ua->out(ua, uaddr(arg), &p, sizeof p) < 0 ? -LINUX_EFAULT : 0;
}

static const struct file_ops epoll_fops = {
    .poll = epoll_poll, .ioctl = epoll_ioctl, .release = epoll_release, .seek = SEEK_NOWHERE};

int epoll_open(struct epoll_graph *g, struct vfs *vfs, struct file **out) {
    struct epoll *ep = znew(struct epoll);
    if (!ep)
        return -LINUX_ENOMEM;
    ep->graph = g;
    lock_init(&ep->lock, RANK_EPOLL);
    lock_init(&ep->ready_lock, RANK_READY);
    list_init(&ep->ready);
    waitq_init(&ep->wait);
    int err = file_anon(vfs, "anon_inode:[eventpoll]", NULL, &epoll_fops, ep, LINUX_O_RDWR, out);
    if (err < 0) {
        waitq_destroy(&ep->wait);
        free(ep);
        return err;
    }
    ep->file = *out;
    return 0;
}

int epoll_nth(struct file *epf, uint32_t fd, uint32_t n, const struct file **out) {
    struct epoll *ep = epoll_of(epf);
    if (!ep)
        return -LINUX_EINVAL;
    LOCKED(&ep->lock);
    for (struct rb_node *node = rb_first(&ep->items); node; node = rb_next(node)) {
        const struct item *it = container_of(node, struct item, node);
        if ((uint32_t)it->fd != fd || n-- > 0)
            continue;
        *out = it->file;
        return 0;
    }
    return -LINUX_ENOENT;
}
