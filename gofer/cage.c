// SPDX-License-Identifier: Apache-2.0
// The gofer's cage. In the order in which it goes up:
//   descriptors   all closed but the connection, roots, /proc/self/fd and stderr
//   limits        as many descriptors as the host lets us; no core dump, not traceable
//   chroot        into an empty directory, where allowed: absolute paths lead nowhere. (The root descriptors are
//                 outside, so this alone confines nobody.)
//   capabilities  none but those that file access as root takes
//   Landlock      where the host has it, also without root: opens for I/O only beneath the roots, writes only beneath
//                 writable ones, no device, fifo or socket node can be made, nothing executed, no process traced or
//                 signalled, no abstract socket or TCP port reached
//   seccomp       the rows of host_syscalls.def; everything else kills the process
// LIMIT: below a root "/" Landlock cannot cut out /proc and /sys: a gofer that was taken over could read there what
// its user may read. Requests cannot (resolve.c).
//
// Called by gofer.c once, single-threaded.
#include "gofer/cage.h"
#include "abi/errno.h"
#include "base/cleanup.h"
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// Newer than the headers we may be built with.
#define LL_FS_REFER              (1ull << 13)
#define LL_FS_TRUNCATE           (1ull << 14)
#define LL_FS_IOCTL_DEV          (1ull << 15)
#define LL_NET_TCP               3ull
#define LL_SCOPE_ABSTRACT_SIGNAL 3ull

static bool any_writable(const struct gofer_server *s) {
    for (unsigned i = 0; i < s->nroots; i++)
        if (s->roots[i].writable)
            return true;
    return false;
}

// ---- Descriptors -----------------------------------------------------------------------------------------------
static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static int close_gap(unsigned from, unsigned to) {
    return syscall(SYS_close_range, from, to, 0) < 0 ? -errno : 0;
}

int cage_close_others(const struct gofer_server *s, int sock) {
    int keep[GOFER_ROOTS_MAX + 3];
    size_t n = 0;
    keep[n++] = STDERR_FILENO;
    keep[n++] = sock;
    keep[n++] = s->proc_fd;
    for (unsigned i = 0; i < s->nroots; i++)
        keep[n++] = s->roots[i].fd;
    qsort(keep, n, sizeof(keep[0]), by_number);
    unsigned from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned kept = (unsigned)keep[i];
        int err = kept > from ? close_gap(from, kept - 1) : 0;
        if (err)
            return err;
        from = kept + 1;
    }
    return close_gap(from, ~0u);
}

// ---- Limits and the like ---------------------------------------------------------------------------------------
static int set_limits(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
        return -errno;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

// Best effort: an ordinary user may not. The directory is one that is always empty of files of any use.
static void enter_empty_root(void) {
    if (chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0)
        return;
    log_debug("no chroot: errno %d", errno);
}

// ---- Capabilities ----------------------------------------------------------------------------------------------
int cage_capabilities(bool writable) {
    static const unsigned write_caps[] = {CAP_DAC_OVERRIDE, CAP_CHOWN, CAP_FOWNER, CAP_FSETID};
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct have[2], want[2] = {{0}};
    if (syscall(SYS_capget, &h, have) < 0)
        return -errno;
    // Containers often have only the wider one; without either, files are read as their modes allow.
    bool search = have[0].permitted & 1u << CAP_DAC_READ_SEARCH;
    want[0].permitted = search ? 1u << CAP_DAC_READ_SEARCH : 1u << CAP_DAC_OVERRIDE;
    for (size_t i = 0; writable && i < sizeof(write_caps) / sizeof(write_caps[0]); i++)
        want[0].permitted |= 1u << write_caps[i];
    want[0].permitted &= have[0].permitted;
    want[0].effective = want[0].permitted;
    for (unsigned cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap) < 0)
            break;  // EPERM: an ordinary user's; EINVAL: past the last one
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &h, want) < 0 ? -errno : 0;
}

// ---- Landlock --------------------------------------------------------------------------------------------------
struct ll_ruleset {  // struct landlock_ruleset_attr as of ABI 6; shorter ones are prefixes
    uint64_t fs, net, scoped;
};
static const size_t ll_sizes[] = {0, 8, 8, 8, 16, 16, 24};  // by ABI version

// Rights by ABI version: 1 has those up to MAKE_SYM, 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV.
static uint64_t ll_known(int abi) {
    uint64_t fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    return fs | (abi >= 2 ? LL_FS_REFER : 0) | (abi >= 3 ? LL_FS_TRUNCATE : 0) |
           (abi >= 5 ? LL_FS_IOCTL_DEV : 0);
}

static uint64_t ll_rights(bool writable, bool dir) {
    uint64_t r = LANDLOCK_ACCESS_FS_READ_FILE;
    if (dir)
        r |= LANDLOCK_ACCESS_FS_READ_DIR;
    if (writable)
        r |= LANDLOCK_ACCESS_FS_WRITE_FILE | LL_FS_TRUNCATE;
    if (writable && dir)
        r |= LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | LL_FS_REFER;
    return r;
}

static int ll_add_roots(const struct gofer_server *s, int ruleset, uint64_t known) {
    for (unsigned i = 0; i < s->nroots; i++) {
        struct stat st;
        if (fstat(s->roots[i].fd, &st) < 0)
            return -errno;
        if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
            continue;  // is never opened
        struct landlock_path_beneath_attr rule = {
            .allowed_access = ll_rights(s->roots[i].writable, S_ISDIR(st.st_mode)) & known,
            .parent_fd = s->roots[i].fd,
        };
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
            return -errno;
    }
    return 0;
}

int cage_landlock(const struct gofer_server *s) {
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    // ABI 1 forbids every rename and link between directories.
    if (abi < 1 || (abi < 2 && any_writable(s))) {
        log_debug("no Landlock (version %ld)", abi);
        return 0;
    }
    struct ll_ruleset rules = {
        .fs = ll_known((int)abi),
        .net = LL_NET_TCP,
        .scoped = LL_SCOPE_ABSTRACT_SIGNAL,
    };
    size_t size = ll_sizes[abi < 6 ? abi : 6];
    int fd cleanup_close = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return -errno;
    int err = ll_add_roots(s, fd, rules.fs);
    if (err)
        return err;
    return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

// ---- seccomp ---------------------------------------------------------------------------------------------------
enum when { ALWAYS, WRITE, SANITIZED };
enum condition { ANY, ON_SOCK };
static const struct row {
    int number;
    enum when when;
    enum condition condition;
} rows[] = {
#define HOST_SYSCALL(name, when, condition, reason) {SCMP_SYS(name), when, condition},
#include "gofer/host_syscalls.def"
};

static int add_row(scmp_filter_ctx ctx, const struct row *row, int sock, bool writable) {
#ifndef PICKET_SANITIZED
    if (row->when == SANITIZED)
        return 0;
#endif
    if (row->when == WRITE && !writable)
        return 0;
    if (row->condition == ON_SOCK)
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, row->number, 1,
                                SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)sock));
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, row->number, 0);
}

int cage_filter(int sock, bool writable) {
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!ctx)
        return -LINUX_ENOMEM;
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!err)
        err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a binary tree: few comparisons
    for (size_t i = 0; !err && i < sizeof(rows) / sizeof(rows[0]); i++)
        err = add_row(ctx, &rows[i], sock, writable);
    if (!err)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    return err;
}

// ---- All of it -------------------------------------------------------------------------------------------------
static int failed(const char *step, int err) {
    log_error("%s: errno %d", step, -err);
    return err;
}

int gofer_cage(const struct gofer_server *s, int sock) {
    int err = cage_close_others(s, sock);
    if (err)
        return failed("close_range", err);
    if ((err = set_limits()))
        return failed("limits", err);
    enter_empty_root();
    if ((err = cage_capabilities(any_writable(s))))
        return failed("capabilities", err);
    if ((err = cage_landlock(s)))
        return failed("landlock", err);
    // After the capabilities: the kernel forgets it when credentials change.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return failed("parent death signal", -errno);
    return (err = cage_filter(sock, any_writable(s))) ? failed("seccomp filter", err) : 0;
}
