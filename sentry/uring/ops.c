// SPDX-License-Identifier: Apache-2.0
// The table of operations (ops.def), and what all of them use: a system call's own handler, called for a
// request; registered files as the place for a new descriptor.
#include "abi/syscalls.h"
#include "base/cleanup.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/syscalls/table.h"
#include "sentry/uring/uring.h"

static const struct uring_op table[LINUX_IORING_OP_COUNT] = {
#define URING_OP(name, prepare, issue, flags) \
    [LINUX_IORING_OP_##name] = {uring_##prepare, uring_##issue, flags},
#include "sentry/uring/ops.def"
#undef URING_OP
};

const struct uring_op *uring_op(unsigned code) {
    return code < LINUX_IORING_OP_COUNT && table[code].issue ? &table[code] : NULL;
}

int uring_none(struct uring_req *q) { return 0; }
int64_t uring_nop(struct uring_req *q) { return 0; }

int64_t uring_call(struct uring_req *q, unsigned nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                   uint64_t e, uint64_t f) {
    const struct sysargs args = {{a, b, c, d, e, f}};
    return syscall_call(q->w.t, nr, &args);
}

// ---- New descriptors --------------------------------------------------------------------------------------
int uring_place_check(struct uring_req *q, unsigned cloexec) {
    return q->sqe.splice_fd_in && cloexec ? -LINUX_EINVAL : 0;
}

// The number is the process's own for a moment, until its file has moved over.
int64_t uring_place(struct uring_req *q, int64_t fd) {
    struct uring *r = q->ring;
    uint32_t index = (uint32_t)q->sqe.splice_fd_in;
    if (!index || fd < 0)
        return fd;
    struct file *f cleanup_file = fd_close_keep(q->w.t->files, (int)fd);
    struct fdtable *files = uring_files(r);
    if (!files)
        return -LINUX_ENXIO;
    unsigned n = __atomic_load_n(&r->nfiles, __ATOMIC_RELAXED);
    int64_t res = -LINUX_EBADF;
    if (f && index == LINUX_IORING_FILE_INDEX_ALLOC) {
        res = fd_install(files, f, 0, n, false);
        res = res == -LINUX_EMFILE ? -LINUX_ENFILE : res;
    } else if (f) {
        res = index - 1 < n ? fd_replace(files, f, (int)(index - 1), n, false) : -LINUX_EINVAL;
        res = res < 0 ? res : 0;
    }
    fdtable_put(files);
    return res;
}
