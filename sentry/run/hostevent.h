// SPDX-License-Identifier: Apache-2.0
// The event thread's view of the host: one epoll set with the timer descriptor, the control channel to the
// CLI, and the stdio descriptors somebody waits for.
#ifndef SENTRY_RUN_HOSTEVENT_H
#define SENTRY_RUN_HOSTEVENT_H
#include <stdbool.h>

struct hostevents;
struct sentry_stop;
struct timer_queue;
struct vfs;

// Before the host filter is loaded. Watches what the descriptors of vfs ask for, and serves the timers. Both
// channels of the CLI are as in struct sentry_config, taken over. 0 and an object that is to be closed after
// the vfs is gone, or -LINUX_E*.
int hostevent_open(struct vfs *vfs, struct timer_queue *timers, int control_fd, int stops_fd,
                   struct hostevents **out);
// Sleeps until something is due and serves it: timers, host descriptors, and on_control() for the channel (a
// byte of it, or 0 at its end: the CLI has gone). False after hostevent_stop().
bool hostevent_serve(struct hostevents *e, void (*on_control)(void *arg, int byte), void *arg);
// Another descriptor: ready() is called on the event thread when it can be read, or its other end has gone.
// source is borrowed until hostevent_remove(), which is for the event thread. 0 or -LINUX_E*.
struct hostevent_source {
    void (*ready)(struct hostevent_source *source);
};
int hostevent_add(struct hostevents *e, int fd, struct hostevent_source *source);
void hostevent_remove(struct hostevents *e, int fd);
// To the CLI; any thread, any lock but those below RANK_LEAF.
bool hostevent_tells_stops(const struct hostevents *e);
void hostevent_tell_stop(struct hostevents *e, const struct sentry_stop *stop);
void hostevent_stop(struct hostevents *e);  // any thread
void hostevent_close(struct hostevents *e);

#endif
