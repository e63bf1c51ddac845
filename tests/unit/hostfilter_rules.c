// SPDX-License-Identifier: Apache-2.0
// The sentry's filter, from inside: code planted in a child that has it must die of each call that a sentry
// has no use for, whatever its arguments, and of the useful ones with arguments that it has no use for.
#include "sentry/hostfilter/hostfilter.h"
#include "sentry/link/link.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// after those
#include <cmocka.h>

static long page;  // of this process
static char buf[512];

struct planted {
    const char *name;
    long nr, args[6];
    bool sanitizer_too;  // in sanitized builds their run-time may
};

static int run_with(const struct planted *p, const char *platform, bool links) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (hostfilter_prepare() || hostfilter_load(platform, links))
            _exit(2);
        const long *a = p->args;
        syscall(p->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
static int run_planted(const struct planted *p, const char *platform) { return run_with(p, platform, false); }

static const long rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC, anon = MAP_PRIVATE | MAP_ANONYMOUS;

static void each_dies_with(const struct planted *list, size_t n, const char *platform, bool links) {
    for (size_t i = 0; i < n; i++) {
#ifdef PICKET_SANITIZED
        if (list[i].sanitizer_too)
            continue;
#endif
        int status = run_with(&list[i], platform, links);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s on %s: status %#x", list[i].name, platform, status);
    }
}

static void each_dies(const struct planted *list, size_t n, const char *platform) {
    each_dies_with(list, n, platform, false);
}

static void test_calls(void **state) {
    const struct planted list[] = {
        {"execve", SYS_execve, {(long)"/bin/true"}},
        {"execveat", SYS_execveat, {AT_FDCWD, (long)"/bin/true"}},
        {"open", SYS_open, {(long)"/etc/passwd"}, .sanitizer_too = true},
        {"openat", SYS_openat, {AT_FDCWD, (long)"/etc/passwd"}, .sanitizer_too = true},
        {"openat2", SYS_openat2, {AT_FDCWD, (long)"/etc/passwd", (long)buf, 24}},
        {"socket", SYS_socket, {AF_INET, SOCK_STREAM}},
        {"connect", SYS_connect, {0, (long)buf, 16}},
        {"bind", SYS_bind, {0, (long)buf, 16}},
        {"listen", SYS_listen, {0, 1}},
        {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, (long)buf}},
        {"fork", SYS_fork, {0}},
        {"vfork as clone", SYS_clone, {SIGCHLD}, .sanitizer_too = true},
        {"clone with a namespace", SYS_clone, {CLONE_NEWUSER | SIGCHLD}, .sanitizer_too = true},
        {"unshare", SYS_unshare, {CLONE_NEWUSER}},
        {"setns", SYS_setns, {0, 0}},
        {"mount", SYS_mount, {(long)"none", (long)"/tmp", (long)"tmpfs"}},
        {"chroot", SYS_chroot, {(long)"/tmp"}},
        {"prctl", SYS_prctl, {3}, .sanitizer_too = true},
        {"seccomp", SYS_seccomp, {0}},
        {"io_uring_setup", SYS_io_uring_setup, {4, (long)buf}},
        {"io_uring_register", SYS_io_uring_register, {0, 0, (long)buf, 1}},
        {"bpf", SYS_bpf, {0, (long)buf, 72}},
        {"userfaultfd", SYS_userfaultfd, {1}},
        {"perf_event_open", SYS_perf_event_open, {(long)buf, 0, -1, -1}},
        {"shmget", SYS_shmget, {1, 4096, 0}},
        {"setuid", SYS_setuid, {0}},
        {"x32", SYS_getpid | 0x40000000, {0}},
        {"pkey_mprotect", SYS_pkey_mprotect, {page, 4096, rx, -1}},
    };
    each_dies(list, sizeof list / sizeof *list, "seccomp");
    each_dies(list, sizeof list / sizeof *list, "ptrace");
}

static void test_arguments(void **state) {
    const struct planted list[] = {
        {"executable memory", SYS_mmap, {0, 4096, rx, anon, -1}},
        {"writable executable memory", SYS_mmap, {0, 4096, rw | PROT_EXEC, anon, -1}},
        {"memory made executable", SYS_mprotect, {page, 4096, rx}},
        {"an io_uring that is waited for", SYS_io_uring_enter, {0, 0, 1, 1}},
        {"an io_uring by its registered number", SYS_io_uring_enter, {0, 1, 0, 16}},
        {"typing into the terminal", SYS_ioctl, {0, TIOCSTI, (long)"x"}},
        {"the console", SYS_ioctl, {0, TIOCLINUX, (long)buf}},
        {"a controlling terminal", SYS_ioctl, {0, TIOCSCTTY, 1}},
        {"attributes by a path",
         SYS_newfstatat,
         {AT_FDCWD, (long)"/etc/passwd", (long)buf, 0},
         .sanitizer_too = true},
        {"extended attributes by a path", SYS_statx, {AT_FDCWD, (long)"/etc/passwd", 0, 0xfff, (long)buf}},
    };
    each_dies(list, sizeof list / sizeof *list, "seccomp");
    each_dies(list, sizeof list / sizeof *list, "ptrace");
}

// What only one platform needs is there on that one alone.
static void test_of_one_platform(void **state) {
    const struct planted of_ptrace[] = {
        {"ptrace", SYS_ptrace, {16, getppid()}, .sanitizer_too = true},
    };
    const struct planted of_seccomp[] = {
        {"pidfd_getfd", SYS_pidfd_getfd, {0, 0, 0}},
        {"a notification", SYS_ioctl, {0, (long)0xc0502100, (long)buf}},
    };
    each_dies(of_ptrace, sizeof of_ptrace / sizeof *of_ptrace, "seccomp");
    each_dies(of_seccomp, sizeof of_seccomp / sizeof *of_seccomp, "ptrace");
}

// The same calls as the sentry makes them.
static void test_what_it_needs(void **state) {
    const struct planted list[] = {
        {"memory", SYS_mmap, {0, 4096, rw, anon, -1}},
        {"a guard page", SYS_mprotect, {page, 4096, PROT_NONE}},
        {"modes of the terminal", SYS_ioctl, {0, TCGETS, (long)buf}},
        {"attributes of a descriptor", SYS_fstat, {0, (long)buf}},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (run_planted(&list[i], "seccomp"))
            fail_msg("%s is refused", list[i].name);
}

// What a link's descriptor could be used for besides reading and writing frames: sending to where an address
// says, becoming another number, being made into something else.
static void test_links(void **state) {
    const long link = LINK_FD, last = LINK_FD + LINK_FDS - 1, high = 1L << 32;
    const struct planted bad[] = {
        {"sendmsg", SYS_sendmsg, {link, (long)buf, 0}},
        {"sendmsg on the last", SYS_sendmsg, {last, (long)buf, 0}},
        {"sendmsg on a number of 64 bits", SYS_sendmsg, {link | high, (long)buf, 0}},
        {"sendto", SYS_sendto, {link, (long)buf, 64, 0, (long)buf, 20}},
        {"sendmmsg", SYS_sendmmsg, {link, (long)buf, 1, 0}},
        {"dup", SYS_dup, {link}},
        {"dup of a number of 64 bits", SYS_dup, {last | high}},
        {"dup2", SYS_dup2, {link, 100}},
        {"F_DUPFD", SYS_fcntl, {link, F_DUPFD, 100}},
        {"F_DUPFD of the last", SYS_fcntl, {last, F_DUPFD_CLOEXEC, 100}},
        {"pidfd_getfd of itself", SYS_pidfd_getfd, {3, link, 0}},
        {"bind", SYS_bind, {link, (long)buf, 20}},
        {"connect", SYS_connect, {link, (long)buf, 16}},
        {"setsockopt", SYS_setsockopt, {link, 263, 1, (long)buf, 16}},
        {"getsockopt", SYS_getsockopt, {link, 1, 4, (long)buf, (long)buf}},
        {"socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
        {"another interface's address", SYS_ioctl, {link, 0x8927, (long)buf}},
        {"another tap", SYS_ioctl, {link, 0x400454ca, (long)buf}},
        {"splice", SYS_splice, {link, 0, 1, 0, 4096, 0}},
        {"sendfile", SYS_sendfile, {link, 0, 0, 4096}},
        {"recvmmsg below", SYS_recvmmsg, {link - 1, (long)buf, 1, 0, 0}},
        {"recvmmsg above", SYS_recvmmsg, {last + 1, (long)buf, 1, 0, 0}},
    };
    const struct planted good[] = {
        {"frames in", SYS_recvmmsg, {link, (long)buf, 0, 0, 0}},
        {"frames out", SYS_writev, {link, (long)buf, 0}},
        {"frames of a tap", SYS_read, {last, (long)buf, 0}},
        {"a message below", SYS_sendmsg, {link - 1, 0, 0}},
        {"a message above", SYS_sendmsg, {last + 1, 0, 0}},
        {"a message far above", SYS_sendmsg, {LINK_FD + (1 << 20), 0, 0}},
        {"a duplicate below", SYS_dup, {link - 1}},
        {"a duplicate of 0", SYS_fcntl, {0, F_DUPFD, 100}},
    };
    each_dies_with(bad, sizeof bad / sizeof *bad, "seccomp", true);
    each_dies_with(bad, sizeof bad / sizeof *bad, "ptrace", true);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (run_with(&good[i], "seccomp", true))
            fail_msg("%s is refused", good[i].name);
    each_dies(good, 1, "seccomp");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),           cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_of_one_platform), cmocka_unit_test(test_what_it_needs),
        cmocka_unit_test(test_links),
    };
    page = (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
