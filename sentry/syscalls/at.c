// SPDX-License-Identifier: Apache-2.0
// See at.h.
#include "sentry/syscalls/at.h"
#include "fs/vfs.h"
#include "sentry/kernel.h"

static int base_of(struct task *t, struct at_path *p, int dirfd, bool need_dir) {
    p->from = NULL;
    if (dirfd == LINUX_AT_FDCWD)
        return 0;
    p->file = fd_get(t->files, dirfd);
    if (!p->file)
        return -LINUX_EBADF;
    if (need_dir && inode_type(p->file->inode) != LINUX_S_IFDIR)
        return -LINUX_ENOTDIR;
    p->from = &p->file->path;
    return 0;
}

int at_init_empty(struct task *t, struct at_path *p, int dirfd, uaddr_t name, bool empty) {
    p->file = NULL;
    p->from = NULL;
    p->name[0] = '\0';
    if (!uaddr_is_null(name) || !empty) {
        int err = copy_in_path(t, p->name, name);
        if (err < 0)
            return err;
    }
    if (!p->name[0] && !empty)
        return -LINUX_ENOENT;
    if (p->name[0] == '/')
        return 0;
    return base_of(t, p, dirfd, p->name[0] != '\0');
}

int at_init(struct task *t, struct at_path *p, int dirfd, uaddr_t name) {
    return at_init_empty(t, p, dirfd, name, false);
}

void at_done(struct at_path *p) {
    if (p->file)
        file_put(p->file);
}

int at_walk_from(const struct vfs_ctx *ctx, const struct at_path *p, unsigned walk, struct path *out) {
    if (p->name[0] || !p->file)
        return vfs_walk(ctx, p->from, p->name, walk, out);
    *out = p->file->path;  // the open file itself, whatever it is
    path_get(out);
    return 0;
}

int at_walk(struct task *t, const struct vfs_ctx *ctx, int dirfd, uaddr_t name, unsigned flags,
            unsigned allowed, struct path *out) {
    if (flags & ~allowed)
        return -LINUX_EINVAL;
    bool empty = flags & LINUX_AT_EMPTY_PATH;
    bool follow = allowed & LINUX_AT_SYMLINK_FOLLOW ? flags & LINUX_AT_SYMLINK_FOLLOW
                                                    : !(flags & LINUX_AT_SYMLINK_NOFOLLOW);
    AT_PATH(p);
    int err = at_init_empty(t, &p, dirfd, name, empty);
    if (err < 0)
        return err;
    return at_walk_from(ctx, &p, (follow ? WALK_FOLLOW : 0) | (empty ? WALK_EMPTY : 0), out);
}
