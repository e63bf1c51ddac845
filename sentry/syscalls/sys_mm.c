// SPDX-License-Identifier: Apache-2.0
// Memory: mmap, munmap, mprotect, pkey_mprotect, pkey_alloc, mremap, brk, madvise, msync, mincore, mlock,
// mlock2, munlock, mlockall, munlockall, membarrier. Decoding only: what the calls mean is in
// sentry/mm/mm_*.c. Those that change the map take its turn first (mm_turn.c).
//
// LIMIT: pkey_mprotect: no key but -1, as on a processor without protection keys.
#include "abi/misc.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/mm_seal.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task.h"
#include "sentry/syscalls/table.h"

// Whatever the numbers are, no less than a call with them may change.
static uint64_t range_end(uint64_t addr, uint64_t len) {
    return len > LINUX_TASK_SIZE || addr > LINUX_TASK_SIZE ? ~0ull : addr + page_up(len);
}

int64_t sys_mmap(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    struct mmap_args m = {
        .addr = arg_ulong(a, 0), .len = arg_ulong(a, 1), .prot = arg_u32(a, 2), .flags = arg_ulong(a, 3)};
    if (m.addr == 0 && !(m.flags & LINUX_MAP_FIXED)) {
        m.addr = t->call.proposal;  // taken only if it is free, as any wish is
        m.proposed = true;
    }
    m.offset = arg_ulong(a, 5);
    if (m.offset % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    struct file *f cleanup_file = NULL;
    if (!(m.flags & LINUX_MAP_ANONYMOUS)) {
        m.file = f = fd_get_io(t->files, arg_int(a, 4));
        if (!f)
            return -LINUX_EBADF;
    } else {
        m.offset = 0;  // Linux looks at it for its alignment alone
    }
    bool fixed = m.flags & (LINUX_MAP_FIXED | LINUX_MAP_FIXED_NOREPLACE);
    uint64_t from = fixed ? m.addr : 0, to = fixed ? range_end(m.addr, m.len) : 0;
    int64_t r = mm_op_begin_range(t, from, to);
    if (r)
        return r;
    int64_t at = do_mmap(t, t->mm, t->thread, &m);
    return mm_op_finish_range(t, at, (uint64_t)at, (uint64_t)at + page_up(m.len));
}

int64_t sys_munmap(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    uint64_t from = arg_ptr(a, 0).v, to = range_end(from, arg_size(a, 1));
    int64_t r = mm_op_begin_range(t, from, to);
    if (r)
        return r;
    return mm_op_finish_range(t, do_munmap(t->mm, t->thread, arg_ptr(a, 0), arg_size(a, 1)), from, to);
}

static int64_t protect(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    uint64_t unknown = arg_ulong(a, 2) >> 32;
    bool grows = arg_ulong(a, 2) & (LINUX_PROT_GROWSDOWN | LINUX_PROT_GROWSUP);  // beyond the range
    uint64_t from = grows ? 0 : arg_ptr(a, 0).v, to = grows ? ~0ull : range_end(from, arg_size(a, 1));
    int64_t r = unknown ? -LINUX_EINVAL : mm_op_begin_range(t, from, to);
    if (r)
        return r;
    r = do_mprotect(t->mm, t->thread, arg_ptr(a, 0), arg_size(a, 1), arg_u32(a, 2));
    return mm_op_finish_range(t, r, from, to);
}
int64_t sys_mprotect(struct task *t, const struct sysargs *a) { return protect(t, a); }
int64_t sys_pkey_mprotect(struct task *t, const struct sysargs *a) {
    if (arg_int(a, 3) == -1)
        return protect(t, a);
    uint64_t at = arg_ptr(a, 0).v, len = arg_size(a, 1);  // what is said before anything of the key
    if (at % GUEST_PAGE_SIZE || len == 0)
        return len || at % GUEST_PAGE_SIZE ? -LINUX_EINVAL : 0;
    return len > UINT64_MAX - GUEST_PAGE_SIZE || at + page_up(len) <= at ? -LINUX_ENOMEM : -LINUX_EINVAL;
}
// LIMIT: no keys are handed out, as on a processor without them.
int64_t sys_pkey_alloc(struct task *t, const struct sysargs *a) {
    bool known = arg_ulong(a, 0) == 0 &&
                 !(arg_ulong(a, 1) & ~(uint64_t)(LINUX_PKEY_DISABLE_ACCESS | LINUX_PKEY_DISABLE_WRITE));
    return known ? -LINUX_ENOSPC : -LINUX_EINVAL;
}

int64_t sys_mremap(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    if (arg_ulong(a, 3) >> 32)
        return -LINUX_EINVAL;
    struct mremap_args m = {.addr = arg_ulong(a, 0),
                            .old_len = arg_ulong(a, 1),
                            .new_len = arg_ulong(a, 2),
                            .flags = arg_u32(a, 3)};
    m.new_addr = arg_ulong(a, 4);
    uint64_t *asked = &t->call.notes.map.asked;
    if (mm_op_asked(t))
        return mm_op_finish(t, mremap_follow(t, t->mm, t->thread, &m, *asked, t->call.flush_result));
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    r = do_mremap(t, t->mm, t->thread, &m, asked);
    return r == SYS_FLUSH ? mm_op_ask(t) : mm_op_finish(t, r);
}

int64_t sys_mseal(struct task *t, const struct sysargs *a) {
    int64_t r = mm_op_begin(t);
    return r ? r : mm_op_finish(t, do_mseal(t->mm, arg_ptr(a, 0), arg_size(a, 1), arg_ulong(a, 2)));
}

int64_t sys_remap_file_pages(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    if (arg_ulong(a, 2))
        return -LINUX_EINVAL;
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_finish(t, do_remap_file_pages(t, t->mm, t->thread, arg_ulong(a, 0), arg_size(a, 1),
                                               arg_ulong(a, 3), arg_ulong(a, 4)));
}

int64_t sys_brk(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_finish(t, do_brk(t, t->mm, t->thread, arg_ptr(a, 0)));
}

// What the host says to advice that it may refuse.
static int64_t host_said(struct task *t, int64_t said) {
    return mm_op_finish(t, said < 0 ? said : t->call.notes.map.value);
}
int64_t sys_madvise(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    if (mm_op_asked(t))
        return host_said(t, t->call.flush_result);
    uint64_t from = arg_ptr(a, 0).v, to = range_end(from, arg_size(a, 1));
    int64_t r = mm_op_begin_range(t, from, to);
    if (r)
        return r;
    r = do_madvise(t, t->mm, t->thread, arg_ptr(a, 0), arg_size(a, 1), arg_int(a, 2));
    return mm_advice_asks(arg_int(a, 2)) ? mm_op_ask_with(t, r) : mm_op_finish_range(t, r, from, to);
}

int64_t sys_msync(struct task *t, const struct sysargs *a) {
    plat_block_begin(t->k->platform);
    int64_t r = do_msync(t->mm, arg_ptr(a, 0), arg_size(a, 1), arg_u32(a, 2));
    plat_block_end(t->k->platform);
    return r;
}

// notes.map.asked: how far it has come.
static int64_t mincore_on(struct task *t, uint64_t at, uint64_t end, uaddr_t vec) {
    uint64_t done, from = t->call.notes.map.asked;
    int64_t r = from < end ? do_mincore(t->mm, t->thread, from, end,
                                        uaddr_add(vec, (from - at) / GUEST_PAGE_SIZE), &done)
                           : 0;
    if (r != SYS_FLUSH)
        return mm_op_finish(t, r);
    t->call.notes.map.asked = from + done;
    return mm_op_ask(t);
}
int64_t sys_mincore(struct task *t, const struct sysargs *a) {
    uint64_t at = arg_ulong(a, 0), len = arg_size(a, 1), end;
    if (mm_op_asked(t) && t->call.flush_result < 0)
        return mm_op_finish(t, t->call.flush_result);
    if (at % GUEST_PAGE_SIZE)
        return -LINUX_EINVAL;
    if (len > LINUX_TASK_SIZE || at > LINUX_TASK_SIZE - len)
        return -LINUX_ENOMEM;
    if (!user_range_ok(arg_ptr(a, 2).v, page_up(len) / GUEST_PAGE_SIZE))
        return -LINUX_EFAULT;
    end = at + page_up(len);
    if (!mm_op_asked(t)) {
        int64_t r = mm_op_begin(t);
        if (r)
            return r;
        t->call.notes.map.asked = at;
    }
    return mincore_on(t, at, end, arg_ptr(a, 2));
}

static int64_t lock_range(struct task *t, const struct sysargs *a, enum mm_lock how) {
    if (mm_op_asked(t))
        return host_said(t, mm_lock_error(t->call.flush_result));
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_ask_with(t, do_mlock(t, t->mm, t->thread, arg_ptr(a, 0), arg_size(a, 1), how));
}
int64_t sys_mlock(struct task *t, const struct sysargs *a) { return lock_range(t, a, MM_FILL); }
int64_t sys_mlock2(struct task *t, const struct sysargs *a) {
    if (arg_int(a, 2) & ~LINUX_MLOCK_ONFAULT)
        return -LINUX_EINVAL;
    return lock_range(t, a, arg_int(a, 2) ? MM_LOCK : MM_FILL);
}
int64_t sys_munlock(struct task *t, const struct sysargs *a) { return lock_range(t, a, MM_UNLOCK); }
int64_t sys_mlockall(struct task *t, const struct sysargs *a) {
    if (mm_op_asked(t))
        return host_said(t, 0);
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_ask_with(t, do_mlockall(t, t->mm, t->thread, arg_u32(a, 0)));
}
int64_t sys_munlockall(struct task *t, const struct sysargs *a) { return do_munlockall(t->mm); }

// ---- membarrier -------------------------------------------------------------------------------------------
#define BARRIER_KNOWN                                                                                        \
    (LINUX_MEMBARRIER_CMD_GLOBAL | LINUX_MEMBARRIER_CMD_GLOBAL_EXPEDITED |                                   \
     LINUX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | LINUX_MEMBARRIER_CMD_PRIVATE_EXPEDITED |               \
     LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)

static int64_t barrier(struct task *t) {
    plat_block_begin(t->k->platform);
    int64_t r = host_membarrier(false);
    plat_block_end(t->k->platform);
    return r;
}
int64_t sys_membarrier(struct task *t, const struct sysargs *a) {
    int cmd = arg_int(a, 0);
    struct mm *mm = t->mm;
    if (arg_u32(a, 1))
        return -LINUX_EINVAL;
    if (host_membarrier(true) < 0)
        return -LINUX_ENOSYS;
    switch (cmd) {
    case LINUX_MEMBARRIER_CMD_QUERY:
        return BARRIER_KNOWN;
    case LINUX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
        atomic_fetch_or(&mm->membarrier, (uint32_t)cmd);
        return 0;
    case LINUX_MEMBARRIER_CMD_GET_REGISTRATIONS:
        return atomic_load(&mm->membarrier);
    case LINUX_MEMBARRIER_CMD_PRIVATE_EXPEDITED:
        if (!(atomic_load(&mm->membarrier) & LINUX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED))
            return -LINUX_EPERM;
        return atomic_load(&mm->users) > 1 ? barrier(t) : 0;
    case LINUX_MEMBARRIER_CMD_GLOBAL:
    case LINUX_MEMBARRIER_CMD_GLOBAL_EXPEDITED:
        return barrier(t);
    default:
        return -LINUX_EINVAL;
    }
}
