// SPDX-License-Identifier: Apache-2.0
// shmget, shmat, shmdt, shmctl. The segments are in sentry/ipc/shm.c; attaching is an mmap of their files.
#include "sentry/ipc/ipc_ns.h"
#include "sentry/fd/fdtable.h"
#include "sentry/ipc/shm.h"
#include "sentry/mm/area.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/task.h"
#include "sentry/syscalls/table.h"

#define SHMLBA GUEST_PAGE_SIZE

int64_t sys_shmget(struct task *t, const struct sysargs *a) {
    return do_shmget(t, arg_int(a, 0), arg_size(a, 1), arg_u32(a, 2));
}

static int64_t attach(struct task *t, int id, uint64_t addr, unsigned flags) {
    struct file *f cleanup_file = NULL;
    struct mmap_args m = {.addr = addr, .prot = LINUX_PROT_READ, .flags = LINUX_MAP_SHARED};
    int may = MAY_READ;
    if (!(flags & LINUX_SHM_RDONLY)) {
        may |= MAY_WRITE;
        m.prot |= LINUX_PROT_WRITE;
    } else {
        m.deny = LINUX_PROT_WRITE;
    }
    if (flags & LINUX_SHM_EXEC) {
        may |= MAY_EXEC;
        m.prot |= LINUX_PROT_EXEC;
    }
    int r = shm_attach(t, id, may, &f, &m.len);
    if (r < 0)
        return r;
    m.file = f;
    if (addr)
        m.flags |= flags & LINUX_SHM_REMAP ? LINUX_MAP_FIXED : LINUX_MAP_FIXED_NOREPLACE;
    int64_t at = do_mmap(t, t->mm, t->thread, &m);
    return at == -LINUX_EEXIST ? -LINUX_EINVAL : at;
}
int64_t sys_shmat(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    uint64_t addr = arg_ulong(a, 1);
    unsigned flags = arg_u32(a, 2);
    if (arg_int(a, 0) < 0)
        return -LINUX_EINVAL;
    if (addr % SHMLBA && !(flags & LINUX_SHM_RND))
        return -LINUX_EINVAL;
    addr &= ~(SHMLBA - 1);
    if (!addr && (flags & LINUX_SHM_REMAP))
        return -LINUX_EINVAL;
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_finish(t, attach(t, arg_int(a, 0), addr, flags));
}

// The next piece at or above `at` of what was attached at addr: its range and file (referenced).
static struct file *next_piece(struct mm *mm, uint64_t addr, uint64_t at, uint64_t *start, uint64_t *end) {
    LOCKED(&mm->lock);
    for (const struct vma *v = area_find(mm, at); v; v = area_next(v)) {
        if (!v->file || !(v->flags & LINUX_MAP_SHARED) || v->start < addr || v->start - v->offset != addr)
            continue;
        *start = v->start;
        *end = v->end;
        return file_get(v->file);
    }
    return NULL;
}
// Pieces may have been unmapped or protected apart since. shmop(2).
static int64_t detach(struct task *t, uint64_t addr) {
    struct file *segment cleanup_file = NULL;
    uint64_t at = addr, start, end, limit = UINT64_MAX;
    for (struct file *f; at < limit && (f = next_piece(t->mm, addr, at, &start, &end)); at = end) {
        uint64_t size = segment ? 0 : shm_size_of(t, f);
        if (size) {
            segment = file_get(f);
            limit = addr + size;
        }
        bool mine = segment == f && start < limit;
        file_put(f);
        int64_t r = mine ? do_munmap(t->mm, t->thread, uaddr(start), end - start) : 0;
        if (r < 0)
            return r;
    }
    if (!segment)
        return -LINUX_EINVAL;
    shm_detached(t, segment);
    return 0;
}
int64_t sys_shmdt(struct task *t, const struct sysargs *a) {
    if (mm_op_flushed(t))
        return mm_op_done(t);
    if (arg_ulong(a, 0) % SHMLBA)
        return -LINUX_EINVAL;
    int64_t r = mm_op_begin(t);
    if (r)
        return r;
    return mm_op_finish(t, detach(t, arg_ulong(a, 0)));
}

int64_t sys_shmctl(struct task *t, const struct sysargs *a) {
    int id = arg_int(a, 0), cmd = arg_int(a, 1) & ~0x100;  // IPC_64 is what x86-64 has anyway
    uaddr_t buf = arg_ptr(a, 2);
    struct linux_shmid64_ds ds;
    struct linux_shm_info info;
    struct linux_shminfo64 limits;
    int64_t r;
    if (id < 0)
        return -LINUX_EINVAL;
    switch (cmd) {
    case LINUX_IPC_STAT:
    case LINUX_SHM_STAT:
    case LINUX_SHM_STAT_ANY:
        r = shm_stat(t, id, cmd, &ds);
        ipc_perm_out(t, &ds.shm_perm);
        return r >= 0 && copy_out_obj(t, buf, &ds) < 0 ? -LINUX_EFAULT : r;
    case LINUX_IPC_SET:
        if (copy_in_obj(t, &ds, buf) < 0)
            return -LINUX_EFAULT;
        return ipc_perm_in(t, &ds.shm_perm) ? shm_set(t, id, &ds) : -LINUX_EINVAL;
    case LINUX_IPC_RMID:
        return shm_remove(t, id);
    case LINUX_SHM_LOCK:
    case LINUX_SHM_UNLOCK:
        return shm_lock(t, id, cmd == LINUX_SHM_LOCK);
    case LINUX_SHM_INFO:
        r = shm_info(t, &info);
        return copy_out_obj(t, buf, &info) < 0 ? -LINUX_EFAULT : r;
    case LINUX_IPC_INFO:
        r = shm_limits(t, &limits);
        return copy_out_obj(t, buf, &limits) < 0 ? -LINUX_EFAULT : r;
    default:
        return -LINUX_EINVAL;
    }
}
