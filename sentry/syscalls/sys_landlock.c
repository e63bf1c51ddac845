// SPDX-License-Identifier: Apache-2.0
// landlock(7): landlock_create_ruleset landlock_add_rule landlock_restrict_self. Rulesets, domains and what
// they forbid are fs/landlock.h; a domain is a part of a task's credentials.
#include "abi/caps.h"
#include "fs/landlock.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/user_ns.h"
#include "sentry/syscalls/table.h"

#define LOG_FLAGS \
    (LINUX_LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF | LINUX_LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON | \
     LINUX_LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF)

static int64_t about(const struct sysargs *a, unsigned flags) {
    if (arg_given(a, 0) || arg_size(a, 1))
        return -LINUX_EINVAL;
    switch (flags) {
    case LINUX_LANDLOCK_CREATE_RULESET_VERSION:
        return LANDLOCK_VERSION;
    case LINUX_LANDLOCK_CREATE_RULESET_ERRATA:
        return LANDLOCK_ERRATA;
    default:
        return -LINUX_EINVAL;
    }
}

int64_t sys_landlock_create_ruleset(struct task *t, const struct sysargs *a) {
    struct linux_landlock_ruleset_attr attr;
    unsigned flags = arg_u32(a, 2);
    if (flags)
        return about(a, flags);
    if (!arg_given(a, 0))
        return -LINUX_EFAULT;
    int err =
        copy_in_struct(t, &attr, sizeof attr, arg_ptr(a, 0), arg_size(a, 1), sizeof attr.handled_access_fs);
    if (err < 0)
        return err;
    if ((attr.handled_access_fs & ~LANDLOCK_FS_ALL) || (attr.handled_access_net & ~LANDLOCK_NET_ALL) ||
        (attr.scoped & ~LANDLOCK_SCOPES))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = NULL;
    err = landlock_ruleset_open(t->k->vfs, &attr, &f);
    return err < 0 ? err : fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), true);
}

// Referenced; NULL with *err.
static struct file *ruleset_get(struct task *t, int fd, int *err) {
    struct file *f = fd_get_io(t->files, fd);
    *err = -LINUX_EBADF;
    if (!f)
        return NULL;
    if (landlock_is_ruleset(f))
        return f;
    *err = -LINUX_EBADFD;
    file_put(f);
    return NULL;
}

static int64_t add_path(struct task *t, struct file *ruleset, uaddr_t at) {
    struct linux_landlock_path_beneath_attr attr;
    if (copy_in_obj(t, &attr, at) < 0)
        return -LINUX_EFAULT;
    int err = landlock_check_access(ruleset, LINUX_LANDLOCK_RULE_PATH_BENEATH, attr.allowed_access);
    if (err)
        return err;
    struct file *f cleanup_file = fd_get(t->files, attr.parent_fd);
    return f ? landlock_add_path(ruleset, &f->path, attr.allowed_access) : -LINUX_EBADF;
}

static int64_t add_port(struct task *t, struct file *ruleset, uaddr_t at) {
    struct linux_landlock_net_port_attr attr;
    if (copy_in_obj(t, &attr, at) < 0)
        return -LINUX_EFAULT;
    int err = landlock_check_access(ruleset, LINUX_LANDLOCK_RULE_NET_PORT, attr.allowed_access);
    return err ? err : landlock_add_port(ruleset, attr.port, attr.allowed_access);
}

int64_t sys_landlock_add_rule(struct task *t, const struct sysargs *a) {
    int err;
    if (arg_u32(a, 3))
        return -LINUX_EINVAL;
    struct file *f cleanup_file = ruleset_get(t, arg_int(a, 0), &err);
    if (!f)
        return err;
    switch (arg_int(a, 1)) {
    case LINUX_LANDLOCK_RULE_PATH_BENEATH:
        return add_path(t, f, arg_ptr(a, 2));
    case LINUX_LANDLOCK_RULE_NET_PORT:
        return add_port(t, f, arg_ptr(a, 2));
    default:
        return -LINUX_EINVAL;
    }
}

int64_t sys_landlock_restrict_self(struct task *t, const struct sysargs *a) {
    int fd = arg_int(a, 0), err;
    unsigned flags = arg_u32(a, 1);
    if (!t->cred->no_new_privs && !task_own_capable(t, LINUX_CAP_SYS_ADMIN))
        return -LINUX_EPERM;
    if (flags & ~LOG_FLAGS)
        return -LINUX_EINVAL;
    if (fd == -1 && flags == LINUX_LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF)
        return 0;  // of the log alone, which there is not
    struct file *f cleanup_file = ruleset_get(t, fd, &err);
    if (!f)
        return err;
    struct landlock_domain *d;
    err = landlock_restrict(f, t->cred->landlock, &d);
    if (err)
        return err;
    struct cred *c = cred_dup(t->cred, t->cred->ngroups);
    if (!c) {
        landlock_put(d);
        return -LINUX_ENOMEM;
    }
    landlock_put(c->landlock);
    c->landlock = d;
    task_set_cred(t, c);
    return 0;
}
