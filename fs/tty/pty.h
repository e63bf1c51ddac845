// SPDX-License-Identifier: Apache-2.0
// Inside fs/tty/: pseudo-terminals, between their file system (devpts.c) and their files (pty.c).
#ifndef FS_TTY_PTY_H
#define FS_TTY_PTY_H
#include "fs/tty/tty.h"

struct pty {
    struct tty tty;         // its references are those of the pty
    struct superblock *sb;  // [c] an active reference, until the master is closed
    unsigned index;         // [c]
};
extern const struct inode_ops ptmx_inode_ops;  // of devpts' own node

// devpts.c. A terminal in sb for the caller, with one reference: 0, -LINUX_ENOSPC, ENOMEM. sb is borrowed.
int devpts_new(struct superblock *sb, const struct vfs_ctx *ctx, struct pty **out);
void devpts_remove(struct pty *p);  // its name and number are free again
bool sb_is_devpts(const struct superblock *sb);
// pty.c
int pty_init(struct pty *p, unsigned index);  // p is all zero. 0 or -LINUX_ENOMEM
int ptmx_open(struct inode *i, struct file *f, const struct vfs_ctx *ctx);

#endif
