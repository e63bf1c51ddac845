// SPDX-License-Identifier: Apache-2.0
// A group of fanotify(7) as a file.
#ifndef SENTRY_FD_FANOTIFY_H
#define SENTRY_FD_FANOTIFY_H

struct fan_group;
struct file;
struct kernel;
struct task;

// flags, file_flags as in fanotify_init(2), checked.
int fanotify_open(struct task *t, unsigned flags, unsigned file_flags, struct file **out);
struct fan_group *fanotify_group(const struct file *f);  // borrowed; NULL: it is none
void fanotify_begin(struct kernel *k);                   // events can tell who acts

#endif
