// SPDX-License-Identifier: Apache-2.0
// procfs: the sandbox's own view of itself. Nothing of the host is in it.
#ifndef SENTRY_PROCFS_PROCFS_H
#define SENTRY_PROCFS_PROCFS_H
#include "fs/vfs.h"

// A file system for the_kernel's sandbox, to be mounted (one reference).
// ns: whose processes it shows, by their numbers there.
struct pid_ns;
enum proc_hide { PROC_HIDE_NOTHING, PROC_HIDE_CONTENT, PROC_HIDE_ALL, PROC_HIDE_UNTRACEABLE = 4 };
struct procfs_opts {      // proc(5), "Mount options"
    enum proc_hide hide;  // of whom one may not trace
    uint32_t gid;         // who is in that group may look all the same
    bool pids_only;       // subset=pid
};
int procfs_create(struct vfs *vfs, struct pid_ns *ns, const struct procfs_opts *o, struct superblock **out);
bool procfs_is(const struct superblock *sb);
void procfs_look(const struct superblock *sb, struct procfs_opts *o);
void procfs_change(struct superblock *sb, const struct procfs_opts *o);  // but for pids_only

extern const char procfs_filesystems[];  // /proc/filesystems

// /sys, made of the same: sysfs.c.
int sysfs_create(struct vfs *vfs, struct superblock **out);
// Before there is a guest: the file of /proc/sys with that name ("net.core.somaxconn") gets the value, as if
// root had written it; what is fixed takes only what it is. 0; or -LINUX_E*, and the words for it are in
// `why`.
int procfs_sysctl(const char *name, const char *value, char *why, size_t size);

// The process whose /proc/PID directory f is open on, borrowed from f; or NULL. pidfd_send_signal(2) takes
// those too.
struct tgroup;
struct tgroup *procfs_process(const struct file *f);
bool procfs_is_mem(const struct file *f);  // an open /proc/PID/mem

#endif
