// SPDX-License-Identifier: Apache-2.0
// The sentry's filter, from inside: code planted in a child that has it must die of each call that a sentry
// has no use for, whatever its arguments, and of the useful ones with arguments that it has no use for.
#include "sentry/hostfilter/hostfilter.h"
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

static int run_planted(const struct planted *p, const char *platform) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        if (hostfilter_prepare() || hostfilter_load(platform, false))
            _exit(2);
        const long *a = p->args;
        syscall(p->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static const long rw = PROT_READ | PROT_WRITE, rx = PROT_READ | PROT_EXEC, anon = MAP_PRIVATE | MAP_ANONYMOUS;

static void each_dies(const struct planted *list, size_t n, const char *platform) {
    for (size_t i = 0; i < n; i++) {
#ifdef PICKET_SANITIZED
        if (list[i].sanitizer_too)
            continue;
#endif
        int status = run_planted(&list[i], platform);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s on %s: status %#x", list[i].name, platform, status);
    }
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
        {"another process's CPUs", SYS_sched_setaffinity, {getppid(), 8, (long)buf}},
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_of_one_platform),
        cmocka_unit_test(test_what_it_needs),
    };
    page = (long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
