// SPDX-License-Identifier: Apache-2.0
// A task's place in the file system (root, working directory, umask), which CLONE_FS shares; and the caller
// as the VFS sees it.
#ifndef SENTRY_PROC_FS_CTX_H
#define SENTRY_PROC_FS_CTX_H
#include "base/lock.h"
#include "base/refcount.h"
#include "fs/vfs.h"
#include <stdbool.h>
#include <stdint.h>

struct task;

struct fs_ctx {
    struct refcount refs;
    struct lock lock;        // RANK_FS_CTX
    struct path root, cwd;   // [lock] owned
    struct mnt_ns *ns;       // [lock] owned: what is mounted, for who is here
    uint32_t umask;          // [lock]
    unsigned execs;          // [lock] execs under way that count on nobody joining: fs_ctx_exec_begin()
};
// takes references
struct fs_ctx *fs_ctx_new(struct mnt_ns *ns, const struct path *root, const struct path *cwd, uint32_t umask);
struct fs_ctx *fs_ctx_copy(struct fs_ctx *old);
struct mnt_ns *fs_ctx_ns(struct fs_ctx *f);  // a reference
// f, which one task alone has, goes over to a copy of its namespace, which is owner's. 0, ENOMEM, ENOSPC.
struct user_ns;
int fs_ctx_new_ns(struct fs_ctx *f, struct user_ns *owner);
void fs_ctx_enter(struct fs_ctx *f, struct mnt_ns *ns, const struct path *root);  // setns(2)
// pivot_root(2): whoever was at `from` is at `to`.
struct kernel;
void fs_ctx_lead_over(struct kernel *k, const struct path *from, const struct path *to);
// For CLONE_FS: a reference; NULL while an exec counts on not being joined (EAGAIN).
struct fs_ctx *fs_ctx_join(struct fs_ctx *f);
// The exec of t: is its place that of its process alone? Then it stays so until fs_ctx_exec_end() (true);
// else false.
bool fs_ctx_exec_begin(struct task *t);
void fs_ctx_exec_end(struct fs_ctx *f);
void fs_ctx_put(struct fs_ctx *f);
// Another place: by the task itself. Takes the reference over and gives the old one back.
void task_set_fs(struct task *t, struct fs_ctx *fs);

// A view of the caller for the VFS; takes references on root and cwd, given back by vfs_ctx_done().
void task_vfs_ctx(struct task *t, struct vfs_ctx *ctx);
void vfs_ctx_done(struct vfs_ctx *ctx);
#define TASK_VFS_CTX(t, name)                                                                                \
    struct vfs_ctx name __attribute__((cleanup(vfs_ctx_done)));                                              \
    task_vfs_ctx((t), &name)

#endif
