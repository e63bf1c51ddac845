// SPDX-License-Identifier: Apache-2.0
// See write_result.h.
#include "sentry/syscalls/write_result.h"
#include "fs/vfs.h"
#include "sentry/signal/signal.h"

int64_t write_result(struct task *t, const struct file *f, int64_t done, int64_t r) {
    bool pipe = inode_type(f->inode) == LINUX_S_IFIFO;
    if (r == -LINUX_EPIPE && (done == 0 || pipe))
        signal_send_self(t, LINUX_SIGPIPE);
    if (r == -LINUX_EFBIG && done == 0 && task_rlimit(t, LINUX_RLIMIT_FSIZE) != LINUX_RLIM_INFINITY)
        signal_send_self(t, LINUX_SIGXFSZ);
    return done ? done : r;
}
