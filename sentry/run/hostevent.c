// SPDX-License-Identifier: Apache-2.0
// See hostevent.h. A descriptor is watched one-shot: when fs/hostfd asks, it is armed; one notice disarms it.
// The watch table's lock is held while hostfd_ready() runs, so unwatch() returns only when no notice is under
// way.
#include "sentry/run/hostevent.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "base/fault.h"
#include "base/lock.h"
#include "base/log.h"
#include "fs/hostfd.h"
#include "sentry/sentry.h"
#include "sentry/time/hosttime.h"
#include "sentry/time/timer.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_WATCHES 256  // three for each connection of exec, and the main process
// What an event is about: the number of a watch, one of these, or a pointer to a source.
enum { TAG_TIMER = MAX_WATCHES, TAG_CONTROL, TAG_STOP, TAG_END };

struct hostevents {
    struct lock lock;  // RANK_CLIENT: below the objects that are watched
    int epoll, stop, control, stops;  // [c] owned
    struct timer_queue *timers;       // [c] borrowed
    struct watch {
        struct hostfd *h;  // NULL: free
        int fd;
        uint32_t events;   // armed for; 0: not armed
    } watches[MAX_WATCHES];  // [lock]
};

static struct watch *watch_of(struct hostevents *e, struct hostfd *h, int fd, bool make) {
    struct watch *spare = NULL;
    for (struct watch *w = e->watches; w < e->watches + MAX_WATCHES; w++) {
        if (w->h == h && w->fd == fd)
            return w;
        if (!w->h && !spare)
            spare = w;
    }
    if (!make || !spare)
        return NULL;
    struct epoll_event ev = {.events = 0, .data.u64 = (uint64_t)(spare - e->watches)};
    if (epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        return NULL;  // a regular file: it never blocks, nobody waits
    *spare = (struct watch){.h = h, .fd = fd};
    return spare;
}

static void watch(void *owner, struct hostfd *h, int fd, uint32_t events) {
    struct hostevents *e = owner;
    LOCKED(&e->lock);
    struct watch *w = watch_of(e, h, fd, true);
    if (!w || (w->events & events) == events)
        return;
    w->events |= events;
    struct epoll_event ev = {.events = w->events | EPOLLONESHOT, .data.u64 = (uint64_t)(w - e->watches)};
    if (epoll_ctl(e->epoll, EPOLL_CTL_MOD, fd, &ev) < 0)
        log_warn("watching a stdio descriptor: error %d", errno);
}

static void unwatch(void *owner, struct hostfd *h, int fd) {
    struct hostevents *e = owner;
    LOCKED(&e->lock);
    struct watch *w = watch_of(e, h, fd, false);
    if (!w)
        return;
    epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL);
    *w = (struct watch){0};
}

static void notice(struct hostevents *e, unsigned slot, uint32_t events) {
    LOCKED(&e->lock);
    struct watch *w = &e->watches[slot];
    if (!w->h || !w->events)
        return;
    w->events = 0;
    hostfd_ready(w->h, events);
}

static int add(struct hostevents *e, int fd, unsigned tag) {
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag};
    return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int add_all(struct hostevents *e) {
    int timer = hosttime_create();
    if (e->epoll < 0 || e->stop < 0 || timer < 0)
        return -LINUX_EMFILE;
    timers_start(e->timers, timer);
    int err = add(e, timer, TAG_TIMER);
    if (err < 0)
        return err;
    err = add(e, e->stop, TAG_STOP);
    if (err < 0)
        return err;
    return e->control < 0 ? 0 : add(e, e->control, TAG_CONTROL);
}

int hostevent_open(struct vfs *vfs, struct timer_queue *timers, int control_fd, int stops_fd,
                   struct hostevents **out) {
    static const struct hostfd_watcher watcher = {watch, unwatch};
    struct hostevents *e = znew(struct hostevents);
    if (!e)
        return -LINUX_ENOMEM;
    lock_init(&e->lock, RANK_CLIENT);
    e->epoll = epoll_create1(EPOLL_CLOEXEC);
    e->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    e->control = control_fd;
    e->stops = stops_fd;
    e->timers = timers;
    int err = add_all(e);
    if (err < 0) {
        hostevent_close(e);
        return err;
    }
    hostfd_set_watcher(vfs, &watcher, e);
    *out = e;
    return 0;
}

static void control(struct hostevents *e, void (*on_control)(void *arg, int byte), void *arg) {
    unsigned char bytes[16];
    ssize_t n = read(e->control, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        epoll_ctl(e->epoll, EPOLL_CTL_DEL, e->control, NULL);
        on_control(arg, 0);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        on_control(arg, bytes[i]);
}

bool hostevent_serve(struct hostevents *e, void (*on_control)(void *arg, int byte), void *arg) {
    struct epoll_event ev;
    int n = epoll_wait(e->epoll, &ev, 1, -1);
    if (n <= 0)
        return n == 0 || errno == EINTR;
    if (ev.data.u64 >= TAG_END) {
        struct hostevent_source *source = ev.data.ptr;
        source->ready(source);
        return true;
    }
    switch (ev.data.u64) {
    case TAG_TIMER:
        timers_run(e->timers);
        break;
    case TAG_CONTROL:
        control(e, on_control, arg);
        break;
    case TAG_STOP:
        return false;
    default:
        notice(e, (unsigned)ev.data.u64, ev.events);
        break;
    }
    return true;
}

int hostevent_add(struct hostevents *e, int fd, struct hostevent_source *source) {
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = source};
    return epoll_ctl(e->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void hostevent_remove(struct hostevents *e, int fd) { epoll_ctl(e->epoll, EPOLL_CTL_DEL, fd, NULL); }

bool hostevent_tells_stops(const struct hostevents *e) { return e->stops >= 0; }

void hostevent_tell_stop(struct hostevents *e, const struct sentry_stop *stop) {
    if (e->stops >= 0 && write(e->stops, stop, sizeof *stop) < 0)
        log_info("telling of a stop: error %d", errno);  // full: the CLI is stopped, and has been told
}

void hostevent_stop(struct hostevents *e) {
    uint64_t one = 1;
    if (write(e->stop, &one, sizeof one) < 0)
        log_warn("stopping the event thread: error %d", errno);
}

void hostevent_close(struct hostevents *e) {
    const int fds[] = {e->epoll, e->stop, e->control, e->stops};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    lock_destroy(&e->lock);
    free(e);
}
