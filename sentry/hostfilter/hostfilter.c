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
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
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
enum condition { ANY, NO_EXEC, THREAD, TERMINAL, NOTIFY, GUARD, SUBMIT, NO_LINK, NO_LINK_2ND, LINK, NEVER };

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

// Of calls with a request in their second argument.
static void allow_requests(struct filter_rules *rules, int nr, const unsigned long *req, size_t n) {
    for (size_t i = 0; i < n; i++)
        filter_add(rules, (struct filter_rule){nr, FILTER_IS, 1, .mask = ~0u, .value = (uint32_t)req[i]});
}

// The rule of a condition that needs one; links: the range of LINK_FDS numbers from LINK_FD on is theirs.
static struct filter_rule rule_of(int nr, unsigned condition, bool links) {
    const uint32_t range = ~(uint32_t)(LINK_FDS - 1);
    switch (condition) {
    case NO_EXEC:
        return (struct filter_rule){nr, FILTER_IS, 2, .mask = PROT_EXEC, .value = 0};
    case THREAD:
        return (struct filter_rule){nr, FILTER_IS, 0, .mask = CLONE_THREAD, .value = CLONE_THREAD};
    case SUBMIT:
        return (struct filter_rule){nr, FILTER_IS, 3, .mask = UINT32_MAX, .value = 0};
    case NO_LINK:
    case NO_LINK_2ND:
        if (links)
            return (struct filter_rule){nr, FILTER_IS_NOT, condition == NO_LINK_2ND, .mask = range,
                                        .value = LINK_FD};
        return (struct filter_rule){nr};
    case LINK:
        return (struct filter_rule){nr, FILTER_IS, 0, .mask = range, .value = LINK_FD};
    case NEVER:
        return (struct filter_rule){nr, .error = ENOSYS};
    default:
        return (struct filter_rule){nr};
    }
}

static void allow(struct filter_rules *rules, const struct filter_row *row, const void *arg) {
    switch (row->condition) {
    case TERMINAL:
        allow_requests(rules, row->number, terminal, sizeof terminal / sizeof terminal[0]);
        break;
    case NOTIFY:
        allow_requests(rules, row->number, notify, sizeof notify / sizeof notify[0]);
        break;
    case GUARD:
        allow_requests(rules, row->number, guard, sizeof guard / sizeof guard[0]);
        break;
    default:
        filter_add(rules, rule_of(row->number, row->condition, *(const bool *)arg));
    }
}

// ---- The filter -------------------------------------------------------------------------------------------
static const struct filter_row rows[] = {
#define HOST_SYSCALL(name, when, condition, reason) {SYS_##name, when, condition},
#include "sentry/hostfilter/host_syscalls.def"
    {SYS_clone3, ALWAYS, NEVER},
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
