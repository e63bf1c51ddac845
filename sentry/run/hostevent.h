// SPDX-License-Identifier: Apache-2.0
// The event thread's view of the host: one epoll set with the timer descriptor, the control channel to the
// CLI, and the stdio descriptors somebody waits for.
#ifndef SENTRY_RUN_HOSTEVENT_H
#define SENTRY_RUN_HOSTEVENT_H
#include <stdbool.h>

struct sentry_stop;

// Before the host filter is loaded. Both channels of the CLI are as in struct sentry_config, taken over. 0 or
// -LINUX_E*.
int hostevent_init(int control_fd, int stops_fd);
// Sleeps until something is due and serves it: timers, host descriptors, and on_control() for the channel (a
// byte of it, or 0 at its end: the CLI has gone). False after hostevent_stop().
bool hostevent_serve(void (*on_control)(int byte));
// To the CLI; any thread, any lock but those below RANK_LEAF.
bool hostevent_tells_stops(void);
void hostevent_tell_stop(const struct sentry_stop *stop);
void hostevent_stop(void);  // any thread
void hostevent_close(void);

#endif
