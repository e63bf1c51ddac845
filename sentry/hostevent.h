// SPDX-License-Identifier: Apache-2.0
// The event thread's view of the host: one epoll set with the timer descriptor, the control channel to the CLI, and
// the stdio descriptors somebody waits for.
#ifndef SENTRY_HOSTEVENT_H
#define SENTRY_HOSTEVENT_H
#include <stdbool.h>

// Before the host filter is loaded. control_fd: the CLI's channel, -1 for none; each byte read from it is a signal
// number, its end means that the CLI has gone. 0 or -LINUX_E*.
int hostevent_init(int control_fd);
// Sleeps until something is due and serves it: timers, host descriptors, and on_control() for the channel (signal
// number, or 0 at its end). False after hostevent_stop().
bool hostevent_serve(void (*on_control)(int sig));
void hostevent_stop(void);  // any thread
void hostevent_close(void);

#endif
