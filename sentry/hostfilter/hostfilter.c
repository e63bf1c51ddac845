// SPDX-License-Identifier: Apache-2.0
// See hostfilter.h. A forbidden call kills the process, and with it the sandbox: only a taken-over sentry makes one.
// clone3 is not among the rows because a filter cannot look into its structure; it answers ENOSYS, and libc uses clone.
#include "sentry/hostfilter/hostfilter.h"
#include "abi/errno.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int drop_capabilities(void) {
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0}};
    for (unsigned cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0)
            break;  // EPERM: an ordinary user's; EINVAL: past the last one
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &h, none) < 0 ? -errno : 0;
}

// The filter cannot tell our stubs' numbers from other processes', so kill, process_vm_writev and pidfd_getfd alone would
// reach all that our user runs. A Landlock domain does: memory and descriptors of processes outside of it are out of reach
// (Linux 5.13), and so are signals to them (6.12). Stubs are made afterwards and lie within. What is forbidden of files we
// do not do anyway.
struct neighbours {  // struct landlock_ruleset_attr as of ABI 6; shorter ones are prefixes
    uint64_t fs, net, scoped;
};

static int leave_neighbours(void) {
    static const size_t sizes[] = {0, 8, 8, 8, 16, 16, 24};  // by ABI version
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1)
        return 0;  // LIMIT: on hosts without Landlock a sentry that was taken over reaches its user's other processes.
    struct neighbours rules = {
        .fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
              LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
              LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
              LANDLOCK_ACCESS_FS_MAKE_SYM,
        .net = 3,     // binding and connecting TCP sockets
        .scoped = 3,  // abstract unix sockets, signals
    };
    int fd = (int)syscall(SYS_landlock_create_ruleset, &rules, sizes[abi < 6 ? abi : 6], 0);
    if (fd < 0)
        return -errno;
    int err = syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
    close(fd);
    return err;
}

int hostfilter_prepare(void) {
    struct rlimit files, none = {0, 0};
    // With arenas of its own for each thread, glibc opens a file of /proc when it shrinks one. (One arena also keeps
    // less memory; small blocks come from per-thread caches anyway.)
    mallopt(M_ARENA_MAX, 1);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    int err = drop_capabilities();
    return err ? err : leave_neighbours();
}

// ---- Conditions ------------------------------------------------------------------------------------------------------
enum when { ALWAYS, SECCOMP, PTRACE, SANITIZED };
enum condition { ANY, NO_EXEC, THREAD, TERMINAL, NOTIFY, GUARD, SELF };

// Requests of fs/host, which copies their structures itself.
static const unsigned long terminal[] = {TCGETS,   TCSETS,   TCSETSW,  TCSETSF,    TIOCGWINSZ, TIOCSWINSZ,
                                         FIONREAD, TCSBRK,   TCXONC,   TCFLSH,     TIOCOUTQ,   TCSBRKP,
                                         0x802c542a /* TCGETS2 */, 0x402c542b, 0x402c542c, 0x402c542d /* TCSETS2, W2, F2 */};
static const unsigned long notify[] = {SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_ADDFD,
                                       SECCOMP_IOCTL_NOTIF_ID_VALID};

static const unsigned long guard[] = {UFFDIO_API, UFFDIO_REGISTER, UFFDIO_UNREGISTER, UFFDIO_COPY};

static int allow_requests(scmp_filter_ctx ctx, int nr, const unsigned long *req, size_t n) {
    int err = 0;
    for (size_t i = 0; !err && i < n; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, req[i]));
    return err;
}

static int allow(scmp_filter_ctx ctx, int nr, enum condition c) {
    switch (c) {
    case NO_EXEC:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    case THREAD:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    case SELF:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, 0));
    case TERMINAL:
        return allow_requests(ctx, nr, terminal, sizeof terminal / sizeof terminal[0]);
    case NOTIFY:
        return allow_requests(ctx, nr, notify, sizeof notify / sizeof notify[0]);
    case GUARD:
        return allow_requests(ctx, nr, guard, sizeof guard / sizeof guard[0]);
    default:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
    }
}

// ---- The filter --------------------------------------------------------------------------------------------------------
static const struct row {
    int number;
    enum when when;
    enum condition condition;
} rows[] = {
#define HOST_SYSCALL(name, when, condition, reason) {SCMP_SYS(name), when, condition},
#include "sentry/hostfilter/host_syscalls.def"
};

static bool wanted(enum when when, const char *platform) {
    switch (when) {
    case SECCOMP:
        return !strcmp(platform, "seccomp");
    case PTRACE:
        return !strcmp(platform, "ptrace");
    case SANITIZED:
#ifdef PICKET_SANITIZED
        return true;
#else
        return false;
#endif
    default:
        return true;
    }
}

int hostfilter_load(const char *platform) {
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return -LINUX_ENOMEM;
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree: few comparisons for each call
    for (size_t i = 0; !err && i < sizeof rows / sizeof rows[0]; i++)
        if (wanted(rows[i].when, platform))
            err = allow(ctx, rows[i].number, rows[i].condition);
    if (!err)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (!err)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    return err;
}
