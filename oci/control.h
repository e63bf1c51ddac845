// SPDX-License-Identifier: Apache-2.0
// Requests to a sandbox over its control socket (sentry/control.h). What comes back is checked: a sentry may
// have been taken over by its guest.
#ifndef OCI_CONTROL_H
#define OCI_CONTROL_H
#include "oci/state.h"
#include "sentry/control.h"
#include "sentry/sentry.h"

// The listening end, in the container's directory. A descriptor or -1.
int control_listen(const struct container *c, struct error *e);
// A connection, or -1: "container not running" when nobody listens. Replies are waited for up to 10 s.
int control_connect(const struct container *c, struct error *e);
// Sends a message with its descriptors (at most CONTROL_FDS). head is filled in.
int control_send(int fd, enum control_kind kind, void *message, size_t n, const int *fds, int nfds,
                 struct error *e);
// The next reply, which must be of `kind` and have at least n bytes; size is the buffer's. Returns its
// length, or -1: with the sandbox's own words when it says FAILED.
ssize_t control_receive(int fd, enum control_kind kind, void *buf, size_t n, size_t size, struct error *e);
// One request and its OK.
int control_call(const struct container *c, enum control_kind kind, void *message, size_t n, struct error *e);
// A signal. flags: SIGNAL_*
int control_kill(const struct container *c, int sig, unsigned flags, struct error *e);
// A struct control_exec with what follows it, *n bytes, freed by the caller; NULL: too long, or no memory.
char *control_pack_exec(const struct sentry_process *p, size_t *n, struct error *e);
// CONTROL_EXEC with the caller's descriptors: its stdio, and as many more as p says.
int control_exec(int fd, const struct sentry_process *p, const int *fds, struct error *e);
// A wait status as it may be: exited or by a signal; anything else counts as SIGKILL.
int control_wait_status(uint32_t told);

#endif
