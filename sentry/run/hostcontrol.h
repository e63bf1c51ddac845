// SPDX-License-Identifier: Apache-2.0
// The control socket of an OCI container (sentry/control.h): who is outside starts, signals and adds
// processes.
#ifndef SENTRY_RUN_HOSTCONTROL_H
#define SENTRY_RUN_HOSTCONTROL_H
#include <stdbool.h>

struct control;
struct kernel;
struct task;
struct tgroup;

// Both descriptors are taken over; both -1: there is no control, k->control stays NULL. net_later:
// CONTROL_NET is not refused. Before the host filter. 0 or -LINUX_E*.
int control_open(struct kernel *k, int listen_fd, int init_fd, bool net_later);
// The main process is loaded: the init hears of it, and CONTROL_START will start it.
void control_ready(struct control *c, struct task *first);
// g has ended (tasks_lock held): who speaks for it, and who waits for the main one, hear of it.
void control_tell_end(struct control *c, struct tgroup *g);
void control_close(struct kernel *k);  // after the event thread

#endif
