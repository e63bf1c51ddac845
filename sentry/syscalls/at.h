// SPDX-License-Identifier: Apache-2.0
// What the calls on path names share: the directory that a dirfd names, and a path copied from the guest.
#ifndef SENTRY_SYSCALLS_AT_H
#define SENTRY_SYSCALLS_AT_H
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task.h"

// One path argument of a call: made by at_init(), given back by AT_PATH's cleanup.
struct at_path {
    struct file *file;        // owned: what dirfd named
    const struct path *from;  // for the vfs_* calls: the file's path; NULL: the working directory
    char name[LINUX_PATH_MAX];
};
// 0, or the error of copying the name, or -LINUX_EBADF (not looked at for absolute names, as in
// path_resolution(7)).
int at_init(struct task *t, struct at_path *p, int dirfd, uaddr_t name);
// As at_init(), but with `empty` a NULL or "" name is let through (AT_EMPTY_PATH), and then any file will do.
int at_init_empty(struct task *t, struct at_path *p, int dirfd, uaddr_t name, bool empty);
void at_done(struct at_path *p);
#define AT_PATH(p)                                                                                           \
    struct at_path p __attribute__((cleanup(at_done)));                                                      \
    p.file = NULL

// Walks to what was let through; walk: WALK_*; *out is owned.
int at_walk_from(const struct vfs_ctx *ctx, const struct at_path *p, unsigned walk, struct path *out);
// Walks to what (dirfd, name, AT_* flags) means; *out is owned. `allowed`: the AT_* that the call knows.
int at_walk(struct task *t, const struct vfs_ctx *ctx, int dirfd, uaddr_t name, unsigned flags,
            unsigned allowed, struct path *out);

#endif
