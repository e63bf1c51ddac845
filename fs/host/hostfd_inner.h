// SPDX-License-Identifier: Apache-2.0
// Shared by hostfd.c and hosttty.c alone.
#ifndef FS_HOST_HOSTFD_INNER_H
#define FS_HOST_HOSTFD_INNER_H
#include "fs/hostfd.h"
#include "fs/tty/ctty.h"

struct hostfd {  // inode->priv and file->priv
    int fd;                  // [c] owned
    uint32_t type;           // [c] LINUX_S_IF*
    uint64_t ino;            // [c] shown inside
    const void *owner;       // [c] whose it is (fs/hostfd.h)
    unsigned acc;            // [c] what the host lets us do: LINUX_O_RDONLY ...
    bool append, nonblock;   // [c] as they were at the start
    bool tty, path_only;     // [c]
    bool never_waits;        // [c] a memory device: null, zero, full, random, urandom
    bool seek;               // [c] has an offset, which is the host's
    _Atomic bool no_nowait;  // [a] the host knows no RWF_NOWAIT here
    _Atomic bool watched;    // [a] the watcher has been asked at least once
    struct waitq wait;
    struct inode *inode;     // [c] back
    struct vfs_output *output;  // [c] borrowed: counts what is written; NULL: nobody does
    struct ctty *ctty;       // [c] of a terminal; a reference, or NULL
};
// The terminal of a new descriptor that is one, as job control knows it: h->ctty. False: there are too many.
bool hosttty_attach(struct hostfd *h);
void hostfd_reopen(struct hostfd *h, struct file *f);  // f, of another inode, becomes a file of it
int64_t hosttty_ioctl(struct file *f, unsigned cmd, uint64_t arg, struct uaccess *ua);

#endif
