// SPDX-License-Identifier: Apache-2.0
// How the gofer reaches host objects. A name is one component, opened with openat2(2) as O_PATH|O_NOFOLLOW
// beneath its directory: no "..", no symlink, no magic link is ever followed, so there is nothing to race
// with. An O_PATH descriptor has no effect on what it names (no device is opened, no fifo is joined). Only
// after fstat says "regular file" or "directory" is that same inode opened for I/O: a directory as "." of
// itself, a file through /proc/self/fd (reopening by name could meet a device that was swapped in).
//
// Mounts below a root are crossed on purpose (/tmp or /home may be mounts), so RESOLVE_NO_XDEV is not used.
// Crossing into a kernel's file system (procfs, sysfs, /dev ...) turns the object into KIND_MASKED: an empty
// directory, a file that cannot be opened. The sentry mounts its own there.
#include "abi/errno.h"
#include "base/clock.h"
#include "gofer/server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define RESOLVE_CHILD (RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS)

// File systems through which the host's kernel speaks, or which would act (autofs) when they are entered.
static const uint32_t masked_magic[] = {
    0x00009fa0,  // proc
    0x62656572,  // sysfs
    0x00001cd1,  // devpts
    0x0027e0eb,  // cgroup
    0x63677270,  // cgroup2
    0x64626720,  // debugfs
    0x74726163,  // tracefs
    0x73636673,  // securityfs
    0xf97cff8c,  // selinuxfs
    0x43415d53,  // smackfs
    0x6165676c,  // pstore
    0xcafe4a11,  // bpf
    0xde5e81e4,  // efivarfs
    0x42494e4d,  // binfmt_misc
    0x62656570,  // configfs
    0x65735543,  // fusectl
    0x6e736673,  // nsfs
    0x19800202,  // mqueue
    0x958458f6,  // hugetlbfs
    0x00000187,  // autofs
    0x67596969,  // rpc_pipefs
    0x6e667364,  // nfsd
    0x6c6f6f70,  // binder
    0x07655821,  // resctrl
    0xabba1974,  // xenfs
    0x00009fa2,  // usbdevfs
};

void obj_close(struct gofer_obj *o) {
    if (o->owned && o->fd >= 0)
        close(o->fd);
    o->fd = -1;
    o->owned = false;
}

int gofer_openat2(int dir, const char *name, int flags, mode_t mode, uint64_t resolve) {
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC | O_NOCTTY,
        .mode = mode,
        .resolve = resolve,
    };
    if (flags & O_PATH)
        how.flags &= ~(uint64_t)O_NOCTTY;  // openat2 refuses the two together
    long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
    return fd < 0 ? -errno : (int)fd;
}

static uint64_t ns_of(const struct statx_timestamp *t) { return (uint64_t)time_ns(t->tv_sec, t->tv_nsec); }

static void attr_of(const struct statx *x, struct gofer_attr *a) {
    *a = (struct gofer_attr){
        .dev = makedev(x->stx_dev_major, x->stx_dev_minor),
        .ino = x->stx_ino,
        .size = x->stx_size,
        .blocks = x->stx_blocks,
        .rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
        .atime = ns_of(&x->stx_atime),
        .mtime = ns_of(&x->stx_mtime),
        .ctime = ns_of(&x->stx_ctime),
        .btime = x->stx_mask & STATX_BTIME ? ns_of(&x->stx_btime) : 0,
        .mode = x->stx_mode,
        .nlink = x->stx_nlink,
        .uid = x->stx_uid,
        .gid = x->stx_gid,
        .blksize = x->stx_blksize,
    };
}

// Attributes of `name` below `fd` (or of fd itself, name ""), with no effect on the object.
int gofer_statx(int fd, const char *name, struct gofer_attr *a) {
    struct statx x;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] ? 0 : AT_EMPTY_PATH);
    if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
        return -errno;
    attr_of(&x, a);
    return 0;
}

static void mask_attr(struct gofer_attr *a) {
    bool dir = S_ISDIR(a->mode);
    *a = (struct gofer_attr){
        .dev = a->dev,
        .ino = a->ino,
        .mode = dir ? S_IFDIR | 0555 : (a->mode & S_IFMT),
        .nlink = dir ? 2 : 1,
        .blksize = 4096,
    };
}

int obj_stat(struct gofer_server *s, const struct gofer_obj *o, struct gofer_attr *a) {
    int err = gofer_statx(o->fd, "", a);
    if (err)
        return err;
    gofer_ids_show(s, o->root, a);
    if (o->kind == KIND_MASKED)
        mask_attr(a);
    return 0;
}

static int is_masked(const struct gofer_server *s, const struct gofer_obj *o) {
    for (unsigned i = 0; i < s->nmasked; i++)
        if (s->masked_dev[i] == o->dev)
            return 1;
    struct statfs fs;
    if (fstatfs(o->fd, &fs) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(masked_magic) / sizeof(masked_magic[0]); i++)
        if (masked_magic[i] == (uint32_t)fs.f_type)
            return 1;
    return 0;
}

// Fills kind and dev of a freshly opened object. The file system's type is looked at only where the device
// number differs from that of the directory it was found in (parent_dev; 0: always).
int obj_classify(struct gofer_server *s, struct gofer_obj *o, uint64_t parent_dev, struct gofer_attr *a) {
    struct gofer_attr local;
    if (!a)
        a = &local;
    int err = gofer_statx(o->fd, "", a);
    if (err)
        return err;
    gofer_ids_show(s, o->root, a);
    o->dev = a->dev;
    switch (a->mode & S_IFMT) {
    case S_IFDIR:
        o->kind = KIND_DIR;
        break;
    case S_IFREG:
        o->kind = KIND_FILE;
        break;
    case S_IFLNK:
        o->kind = KIND_LINK;
        break;
    default:
        o->kind = KIND_OTHER;
    }
    if (parent_dev == o->dev)
        return 0;
    int masked = is_masked(s, o);
    if (masked < 0)
        return masked;
    if (masked) {
        o->kind = KIND_MASKED;
        mask_attr(a);
    }
    return 0;
}

int obj_child(struct gofer_server *s, const struct gofer_obj *dir, const char *name, struct gofer_obj *out,
              struct gofer_attr *a) {
    if (dir->kind == KIND_MASKED)
        return -LINUX_ENOENT;
    if (dir->kind != KIND_DIR)
        return -LINUX_ENOTDIR;
    int err = gofer_ids_may(s, dir, 1);
    if (err)
        return err;
    int fd = gofer_openat2(dir->fd, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_CHILD);
    if (fd < 0)
        return fd;
    struct gofer_obj o = {.fd = fd, .owned = true, .root = dir->root};
    err = obj_classify(s, &o, dir->dev, a);
    if (err) {
        obj_close(&o);
        return err;
    }
    *out = o;
    return 0;
}

int obj_at(struct gofer_server *s, uint64_t handle, const struct gofer_str *name, struct gofer_obj *out) {
    const struct gofer_obj *h = handle_get(s, handle);
    if (!h)
        return -LINUX_EBADF;
    if (name->n)
        return obj_child(s, h, name->p, out, NULL);
    *out = *h;
    out->owned = false;
    return 0;
}

int obj_dir_write(struct gofer_server *s, uint64_t handle, struct gofer_obj *out) {
    static const struct gofer_str self;
    int err = obj_at(s, handle, &self, out);
    if (err)
        return err;
    if (out->kind == KIND_MASKED)
        return -LINUX_EACCES;
    return out->kind == KIND_DIR ? gofer_ids_may(s, out, 3) : -LINUX_ENOTDIR;
}

int obj_proc_name(const struct gofer_obj *o, char buf[16]) { return snprintf(buf, 16, "%d", o->fd); }

// A file that may be executed is read for it.
static int may_open(const struct gofer_server *s, const struct gofer_obj *o, int flags) {
    int how = flags & O_ACCMODE;
    if (how == O_RDONLY && !(flags & O_TRUNC) && o->kind == KIND_FILE && gofer_ids_may(s, o, 1) == 0)
        return 0;
    return gofer_ids_may(s, o, (how == O_WRONLY ? 0 : 4) | (how != O_RDONLY || flags & O_TRUNC ? 2 : 0));
}

int obj_reopen(struct gofer_server *s, const struct gofer_obj *o, int flags) {
    int err = may_open(s, o, flags);
    if (err)
        return err;
    switch (o->kind) {
    case KIND_DIR:
        return gofer_openat2(o->fd, ".", flags | O_DIRECTORY, 0, RESOLVE_CHILD);
    case KIND_FILE: {
        char name[16];
        obj_proc_name(o, name);
        return gofer_openat2(s->proc_fd, name, flags, 0, 0);
    }
    case KIND_LINK:
        return -LINUX_ELOOP;
    case KIND_OTHER:
        return -LINUX_ENXIO;
    default:
        return -LINUX_EACCES;
    }
}
