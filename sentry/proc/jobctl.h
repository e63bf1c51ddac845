// SPDX-License-Identifier: Apache-2.0
// Job control: the controlling terminals of sessions, who is in front of them, and the main process as a job
// of the caller's.
#ifndef SENTRY_PROC_JOBCTL_H
#define SENTRY_PROC_JOBCTL_H
#include "fs/vfs.h"
#include "sentry/proc/task.h"

struct ctty;
struct session;
void jobctl_init(void);  // before the first file is opened: terminals ask here from now on (fs/tty/ctty.h)
// c (borrowed until the end) is the terminal of t's new session, and where the caller's keys come from.
void jobctl_first_terminal(struct task *t, struct ctty *c);
// /dev/tty: 0, or -LINUX_ENXIO without a controlling terminal.
int jobctl_open_terminal(struct file *f, const struct vfs_ctx *ctx);
int64_t jobctl_vhangup(struct task *t);
// The process ends: when it leads a session, the foreground is hung up. tasks_lock held, as for the next.
void jobctl_exit(struct tgroup *g);
void jobctl_disassociate(struct session *s);
// A signal from outside, handed on by the CLI: the terminal's, or somebody's who sent it to the CLI.
void jobctl_signal(struct kernel *k, int sig, bool from_terminal);
// g has stopped by sig: when it is the main process, the CLI is told, and stops too. tasks_lock held.
void jobctl_stopped(struct tgroup *g, int sig);
// Does somebody outside of the sandbox continue this process when it stops? tasks_lock held.
bool jobctl_continued_outside(const struct tgroup *g);

#endif
