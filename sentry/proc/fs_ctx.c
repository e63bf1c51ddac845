// SPDX-License-Identifier: Apache-2.0
// A task's place in the file system: root, working directory, umask; and the view of the caller that the VFS
// takes.
#include "base/fault.h"
#include "fs/mnt_ns.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include <stdlib.h>

struct fs_ctx *fs_ctx_new(struct mnt_ns *ns, const struct path *root, const struct path *cwd,
                          uint32_t umask) {
    struct fs_ctx *f = znew(struct fs_ctx);
    if (!f)
        return NULL;
    ref_init(&f->refs, 1);
    lock_init(&f->lock, RANK_FS_CTX);
    f->root = *root;
    f->cwd = *cwd;
    f->umask = umask;
    f->ns = mnt_ns_get(ns);
    path_get(root);
    path_get(cwd);
    return f;
}

struct fs_ctx *fs_ctx_copy(struct fs_ctx *old) {
    LOCKED(&old->lock);
    return fs_ctx_new(old->ns, &old->root, &old->cwd, old->umask);
}

struct mnt_ns *fs_ctx_ns(struct fs_ctx *f) {
    LOCKED(&f->lock);
    return mnt_ns_get(f->ns);
}

void fs_ctx_enter(struct fs_ctx *f, struct mnt_ns *ns, const struct path *root) {
    struct path was[2];
    struct mnt_ns *old;
    path_get(root);
    path_get(root);
    mnt_ns_get(ns);
    {
        LOCKED(&f->lock);
        was[0] = f->root;
        was[1] = f->cwd;
        old = f->ns;
        f->root = f->cwd = *root;
        f->ns = ns;
    }
    path_put(&was[0]);
    path_put(&was[1]);
    mnt_ns_put(old);
}

int fs_ctx_new_ns(struct fs_ctx *f, struct user_ns *owner) {
    struct mnt_ns *ns, *old = fs_ctx_ns(f);
    struct path root, cwd, *both[] = {&root, &cwd};
    {
        LOCKED(&f->lock);
        root = f->root;
        cwd = f->cwd;
        path_get(&root);
        path_get(&cwd);
    }
    int err = user_ns_charge(owner, NS_MNT) ? 0 : -LINUX_ENOSPC;
    if (err == 0 && (err = mnt_ns_copy(old, &owner->ns, &ns, both, 2)) < 0)
        user_ns_uncharge(owner, NS_MNT);
    if (err == 0) {
        ns->ns.charged = true;
        struct path was[2];
        {
            LOCKED(&f->lock);
            was[0] = f->root;
            was[1] = f->cwd;
            f->root = root;
            f->cwd = cwd;
            f->ns = ns;
        }
        root = was[0];
        cwd = was[1];
        mnt_ns_put(old);  // that of f
    }
    path_put(&root);
    path_put(&cwd);
    mnt_ns_put(old);
    return err;
}

// tasks_lock is held. True: it was there; *was is to be put.
static bool lead_one(struct fs_ctx *f, struct path *place, const struct path *from, const struct path *to) {
    if (place->mnt != from->mnt || place->dentry != from->dentry)
        return false;
    path_get(to);
    *place = *to;
    return true;
}

void fs_ctx_lead_over(struct kernel *k, const struct path *from, const struct path *to) {
    unsigned left = 0;
    {
        LOCKED(&k->tasks_lock);
        for (int32_t pid = 1; pid < k->pid_end; pid++) {
            struct fs_ctx *f = k->pids[pid] ? k->pids[pid]->fs : NULL;
            if (!f)
                continue;
            LOCKED(&f->lock);
            left += lead_one(f, &f->root, from, to) + lead_one(f, &f->cwd, from, to);
        }
    }
    while (left-- > 0)
        path_put(from);  // each of them had one
}

struct fs_ctx *fs_ctx_join(struct fs_ctx *f) {
    LOCKED(&f->lock);
    if (f->execs)
        return NULL;
    ref_get(&f->refs);
    return f;
}

static void fs_ctx_free(struct fs_ctx *f) {
    path_put(&f->root);
    path_put(&f->cwd);
    mnt_ns_put(f->ns);
    lock_destroy(&f->lock);
    free(f);
}

void fs_ctx_put(struct fs_ctx *f) {
    if (ref_put(&f->refs))
        fs_ctx_free(f);
}

// The reference goes with the pointer, under one lock: who counts the tasks that share a place sees no more
// references than tasks.
void task_set_fs(struct task *t, struct fs_ctx *fs) {
    struct fs_ctx *last = NULL;
    {
        LOCKED(&t->k->tasks_lock);
        if (t->fs && ref_put(&t->fs->refs))
            last = t->fs;
        t->fs = fs;
    }
    if (last)
        fs_ctx_free(last);
}

bool fs_ctx_exec_begin(struct task *t) {
    struct fs_ctx *f = t->fs;
    LOCKED(&t->k->tasks_lock);
    LOCKED(&f->lock);
    unsigned own = 0;
    const struct task *other;
    list_for_each(other, &t->tg->tasks, tg_link)
        own += other->fs == f;
    if (ref_read(&f->refs) > own)
        return false;
    f->execs++;
    return true;
}

void fs_ctx_exec_end(struct fs_ctx *f) {
    LOCKED(&f->lock);
    f->execs--;
}

void task_vfs_ctx(struct task *t, struct vfs_ctx *ctx) {
    const struct cred *c = t->cred;
    *ctx = (struct vfs_ctx){
        .vfs = t->k->vfs,
        .cred = {c->fsuid, c->fsgid, c->groups, c->ngroups, c->cap_effective, user_ns_uids(c->user),
                 user_ns_gids(c->user), c->landlock},
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
