// SPDX-License-Identifier: Apache-2.0
// What our processes give up, each step by itself, seen from inside. In children, since there is no way back.
// What a host refuses must leave a child that works all the same.
#include "host/confine.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
// after those
#include <cmocka.h>

// Exit status of a child: 0, or the number of the line that does not hold.
#define hold(cond)                                                                                           \
    do {                                                                                                     \
        _Static_assert(__LINE__ < 256, "it fits, and is not taken for 0");                                   \
        if (!(cond))                                                                                         \
            _exit(__LINE__);                                                                                 \
    } while (0)

static bool described(const char *part) {
    char text[256];
    confine_describe(text, sizeof text);
    return strstr(text, part) != NULL;
}

static int end_of(pid_t pid) {
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void namespaces_hold(void) {
    if (described("pid "))
        hold(getpid() == 1 && getppid() == 0 && kill(-1, 0) < 0 && errno == ESRCH);  // nobody else is there
    if (described("net ")) {
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        struct sockaddr to = {.sa_family = AF_INET, .sa_data = {0, 9, 127, 0, 0, 1}};
        hold(fd >= 0 && connect(fd, &to, 16) < 0 && errno == ENETUNREACH);
    }
    confine_root();
    if (described("mount "))
        hold(described("root: empty"));
    if (!described("root: empty"))
        return;
    DIR *d = opendir("/");
    struct dirent *e;
    while ((e = readdir(d)))
        hold(e->d_name[0] == '.');
    hold(open("/x", O_CREAT | O_WRONLY, 0600) < 0 && errno == EROFS);
    hold(access("/proc", F_OK) < 0 && access("/../../etc", F_OK) < 0);
    hold(unshare(CLONE_NEWUSER) < 0);
}

static void test_fork(void **state) {
    pid_t pid = confine_fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        namespaces_hold();
        _exit(0);
    }
    assert_int_equal(end_of(pid), 0);  // it is our child, whoever made it
    assert_int_equal(waitpid(-1, NULL, 0), -1);  // and the only one
}

// The parent death signal means us, not the process that made the namespaces.
static void test_dies_with_caller(void **state) {
    int ends[2];
    char c;
    assert_int_equal(pipe(ends), 0);
    pid_t caller = fork();
    if (caller == 0) {
        if (confine_fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            hold(write(ends[1], "", 1) == 1);
            pause();
            _exit(0);
        }
        pause();
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    kill(caller, SIGKILL);
    end_of(caller);
    assert_int_equal(read(ends[0], &c, 1), 0);  // nobody has the other end any more
    close(ends[0]);
}

// As where a container's profile or a sysctl refuses: a limit of none in a user namespace of its own.
static void test_refused(void **state) {
    pid_t pid = fork();
    if (pid == 0) {
        int fd = unshare(CLONE_NEWUSER) < 0 ? -1 : open("/proc/sys/user/max_user_namespaces", O_WRONLY);
        if (fd < 0 || write(fd, "0", 1) != 1)
            _exit(77);
        hold(confine_capabilities(0) == 0);
        pid_t child = confine_fork();
        hold(child >= 0);
        if (child == 0) {
            confine_root();
            _exit(described("namespaces: none; root: the host's") && getppid() != 0 ? 42 : 1);
        }
        int status;
        hold(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42);
        _exit(0);
    }
    int status = end_of(pid);
    if (WEXITSTATUS(status) == 77)
        skip();
    assert_int_equal(status, 0);
}

static void test_user(void **state) {
    pid_t pid = fork();
    if (pid == 0) {
        bool root = geteuid() == 0;
        hold(confine_capabilities(1u << 6 | 1u << 7) == 0);  // SETGID, SETUID
        hold(confine_user() == 0 && confine_capabilities(0) == 0);
        hold(!root ||
             (getuid() >= 1000 && geteuid() == getuid() && getegid() == getuid() && getgroups(0, NULL) == 0));
        hold(!root || syscall(SYS_setuid, 0) < 0);  // (the C library's asks a sanitizer's thread, too)
        hold(prctl(PR_GET_DUMPABLE) == 1);
        _exit(0);
    }
    assert_int_equal(end_of(pid), 0);
}

// Descriptors that are open go on to work; nothing more is opened, nor looked into.
static void test_landlock(void **state) {
    if (landlock_version() < 1)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        int file = open("/proc/self/maps", O_RDONLY), mem = memfd_create("x", 0);
        char c;
        hold(file >= 0 && mem >= 0);
        hold(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && confine_landlock(false) == 0);
        hold(open("/proc/self/maps", O_RDONLY) < 0 && errno == EACCES);
        hold(open("/", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
        hold(open("/dev/null", O_WRONLY) < 0 && errno == EACCES);
        hold(mkdir("/tmp/never", 0700) < 0 && errno == EACCES);
        hold(read(file, &c, 1) == 1 && ftruncate(mem, 4096) == 0);
        hold(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0) != MAP_FAILED);
        hold(confine_landlock(false) == 0);  // stubs enter one below
        _exit(0);
    }
    assert_int_equal(end_of(pid), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork), cmocka_unit_test(test_dies_with_caller), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_user), cmocka_unit_test(test_landlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
