// SPDX-License-Identifier: Apache-2.0
// What the calls about mounts share: who may, flags of mounts in their two forms, descriptors that stand for
// a place.
#ifndef SENTRY_SYSCALLS_MOUNT_ARGS_H
#define SENTRY_SYSCALLS_MOUNT_ARGS_H
#include "fs/mnt_ns.h"

struct task;

bool may_mount(struct task *t);                        // over the namespace of mounts that it is in
bool may_change_mounts(struct task *t);                // ... and no landlock ruleset is in the way
bool may_mount_over(void *task, const struct ns *ns);  // ... over that one
unsigned mount_flags_of_attr(uint64_t attr);           // MOUNT_ATTR_* but those of times, as LINUX_MS_*
uint64_t mount_attr_of_flags(unsigned flags);
int install_fd(struct task *t, struct file *f, bool cloexec);  // f is taken over
// An O_PATH descriptor of p (borrowed); detached: p's tree ends with it, in any case.
int install_place(struct task *t, const struct vfs_ctx *ctx, const struct path *p, bool detached,
                  bool cloexec);

#endif
