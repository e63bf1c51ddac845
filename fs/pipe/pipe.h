// SPDX-License-Identifier: Apache-2.0
// Pipes for fcntl (F_SETPIPE_SZ and F_GETPIPE_SZ) and splice.
#ifndef FS_PIPE_PIPE_H
#define FS_PIPE_PIPE_H
#include "fs/vfs.h"

#define PIPE_DEFAULT_SIZE 65536u

// The new size (rounded up to a power of two pages), EBUSY when more is in it, EPERM, EINVAL; EBADF for no
// pipe.
int64_t pipe_set_size(struct file *f, uint64_t size, bool capable);
int64_t pipe_get_size(struct file *f);

// For splice(2) and tee(2): what is in the pipe is read behind `skip` bytes and stays there. Bytes; 0: at the
// end, or no more; EAGAIN. pipe_consume() then takes n bytes away, unless another reader was here since
// (`mark`).
bool file_is_pipe(const struct file *f);
int64_t pipe_peek(struct file *f, void *buf, size_t n, uint64_t skip, uint64_t *mark);
void pipe_consume(struct file *f, size_t n, uint64_t mark);
// How much a write would take now: > 0; EAGAIN; EPIPE.
int64_t pipe_room(struct file *f);

#endif
