// SPDX-License-Identifier: Apache-2.0
// memfd_create(2): a tmpfs file without a name, on an unlimited tmpfs that nobody has mounted; and file
// seals, which any memfd made for them can carry. The file becomes a host memfd when it is mapped or grows
// (fs/tmpfs/data.c).
// LIMIT: no huge pages.
#include "abi/mman.h"
#include "fs/tmpfs/node.h"
#include <stdio.h>
#include <string.h>

#define ALL_SEALS                                                                                            \
    (LINUX_F_SEAL_SEAL | LINUX_F_SEAL_SHRINK | LINUX_F_SEAL_GROW | LINUX_F_SEAL_WRITE |                      \
     LINUX_F_SEAL_FUTURE_WRITE | LINUX_F_SEAL_EXEC)

static int check_request(const char *name, unsigned flags) {
    const unsigned known =
        LINUX_MFD_CLOEXEC | LINUX_MFD_ALLOW_SEALING | LINUX_MFD_NOEXEC_SEAL | LINUX_MFD_EXEC;
    if (flags & ~known ||
        (flags & (LINUX_MFD_EXEC | LINUX_MFD_NOEXEC_SEAL)) == (LINUX_MFD_EXEC | LINUX_MFD_NOEXEC_SEAL))
        return -LINUX_EINVAL;
    return strnlen(name, LINUX_NAME_MAX) > LINUX_NAME_MAX - 6 ? -LINUX_EINVAL : 0;  // with "memfd:"
}
static unsigned first_seals(unsigned flags) {
    if (flags & LINUX_MFD_NOEXEC_SEAL)
        return LINUX_F_SEAL_EXEC;
    return flags & LINUX_MFD_ALLOW_SEALING ? 0 : LINUX_F_SEAL_SEAL;
}
int memfd_open(struct vfs *vfs, const char *name, unsigned flags, struct file **out) {
    char text[LINUX_NAME_MAX + 32];
    int err = check_request(name, flags);
    if (err)
        return err;
    bool noexec = flags & LINUX_MFD_NOEXEC_SEAL;
    // LIMIT: owned by root; the caller of memfd_create passes its credentials through vfs_chown() when that
    // matters.
    struct vfs_attr a = {.mode = LINUX_S_IFREG | (noexec ? 0666 : 0777)};
    struct inode *i = tnode_new(vfs->shm->sb, &a);
    if (!i)
        return -LINUX_ENOMEM;
    struct tnode *n = tnode(i);
    n->can_seal = true;
    n->seals = first_seals(flags);
    snprintf(text, sizeof text, "/memfd:%s (deleted)", name);
    struct dentry *d = dentry_new(vfs->shm->sb, NULL, text, strlen(text));
    if (!d) {
        inode_put(i);
        return -LINUX_ENOMEM;
    }
    d->inode = i;
    struct path p = {mount_get(vfs->shm), d};
    struct file *f = file_new(vfs, &p, LINUX_O_RDWR | LINUX_O_LARGEFILE,
                              FMODE_READ | FMODE_WRITE | FMODE_SEEK | FMODE_UNCOUNTED);
    if (!f) {
        path_put(&p);
        return -LINUX_ENOMEM;
    }
    f->ops = i->fops;
    *out = f;
    return 0;
}

static struct tnode *sealable(struct file *f) {
    return f->ops == &tmpfs_file_fops && tnode(f->inode)->can_seal ? tnode(f->inode) : NULL;
}
// Files of tmpfs that have names cannot be sealed: they say that they are sealed against it.
static bool is_tmpfs_file(const struct file *f) {
    return inode_is_reg(f->inode) && f->inode->sb->magic == LINUX_TMPFS_MAGIC;
}
int memfd_get_seals(struct file *f) {
    struct tnode *n = sealable(f);
    if (!n && is_tmpfs_file(f))
        return LINUX_F_SEAL_SEAL;
    if (!n)
        return -LINUX_EINVAL;
    LOCKED(&f->inode->lock);
    return (int)n->seals;
}
// Against writing. Our count of shared maps says what guests did; that no process has one left, by whatever
// it has told us of its own, only the host can say.
static int seal_write(struct tnode *n) {
    if (atomic_load(&n->shared_maps) > 0)
        return -LINUX_EBUSY;
    int err = tdata_seal_write(n);
    return err == -LINUX_EBUSY ? -LINUX_EAGAIN : err;
}
int memfd_add_seals(struct file *f, unsigned seals) {
    struct tnode *n = sealable(f);
    if (!(f->mode & FMODE_WRITE))
        return -LINUX_EPERM;
    if (!n && is_tmpfs_file(f) && !(seals & ~(unsigned)ALL_SEALS))
        return -LINUX_EPERM;
    if (!n || seals & ~(unsigned)ALL_SEALS)
        return -LINUX_EINVAL;
    LOCKED(&f->inode->lock);
    if (n->seals & LINUX_F_SEAL_SEAL)
        return -LINUX_EPERM;
    int err = (seals & LINUX_F_SEAL_WRITE) && !(n->seals & LINUX_F_SEAL_WRITE) ? seal_write(n) : 0;
    if (err)
        return err;
    // Sealing the exec bit of an executable file implies the write seals, memfd_create(2).
    if ((seals & LINUX_F_SEAL_EXEC) && (f->inode->attr.mode & 0111))
        seals |= LINUX_F_SEAL_SHRINK | LINUX_F_SEAL_GROW | LINUX_F_SEAL_WRITE | LINUX_F_SEAL_FUTURE_WRITE;
    n->seals |= seals;
    return 0;
}
