// SPDX-License-Identifier: Apache-2.0
// See hostfilter.h. A forbidden call kills the process, and with it the sandbox: only a taken-over sentry
// makes one. clone3 is not among the rows because a filter cannot look into its structure; it answers ENOSYS,
// and libc uses clone.
#include "sentry/hostfilter/hostfilter.h"
#include "host/confine.h"
#include "sentry/link/link.h"
#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <malloc.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

// The filter cannot tell our stubs' numbers from other processes', so kill, process_vm_writev and pidfd_getfd
// alone would reach all that our user runs. In a pid namespace there is nobody else; and a Landlock domain
// keeps memory and descriptors of processes outside of it out of reach (Linux 5.13), and signals to them
// (6.12). Stubs are made afterwards, within both.

// Reports of the sanitizers read the program and its maps. And where process_vm_readv is refused, the
// platform opens /proc/PID/mem of its stubs: so neither an empty root nor a domain without reading is
// possible.
static bool opens_files(void) {
#ifdef PICKET_SANITIZED
    return true;
#else
    char from = 0, to;
    struct iovec local = {&to, 1}, remote = {&from, 1};
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != 1;
#endif
}

static int give_up_privileges(void) {
    int err = confine_capabilities(1ull << CAP_SETUID | 1ull << CAP_SETGID);
    if (err < 0)
        return err;
    err = confine_user();
    if (err < 0)
        return err;
    err = confine_capabilities(0);
    if (err < 0)
        return err;
    // After that: the kernel forgets it when credentials change.
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 ? -errno : 0;
}

int hostfilter_prepare(void) {
    // With arenas of its own for each thread, glibc opens a file of /proc when it shrinks one. (One arena
    // also keeps less memory; small blocks come from per-thread caches anyway.)
    mallopt(M_ARENA_MAX, 1);
    // Large tables are mapped, so that only what is used of them is touched: in the heap they are cleared.
    mallopt(M_MMAP_THRESHOLD, 96 << 10);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    bool reads = opens_files();
    confine_keys();
    if (!reads)
        confine_root();
    int err = give_up_privileges();
    return err ? err : confine_landlock(reads);
}

// ---- Conditions -------------------------------------------------------------------------------------------
enum when { ALWAYS, SECCOMP, PTRACE, LINKS, SANITIZED };
enum condition { ANY, NO_EXEC, THREAD, TERMINAL, NOTIFY, GUARD, SELF, NO_LINK, NO_LINK_2ND, LINK, NEVER };

// Requests of fs/host, which copies their structures itself.
static const unsigned long terminal[] = {TCGETS,
                                         TCSETS,
                                         TCSETSW,
                                         TCSETSF,
                                         TIOCGWINSZ,
                                         TIOCSWINSZ,
                                         FIONREAD,
                                         TCSBRK,
                                         TCXONC,
                                         TCFLSH,
                                         TIOCOUTQ,
                                         TCSBRKP,
                                         0x802c542a /* TCGETS2 */,
                                         0x402c542b,
                                         0x402c542c,
                                         0x402c542d /* TCSETS2, W2, F2 */};
static const unsigned long notify[] = {SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND,
                                       SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_ID_VALID,
                                       SECCOMP_IOW(4, __u64) /* SECCOMP_IOCTL_NOTIF_SET_FLAGS */};

static const unsigned long guard[] = {UFFDIO_API, UFFDIO_REGISTER, UFFDIO_UNREGISTER, UFFDIO_COPY};

static int allow_requests(scmp_filter_ctx ctx, int nr, const unsigned long *req, size_t n) {
    int err = 0;
    for (size_t i = 0; !err && i < n; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, req[i]));
    return err;
}

// Any descriptor but those of links, the range of LINK_FDS numbers from LINK_FD on: one whose number differs
// in a bit. (Compared as a whole, a value of 64 bits could be one number here and another in the kernel,
// which takes the lower 32.)
static int allow_no_link(scmp_filter_ctx ctx, int nr, unsigned arg) {
    int err = 0;
    for (uint32_t bit = LINK_FDS; !err && bit; bit <<= 1) {
        const struct scmp_arg_cmp differs = SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bit, ~LINK_FD & bit);
        err = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, nr, 1, &differs);
    }
    return err;
}
static int allow_link(scmp_filter_ctx ctx, int nr) {
    const uint32_t range = ~(uint32_t)(LINK_FDS - 1);
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, range, LINK_FD));
}

static int allow(void *ctx, const struct filter_row *row, void *arg) {
    int nr = row->number;
    bool links = *(const bool *)arg;
    switch (row->condition) {
    case NO_EXEC:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    case THREAD:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    case SELF:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffffu, 0));
    case TERMINAL:
        return allow_requests(ctx, nr, terminal, sizeof terminal / sizeof terminal[0]);
    case NOTIFY:
        return allow_requests(ctx, nr, notify, sizeof notify / sizeof notify[0]);
    case GUARD:
        return allow_requests(ctx, nr, guard, sizeof guard / sizeof guard[0]);
    case NO_LINK:
    case NO_LINK_2ND:
        if (links)
            return allow_no_link(ctx, nr, row->condition == NO_LINK ? 0 : 1);
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
    case LINK:
        return allow_link(ctx, nr);
    case NEVER:
        return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), nr, 0);
    default:
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
    }
}

// ---- The filter -------------------------------------------------------------------------------------------
static const struct filter_row rows[] = {
#define HOST_SYSCALL(name, when, condition, reason) {SCMP_SYS(name), when, condition},
#include "sentry/hostfilter/host_syscalls.def"
    {SCMP_SYS(clone3), ALWAYS, NEVER},
};

int hostfilter_load(const char *platform, bool links) {
    struct filter f = {
        .rows = rows,
        .nrows = sizeof rows / sizeof rows[0],
        .when =
            1u << ALWAYS | 1u << (strcmp(platform, "ptrace") ? SECCOMP : PTRACE) | (unsigned)links << LINKS,
        .allow = allow,
        .arg = &links,
        .all_threads = true,
    };
#ifdef PICKET_SANITIZED
    f.when |= 1u << SANITIZED;
#endif
    return filter_load(&f);
}
