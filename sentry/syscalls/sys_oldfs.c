// SPDX-License-Identifier: Apache-2.0
// Old calls about file systems: sysfs(2), by number and name, and ustat(2), by device.
#include "fs/mnt_ns.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/procfs/procfs.h"
#include "sentry/syscalls/table.h"
#include <string.h>

#define FS_NAME_MAX 32

// The name in the index-th line of /proc/filesystems, behind its tab; its length, or 0 behind the last.
static size_t fs_name(unsigned index, const char **name) {
    const char *s = procfs_filesystems;
    for (; *s; s = strchr(s, '\n') + 1) {
        const char *tab = strchr(s, '\t') + 1;
        if (index-- == 0) {
            *name = tab;
            return (size_t)(strchr(tab, '\n') - tab);
        }
    }
    return 0;
}

static int64_t index_of(struct task *t, uaddr_t at) {
    char want[FS_NAME_MAX];
    const char *name;
    size_t n;
    int64_t len = copy_in_str(t, want, at, sizeof want);
    if (len == -LINUX_EFAULT)
        return len;
    for (unsigned i = 0; len > 0 && (n = fs_name(i, &name)); i++)
        if (n == (size_t)len && !memcmp(want, name, n))
            return i;
    return -LINUX_EINVAL;
}

static int64_t name_of(struct task *t, unsigned index, uaddr_t to) {
    char text[FS_NAME_MAX] = "";
    const char *name;
    size_t n = fs_name(index, &name);
    if (n == 0)
        return -LINUX_EINVAL;
    memcpy(text, name, n < sizeof text ? n : sizeof text - 1);
    return copy_out(t, to, text, n + 1);
}

int64_t sys_sysfs(struct task *t, const struct sysargs *a) {
    const char *name;
    unsigned n = 0;
    switch (arg_int(a, 0)) {
    case 1:
        return index_of(t, arg_ptr(a, 1));
    case 2:
        return name_of(t, arg_u32(a, 1), arg_ptr(a, 2));
    case 3:
        while (fs_name(n, &name))
            n++;
        return n;
    default:
        return -LINUX_EINVAL;
    }
}

struct linux_ustat {
    int32_t tfree, pad;
    uint64_t tinode;
    char fname[6], fpack[6];
    uint32_t pad2;
};
_Static_assert(sizeof(struct linux_ustat) == 32, "struct ustat of x86-64");

// As mknod(2) has it.
static int statfs_of_dev(struct mnt_ns *ns, uint32_t dev, struct linux_statfs *out) {
    int err = -LINUX_EINVAL;
    for (struct mount *m = mnt_ns_next(ns, 0), *next; m; m = next) {
        if (err == -LINUX_EINVAL && (uint32_t)m->sb->dev == dev)
            err = vfs_statfs(&(struct path){.mnt = m, .dentry = m->root}, out);
        next = err == -LINUX_EINVAL ? mnt_ns_next(ns, m->number + 1) : NULL;
        mount_put(m);
    }
    return err;
}

int64_t sys_ustat(struct task *t, const struct sysargs *a) {
    struct linux_statfs fs;
    struct mnt_ns *ns = fs_ctx_ns(t->fs);
    int err = statfs_of_dev(ns, arg_u32(a, 0), &fs);
    mnt_ns_put(ns);
    if (err < 0)
        return err;
    const struct linux_ustat u = {.tfree = (int32_t)fs.f_bfree, .tinode = fs.f_ffree};
    return copy_out_obj(t, arg_ptr(a, 1), &u);
}
