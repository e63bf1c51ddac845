// SPDX-License-Identifier: Apache-2.0
// Pseudo-terminals (man 7 pty): opening /dev/ptmx makes a terminal in the devpts that belongs to that node,
// and a master, which is the terminal's far end. The terminal lives while it is open or anybody's controlling
// terminal; its name goes with the master.
#include "fs/tty/pty.h"
#include "abi/caps.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "fs/core.h"
#include "fs/tmpfs/node.h"
#include <stdio.h>

static struct pty *pty_of(struct ctty *c) { return container_of(c, struct pty, tty.ctl); }

// ---- The terminal -----------------------------------------------------------------------------------------
static int open_near(struct ctty *c, struct file *f) { return tty_open(&pty_of(c)->tty, f); }
static void hang_up(struct ctty *c) { tty_hangup(&pty_of(c)->tty); }
static void pty_free(struct ctty *c) {
    struct pty *p = pty_of(c);
    tty_destroy(&p->tty);
    free(p);
}
static const struct ctty_ops pty_ctty_ops = {.open = open_near, .hangup = hang_up, .free = pty_free};

int pty_init(struct pty *p, unsigned index) {
    p->index = index;
    p->tty.locked = true;
    return tty_init(&p->tty, &pty_ctty_ops, LINUX_MKDEV(136, index));
}

// ---- The master -------------------------------------------------------------------------------------------
static int64_t master_read(struct file *f, struct uio *u, uint64_t off) {
    return tty_far_read(&((struct pty *)f->priv)->tty, u);
}
static int64_t master_write(struct file *f, struct uio *u, uint64_t off) {
    return tty_far_write(&((struct pty *)f->priv)->tty, u);
}
static uint32_t master_poll(struct file *f, struct waiter *w) {
    return tty_far_poll(&((struct pty *)f->priv)->tty, w);
}
static uint32_t master_async(struct file *f) { return LINUX_POLLIN | LINUX_POLLOUT; }
static void master_release(struct file *f) {
    struct pty *p = f->priv;
    if (!p)
        return;
    devpts_remove(p);
    tty_far_close(&p->tty);
    super_put(p->sb);
    ctty_put(&p->tty.ctl);
}

static int64_t set_flag(struct tty *t, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    int32_t on;
    int err = ua->in(ua, &on, uaddr(arg), sizeof on);
    if (err)
        return err;
    LOCKED(&t->lock);
    if (cmd == LINUX_TIOCSPTLCK) {
        t->locked = on;
        return 0;
    }
    if (on && !t->packet)
        t->packet_status = 0;
    t->packet = on;
    return 0;
}
static int32_t number_of(struct pty *p, unsigned cmd) {
    LOCKED(&p->tty.lock);
    switch (cmd) {
    case LINUX_TIOCGPTN:
        return (int32_t)p->index;
    case LINUX_TIOCGPTLCK:
        return p->tty.locked;
    default:  // TIOCGPKT
        return p->tty.packet;
    }
}
static int64_t get_number(struct pty *p, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    int32_t value = number_of(p, cmd);
    return ua->out(ua, uaddr(arg), &value, sizeof value);
}
static int64_t send_signal(struct tty *t, uint64_t arg) {
    int sig = (int)arg;
    if (sig != LINUX_SIGINT && sig != LINUX_SIGQUIT && sig != LINUX_SIGTSTP)
        return -LINUX_EINVAL;
    ctty_signal(&t->ctl, sig);
    return 0;
}
static int64_t master_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua) {
    struct pty *p = f->priv;
    switch (cmd) {
    case LINUX_TIOCSPTLCK:
    case LINUX_TIOCPKT:
        return set_flag(&p->tty, cmd, arg, ua);
    case LINUX_TIOCGPTN:
    case LINUX_TIOCGPTLCK:
    case LINUX_TIOCGPKT:
        return get_number(p, cmd, arg, ua);
    case LINUX_TIOCSIG:
        return send_signal(&p->tty, arg);
    default:
        return tty_far_ioctl(&p->tty, f, cmd, arg, ua);
    }
}
static const struct file_ops master_ops = {
    .read = master_read,
    .write = master_write,
    .poll = master_poll,
    .async = master_async,
    .ioctl = master_ioctl,
    .release = master_release,
};
bool pty_is_master(const struct file *f) { return f->ops == &master_ops; }

// ---- Opening ----------------------------------------------------------------------------------------------
static struct path directory_of(struct vfs *vfs, const struct path *p) {
    LOCKED(&vfs->dcache);
    struct path dir = {p->mnt, p->dentry->parent};
    path_get(&dir);
    return dir;
}
// The devpts that a ptmx node belongs to: its own, or else the one that is mounted on "pts" beside it. *root
// is owned.
static int instance_of(const struct path *ptmx, struct path *root) {
    if (sb_is_devpts(ptmx->dentry->sb)) {
        *root = (struct path){ptmx->mnt, ptmx->dentry->sb->root};
        path_get(root);
        return 0;
    }
    struct vfs *vfs = ptmx->dentry->sb->vfs;
    struct path dir = directory_of(vfs, ptmx);
    struct vfs_ctx ctx = {.vfs = vfs, .cred = {.caps = LINUX_CAP_FULL_SET}, .root = dir, .cwd = dir};
    int err = vfs_walk(&ctx, &dir, "pts", WALK_DIRECTORY | WALK_NO_LINKS, root);
    path_put(&dir);
    if (err)
        return -LINUX_ENODEV;
    if (sb_is_devpts(root->dentry->sb) && root->dentry == root->dentry->sb->root)
        return 0;
    path_put(root);
    return -LINUX_ENODEV;
}
int ptmx_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx) {
    struct path root;
    struct pty *p;
    int err = instance_of(&f->path, &root);
    if (err)
        return err;
    err = devpts_new(root.dentry->sb, ctx, &p);
    path_put(&root);
    if (err)
        return err;
    f->mode &= ~FMODE_SEEK;
    f->ops = &master_ops;
    f->priv = p;
    return 0;
}
int pty_open_peer(const struct vfs_ctx *ctx, struct file *f, unsigned flags, struct file **out) {
    struct pty *p = f->priv;
    struct path root, at;
    char name[16];
    int err = instance_of(&f->path, &root);
    if (err)
        return err;
    snprintf(name, sizeof name, "%u", p->index);
    struct vfs_ctx all = *ctx;
    all.cred.caps =
        LINUX_CAP_FULL_SET;  // whoever has the master needs no path to the terminal, and no right to it
    err = root.dentry->sb == p->sb ? vfs_walk(&all, &root, name, 0, &at) : -LINUX_ENODEV;
    path_put(&root);
    if (err)
        return err;
    err = vfs_open_path(&all, &at, flags, out);
    path_put(&at);
    return err;
}
