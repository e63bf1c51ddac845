// SPDX-License-Identifier: Apache-2.0
// /dev: a tmpfs born with the usual nodes. Their contents are the sentry's own; no device of the host is
// reached.
// LIMIT: /dev/console cannot be opened; other device nodes than those of /dev are inert.
#include "abi/caps.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/fuse.h"
#include "base/clock.h"
#include "fs/fuse/ask.h"
#include "fs/tmpfs/node.h"
#include "fs/tty/pty.h"

static char zeros[UIO_BOUNCE];  // never written
static int (*tty_open_fn)(struct file *f, const struct vfs_ctx *ctx);
void devfs_set_tty(int (*open_tty)(struct file *f, const struct vfs_ctx *ctx)) { tty_open_fn = open_tty; }

static int64_t null_read(struct file *f, struct uio *u, uint64_t off) { return 0; }
static int64_t swallow(struct file *f, struct uio *u, uint64_t off) {
    int64_t n = (int64_t)u->left;
    u->left = 0;
    return n;
}
// All that is asked for, a buffer at a time; random: filled anew each time, one getrandom(2) for 64 KiB.
static int64_t give(struct uio *u, char *buf, size_t size, bool random) {
    int64_t done = 0;
    while (u->left > 0) {
        size_t want = u->left < size ? u->left : size;
        if (random)
            random_bytes(buf, want);
        int64_t n = uio_to(u, buf, want);
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((size_t)n < want)
            break;
    }
    return done;
}
static int64_t zero_read(struct file *f, struct uio *u, uint64_t off) {
    return give(u, zeros, sizeof zeros, false);
}
static int64_t full_write(struct file *f, struct uio *u, uint64_t off) { return u->left ? -LINUX_ENOSPC : 0; }
static int64_t random_read(struct file *f, struct uio *u, uint64_t off) {
    char *buf = uio_bounce();
    return buf ? give(u, buf, UIO_BOUNCE, true) : -LINUX_ENOMEM;
}
static int zero_mmap(struct file *f, int prot, bool shared) { return VFS_MMAP_ANON; }
// These have no end to seek to: any offset is as good.
static int64_t dev_llseek(struct file *f, int64_t off, int whence) { return 0; }

static const struct file_ops null_ops = {.read = null_read, .write = swallow, .llseek = dev_llseek};
static const struct file_ops zero_ops = {
    .read = zero_read, .write = swallow, .llseek = dev_llseek, .mmap_fd = zero_mmap};
static const struct file_ops full_ops = {.read = zero_read, .write = full_write, .llseek = dev_llseek};
static int64_t random_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    const int32_t bits = 256;
    return cmd == LINUX_RNDGETENTCNT ? ua->out(ua, uaddr(arg), &bits, sizeof bits) : -LINUX_ENOTTY;
}
static const struct file_ops random_ops = {
    .read = random_read, .write = swallow, .llseek = dev_llseek, .ioctl = random_ioctl};

static int open_callers_tty(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    f->mode &= ~FMODE_SEEK;
    return tty_open_fn ? tty_open_fn(f, ctx) : -LINUX_ENXIO;
}
static const struct inode_ops tty_inode_ops = {
    .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .evict = tmpfs_evict, .open = open_callers_tty};
static const struct inode_ops ptmx_ops = {
    .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .evict = tmpfs_evict, .open = ptmx_open};

static const struct inode_ops fuse_node_ops = {
    .getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .evict = tmpfs_evict, .open = fuse_dev_open};

static const struct {
    const char *name;
    uint32_t mode;
    unsigned major, minor;
    const struct file_ops *fops;
} devices[] = {
    {"null", 0666, 1, 3, &null_ops},
    {"zero", 0666, 1, 5, &zero_ops},
    {"full", 0666, 1, 7, &full_ops},
    {"random", 0666, 1, 8, &random_ops},
    {"urandom", 0666, 1, 9, &random_ops},
    {"tty", 0666, 5, 0, NULL},
    {"console", 0600, 5, 1, NULL},
    {"ptmx", 0666, 5, 2, NULL},
    {"fuse", 0666, LINUX_FUSE_DEV_MAJOR, LINUX_FUSE_DEV_MINOR, NULL},
};

void devfs_attach(struct inode *i) {
    for (size_t k = 0; k < sizeof devices / sizeof *devices; k++)
        if (i->attr.rdev == LINUX_MKDEV(devices[k].major, devices[k].minor))
            i->fops = devices[k].fops;
    if (i->attr.rdev == LINUX_MKDEV(5, 0))
        i->ops = &tty_inode_ops;
    if (i->attr.rdev == LINUX_MKDEV(5, 2))
        i->ops = &ptmx_ops;
    if (i->attr.rdev == LINUX_MKDEV(LINUX_FUSE_DEV_MAJOR, LINUX_FUSE_DEV_MINOR))
        i->ops = &fuse_node_ops;
}
static int add_device(struct inode *dir, size_t k) {
    struct vfs_attr a = {.mode = LINUX_S_IFCHR | devices[k].mode, .nlink = 1};
    a.rdev = LINUX_MKDEV(devices[k].major, devices[k].minor);
    struct inode *i = tnode_new(dir->sb, &a);
    if (i)
        devfs_attach(i);
    return tmpfs_add(dir, devices[k].name, i);
}
static int add_link(struct inode *dir, const char *name, const char *target) {
    struct vfs_attr a = {.mode = LINUX_S_IFLNK | 0777, .nlink = 1};
    while (target[a.size])
        a.size++;
    struct inode *i = tnode_new(dir->sb, &a);
    if (i && !(tnode(i)->target = xstrdup(target))) {
        inode_put(i);
        i = NULL;
    }
    return tmpfs_add(dir, name, i);
}
static int add_dir(struct inode *dir, const char *name, uint32_t mode) {
    struct vfs_attr a = {.mode = LINUX_S_IFDIR | mode, .nlink = 2};
    return tmpfs_add(dir, name, tnode_new(dir->sb, &a));
}

static int populate(struct inode *root) {
    static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                           {"stdin", "/proc/self/fd/0"},
                                           {"stdout", "/proc/self/fd/1"},
                                           {"stderr", "/proc/self/fd/2"}};
    for (size_t k = 0; k < sizeof devices / sizeof *devices; k++) {
        int err = add_device(root, k);
        if (err)
            return err;
    }
    for (size_t k = 0; k < sizeof links / sizeof *links; k++) {
        int err = add_link(root, links[k][0], links[k][1]);
        if (err)
            return err;
    }
    int err = add_dir(root, "shm", 01777);
    return err ? err : add_dir(root, "pts", 0755);
}
int devfs_create(struct vfs *vfs, struct superblock **out) {
    struct tmpfs_opts o = {.mode = 0755};
    struct superblock *sb;
    int err = tmpfs_create(vfs, &o, &sb);
    if (err)
        return err;
    sb->type = "devtmpfs";
    err = populate(sb->root->inode);
    if (err) {
        super_put(sb);
        return err;
    }
    *out = sb;
    return 0;
}
