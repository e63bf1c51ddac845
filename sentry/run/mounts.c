// SPDX-License-Identifier: Apache-2.0
// See mounts.h. Called by boot.c, before there is a guest, and for a pod's further containers. Places are
// looked up by the VFS from the sandbox's own root, so that no symlink leaves it.
#include "sentry/run/mounts.h"
#include "abi/caps.h"
#include "abi/misc.h"
#include "base/errtext.h"
#include "base/fault.h"
#include "base/log.h"
#include "fs/goferfs/client.h"
#include "fs/mnt_ns.h"
#include "fs/vfs.h"
#include "sentry/cgroup/cgroup.h"
#include "sentry/procfs/procfs.h"
#include "sentry/proc/user_ns.h"
#include "sentry/kernel.h"
#include "sentry/sentry.h"
#include <stdlib.h>
#include <string.h>

struct maker {
    struct vfs *vfs;
    struct gofer_client *gofer;
    struct vfs_ctx ctx;  // root's own
    // Those that will be read-only when all are made: others may lie in them, whose places are made there.
    struct path *read_only;  // owned, each and all
    unsigned nread_only;
};

// ---- The root ---------------------------------------------------------------------------------------------
static int make_overlay(struct vfs *vfs, struct gofer_client *gofer, struct superblock **root) {
    struct superblock *lower, *upper;
    int err = goferfs_create(vfs, gofer, 0, true, &lower);
    if (err < 0)
        return err;
    err = tmpfs_create(vfs, &(struct tmpfs_opts){.mode = 0755}, &upper);
    return err < 0 ? err : overlay_create(vfs, lower, upper, root);
}

static int make_through(struct vfs *vfs, struct gofer_client *gofer, bool readonly,
                        struct superblock **root) {
    int err = goferfs_create(vfs, gofer, 0, readonly, root);
    if (err == 0)
        goferfs_follow_host(*root);
    return err;
}

static int mount_root(struct vfs *vfs, struct gofer_client *gofer, const struct sentry_config *c,
                      struct mnt_ns **ns) {
    const char *name = c->write_through ? "rootfs" : "overlay";
    // in memory places are made yet
    unsigned flags = c->root_readonly && c->write_through ? LINUX_MS_RDONLY : 0;
    struct superblock *root;
    int err = c->write_through ? make_through(vfs, gofer, c->root_readonly, &root)
                               : make_overlay(vfs, gofer, &root);
    if (err < 0)
        return err;
    return ns ? mnt_ns_begin(vfs, root, flags, name, &the_kernel->user_ns->ns, ns)
              : vfs_mount(vfs, root, NULL, flags, name);
}

// Whatever lay there: a symlink of the host's would lead elsewhere. Where the directory is missing, nothing.
static int put_file(struct maker *m, const struct sentry_file *s) {
    struct file *f;
    size_t n = strlen(s->text);
    struct uio_kernel u;
    uio_kernel_init(&u, (void *)(uintptr_t)s->text, n);
    vfs_unlink(&m->ctx, NULL, s->path);
    int err = vfs_open(&m->ctx, NULL, s->path, LINUX_O_CREAT | LINUX_O_EXCL | LINUX_O_WRONLY, 0644, 0, &f);
    if (err < 0)
        return err == -LINUX_ENOENT || err == -LINUX_ENOTDIR ? 0 : err;
    int64_t wrote = vfs_write(&m->ctx, f, &u.u);
    file_put(f);
    return wrote == (int64_t)n ? 0 : -LINUX_EIO;
}

// ---- One mount --------------------------------------------------------------------------------------------
// An empty file system, or, for tmpcopyup, one through which the host's directory shows.
static int make_tmpfs(struct maker *m, const struct sentry_mount *s, struct superblock **sb) {
    const struct tmpfs_opts o = {.mode = s->mode, .uid = s->uid, .gid = s->gid, .max_bytes = s->size};
    struct superblock *upper, *lower;
    int err = tmpfs_create(m->vfs, &o, &upper);
    if (err < 0 || !s->copy_up) {
        *sb = upper;
        return err;
    }
    err = goferfs_create(m->vfs, m->gofer, s->root, true, &lower);
    return err < 0 ? err : overlay_create(m->vfs, lower, upper, sb);
}

static int make_bind(struct maker *m, const struct sentry_mount *s, struct superblock **sb) {
    int err = goferfs_create(m->vfs, m->gofer, s->root, s->flags & LINUX_MS_RDONLY, sb);
    if (err == 0)
        goferfs_follow_host(*sb);
    return err;
}

static int make_super(struct maker *m, const struct sentry_mount *s, struct superblock **sb) {
    const struct devpts_opts pts = {
        .uid = DEVPTS_OWNER, .gid = s->gid, .mode = s->mode, .ptmxmode = s->ptmxmode};
    switch (s->kind) {
    case SENTRY_BIND:
        return make_bind(m, s, sb);
    case SENTRY_DEV:
        return devfs_create(m->vfs, sb);
    case SENTRY_DEVPTS:
        return devpts_create(m->vfs, &pts, sb);
    case SENTRY_PROC:
        return procfs_create(m->vfs, the_kernel->pid_ns, &(struct procfs_opts){0}, sb);
    case SENTRY_SYSFS:
        return sysfs_create(m->vfs, sb);
    case SENTRY_CGROUP:
        return cgroupfs_create(m->vfs, the_kernel->cgroup, sb);
    default:
        return make_tmpfs(m, s, sb);
    }
}

// The place, with its parents, when it is missing; what is there already is fine, the walk judges.
static int make_place(struct maker *m, const char *where, bool dir) {
    char text[LINUX_PATH_MAX];
    if (strlen(where) >= sizeof text)
        return -LINUX_ENAMETOOLONG;
    strcpy(text, where);
    for (char *p = text + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        vfs_mkdir(&m->ctx, NULL, text, 0755);
        *p = '/';
    }
    if (dir)
        vfs_mkdir(&m->ctx, NULL, where, 0755);
    else
        vfs_mknod(&m->ctx, NULL, where, LINUX_S_IFREG | 0644, 0, NULL);
    return 0;
}

static int note_read_only(struct maker *m, const struct sentry_mount *s) {
    int err = vfs_walk(&m->ctx, NULL, s->target, WALK_FOLLOW, &m->read_only[m->nread_only]);
    m->nread_only += err == 0;
    return err;
}

// What is at `source` inside.
static int bind_inner(struct maker *m, const char *source, const struct path *at, unsigned flags) {
    struct path from;
    int err = vfs_walk(&m->ctx, NULL, source, WALK_FOLLOW, &from);
    if (err < 0)
        return err;
    err = vfs_bind(m->vfs, &from, at, flags, "devtmpfs");
    path_put(&from);
    return err;
}

static int mount_new(struct maker *m, const struct sentry_mount *s) {
    unsigned flags = s->flags & ~(unsigned)LINUX_MS_RDONLY;
    struct superblock *sb = NULL;
    struct path at;
    int err = s->kind == SENTRY_DEVICE ? 0 : make_super(m, s, &sb);
    if (err < 0)
        return err;
    err = make_place(m, s->target, sentry_mount_on_dir(s));
    if (err < 0)
        return err;
    err = vfs_walk(&m->ctx, NULL, s->target, WALK_FOLLOW, &at);
    if (err < 0)
        return err;
    err = sb ? vfs_mount(m->vfs, sb, &at, flags, s->source) : bind_inner(m, s->source, &at, flags);
    path_put(&at);
    return err == 0 && s->flags & LINUX_MS_RDONLY ? note_read_only(m, s) : err;
}

// ---- What lies there already ------------------------------------------------------------------------------
static int hide_dir(struct maker *m, const struct path *at) {
    struct superblock *sb;
    int err = tmpfs_create(m->vfs, &(struct tmpfs_opts){.mode = 0555}, &sb);
    return err < 0 ? err : vfs_mount(m->vfs, sb, at, LINUX_MS_RDONLY, "tmpfs");
}
static int hide_file(struct maker *m, const struct path *at) { return bind_inner(m, "/dev/null", at, 0); }

static int change_place(struct maker *m, const struct sentry_mount *s) {
    struct path at;
    int err = vfs_walk(&m->ctx, NULL, s->target, WALK_FOLLOW, &at);
    if (err == -LINUX_ENOENT || err == -LINUX_ENOTDIR)
        return 0;
    if (err < 0)
        return err;
    if (s->kind == SENTRY_RDONLY)
        err = vfs_bind(m->vfs, &at, &at, at.mnt->flags | LINUX_MS_RDONLY, at.mnt->source);
    else
        err = inode_is_dir(at.dentry->inode) ? hide_dir(m, &at) : hide_file(m, &at);
    path_put(&at);
    return err;
}

int mounts_make(struct vfs *vfs, struct gofer_client *gofer, const struct sentry_config *c,
                struct mnt_ns **ns) {
    struct path root = {0};
    int err = mount_root(vfs, gofer, c, ns);
    if (err == 0)
        root = mnt_ns_root(ns ? *ns : vfs_first_ns(vfs));
    if (err < 0 || !root.mnt) {
        err = err < 0 ? err : -LINUX_ENOENT;
        log_error("mounting the root: %s", linux_strerror(-err));
        return err;
    }
    struct maker m = {
        vfs,
        gofer,
        {.vfs = vfs, .cred = {.caps = LINUX_CAP_ALL}, .root = root, .cwd = root, .fsize_limit = ~0ull}};
    m.read_only = xcalloc(c->nmounts + 1, sizeof *m.read_only);
    err = m.read_only ? 0 : -LINUX_ENOMEM;
    for (unsigned i = 0; err == 0 && i < c->nfiles; i++) {
        err = put_file(&m, &c->files[i]);
        if (err < 0)
            log_error("making %s: %s", c->files[i].path, linux_strerror(-err));
    }
    for (const struct sentry_mount *s = c->mounts; err == 0 && s < c->mounts + c->nmounts; s++) {
        bool there = s->kind == SENTRY_MASK || s->kind == SENTRY_RDONLY;
        err = there ? change_place(&m, s) : mount_new(&m, s);
        if (err < 0)
            log_error("mounting %s: %s", s->target, linux_strerror(-err));
    }
    for (unsigned i = 0; i < m.nread_only; i++) {
        m.read_only[i].mnt->flags |= LINUX_MS_RDONLY;
        path_put(&m.read_only[i]);
    }
    if (c->root_readonly)
        root.mnt->flags |= LINUX_MS_RDONLY;
    free(m.read_only);
    path_put(&root);
    return err;
}
