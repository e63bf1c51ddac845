// SPDX-License-Identifier: Apache-2.0
// A task's place in the file system: root, working directory, umask; and the view of the caller that the VFS takes.
#include "base/fault.h"
#include "sentry/kernel.h"
#include <stdlib.h>

struct fs_ctx *fs_ctx_new(const struct path *root, const struct path *cwd, uint32_t umask) {
    struct fs_ctx *f = znew(struct fs_ctx);
    if (!f)
        return NULL;
    ref_init(&f->refs, 1);
    lock_init(&f->lock, RANK_FS_CTX);
    f->root = *root;
    f->cwd = *cwd;
    f->umask = umask;
    path_get(root);
    path_get(cwd);
    return f;
}

struct fs_ctx *fs_ctx_copy(struct fs_ctx *old) {
    LOCKED(&old->lock);
    return fs_ctx_new(&old->root, &old->cwd, old->umask);
}

struct fs_ctx *fs_ctx_get(struct fs_ctx *f) {
    ref_get(&f->refs);
    return f;
}

void fs_ctx_put(struct fs_ctx *f) {
    if (!ref_put(&f->refs))
        return;
    path_put(&f->root);
    path_put(&f->cwd);
    lock_destroy(&f->lock);
    free(f);
}

void task_vfs_ctx(struct task *t, struct vfs_ctx *ctx) {
    const struct cred *c = t->cred;
    *ctx = (struct vfs_ctx){
        .vfs = t->k->vfs,
        .cred = {c->fsuid, c->fsgid, c->groups, c->ngroups, c->cap_effective},
        .fsize_limit = task_rlimit(t, LINUX_RLIMIT_FSIZE),
        .task = t,
    };
    LOCKED(&t->fs->lock);
    ctx->root = t->fs->root;
    ctx->cwd = t->fs->cwd;
    ctx->umask = t->fs->umask;
    path_get(&ctx->root);
    path_get(&ctx->cwd);
}

void vfs_ctx_done(struct vfs_ctx *ctx) {
    path_put(&ctx->root);
    path_put(&ctx->cwd);
}
