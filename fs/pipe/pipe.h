// SPDX-License-Identifier: Apache-2.0
// Pipes for the callers of fcntl: F_SETPIPE_SZ and F_GETPIPE_SZ.
#ifndef FS_PIPE_PIPE_H
#define FS_PIPE_PIPE_H
#include "fs/vfs.h"

#define PIPE_DEFAULT_SIZE 65536u
#define PIPE_MAX_SIZE     1048576u  // /proc/sys/fs/pipe-max-size; beyond: CAP_SYS_RESOURCE

// The new size (rounded up to a power of two pages), EBUSY when more is in it, EPERM, EINVAL; EBADF for no pipe.
int64_t pipe_set_size(struct file *f, uint64_t size, bool capable);
int64_t pipe_get_size(struct file *f);

#endif
