// SPDX-License-Identifier: Apache-2.0
// Job control on the terminal that the sandbox was given: the controlling terminal, its foreground group.
#ifndef SENTRY_JOBCTL_H
#define SENTRY_JOBCTL_H
#include "fs/hostfd.h"
#include "sentry/task.h"

// TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY; ua is the caller's struct uaccess.
int64_t jobctl_ioctl(struct hostfd *h, unsigned cmd, uint64_t arg, void *ua);
// The group that signals of the terminal go to (borrowed, tasks_lock held), or NULL.
struct pgroup *jobctl_foreground(struct kernel *k);

#endif
