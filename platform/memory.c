// SPDX-License-Identifier: Apache-2.0
// Copies between the sentry and guest memory, for both backends: process_vm_readv/writev, or /proc/PID/mem
// where a container's profile refuses those. The kernel checks the guest's mappings; this file keeps the
// reserved ranges out and the host process from being another one (the pins of backend.h). as->lock: cmpxchg,
// opening /proc/PID/mem.
#include "abi/errno.h"
#include "abi/mman.h"
#include "base/fdcharge.h"
#include "platform/backend.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int pin(struct plat_as *as) {
    atomic_fetch_add(&as->pins, 1);
    return atomic_load(&as->pid);
}
static void unpin(struct plat_as *as) {
    atomic_fetch_sub(&as->pins, 1);
}

bool plat_memory_ok(const struct platform *p, uint64_t start, uint64_t len) {
    const struct plat_layout *l = &p->layout;
    if (start >= LINUX_TASK_SIZE || len > LINUX_TASK_SIZE - start)
        return false;
    for (unsigned i = 0; i < l->nreserved; i++)
        if (!l->reserved[i].name && start < l->reserved[i].end && start + len > l->reserved[i].start)
            return false;
    return true;
}

// Caller holds a pin. The descriptor of the process's memory, opened anew when another process stands for it
// now.
static int mem_fd(struct plat_as *as, int pid) {
    char path[32];
    int fd = -1;
    pthread_mutex_lock(&as->lock);
    fd = atomic_load(&as->mem_fd);
    if (fd < 0 || as->mem_pid != pid) {
        if (fd >= 0)
            fdcharge_close(fd);
        snprintf(path, sizeof path, "%d/mem", pid);
        fd = openat(as->p->proc_fd, path, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && fdcharge_take(fd) < 0) {
            close(fd);
            fd = -1;
        }
        atomic_store(&as->mem_fd, fd);
        as->mem_pid = pid;
    }
    pthread_mutex_unlock(&as->lock);
    return fd;
}

// /proc/PID/mem has one range for each call. LIMIT: it looks past the protection of pages, so a guest's own
// PROT_NONE or read-only page is copied instead of refused.
static int64_t through_proc(struct plat_as *as, int pid, bool write, const struct iovec *local, int nlocal,
                            const struct iovec *remote, int nremote) {
    int64_t total = 0;
    size_t roff = 0, loff = 0;
    int fd = mem_fd(as, pid), r = 0, l = 0;
    if (fd < 0)
        return -LINUX_EFAULT;
    while (r < nremote && l < nlocal) {
        size_t n = remote[r].iov_len - roff < local[l].iov_len - loff ? remote[r].iov_len - roff
                                                                      : local[l].iov_len - loff;
        off_t at = (off_t)((uint64_t)remote[r].iov_base + roff);
        char *mine = (char *)local[l].iov_base + loff;
        ssize_t got = 0;
        if (n)
            got = write ? pwrite(fd, mine, n, at) : pread(fd, mine, n, at);
        if (got < 0 || (n && got == 0))
            return total ? total : -LINUX_EFAULT;
        total += got;
        roff += (size_t)got;
        loff += (size_t)got;
        if (roff == remote[r].iov_len)
            r++, roff = 0;
        if (loff == local[l].iov_len)
            l++, loff = 0;
        if ((size_t)got < n)
            break;
    }
    return total;
}

static int64_t transfer(struct plat_as *as, int pid, bool write, const struct iovec *local, int nlocal,
                        const struct iovec *remote, int nremote) {
    if (as->p->use_proc_mem)
        return through_proc(as, pid, write, local, nlocal, remote, nremote);
    ssize_t n = write
                    ? process_vm_writev(pid, local, (unsigned long)nlocal, remote, (unsigned long)nremote, 0)
                    : process_vm_readv(pid, local, (unsigned long)nlocal, remote, (unsigned long)nremote, 0);
    if (n >= 0)
        return n;
    return errno == ESRCH ? -LINUX_ESRCH : -LINUX_EFAULT;
}

static int64_t total(const struct iovec *v, int n) {
    int64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += (int64_t)v[i].iov_len;
    return sum;
}

int64_t plat_memory_raw(struct plat_as *as, bool write, const struct iovec *local, int nlocal,
                        const struct iovec *remote, int nremote) {
    int pid = pin(as);
    int64_t n = pid ? transfer(as, pid, write, local, nlocal, remote, nremote) : -LINUX_ESRCH;
    if (pid && n < total(remote, nremote) && as->p->ops && as->p->ops->admit &&
        as->p->ops->admit(as, remote, nremote))
        n = transfer(as, pid, write, local, nlocal, remote, nremote);
    unpin(as);
    return n;
}

int plat_memory_probe(struct platform *p, int pid, uint64_t readable) {
    uint64_t word;
    struct iovec local = {&word, sizeof word}, remote = {(void *)readable, sizeof word};
    if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)sizeof word)
        return 0;
    int err = errno;
    p->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct plat_as probe = {.p = p, .mem_fd = -1};
    pthread_mutex_init(&probe.lock, NULL);
    pthread_mutex_init(&probe.word_lock, NULL);
    int64_t n = p->proc_fd < 0 ? -1 : through_proc(&probe, pid, false, &local, 1, &remote, 1);
    plat_as_fini(&probe);
    p->use_proc_mem = n == (int64_t)sizeof word;
    return p->use_proc_mem ? 0 : -err;
}

// The kernel's own limit for each vector. The spans are the host's iovecs by layout.
static_assert(sizeof(struct plat_span) == sizeof(struct iovec) &&
                  offsetof(struct plat_span, len) == offsetof(struct iovec, iov_len),
              "a span is an iovec");

// How many spans, from the first, a guest may have: it ends before one that is reserved or beyond the end.
static int spans_ok(const struct plat_as *as, const struct plat_span *span, int n) {
    int ok = 0;
    n = n < PLAT_COPY_SPANS ? n : PLAT_COPY_SPANS;
    while (ok < n && plat_memory_ok(as->p, span[ok].start, span[ok].len))
        ok++;
    return ok;
}

static int64_t copyv(struct plat_as *as, bool write, const struct iovec *local, int nlocal,
                     const struct plat_span *span, int nspan) {
    int ok = spans_ok(as, span, nspan);
    const struct iovec *remote = (const struct iovec *)(const void *)span;
    nlocal = nlocal < PLAT_COPY_SPANS ? nlocal : PLAT_COPY_SPANS;
    if (total(local, nlocal) == 0 || (ok == nspan && total(remote, ok) == 0))
        return 0;
    int64_t n = ok ? plat_memory_raw(as, write, local, nlocal, remote, ok) : 0;
    return n == 0 ? -LINUX_EFAULT : n;
}

int64_t plat_copyv_in(struct plat_as *as, const struct iovec *dst, int n, const struct plat_span *src,
                      int nsrc) {
    return copyv(as, false, dst, n, src, nsrc);
}
int64_t plat_copyv_out(struct plat_as *as, const struct plat_span *dst, int ndst, const struct iovec *src,
                       int n) {
    return copyv(as, true, src, n, dst, ndst);
}
int64_t plat_copy_in(struct plat_as *as, void *dst, uaddr_t src, size_t len) {
    struct iovec local = {dst, len};
    return copyv(as, false, &local, 1, &(struct plat_span){src.v, len}, 1);
}
int64_t plat_copy_out(struct plat_as *as, uaddr_t dst, const void *src, size_t len) {
    struct iovec local = {(void *)(uintptr_t)src, len};
    return copyv(as, true, &local, 1, &(struct plat_span){dst.v, len}, 1);
}
int64_t plat_copy_out_answer(struct plat_thread *t, uaddr_t dst, const void *src, size_t len) {
    const struct plat_backend *ops = t->p->ops;
    if (ops->copy_later && plat_memory_ok(t->as->p, dst.v, len) && ops->copy_later(t, dst.v, src, len))
        return (int64_t)len;
    return plat_copy_out(t->as, dst, src, len);
}

// LIMIT: without /proc (a sentry that has none, once it is caged) only writable pages can be poked.
int64_t plat_poke(struct plat_as *as, uaddr_t dst, const void *src, size_t len) {
    struct iovec local = {(void *)(uintptr_t)src, len}, remote = {(void *)dst.v, len};
    int64_t n = plat_copy_out(as, dst, src, len);
    if (n == (int64_t)len || as->p->proc_fd < 0 || !plat_memory_ok(as->p, dst.v, len))
        return n;
    int pid = pin(as);
    n = pid ? through_proc(as, pid, true, &local, 1, &remote, 1) : -LINUX_ESRCH;
    unpin(as);
    return n;
}

int plat_cmpxchg32(struct plat_as *as, uaddr_t word, uint32_t expect, uint32_t desired, uint32_t *old) {
    int64_t n;
    if (word.v & 3)
        return -LINUX_EFAULT;
    pthread_mutex_lock(&as->word_lock);
    n = plat_copy_in(as, old, word, sizeof *old);
    if (n == sizeof *old && *old == expect)
        n = plat_copy_out(as, word, &desired, sizeof desired);
    pthread_mutex_unlock(&as->word_lock);
    return n == sizeof *old ? 0 : -LINUX_EFAULT;
}
