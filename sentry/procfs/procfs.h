// SPDX-License-Identifier: Apache-2.0
// procfs: the sandbox's own view of itself. Nothing of the host is in it.
#ifndef SENTRY_PROCFS_PROCFS_H
#define SENTRY_PROCFS_PROCFS_H
#include "fs/vfs.h"

// A file system for the_kernel's sandbox, to be mounted (one reference); at most one at a time.
int procfs_create(struct vfs *vfs, struct superblock **out);

extern const char procfs_filesystems[];  // /proc/filesystems

// /sys/fs/cgroup, made of the same: cgroup.c.
int cgroupfs_create(struct vfs *vfs, struct superblock **out);

// The process whose /proc/PID directory f is open on, borrowed from f; or NULL. pidfd_send_signal(2) takes
// those too.
struct tgroup;
struct tgroup *procfs_process(const struct file *f);
bool procfs_is_mem(const struct file *f);  // an open /proc/PID/mem

#endif
