// SPDX-License-Identifier: Apache-2.0
// File systems by descriptors: fsopen fspick fsconfig fsmount. A context collects options (fstype.h), makes a
// file system or changes one, and is mounted once. Each step is taken under the context's lock; what it is at
// is one of `enum phase`.
#include "abi/caps.h"
#include "abi/misc.h"
#include "abi/mount.h"
#include "base/fault.h"
#include "sentry/kernel.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/fstype.h"
#include "sentry/syscalls/mount_args.h"
#include "sentry/syscalls/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 256u  // of a key and of a value, with their NUL
#define LOG_LINES 8u    // kept until they are read

enum phase {
    CREATE_PARAMS,  // -> MADE, FAILED
    MADE,           // -> BETWEEN, when it is mounted
    CHANGE_PARAMS,  // -> BETWEEN, FAILED
    BETWEEN,        // -> CHANGE_PARAMS, with the next option
    FAILED,
};

struct fs_context {
    struct lock lock;  // RANK_FILE_POS
    enum phase phase;  // [lock], as all that follows
    struct fs_config config;
    struct superblock *sb;  // owned; NULL: there is none yet
    char *log[LOG_LINES];   // owned, the oldest first
    unsigned nlog;
};

// ---- The object -------------------------------------------------------------------------------------------
static void say(struct fs_context *c, const char *key) {
    char line[WORDS_MAX + 96];
    snprintf(line, sizeof line, "e %s: Unknown parameter '%s'\n", fs_config_type(&c->config), key);
    char *text = xstrdup(line);
    if (!text)
        return;
    if (c->nlog == LOG_LINES) {
        free(c->log[0]);
        memmove(c->log, c->log + 1, --c->nlog * sizeof *c->log);
    }
    c->log[c->nlog++] = text;
}

static int64_t context_read(struct file *f, struct uio *u, uint64_t off) {
    struct fs_context *c = f->priv;
    char *line = NULL;
    {
        LOCKED(&c->lock);
        if (c->nlog == 0)
            return -LINUX_ENODATA;
        line = c->log[0];
        memmove(c->log, c->log + 1, --c->nlog * sizeof *c->log);
    }
    size_t n = strlen(line);
    int64_t r = n > u->left ? -LINUX_EMSGSIZE : uio_to(u, line, n);
    free(line);
    return r;
}

static void context_free(struct fs_context *c) {
    if (c->sb)
        super_put(c->sb);
    fs_config_end(&c->config);
    for (unsigned i = 0; i < c->nlog; i++)
        free(c->log[i]);
    lock_destroy(&c->lock);
    free(c);
}
static void context_release(struct file *f) { context_free(f->priv); }

static const struct file_ops context_ops = {
    .read = context_read, .release = context_release, .seek = SEEK_NOWHERE};

// config and sb are taken over.
static int64_t install_context(struct task *t, enum phase phase, struct fs_config *config,
                               struct superblock *sb, bool cloexec) {
    struct fs_context *c = znew(struct fs_context);
    struct file *f;
    if (!c) {
        fs_config_end(config);
        if (sb)
            super_put(sb);
        return -LINUX_ENOMEM;
    }
    lock_init(&c->lock, RANK_FILE_POS);
    c->phase = phase;
    c->config = *config;
    c->sb = sb;
    int err = file_anon(t->k->vfs, "anon_inode:[fscontext]", NULL, &context_ops, c, LINUX_O_RDWR, &f);
    if (err < 0) {
        context_free(c);
        return err;
    }
    return install_fd(t, f, cloexec);
}

int64_t sys_fsopen(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1);
    char type[64];
    struct fs_config config;
    if (!may_mount(t))
        return -LINUX_EPERM;
    if (flags & ~LINUX_FSOPEN_CLOEXEC)
        return -LINUX_EINVAL;
    int64_t n = copy_in_str(t, type, arg_ptr(a, 0), sizeof type);
    if (n < 0)
        return n == -LINUX_ENAMETOOLONG ? -LINUX_ENODEV : n;
    int err = fs_config_begin(t, type, &config);
    if (err < 0)
        return err;
    return install_context(t, CREATE_PARAMS, &config, NULL, flags & LINUX_FSOPEN_CLOEXEC);
}

int64_t sys_fspick(struct task *t, const struct sysargs *a) {
    const unsigned known = LINUX_FSPICK_CLOEXEC | LINUX_FSPICK_SYMLINK_NOFOLLOW | LINUX_FSPICK_NO_AUTOMOUNT |
                           LINUX_FSPICK_EMPTY_PATH;
    unsigned flags = arg_u32(a, 2), at = 0;
    struct fs_config config;
    if (!may_mount(t))
        return -LINUX_EPERM;
    if (flags & ~known)
        return -LINUX_EINVAL;
    at |= flags & LINUX_FSPICK_SYMLINK_NOFOLLOW ? LINUX_AT_SYMLINK_NOFOLLOW : 0;
    at |= flags & LINUX_FSPICK_EMPTY_PATH ? LINUX_AT_EMPTY_PATH : 0;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    int err = at_walk(t, &ctx, arg_int(a, 0), arg_ptr(a, 1), at, at, &p);
    if (err < 0)
        return err;
    if (p.dentry != p.mnt->root)
        return -LINUX_EINVAL;
    err = fs_config_again(t, p.mnt->sb, &config);
    if (err < 0)
        return err;
    ref_get(&p.mnt->sb->active);
    return install_context(t, CHANGE_PARAMS, &config, p.mnt->sb, flags & LINUX_FSPICK_CLOEXEC);
}

// ---- fsconfig ---------------------------------------------------------------------------------------------
struct config_call {
    unsigned cmd;
    bool has_key, has_value;
    int aux;
    char key[WORDS_MAX], value[WORDS_MAX];
};

static int check_args(const struct config_call *c) {
    switch (c->cmd) {
    case LINUX_FSCONFIG_SET_FLAG:
        return !c->has_key || c->has_value || c->aux ? -LINUX_EINVAL : 0;
    case LINUX_FSCONFIG_SET_STRING:
        return !c->has_key || !c->has_value || c->aux ? -LINUX_EINVAL : 0;
    case LINUX_FSCONFIG_SET_BINARY:
        return !c->has_key || !c->has_value || c->aux <= 0 || c->aux > 1024 * 1024 ? -LINUX_EINVAL : 0;
    case LINUX_FSCONFIG_SET_PATH:
    case LINUX_FSCONFIG_SET_PATH_EMPTY:
        return !c->has_key || !c->has_value || (c->aux != LINUX_AT_FDCWD && c->aux < 0) ? -LINUX_EINVAL : 0;
    case LINUX_FSCONFIG_SET_FD:
        return !c->has_key || c->has_value || c->aux < 0 ? -LINUX_EINVAL : 0;
    case LINUX_FSCONFIG_CMD_CREATE:
    case LINUX_FSCONFIG_CMD_CREATE_EXCL:
    case LINUX_FSCONFIG_CMD_RECONFIGURE:
        return c->has_key || c->has_value || c->aux ? -LINUX_EINVAL : 0;
    default:
        return -LINUX_EOPNOTSUPP;
    }
}

// Too long is EINVAL here.
static int copy_word(struct task *t, char *to, uaddr_t from) {
    int64_t n = copy_in_str(t, to, from, WORDS_MAX);
    if (n == -LINUX_ENAMETOOLONG)
        return -LINUX_EINVAL;
    return n < 0 ? (int)n : 0;
}

static int create(struct task *t, struct fs_context *c) {
    if (c->phase != CREATE_PARAMS)
        return -LINUX_EBUSY;
    struct superblock *sb = NULL;
    int err = fs_config_make(t, &c->config, &sb);
    if (err == -LINUX_EPERM)
        return err;
    c->phase = err < 0 ? FAILED : MADE;
    c->sb = sb;
    return err;
}

static int reconfigure(struct task *t, struct fs_context *c) {
    if (c->phase != CHANGE_PARAMS)
        return -LINUX_EBUSY;
    int err = fs_config_apply(t, &c->config, c->sb);
    c->phase = err < 0 ? FAILED : BETWEEN;
    return err;
}

static int set_file(struct task *t, struct fs_context *c, const struct config_call *m) {
    struct file *f cleanup_file = fd_get(t->files, m->aux);
    return f ? fs_config_file(t, &c->config, m->key, &f->path) : -LINUX_EBADF;
}
static int set(struct task *t, struct fs_context *c, const struct config_call *m) {
    if (c->phase != CREATE_PARAMS && c->phase != CHANGE_PARAMS)
        return -LINUX_EBUSY;
    if (m->cmd == LINUX_FSCONFIG_SET_FD)
        return set_file(t, c, m);
    if (m->cmd != LINUX_FSCONFIG_SET_FLAG && m->cmd != LINUX_FSCONFIG_SET_STRING)
        return -LINUX_EINVAL;  // no file system here has an option that is a path or bytes
    const char *value = m->cmd == LINUX_FSCONFIG_SET_STRING ? m->value : NULL;
    int err = fs_config_param(t, &c->config, m->key, value);
    if (err == -LINUX_EINVAL)
        say(c, m->key);
    return err;
}

static int next_round(struct task *t, struct fs_context *c) {
    if (c->phase != BETWEEN)
        return 0;
    fs_config_end(&c->config);
    c->phase = CHANGE_PARAMS;
    return fs_config_again(t, c->sb, &c->config);
}

static int do_fsconfig(struct task *t, struct fs_context *c, const struct config_call *m) {
    LOCKED(&c->lock);
    int err = next_round(t, c);
    if (err < 0)
        return err;
    switch (m->cmd) {
    case LINUX_FSCONFIG_CMD_CREATE:
    case LINUX_FSCONFIG_CMD_CREATE_EXCL:
        return create(t, c);
    case LINUX_FSCONFIG_CMD_RECONFIGURE:
        return reconfigure(t, c);
    default:
        return set(t, c, m);
    }
}

int64_t sys_fsconfig(struct task *t, const struct sysargs *a) {
    struct config_call m = {.cmd = arg_u32(a, 1),
                            .has_key = !uaddr_is_null(arg_ptr(a, 2)),
                            .has_value = !uaddr_is_null(arg_ptr(a, 3)),
                            .aux = arg_int(a, 4)};
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    int err = check_args(&m);
    if (err < 0)
        return err;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (f->ops != &context_ops)
        return -LINUX_EINVAL;
    err = m.has_key ? copy_word(t, m.key, arg_ptr(a, 2)) : 0;
    if (err == 0 && m.cmd == LINUX_FSCONFIG_SET_STRING)
        err = copy_word(t, m.value, arg_ptr(a, 3));
    return err < 0 ? err : do_fsconfig(t, f->priv, &m);
}

// ---- fsmount ----------------------------------------------------------------------------------------------
static int attr_of(uint32_t attr, unsigned *flags) {
    const uint32_t known = LINUX_MOUNT_ATTR_RDONLY | LINUX_MOUNT_ATTR_NOSUID | LINUX_MOUNT_ATTR_NODEV |
                           LINUX_MOUNT_ATTR_NOEXEC | LINUX_MOUNT_ATTR_ATIME | LINUX_MOUNT_ATTR_NODIRATIME |
                           LINUX_MOUNT_ATTR_NOSYMFOLLOW;
    if (attr & ~known)
        return -LINUX_EINVAL;
    *flags = mount_flags_of_attr(attr);
    switch (attr & LINUX_MOUNT_ATTR_ATIME) {
    case LINUX_MOUNT_ATTR_STRICTATIME:
        return 0;
    case LINUX_MOUNT_ATTR_NOATIME:
        *flags |= LINUX_MS_NOATIME;
        return 0;
    case LINUX_MOUNT_ATTR_RELATIME:
        *flags |= LINUX_MS_RELATIME;
        return 0;
    default:
        return -LINUX_EINVAL;
    }
}

static int mount_it(struct task *t, struct fs_context *c, unsigned flags, struct path *out) {
    LOCKED(&c->lock);
    if (!c->sb)
        return -LINUX_EINVAL;
    if (c->phase != MADE)
        return -LINUX_EBUSY;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    int err = vfs_mount_nowhere(ns, c->sb, flags, c->config.source, out);
    mnt_ns_put(ns);
    if (err == 0)
        c->phase = BETWEEN;
    return err;
}

int64_t sys_fsmount(struct task *t, const struct sysargs *a) {
    unsigned flags = arg_u32(a, 1), mount_flags;
    if (!may_mount(t))
        return -LINUX_EPERM;
    if (flags & ~LINUX_FSMOUNT_CLOEXEC)
        return -LINUX_EINVAL;
    int err = attr_of(arg_u32(a, 2), &mount_flags);
    if (err < 0)
        return err;
    struct file *f cleanup_file = fd_get_io(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    if (f->ops != &context_ops)
        return -LINUX_EINVAL;
    TASK_VFS_CTX(t, ctx);
    struct path p cleanup_path = {0};
    err = mount_it(t, f->priv, mount_flags, &p);
    return err < 0 ? err : install_place(t, &ctx, &p, true, flags & LINUX_FSMOUNT_CLOEXEC);
}
