// SPDX-License-Identifier: Apache-2.0
// io_uring_register(2): files, buffers, an eventfd, personalities, restrictions; what this kernel can do
// (probe). Registered files are a table of descriptors of the ring's own, so a request finds them as others
// find theirs. A ring cannot be registered with one: nothing holds itself.
// LIMIT: io_uring: registered buffers and files have no tags; the memory of registered buffers is not pinned:
// when it is unmapped, requests on it are EFAULT.
#include "sentry/uring/uring.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/run/park.h"
#include <string.h>

#define FILES_MOST      (1u << 15)
#define FILE_BYTES      sizeof(struct fdslot)
#define BUFFER_LEN_MOST (UINT64_C(1) << 30)

// ---- Files ------------------------------------------------------------------------------------------------
struct fdtable *uring_files(struct uring *r) {
    LOCKED(&r->lock);
    return r->files ? fdtable_get(r->files) : NULL;
}

static int put_file(struct task *t, struct fdtable *to, unsigned at, int fd, unsigned n) {
    struct file *f cleanup_file = fd_get_io(t->files, fd);
    if (!f || uring_of(f))
        return -LINUX_EBADF;
    int err = fd_replace(to, f, (int)at, n, false);
    return err < 0 ? err : 0;
}

static int add_files(struct uring *r, struct task *t, uaddr_t fds, unsigned n, bool sparse) {
    if (!n || n > FILES_MOST)
        return n ? -LINUX_EMFILE : -LINUX_EINVAL;
    if (n > task_rlimit(t, LINUX_RLIMIT_NOFILE))
        return -LINUX_EMFILE;
    if (!uring_charge(r, n * FILE_BYTES))
        return -LINUX_ENOMEM;
    struct fdtable *files = fdtable_new();
    int err = files ? 0 : -LINUX_ENOMEM;
    for (unsigned i = 0; i < n && err == 0 && !sparse; i++) {
        int32_t fd;
        if (copy_in_obj(t, &fd, uaddr_add(fds, i * sizeof fd)) < 0)
            err = -LINUX_EFAULT;
        else if (fd != -1)
            err = put_file(t, files, i, fd, n);
    }
    if (err == 0) {
        LOCKED(&r->lock);
        err = r->files ? -LINUX_EBUSY : 0;
        if (err == 0) {
            r->files = take_ptr(files);
            r->nfiles = n;
        }
    }
    if (files)
        fdtable_put(files);
    if (err < 0)
        uring_uncharge(r, n * FILE_BYTES);
    return err;
}

static int drop_files(struct uring *r) {
    struct fdtable *files;
    unsigned n;
    {
        LOCKED(&r->lock);
        files = take_ptr(r->files);
        n = r->nfiles;
        r->nfiles = 0;
    }
    if (!files)
        return -LINUX_ENXIO;
    fdtable_put(files);
    uring_uncharge(r, n * FILE_BYTES);
    return 0;
}

int64_t uring_files_update(struct uring *r, struct task *t, uint32_t at, uaddr_t fds, uint32_t n) {
    struct fdtable *files = uring_files(r);
    unsigned have = __atomic_load_n(&r->nfiles, __ATOMIC_RELAXED), done = 0;
    int err = files ? 0 : -LINUX_ENXIO;
    if (err == 0 && ((uint64_t)at + n > have || !n))
        err = -LINUX_EINVAL;
    for (; err == 0 && done < n; done++) {
        int32_t fd;
        if (copy_in_obj(t, &fd, uaddr_add(fds, done * sizeof fd)) < 0)
            err = -LINUX_EFAULT;
        else if (fd == -1)
            fd_close(files, (int)(at + done));
        else if (fd != LINUX_IORING_REGISTER_FILES_SKIP)
            err = put_file(t, files, at + done, fd, have);
        if (err < 0)
            break;
    }
    if (files)
        fdtable_put(files);
    return done ? (int64_t)done : err;
}

static int64_t files_update(struct uring *r, struct task *t, uaddr_t arg, unsigned n) {
    struct linux_io_uring_files_update u;
    if (!n)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &u, arg) < 0)
        return -LINUX_EFAULT;
    return u.resv ? -LINUX_EINVAL : uring_files_update(r, t, u.offset, uaddr(u.fds), n);
}

static bool is_sparse(const struct linux_io_uring_rsrc_register *a) {
    return a->flags & LINUX_IORING_RSRC_REGISTER_SPARSE;
}
// What registers a table of either kind.
static int table_in(struct task *t, struct linux_io_uring_rsrc_register *a, uaddr_t arg, unsigned size) {
    if (size != sizeof *a)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, a, arg) < 0)
        return -LINUX_EFAULT;
    bool wrong = a->resv2 || (a->flags & ~LINUX_IORING_RSRC_REGISTER_SPARSE) || a->tags;
    return wrong || (is_sparse(a) && a->data) ? -LINUX_EINVAL : 0;
}
static int files2(struct uring *r, struct task *t, uaddr_t arg, unsigned size) {
    struct linux_io_uring_rsrc_register a;
    int err = table_in(t, &a, arg, size);
    return err < 0 ? err : add_files(r, t, uaddr(a.data), a.nr, is_sparse(&a));
}

// ---- Buffers ----------------------------------------------------------------------------------------------
static int read_buffers(struct task *t, uaddr_t from, struct uring_fixed_buffer *b, unsigned n) {
    if (copy_in(t, b, from, n * sizeof *b) < 0)
        return -LINUX_EFAULT;
    for (unsigned i = 0; i < n; i++) {
        if (!b[i].addr && !b[i].len)
            continue;
        if (!b[i].addr || !b[i].len || b[i].len > BUFFER_LEN_MOST)
            return -LINUX_EFAULT;
        if (b[i].addr + b[i].len < b[i].addr)
            return -LINUX_EOVERFLOW;
        if (!mm_is_mapped(t->mm, page_down(b[i].addr), page_up(b[i].addr + b[i].len)))
            return -LINUX_EFAULT;
    }
    return 0;
}

static int add_buffers(struct uring *r, struct task *t, uaddr_t from, unsigned n, bool sparse) {
    if (!n || n > URING_BUFFERS_MOST)
        return -LINUX_EINVAL;
    if (!uring_charge(r, n * sizeof(struct uring_fixed_buffer)))
        return -LINUX_ENOMEM;
    struct uring_fixed_buffer *b cleanup_free = xcalloc(n, sizeof *b);
    int err = b ? 0 : -LINUX_ENOMEM;
    if (b && !sparse)
        err = read_buffers(t, from, b, n);
    if (err == 0) {
        LOCKED(&r->lock);
        err = r->buffers ? -LINUX_EBUSY : 0;
        if (err == 0) {
            r->buffers = take_ptr(b);
            r->nbuffers = n;
        }
    }
    if (err < 0)
        uring_uncharge(r, n * sizeof *b);
    return err;
}

static int buffers2(struct uring *r, struct task *t, uaddr_t arg, unsigned size) {
    struct linux_io_uring_rsrc_register a;
    int err = table_in(t, &a, arg, size);
    return err < 0 ? err : add_buffers(r, t, uaddr(a.data), a.nr, is_sparse(&a));
}

static int drop_buffers(struct uring *r) {
    LOCKED(&r->lock);
    if (!r->buffers)
        return -LINUX_ENXIO;
    free(take_ptr(r->buffers));
    uring_uncharge(r, r->nbuffers * sizeof *r->buffers);
    r->nbuffers = 0;
    return 0;
}

int uring_fixed_check(struct uring *r, unsigned index, uint64_t addr, uint64_t len) {
    LOCKED(&r->lock);
    if (index >= r->nbuffers)
        return -LINUX_EFAULT;
    const struct uring_fixed_buffer *b = &r->buffers[index];
    return addr >= b->addr && len <= b->len && addr - b->addr <= b->len - len ? 0 : -LINUX_EFAULT;
}

// ---- The rest ---------------------------------------------------------------------------------------------
static int set_eventfd(struct uring *r, struct task *t, uaddr_t arg, bool async) {
    int32_t fd;
    if (copy_in_obj(t, &fd, arg) < 0)
        return -LINUX_EFAULT;
    struct file *f cleanup_file = fd_get_io(t->files, fd);
    if (!f)
        return -LINUX_EBADF;
    if (!eventfd_is(f))
        return -LINUX_EINVAL;
    LOCKED(&r->lock);
    if (r->eventfd)
        return -LINUX_EBUSY;
    r->eventfd = take_ptr(f);
    r->eventfd_async = async;
    return 0;
}
static int drop_eventfd(struct uring *r) {
    struct file *f cleanup_file = NULL;
    LOCKED(&r->lock);
    f = take_ptr(r->eventfd);
    return f ? 0 : -LINUX_ENXIO;
}

static int probe(struct task *t, uaddr_t arg, unsigned n) {
    struct linux_io_uring_probe p;
    struct linux_io_uring_probe_op ops[LINUX_IORING_OP_COUNT] = {0};
    unsigned char given[sizeof p + 256 * sizeof ops[0]];
    if (n > 256)
        n = 256;
    if (copy_in(t, given, arg, sizeof p + n * sizeof ops[0]) < 0)
        return -LINUX_EFAULT;
    for (unsigned i = 0; i < sizeof p + n * sizeof ops[0]; i++)
        if (given[i])
            return -LINUX_EINVAL;
    n = n < LINUX_IORING_OP_COUNT ? n : LINUX_IORING_OP_COUNT;
    p = (struct linux_io_uring_probe){.last_op = LINUX_IORING_OP_COUNT - 1, .ops_len = (uint8_t)n};
    for (unsigned i = 0; i < n; i++) {
        ops[i].op = (uint8_t)i;
        ops[i].flags = uring_op(i) ? LINUX_IO_URING_OP_SUPPORTED : 0;
    }
    if (copy_out_obj(t, arg, &p) < 0 || copy_out(t, uaddr_add(arg, sizeof p), ops, n * sizeof ops[0]) < 0)
        return -LINUX_EFAULT;
    return 0;
}

static int add_personality(struct uring *r, struct task *t) {
    LOCKED(&r->lock);
    for (unsigned i = 0; i < URING_PERSONALITIES; i++)
        if (!r->personality[i]) {
            r->personality[i] = cred_get(t->cred);
            return (int)i + 1;
        }
    return -LINUX_ENOSPC;
}
static int drop_personality(struct uring *r, unsigned id) {
    struct cred *c;
    {
        LOCKED(&r->lock);
        c = id && id <= URING_PERSONALITIES ? take_ptr(r->personality[id - 1]) : NULL;
    }
    if (!c)
        return -LINUX_EINVAL;
    cred_put(c);
    return 0;
}

static int one_limit(struct uring_limits *l, const struct linux_io_uring_restriction *x) {
    switch (x->opcode) {
    case LINUX_IORING_RESTRICTION_REGISTER_OP:
        if (x->arg >= LINUX_IORING_REGISTER_COUNT)
            return -LINUX_EINVAL;
        l->registers |= UINT64_C(1) << x->arg;
        return 0;
    case LINUX_IORING_RESTRICTION_SQE_OP:
        if (x->arg >= LINUX_IORING_OP_COUNT)
            return -LINUX_EINVAL;
        l->ops |= UINT64_C(1) << x->arg;
        return 0;
    case LINUX_IORING_RESTRICTION_SQE_FLAGS_ALLOWED:
        l->allowed = x->arg;
        return 0;
    case LINUX_IORING_RESTRICTION_SQE_FLAGS_REQUIRED:
        l->required = x->arg;
        return 0;
    default:
        return -LINUX_EINVAL;
    }
}

static int set_limits(struct uring *r, struct task *t, uaddr_t arg, unsigned n) {
    struct uring_limits l = {.on = true};
    int err = 0;
    if (!(r->flags & LINUX_IORING_SETUP_R_DISABLED) || !__atomic_load_n(&r->disabled, __ATOMIC_RELAXED))
        return -LINUX_EBADFD;
    if (uaddr_is_null(arg) || n > LINUX_IORING_REGISTER_COUNT + LINUX_IORING_OP_COUNT + 2)
        return -LINUX_EINVAL;
    for (unsigned i = 0; i < n && err == 0; i++) {
        struct linux_io_uring_restriction x;
        err = copy_in_obj(t, &x, uaddr_add(arg, i * sizeof x)) < 0 ? -LINUX_EFAULT : one_limit(&l, &x);
    }
    if (err < 0)
        return err;
    LOCKED(&r->lock);
    if (r->limits.on)
        return -LINUX_EBUSY;
    r->limits = l;
    return 0;
}

static int enable(struct uring *r, struct task *t) {
    LOCKED(&r->lock);
    if (!r->disabled)
        return -LINUX_EBADFD;
    r->disabled = false;
    if (r->flags & LINUX_IORING_SETUP_SINGLE_ISSUER)
        r->issuer = t;
    return 0;
}

static int sync_cancel(struct uring *r, struct task *t, uaddr_t arg) {
    struct linux_io_uring_sync_cancel_reg a;
    const unsigned known = LINUX_IORING_ASYNC_CANCEL_ALL | LINUX_IORING_ASYNC_CANCEL_FD |
                           LINUX_IORING_ASYNC_CANCEL_ANY | LINUX_IORING_ASYNC_CANCEL_FD_FIXED;
    if (copy_in_obj(t, &a, arg) < 0)
        return -LINUX_EFAULT;
    if ((a.flags & ~known) || a.pad[0] || a.pad[1] || a.pad[2] || a.pad[3])
        return -LINUX_EINVAL;
    struct file *f cleanup_file = NULL;
    if (a.flags & LINUX_IORING_ASYNC_CANCEL_FD_FIXED) {
        struct fdtable *files = uring_files(r);
        f = files ? fd_get_io(files, a.fd) : NULL;
        if (files)
            fdtable_put(files);
    } else if (a.flags & LINUX_IORING_ASYNC_CANCEL_FD) {
        f = fd_get_io(t->files, a.fd);
    }
    if (!f && (a.flags & (LINUX_IORING_ASYNC_CANCEL_FD | LINUX_IORING_ASYNC_CANCEL_FD_FIXED)))
        return -LINUX_EBADF;
    const struct uring_match m = {.user_data = a.addr, .flags = a.flags, .file = f, .op = -1};
    int64_t n = uring_cancel(r, &m);
    workers_run_ready();
    return (int)(n > 0 ? 0 : n);
}

static int64_t workers(struct task *t, uaddr_t arg) {
    uint32_t counts[2];
    const uint32_t none[2] = {0, 0};
    if (copy_in_obj(t, &counts, arg) < 0)
        return -LINUX_EFAULT;
    return copy_out_obj(t, arg, &none);
}

void uring_unregister_all(struct uring *r) {
    drop_files(r);
    drop_buffers(r);
    drop_eventfd(r);
    for (unsigned i = 1; i <= URING_PERSONALITIES; i++)
        drop_personality(r, i);
    LOCKED(&r->lock);
    uring_groups_free(r);
}

// ---- Which ------------------------------------------------------------------------------------------------
// What takes no argument, and where the number of things is not free.
static bool args_fit(unsigned op, uaddr_t arg, unsigned n) {
    switch (op) {
    case LINUX_IORING_UNREGISTER_BUFFERS:
    case LINUX_IORING_UNREGISTER_FILES:
    case LINUX_IORING_UNREGISTER_EVENTFD:
    case LINUX_IORING_REGISTER_PERSONALITY:
    case LINUX_IORING_REGISTER_ENABLE_RINGS:
        return uaddr_is_null(arg) && !n;
    case LINUX_IORING_REGISTER_EVENTFD:
    case LINUX_IORING_REGISTER_EVENTFD_ASYNC:
    case LINUX_IORING_REGISTER_PBUF_RING:
    case LINUX_IORING_UNREGISTER_PBUF_RING:
    case LINUX_IORING_REGISTER_SYNC_CANCEL:
        return n == 1 && !uaddr_is_null(arg);
    case LINUX_IORING_REGISTER_IOWQ_MAX_WORKERS:
        return n == 2 && !uaddr_is_null(arg);
    case LINUX_IORING_UNREGISTER_PERSONALITY:
        return uaddr_is_null(arg);
    default:
        return true;
    }
}

static int may(struct uring *r, struct task *t, unsigned op) {
    LOCKED(&r->lock);
    if (r->issuer && r->issuer != t)
        return -LINUX_EEXIST;
    if (r->limits.on && !r->disabled && !(r->limits.registers >> op & 1))
        return -LINUX_EACCES;
    return 0;
}

int64_t uring_register(struct uring *r, struct task *t, unsigned op, uaddr_t arg, unsigned n) {
    if (op >= LINUX_IORING_REGISTER_COUNT)
        return -LINUX_EINVAL;
    int err = may(r, t, op);
    if (err < 0)
        return err;
    if (!args_fit(op, arg, n))
        return -LINUX_EINVAL;
    switch (op) {
    case LINUX_IORING_REGISTER_BUFFERS:
        return add_buffers(r, t, arg, n, false);
    case LINUX_IORING_UNREGISTER_BUFFERS:
        return drop_buffers(r);
    case LINUX_IORING_REGISTER_FILES:
        return add_files(r, t, arg, n, false);
    case LINUX_IORING_UNREGISTER_FILES:
        return drop_files(r);
    case LINUX_IORING_REGISTER_FILES_UPDATE:
        return files_update(r, t, arg, n);
    case LINUX_IORING_REGISTER_EVENTFD:
    case LINUX_IORING_REGISTER_EVENTFD_ASYNC:
        return set_eventfd(r, t, arg, op == LINUX_IORING_REGISTER_EVENTFD_ASYNC);
    case LINUX_IORING_UNREGISTER_EVENTFD:
        return drop_eventfd(r);
    case LINUX_IORING_REGISTER_PROBE:
        return probe(t, arg, n);
    case LINUX_IORING_REGISTER_PERSONALITY:
        return add_personality(r, t);
    case LINUX_IORING_UNREGISTER_PERSONALITY:
        return drop_personality(r, n);
    case LINUX_IORING_REGISTER_RESTRICTIONS:
        return set_limits(r, t, arg, n);
    case LINUX_IORING_REGISTER_ENABLE_RINGS:
        return enable(r, t);
    case LINUX_IORING_REGISTER_FILES2:
        return files2(r, t, arg, n);
    case LINUX_IORING_REGISTER_BUFFERS2:
        return buffers2(r, t, arg, n);
    case LINUX_IORING_REGISTER_IOWQ_MAX_WORKERS:
        return workers(t, arg);
    case LINUX_IORING_REGISTER_PBUF_RING:
    case LINUX_IORING_UNREGISTER_PBUF_RING:
        return uring_buffer_ring(r, t, arg, op == LINUX_IORING_REGISTER_PBUF_RING);
    case LINUX_IORING_REGISTER_SYNC_CANCEL:
        return sync_cancel(r, t, arg);
    default:
        return -LINUX_EINVAL;
    }
}
