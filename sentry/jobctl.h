// SPDX-License-Identifier: Apache-2.0
// Job control on the terminal that the sandbox was given: the controlling terminal, its foreground group.
#ifndef SENTRY_JOBCTL_H
#define SENTRY_JOBCTL_H
#include "fs/hostfd.h"
#include "sentry/task.h"

// TIOCGPGRP, TIOCSPGRP, TIOCGSID, TIOCSCTTY, TIOCNOTTY; ua is the caller's struct uaccess.
int64_t jobctl_ioctl(struct hostfd *h, unsigned cmd, uint64_t arg, void *ua);
// A signal from outside, handed on by the CLI: the terminal's, or somebody's who sent it to the CLI.
void jobctl_signal(struct kernel *k, int sig, bool from_terminal);
// g has stopped by sig: when it is the main process, the CLI is told, and stops too. tasks_lock held.
void jobctl_stopped(struct tgroup *g, int sig);
// Does somebody outside of the sandbox continue this process when it stops? tasks_lock held.
bool jobctl_continued_outside(const struct tgroup *g);

#endif
