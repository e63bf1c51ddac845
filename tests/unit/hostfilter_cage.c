// SPDX-License-Identifier: Apache-2.0
// The sentry's cage, from inside: what a sentry that was taken over could do to its user's other processes,
// and what of the host's files it could look at. In children, since there is no way back.
#include "base/hostfstat.h"
#include "sentry/hostfilter/hostfilter.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
// after those
#include <cmocka.h>

static int word = 4711;

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    return pid;
}

static ssize_t peek(pid_t pid, int *out) {
    struct iovec mine = {out, sizeof *out}, its = {&word, sizeof word};
    return process_vm_readv(pid, &mine, 1, &its, 1, 0);
}

// A descriptor of its: with its standard input as the one that anybody has.
static bool take_descriptor(pid_t pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);
    if (pidfd >= 0)
        close(pidfd);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static long landlock_version(void) { return syscall(SYS_landlock_create_ruleset, NULL, 0, 1); }

// Exit status: 0, or the number of the line that does not hold.
#define hold(cond)                                                                                           \
    do {                                                                                                     \
        _Static_assert(__LINE__ < 256, "it fits, and is not taken for 0");                                   \
        if (!(cond))                                                                                         \
            _exit(__LINE__);                                                                                 \
    } while (0)

static void in_cage(pid_t neighbour, bool signals_too) {
    int got = 0;
    hold(hostfilter_prepare() == 0);
    hold(peek(neighbour, &got) < 0);
    hold(!take_descriptor(neighbour));
    hold(ptrace(PTRACE_ATTACH, neighbour, 0, 0) < 0);
    if (signals_too)
        hold(kill(neighbour, 0) < 0 && errno == EPERM);
    pid_t own = sleeper();  // as the stubs are: made afterwards
    hold(own > 0 && peek(own, &got) == sizeof got && got == word && take_descriptor(own));
    hold(kill(own, SIGKILL) == 0);
    _exit(0);
}

static void test_neighbours_are_out_of_reach(void **state) {
    int status, got = 0;
    if (landlock_version() < 1)
        skip();
    pid_t neighbour = sleeper();
    assert_true(neighbour > 0);
    prctl(PR_SET_DUMPABLE, 1);
    assert_int_equal(peek(neighbour, &got), sizeof got);  // as we are now, it is within reach
    assert_true(take_descriptor(neighbour));
    pid_t pid = fork();
    if (pid == 0)
        in_cage(neighbour, landlock_version() >= 6);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    kill(neighbour, SIGKILL);
    waitpid(neighbour, NULL, 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

// A filter cannot look at a path: so no call that takes one is among its rows, not even "with an empty path".
// What a descriptor is can still be asked.
static void test_paths_are_out_of_reach(void **state) {
#ifdef PICKET_SANITIZED
    skip();  // its run-time may look at files
#endif
    static const long calls[] = {SYS_newfstatat, SYS_statx, SYS_openat, SYS_faccessat, SYS_readlinkat};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        static char buf[4096];
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            struct stat st;
            hold(hostfilter_prepare() == 0 && hostfilter_load("seccomp", false) == 0);
            hold(host_fstat(0, &st) == 0 || errno == EBADF);
            // As fstatat and statx take their arguments, with AT_EMPTY_PATH in both places.
            syscall(calls[i], AT_FDCWD, "/etc/passwd", calls[i] == SYS_statx ? (long)0x1000 : (long)buf,
                    0x1000, buf);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_out_of_reach),
        cmocka_unit_test(test_paths_are_out_of_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
