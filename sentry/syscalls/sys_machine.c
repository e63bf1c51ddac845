// SPDX-License-Identifier: Apache-2.0
// Calls about the machine, of which a sandbox has none of its own: syslog settimeofday swapon swapoff reboot
// iopl ioperm, init_module finit_module delete_module kexec_load kexec_file_load, quotactl quotactl_fd,
// pkey_free, lsm_list_modules. Arguments and capabilities are looked at as Linux does; what would change the
// machine is then refused as Linux refuses it where the machine lacks the thing or has locked it: modules and
// kexec by their sysctls, ports by lockdown. reboot ends a pid namespace, which is all it does to one on
// Linux.
#include "abi/caps.h"
#include "abi/machine.h"
#include "abi/misc.h"
#include "sentry/fd/fdtable.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/proc/cred.h"
#include "sentry/proc/fs_ctx.h"
#include "sentry/proc/pid_ns.h"
#include "sentry/proc/task.h"
#include "sentry/proc/user_ns.h"
#include "sentry/run/park.h"
#include "sentry/syscalls/at.h"
#include "sentry/syscalls/table.h"
#include "sentry/time/timeconv.h"

// ---- The kernel's log, which is empty ---------------------------------------------------------------------
int64_t sys_syslog(struct task *t, const struct sysargs *a) {
    int32_t len = arg_int(a, 2);
    bool reads = false;
    if (!task_capable(t, LINUX_CAP_SYSLOG))  // kernel.dmesg_restrict is 1
        return -LINUX_EPERM;
    switch (arg_int(a, 0)) {
    case LINUX_SYSLOG_READ:
        reads = true;
        break;
    case LINUX_SYSLOG_READ_ALL:
    case LINUX_SYSLOG_READ_CLEAR:
        break;
    case LINUX_SYSLOG_CONSOLE_LEVEL:
        return len < 1 || len > 8 ? -LINUX_EINVAL : 0;
    case LINUX_SYSLOG_SIZE_BUFFER:
        return LINUX_LOG_BUF_LEN;
    default:
        return arg_u32(a, 0) <= LINUX_SYSLOG_SIZE_BUFFER ? 0 : -LINUX_EINVAL;
    }
    if (uaddr_is_null(arg_ptr(a, 1)) || len < 0)
        return -LINUX_EINVAL;
    if (len == 0)
        return 0;
    if (!user_range_ok(arg_ulong(a, 1), (uint64_t)len))
        return -LINUX_EFAULT;
    return reads ? park(t) : 0;  // no line will ever come
}

#define SETTOD_MAX 8277292036  // seconds: Linux' TIME_SETTOD_SEC_MAX, the last of ktime_t less thirty years

// ---- The clock --------------------------------------------------------------------------------------------
int64_t sys_settimeofday(struct task *t, const struct sysargs *a) {
    struct linux_timeval tv = {0};
    int32_t zone[2];  // minutes west, dsttime
    bool set = !uaddr_is_null(arg_ptr(a, 0));
    if (set && copy_in_obj(t, &tv, arg_ptr(a, 0)) < 0)
        return -LINUX_EFAULT;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -LINUX_EINVAL;
    if (!uaddr_is_null(arg_ptr(a, 1)) && copy_in(t, zone, arg_ptr(a, 1), sizeof zone) < 0)
        return -LINUX_EFAULT;
    if (set && (tv.tv_sec < 0 || tv.tv_sec >= SETTOD_MAX))
        return -LINUX_EINVAL;
    return -LINUX_EPERM;
}

// ---- Swap -------------------------------------------------------------------------------------------------
// Files of tmpfs, overlays and the like hold no swap: what could be opened is EINVAL.
static int64_t swap_file(struct task *t, uaddr_t name) {
    TASK_VFS_CTX(t, ctx);
    struct file *f;
    AT_PATH(p);
    int err = at_init(t, &p, LINUX_AT_FDCWD, name);
    if (err == 0)
        err = vfs_open(&ctx, p.from, p.name, LINUX_O_RDWR | LINUX_O_LARGEFILE | LINUX_O_NONBLOCK, 0,
                       WALK_FOLLOW, &f);
    if (err < 0)
        return err;
    file_put(f);
    return -LINUX_EINVAL;
}

int64_t sys_swapon(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 1) & ~LINUX_SWAP_FLAGS)
        return -LINUX_EINVAL;
    return task_capable(t, LINUX_CAP_SYS_ADMIN) ? swap_file(t, arg_ptr(a, 0)) : -LINUX_EPERM;
}

int64_t sys_swapoff(struct task *t, const struct sysargs *a) {
    return task_capable(t, LINUX_CAP_SYS_ADMIN) ? swap_file(t, arg_ptr(a, 0)) : -LINUX_EPERM;
}

// ---- Ends -------------------------------------------------------------------------------------------------
// Linux' reboot_pid_ns(): the namespace's init ends as if by that signal, and all in it with it.
int64_t sys_reboot(struct task *t, const struct sysargs *a) {
    const uint32_t second = arg_u32(a, 1);
    int sig;
    if (!task_capable_over(t, &t->tg->pid_ns->ns, LINUX_CAP_SYS_BOOT))
        return -LINUX_EPERM;
    if (arg_u32(a, 0) != LINUX_REBOOT_MAGIC1 ||
        (second != LINUX_REBOOT_MAGIC2 && second != LINUX_REBOOT_MAGIC2A && second != LINUX_REBOOT_MAGIC2B &&
         second != LINUX_REBOOT_MAGIC2C))
        return -LINUX_EINVAL;
    switch (arg_u32(a, 2)) {
    case LINUX_REBOOT_CMD_RESTART:
    case LINUX_REBOOT_CMD_RESTART2:
        sig = LINUX_SIGHUP;
        break;
    case LINUX_REBOOT_CMD_POWER_OFF:
    case LINUX_REBOOT_CMD_HALT:
        sig = LINUX_SIGINT;
        break;
    default:
        return -LINUX_EINVAL;
    }
    tgroup_end_init(t, sig);
    return park_killable(t);
}

// ---- Ports of the processor -------------------------------------------------------------------------------
int64_t sys_iopl(struct task *t, const struct sysargs *a) {
    if (arg_u32(a, 0) > 3)
        return -LINUX_EINVAL;
    return arg_u32(a, 0) == 0 ? 0 : -LINUX_EPERM;
}

int64_t sys_ioperm(struct task *t, const struct sysargs *a) {
    uint64_t from = arg_ulong(a, 0), end = from + arg_ulong(a, 1);
    if (end <= from || end > LINUX_IO_PORTS)
        return -LINUX_EINVAL;
    return arg_int(a, 2) == 0 ? 0 : -LINUX_EPERM;
}

// ---- The kernel itself: kernel.modules_disabled and kernel.kexec_load_disabled are 1 ---------------
int64_t sys_init_module(struct task *t, const struct sysargs *a) { return -LINUX_EPERM; }
int64_t sys_finit_module(struct task *t, const struct sysargs *a) { return -LINUX_EPERM; }
int64_t sys_delete_module(struct task *t, const struct sysargs *a) { return -LINUX_EPERM; }
int64_t sys_kexec_load(struct task *t, const struct sysargs *a) { return -LINUX_EPERM; }
int64_t sys_kexec_file_load(struct task *t, const struct sysargs *a) { return -LINUX_EPERM; }

// No keys are handed out (pkey_alloc), so none is there to be freed.
int64_t sys_pkey_free(struct task *t, const struct sysargs *a) { return -LINUX_EINVAL; }

int64_t sys_lsm_list_modules(struct task *t, const struct sysargs *a) {
    static const uint64_t ids[] = {LINUX_LSM_ID_CAPABILITY, LINUX_LSM_ID_LANDLOCK};
    uint32_t room, need = sizeof ids;
    if (arg_u32(a, 2) != 0)
        return -LINUX_EINVAL;
    if (copy_in_obj(t, &room, arg_ptr(a, 1)) < 0 || copy_out_obj(t, arg_ptr(a, 1), &need) < 0)
        return -LINUX_EFAULT;
    if (room < need)
        return -LINUX_E2BIG;
    return copy_out(t, arg_ptr(a, 0), ids, sizeof ids) < 0 ? -LINUX_EFAULT
                                                           : (int64_t)(sizeof ids / sizeof *ids);
}

// ---- Quotas, which are of file systems on block devices; none is mounted here -----------------------
int64_t sys_quotactl(struct task *t, const struct sysargs *a) {
    uint32_t cmd = arg_u32(a, 0) >> 8, type = arg_u32(a, 0) & 0xff;
    struct path dev;
    if (type >= LINUX_MAXQUOTAS)
        return -LINUX_EINVAL;
    if (uaddr_is_null(arg_ptr(a, 1)))
        return cmd == LINUX_Q_SYNC ? 0 : -LINUX_ENODEV;
    TASK_VFS_CTX(t, ctx);
    int err = at_walk(t, &ctx, LINUX_AT_FDCWD, arg_ptr(a, 1), LINUX_AT_SYMLINK_FOLLOW,
                      LINUX_AT_SYMLINK_FOLLOW, &dev);
    if (err < 0)
        return err;
    bool block = inode_type(dev.dentry->inode) == LINUX_S_IFBLK, nodev = dev.mnt->flags & LINUX_MS_NODEV;
    path_put(&dev);
    if (!block)
        return -LINUX_ENOTBLK;
    return nodev ? -LINUX_EACCES : -LINUX_ENODEV;
}

int64_t sys_quotactl_fd(struct task *t, const struct sysargs *a) {
    cleanup_file struct file *f = fd_get(t->files, arg_int(a, 0));
    if (!f)
        return -LINUX_EBADF;
    return (arg_u32(a, 1) & 0xff) >= LINUX_MAXQUOTAS ? -LINUX_EINVAL : -LINUX_ENOSYS;
}
