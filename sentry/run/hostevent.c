// SPDX-License-Identifier: Apache-2.0
// See hostevent.h. A descriptor is watched one-shot: when fs/hostfd asks, it is armed; one notice disarms it.
// The watch table's lock is held while hostfd_ready() runs, so unwatch() returns only when no notice is under
// way.
#include "sentry/run/hostevent.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "base/lock.h"
#include "base/log.h"
#include "fs/hostfd.h"
#include "sentry/sentry.h"
#include "sentry/time/hosttime.h"
#include "sentry/time/timer.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_WATCHES 64
enum { TAG_TIMER = MAX_WATCHES, TAG_CONTROL, TAG_STOP };

static struct {
    struct lock lock;  // RANK_CLIENT: below the objects that are watched
    int epoll, timer, stop, control, stops;
    struct watch {
        struct hostfd *h;  // NULL: free
        int fd;
        uint32_t events;   // armed for; 0: not armed
    } watches[MAX_WATCHES];  // [lock]
} hub = {.lock = LOCK_INITIALIZER(RANK_CLIENT), .epoll = -1, .timer = -1, .stop = -1, .control = -1,
         .stops = -1};

static struct watch *watch_of(struct hostfd *h, int fd, bool make) {
    struct watch *spare = NULL;
    for (struct watch *w = hub.watches; w < hub.watches + MAX_WATCHES; w++) {
        if (w->h == h && w->fd == fd)
            return w;
        if (!w->h && !spare)
            spare = w;
    }
    if (!make || !spare)
        return NULL;
    struct epoll_event ev = {.events = 0, .data.u32 = (uint32_t)(spare - hub.watches)};
    if (epoll_ctl(hub.epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        return NULL;  // a regular file: it never blocks, nobody waits
    *spare = (struct watch){.h = h, .fd = fd};
    return spare;
}

static void watch(struct hostfd *h, int fd, uint32_t events) {
    LOCKED(&hub.lock);
    struct watch *w = watch_of(h, fd, true);
    if (!w || (w->events & events) == events)
        return;
    w->events |= events;
    struct epoll_event ev = {.events = w->events | EPOLLONESHOT, .data.u32 = (uint32_t)(w - hub.watches)};
    if (epoll_ctl(hub.epoll, EPOLL_CTL_MOD, fd, &ev) < 0)
        log_warn("watching a stdio descriptor: error %d", errno);
}

static void unwatch(struct hostfd *h, int fd) {
    LOCKED(&hub.lock);
    struct watch *w = watch_of(h, fd, false);
    if (!w)
        return;
    epoll_ctl(hub.epoll, EPOLL_CTL_DEL, fd, NULL);
    *w = (struct watch){0};
}

static void notice(unsigned slot, uint32_t events) {
    LOCKED(&hub.lock);
    struct watch *w = &hub.watches[slot];
    if (!w->h || !w->events)
        return;
    w->events = 0;
    hostfd_ready(w->h, events);
}

static int add(int fd, unsigned tag) {
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = tag};
    return epoll_ctl(hub.epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int hostevent_init(int control_fd, int stops_fd) {
    hub.epoll = epoll_create1(EPOLL_CLOEXEC);
    hub.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    hub.timer = hosttime_create();
    hub.control = control_fd;
    hub.stops = stops_fd;
    if (hub.epoll < 0 || hub.stop < 0 || hub.timer < 0)
        return -LINUX_EMFILE;
    int err = timers_init(hub.timer);
    if (err == 0)
        err = add(hub.timer, TAG_TIMER);
    if (err == 0)
        err = add(hub.stop, TAG_STOP);
    if (err == 0 && control_fd >= 0)
        err = add(control_fd, TAG_CONTROL);
    static const struct hostfd_watcher watcher = {watch, unwatch};
    hostfd_set_watcher(&watcher);
    return err;
}

static void control(void (*on_control)(int byte)) {
    unsigned char bytes[16];
    ssize_t n = read(hub.control, bytes, sizeof bytes);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        epoll_ctl(hub.epoll, EPOLL_CTL_DEL, hub.control, NULL);
        on_control(0);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        on_control(bytes[i]);
}

bool hostevent_serve(void (*on_control)(int byte)) {
    struct epoll_event ev;
    int n = epoll_wait(hub.epoll, &ev, 1, -1);
    if (n <= 0)
        return n == 0 || errno == EINTR;
    switch (ev.data.u32) {
    case TAG_TIMER:
        timers_run();
        break;
    case TAG_CONTROL:
        control(on_control);
        break;
    case TAG_STOP:
        return false;
    default:
        notice(ev.data.u32, ev.events);
        break;
    }
    return true;
}

bool hostevent_tells_stops(void) { return hub.stops >= 0; }

void hostevent_tell_stop(const struct sentry_stop *stop) {
    if (hub.stops >= 0 && write(hub.stops, stop, sizeof *stop) < 0)
        log_info("telling of a stop: error %d", errno);  // full: the CLI is stopped, and has been told
}

void hostevent_stop(void) {
    uint64_t one = 1;
    if (write(hub.stop, &one, sizeof one) < 0)
        log_warn("stopping the event thread: error %d", errno);
}

void hostevent_close(void) {
    close(hub.epoll);
    close(hub.stop);
    close(hub.timer);
    if (hub.control >= 0)
        close(hub.control);
    if (hub.stops >= 0)
        close(hub.stops);
}
