// SPDX-License-Identifier: Apache-2.0
// io_setup io_destroy io_submit io_getevents io_pgetevents io_cancel. What is submitted is done at once, by
// the thread that submits it, as Linux does with files that go by its page cache; so there is nothing to
// cancel.
// LIMIT: IOCB_CMD_POLL is EINVAL, as on Linux before 4.19; a submission that would block waits.
#include "abi/uio.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "base/cleanup.h"
#include "sentry/aio/aio.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/signal/signal.h"
#include "sentry/syscalls/table.h"
#include "sentry/syscalls/wait_args.h"
#include "sentry/syscalls/write_result.h"
#include "sentry/time/timeconv.h"

static void ctx_cleanup(struct aio_ctx **c) {
    if (*c)
        aio_put(*c);
}
#define cleanup_ctx __attribute__((cleanup(ctx_cleanup)))

// ---- Contexts ---------------------------------------------------------------------------------------------
// Its number is the address of a page, which libraries look into: what they find there is no ring of theirs,
// so they ask.
static int64_t setup(struct task *t, unsigned max, uaddr_t out) {
    const struct mmap_args m = {.len = GUEST_PAGE_SIZE,
                                .prot = LINUX_PROT_READ | LINUX_PROT_WRITE,
                                .flags = LINUX_MAP_PRIVATE | LINUX_MAP_ANONYMOUS};
    int64_t at = do_mmap(t, t->mm, t->thread, &m);
    if (at < 0)
        return at;
    uint64_t id = (uint64_t)at;
    int64_t err = aio_new(&t->mm->aio, &t->k->aio_nr, (unsigned)kernel_knob(t->k, KNOB_AIO_MAX_NR), max, id);
    if (err == 0 && copy_out_obj(t, out, &id) < 0) {
        aio_kill(&t->mm->aio, id);
        err = -LINUX_EFAULT;
    }
    if (err < 0)
        do_munmap(t->mm, t->thread, uaddr(id), GUEST_PAGE_SIZE);
    return err;
}

int64_t sys_io_setup(struct task *t, const struct sysargs *a) {
    uint64_t id;
    if (mm_op_flushed(t))
        return mm_op_done(t);
    if (copy_in_obj(t, &id, arg_ptr(a, 1)) < 0)
        return -LINUX_EFAULT;
    if (id || !arg_u32(a, 0))
        return -LINUX_EINVAL;
    if (arg_u32(a, 0) == 1u << 31)  // Linux doubles it, in 32 bits: none
        return -LINUX_EAGAIN;
    if (arg_u32(a, 0) > AIO_MAX_NR)
        return -LINUX_EINVAL;
    int64_t r = mm_op_begin(t);
    return r ? r : mm_op_finish(t, setup(t, arg_u32(a, 0), arg_ptr(a, 1)));
}

int64_t sys_io_destroy(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    if (!aio_kill(&t->mm->aio, arg_ulong(a, 0)))
        return mm_op_finish(t, -LINUX_EINVAL);
    do_munmap(t->mm, t->thread, arg_ptr(a, 0), GUEST_PAGE_SIZE);  // the guest may have done it before
    return mm_op_finish(t, 0);
}

// ---- One request ------------------------------------------------------------------------------------------
struct request {
    struct linux_iocb cb;
    uint64_t at;        // where the guest has it
    struct file *file;  // owned
    struct file *tell;  // owned: an eventfd, or NULL
};
static void request_end(struct request *r) {
    if (r->file)
        file_put(r->file);
    if (r->tell)
        file_put(r->tell);
}

static int64_t move(struct task *t, const struct request *r, struct uio *u, bool write) {
    uint64_t off = (uint64_t)r->cb.aio_offset;
    struct file *f = r->file;
    TASK_VFS_CTX(t, ctx);
    plat_block_begin(t->k->platform);
    int64_t n;
    if (!(f->mode & FMODE_SEEK))
        n = write ? vfs_write(&ctx, f, u) : vfs_read(f, u);
    else
        n = write ? vfs_pwrite(&ctx, f, u, off) : vfs_pread(f, u, off);
    plat_block_end(t->k->platform);
    return n;
}

// The result of the transfer in *res; an error: there was none, for the request is wrong. SYS_PARK ...
static int64_t transfer(struct task *t, const struct request *r, bool write, bool vector, int64_t *res) {
    struct uio_user u;
    uaddr_t buf = uaddr(r->cb.aio_buf);
    if (!(r->file->mode & (write ? FMODE_WRITE : FMODE_READ)))
        return -LINUX_EBADF;
    int flags = (int)r->cb.aio_rw_flags;
    int err = rwf_check(r->file, flags, write);
    if (err < 0)
        return err;
    err = vector ? uio_user_iov(&u, t, buf, r->cb.aio_nbytes) : uio_user_buf(&u, t, buf, r->cb.aio_nbytes);
    if (err < 0)
        return err;
    u.u.flags = flags;
    *res = r->cb.aio_offset < 0 ? -LINUX_EINVAL : move(t, r, &u.u, write);
    uio_user_done(&u);
    if (*res != -LINUX_EAGAIN || (flags & LINUX_RWF_NOWAIT))
        return 0;
    int64_t w = park_file_result(t, r->file, write ? LINUX_POLLOUT : LINUX_POLLIN, *res);
    return w == -LINUX_EAGAIN ? 0 : w;
}

static int64_t sync_file(struct task *t, const struct request *r, int64_t *res) {
    plat_block_begin(t->k->platform);
    *res = vfs_fsync(r->file, r->cb.aio_lio_opcode == LINUX_IOCB_CMD_FDSYNC);
    plat_block_end(t->k->platform);
    return 0;
}

static int64_t run(struct task *t, const struct request *r, int64_t *res) {
    switch (r->cb.aio_lio_opcode) {
    case LINUX_IOCB_CMD_PREAD:
        return transfer(t, r, false, false, res);
    case LINUX_IOCB_CMD_PWRITE:
        return transfer(t, r, true, false, res);
    case LINUX_IOCB_CMD_PREADV:
        return transfer(t, r, false, true, res);
    case LINUX_IOCB_CMD_PWRITEV:
        return transfer(t, r, true, true, res);
    case LINUX_IOCB_CMD_FSYNC:
    case LINUX_IOCB_CMD_FDSYNC:
        return sync_file(t, r, res);
    default:
        return -LINUX_EINVAL;
    }
}

static int64_t prepare(struct task *t, struct request *r) {
    const uint32_t key = 0;
    if (copy_in_obj(t, &r->cb, uaddr(r->at)) < 0)
        return -LINUX_EFAULT;
    if (r->cb.aio_reserved2 || (int64_t)r->cb.aio_nbytes < 0)
        return -LINUX_EINVAL;
    r->file = fd_get_io(t->files, (int)r->cb.aio_fildes);
    if (!r->file)
        return -LINUX_EBADF;
    if (r->cb.aio_flags & LINUX_IOCB_FLAG_RESFD) {
        r->tell = fd_get_io(t->files, (int)r->cb.aio_resfd);
        if (!r->tell)
            return -LINUX_EBADF;
        if (!eventfd_is(r->tell))
            return -LINUX_EINVAL;
    }
    uaddr_t at = uaddr(r->at + offsetof(struct linux_iocb, aio_key));
    return copy_out_obj(t, at, &key) < 0 ? -LINUX_EFAULT : 0;
}

static int64_t submit_one(struct task *t, struct aio_ctx *c, uint64_t at) {
    struct request r __attribute__((cleanup(request_end))) = {.at = at};
    int64_t res, err = prepare(t, &r);
    if (err != 0)
        return err;
    if (!aio_reserve(c))
        return -LINUX_EAGAIN;
    err = run(t, &r, &res);
    if (err != 0) {
        aio_unreserve(c);
        return err;
    }
    if (res == -LINUX_EFBIG)
        res = write_result(t, r.file, 0, res);
    aio_done(c, &(struct linux_io_event){.data = r.cb.aio_data, .obj = at, .res = res});
    if (r.tell)
        eventfd_signal(r.tell);
    return 0;
}

// A request that waits is begun again when it is woken; those before it (call.done) have been done.
int64_t sys_io_submit(struct task *t, const struct sysargs *a) {
    int64_t n = arg_long(a, 1), *done = &t->call.done;
    if (n < 0)
        return -LINUX_EINVAL;
    struct aio_ctx *c cleanup_ctx = aio_get(&t->mm->aio, arg_ulong(a, 0));
    if (!c)
        return *done ? *done : -LINUX_EINVAL;
    n = n < c->max ? n : c->max;
    while (*done < n) {
        uint64_t at;
        int64_t r = -LINUX_EFAULT;
        if (copy_in_obj(t, &at, uaddr_add(arg_ptr(a, 2), (uint64_t)*done * sizeof at)) == 0)
            r = submit_one(t, c, at);
        if (r == SYS_PARK || r == SYS_AGAIN)
            return r;
        if (r < 0)
            return *done ? *done : r;
        ++*done;
        if (signal_dying(t))
            break;
    }
    return *done;
}

// ---- Results ----------------------------------------------------------------------------------------------
#define BATCH 32
static int64_t hand_out(struct task *t, struct aio_ctx *c, uaddr_t to, int64_t n) {
    struct linux_io_event e[BATCH];
    int64_t *done = &t->call.done;
    while (*done < n) {
        unsigned want = n - *done < BATCH ? (unsigned)(n - *done) : BATCH, got = aio_take(c, e, want);
        if (got == 0)
            break;
        if (copy_out(t, uaddr_add(to, (uint64_t)*done * sizeof e[0]), e, got * sizeof e[0]) < 0)
            return -LINUX_EFAULT;
        *done += got;
    }
    return *done;
}

static void wait_end(struct task *t) { aio_put(take_ptr(t->call.own.aio)); }

static int64_t wait_begin(struct task *t, const struct sysargs *a) {
    uaddr_t timeout = arg_ptr(a, 4);
    struct linux_timespec ts;
    uint64_t ns = 0;
    if (!uaddr_is_null(timeout) && copy_in_obj(t, &ts, timeout) < 0)
        return -LINUX_EFAULT;
    if (arg_long(a, 1) < 0 || arg_long(a, 2) < 0 || arg_long(a, 1) > arg_long(a, 2))
        return -LINUX_EINVAL;
    struct aio_ctx *c = aio_get(&t->mm->aio, arg_ulong(a, 0));
    if (!c)
        return -LINUX_EINVAL;
    t->call.own.aio = c;
    t->call.cleanup = wait_end;
    if (uaddr_is_null(timeout))
        return 0;
    if (!time_from_spec(&ts, &ns))
        ns = 0;
    park_deadline(t, time_after(ns));
    return 0;
}

static int64_t get_events(struct task *t, const struct sysargs *a) {
    if (!t->call.again) {
        int64_t err = wait_begin(t, a);
        if (err < 0)
            return err;
    }
    struct aio_ctx *c = t->call.own.aio;
    park_arm(t, &c->wait);
    int64_t r = hand_out(t, c, arg_ptr(a, 3), arg_long(a, 2));
    if (r < 0 || r >= arg_long(a, 1) || t->call.timed_out)
        return r;
    if (aio_is_dead(c))
        return r ? r : -LINUX_EINVAL;
    int64_t w = park(t);
    if (w == SYS_PARK)
        return w;
    return r ? r : -LINUX_EINTR;
}

int64_t sys_io_getevents(struct task *t, const struct sysargs *a) { return get_events(t, a); }

int64_t sys_io_pgetevents(struct task *t, const struct sysargs *a) {
    struct linux_sigset_argpack mask = {0};
    if (!t->call.again) {
        if (arg_given(a, 5) && copy_in_obj(t, &mask, arg_ptr(a, 5)) < 0)
            return -LINUX_EFAULT;
        int err = wait_mask(t, uaddr(mask.p), mask.size);
        if (err < 0)
            return err;
    }
    int64_t r = get_events(t, a);
    if (r == SYS_PARK)
        return r;
    return arg_given(a, 5) ? signal_tmp_mask_end(t, r) : r;
}

int64_t sys_io_cancel(struct task *t, const struct sysargs *a) {
    uint32_t key;
    uaddr_t at = uaddr_add(arg_ptr(a, 1), offsetof(struct linux_iocb, aio_key));
    return copy_in_obj(t, &key, at) < 0 ? -LINUX_EFAULT : -LINUX_EINVAL;
}
