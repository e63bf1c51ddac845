// SPDX-License-Identifier: Apache-2.0
// Opening: open openat openat2 creat. Waits in one case only: a fifo whose other side is not there yet
// (fifo(7)).
#include "sentry/kernel.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/lease_wait.h"
#include "sentry/syscalls/table.h"

static int install(struct task *t, struct file *f, unsigned flags) {
    return fd_install(t->files, f, 0, task_rlimit(t, LINUX_RLIMIT_NOFILE), flags & LINUX_O_CLOEXEC);
}

static void drop_fifo(struct task *t) {
    if (t->call.own.fifo)
        file_put(take_ptr(t->call.own.fifo));
}

// The fifo is kept in call.own over reruns: it already counts as a reader or a writer.
static int64_t wait_fifo(struct task *t, unsigned flags) {
    struct file *f = t->call.own.fifo;
    int err = vfs_open_again(f, park_waiter(t));
    if (err == -LINUX_EAGAIN)
        return park(t);
    return err < 0 ? err : install(t, f, flags);
}

// A lease stands in the way: when it is gone, or its time is up, all begins anew.
int64_t lease_wait(struct task *t, struct file *f, bool write) {
    uint64_t until;
    park_arm_in(t, f, &f->inode->lock_waitq);
    if (vfs_lease_break(f->inode, write, &until) == 0)
        return SYS_AGAIN;
    park_deadline_move(t, until);
    return park(t);
}

// Guards against a name that cannot be opened because the table is full: the file must not be created then.
static bool table_full(struct task *t) {
    uint64_t limit = task_rlimit(t, LINUX_RLIMIT_NOFILE);
    return fd_count_at_least(t->files, limit);
}

static int64_t do_open(struct task *t, int dirfd, uaddr_t name, unsigned flags, uint32_t mode,
                       unsigned walk) {
    if (t->call.own.fifo)
        return wait_fifo(t, flags);
    int err = vfs_open_check(flags);
    if (err < 0)
        return err;
    AT_PATH(p);
    err = at_init(t, &p, dirfd, name);
    if (err < 0)
        return err;
    if (table_full(t))
        return -LINUX_EMFILE;
    TASK_VFS_CTX(t, ctx);
    struct file *f = NULL;
    // A file that is to be written may have to be copied, from a disk.
    bool copies = (flags & LINUX_O_ACCMODE) != LINUX_O_RDONLY || (flags & LINUX_O_TRUNC);
    if (copies)
        plat_block_begin(t->k->platform);
    err = vfs_open(&ctx, p.from, p.name, flags, mode & 07777, walk, &f);
    if (copies)
        plat_block_end(t->k->platform);
    if (err == -LINUX_EAGAIN && f && (f->mode & FMODE_LEASED)) {
        int64_t r = lease_wait(t, f, (flags & LINUX_O_ACCMODE) != LINUX_O_RDONLY || (flags & LINUX_O_TRUNC));
        file_put(f);
        return r;
    }
    if (err == -LINUX_EAGAIN && f) {
        t->call.own.fifo = f;
        t->call.cleanup = drop_fifo;
        return wait_fifo(t, flags);
    }
    if (err < 0)
        return err;
    int fd = install(t, f, flags);
    file_put(f);
    return fd;
}

int64_t sys_open(struct task *t, const struct sysargs *a) {
    return do_open(t, LINUX_AT_FDCWD, arg_ptr(a, 0), arg_u32(a, 1) & LINUX_VALID_OPEN_FLAGS, arg_mode(a, 2),
                   0);
}
int64_t sys_creat(struct task *t, const struct sysargs *a) {
    return do_open(t, LINUX_AT_FDCWD, arg_ptr(a, 0), LINUX_O_CREAT | LINUX_O_WRONLY | LINUX_O_TRUNC,
                   arg_mode(a, 1), 0);
}
int64_t sys_openat(struct task *t, const struct sysargs *a) {
    return do_open(t, arg_int(a, 0), arg_ptr(a, 1), arg_u32(a, 2) & LINUX_VALID_OPEN_FLAGS, arg_mode(a, 3),
                   0);
}

static const struct {
    uint64_t resolve;
    unsigned walk;
} resolve_map[] = {
    {LINUX_RESOLVE_NO_XDEV, WALK_NO_XDEV},         {LINUX_RESOLVE_NO_MAGICLINKS, WALK_NO_MAGIC},
    {LINUX_RESOLVE_NO_SYMLINKS, WALK_NO_LINKS},    {LINUX_RESOLVE_BENEATH, WALK_BENEATH},
    {LINUX_RESOLVE_IN_ROOT, WALK_IN_ROOT},
};

// openat2(2): the structure is read once; bytes beyond what is known must be zero, and so must unknown flags.
static int64_t decode_how(struct task *t, uaddr_t addr, size_t size, struct linux_open_how *how) {
    int err = copy_in_struct(t, how, sizeof *how, addr, size, LINUX_OPEN_HOW_SIZE_VER0);
    if (err < 0)
        return err;
    bool makes = how->flags & (LINUX_O_CREAT | LINUX___O_TMPFILE);
    if ((how->flags & ~(uint64_t)LINUX_VALID_OPEN_FLAGS) || (how->mode & ~07777ull) || (!makes && how->mode))
        return -LINUX_EINVAL;
    if ((how->flags & LINUX_O_PATH) &&
        (how->flags & ~(uint64_t)(LINUX_O_PATH | LINUX_O_DIRECTORY | LINUX_O_NOFOLLOW | LINUX_O_CLOEXEC)))
        return -LINUX_EINVAL;
    if ((how->resolve & LINUX_RESOLVE_BENEATH) && (how->resolve & LINUX_RESOLVE_IN_ROOT))
        return -LINUX_EINVAL;
    return 0;
}

int64_t sys_openat2(struct task *t, const struct sysargs *a) {
    struct linux_open_how how;
    int64_t err = decode_how(t, arg_ptr(a, 2), arg_size(a, 3), &how);
    if (err < 0)
        return err;
    unsigned walk = 0;
    for (unsigned i = 0; i < sizeof resolve_map / sizeof resolve_map[0]; i++)
        if (how.resolve & resolve_map[i].resolve) {
            walk |= resolve_map[i].walk;
            how.resolve &= ~resolve_map[i].resolve;
        }
    // LIMIT: RESOLVE_CACHED answers EAGAIN always: whether a walk would need the gofer is not told
    // beforehand.
    if (how.resolve)
        return how.resolve == LINUX_RESOLVE_CACHED ? -LINUX_EAGAIN : -LINUX_EINVAL;
    return do_open(t, arg_int(a, 0), arg_ptr(a, 1), (unsigned)how.flags, (uint32_t)how.mode, walk);
}
