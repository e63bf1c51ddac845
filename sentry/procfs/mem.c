// SPDX-License-Identifier: Apache-2.0
// /proc/PID/mem: the memory of a process, for who may trace it. An open file keeps the map as it was at
// open(2), also beyond an exec. No locks of its own.
//
// LIMIT: memory that its process may not write is written only while the writer has a thread of it stopped by
// ptrace(2), at most 8 bytes at a time (a short count); else, and where it may not be read, the error is EIO.
#include "base/fault.h"
#include "platform/platform.h"
#include "sentry/procfs/impl.h"
#include "sentry/procfs/procfs.h"
#include "sentry/ptrace/ptrace.h"
#include "sentry/run/run.h"

#define CHUNK 16384

int proc_open_mem(const struct proc_node *n, struct file *f) {
    f->priv = proc_mm_traced(n);  // NULL: it has none any more, or has become another: reads find nothing
    f->ops = &proc_mem_fops;
    return 0;
}

static void release(struct file *f) {
    if (f->priv)
        mm_put(f->priv);
}

static int64_t read_mem(struct file *f, struct uio *u, uint64_t off) {
    struct mm *mm = f->priv;
    char buf[CHUNK];
    int64_t done = 0;
    while (mm && u->left) {
        size_t want = u->left < sizeof buf ? u->left : sizeof buf;
        int64_t n = plat_copy_in(mm->as, buf, uaddr(off + (uint64_t)done), want);
        if (n <= 0 && done)
            return done;
        if (n <= 0)
            return n == -LINUX_ESRCH ? 0 : -LINUX_EIO;  // ended: the end of the file
        int64_t r = uio_to(u, buf, (size_t)n);
        if (r < 0)
            return done ? done : r;
        done += r;
        if ((size_t)n < want)
            break;
    }
    return done;
}

// Would block while a thread of it does the work, and while that is on its way to its stop:
// park_file_result() asks again.
static int64_t force(struct mm *mm, uint64_t at, const char *buf, size_t n) {
    unsigned len = n < PTRACE_POKE_MOST ? (unsigned)n : PTRACE_POKE_MOST;
    int64_t r = ptrace_force(task_current, mm, at, buf, len);
    return r == -LINUX_EBUSY ? -LINUX_EAGAIN : r;
}

static int64_t write_mem(struct file *f, struct uio *u, uint64_t off) {
    struct mm *mm = f->priv;
    char buf[CHUNK];
    int64_t done = mm && task_current ? ptrace_forced(task_current, mm) : 0;
    if (done)
        return done;
    while (mm && u->left) {
        int64_t want = uio_from(u, buf, u->left < sizeof buf ? u->left : sizeof buf);
        if (want <= 0)
            return done ? done : want;
        int64_t n = plat_copy_out(mm->as, uaddr(off + (uint64_t)done), buf, (size_t)want);
        if (n <= 0 && !done && task_current)
            return force(mm, off, buf, (size_t)want);
        if (n <= 0)
            return done ? done : -LINUX_EIO;
        done += n;
        if (n < want)
            break;
    }
    return done;
}

bool procfs_is_mem(const struct file *f) { return f->ops == &proc_mem_fops; }

const struct file_ops proc_mem_fops = {
    .read = read_mem, .write = write_mem, .release = release, .seek = SEEK_NO_END};
