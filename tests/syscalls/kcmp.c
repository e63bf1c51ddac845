// SPDX-License-Identifier: Apache-2.0
// covers: kcmp
// Which objects two processes, or two numbers of one, share (man 2 kcmp).
#include "guest.h"

#include <linux/kcmp.h>
#include <sys/epoll.h>

static long compare(pid_t a, pid_t b, int type, unsigned long x, unsigned long y) {
    return syscall(SYS_kcmp, a, b, type, x, y);
}

TEST(files_of_one_process) {
    pid_t me = getpid();
    int a = open("/dev/null", O_RDONLY), b = dup(a), c = open("/dev/null", O_RDONLY);
    if (compare(me, me, KCMP_FILE, a, b) == -1 && errno == ENOSYS)
        SKIP("a kernel without it");
    EXPECT_EQ(compare(me, me, KCMP_FILE, a, b), 0);
    long order = compare(me, me, KCMP_FILE, a, c);
    EXPECT_RANGE(order, 1, 2);
    EXPECT_EQ(compare(me, me, KCMP_FILE, c, a), 3 - order);
    EXPECT_ERRNO(compare(me, me, KCMP_FILE, a, 999), EBADF);
    close(a);
    close(b);
    close(c);
}

TEST(a_child) {
    pid_t me = getpid();
    if (compare(me, me, KCMP_VM, 0, 0) == -1 && errno == ENOSYS)
        SKIP("a kernel without it");
    int fd = open("/dev/null", O_RDONLY);
    pid_t pid = fork_child();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    EXPECT_EQ(compare(me, pid, KCMP_FILE, fd, fd), 0);
    for (int type = KCMP_VM; type <= KCMP_SIGHAND; type++) {
        EXPECT_EQ(compare(me, me, type, 0, 0), 0);
        EXPECT_RANGE(compare(me, pid, type, 0, 0), 1, 2);
    }
    kill(pid, SIGKILL);
    wait_exit(pid);
    close(fd);
}

TEST(epoll_entry) {
    pid_t me = getpid();
    if (compare(me, me, KCMP_VM, 0, 0) == -1 && errno == ENOSYS)
        SKIP("a kernel without it");
    int set = epoll_create1(0), pipes[2];
    ASSERT_OK(pipe(pipes));
    struct epoll_event ev = {.events = EPOLLIN};
    ASSERT_OK(epoll_ctl(set, EPOLL_CTL_ADD, pipes[0], &ev));
    struct kcmp_epoll_slot slot = {set, pipes[0], 0};
    EXPECT_EQ(compare(me, me, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot), 0);
    EXPECT_RANGE(compare(me, me, KCMP_EPOLL_TFD, pipes[1], (unsigned long)&slot), 1, 2);
    slot.toff = 1;
    EXPECT_ERRNO(compare(me, me, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot), ENOENT);
    slot.efd = pipes[0];
    EXPECT_ERRNO(compare(me, me, KCMP_EPOLL_TFD, pipes[0], (unsigned long)&slot), EINVAL);
    EXPECT_ERRNO(compare(me, me, KCMP_EPOLL_TFD, pipes[0], (unsigned long)KERNEL_POINTER), EFAULT);
}

TEST(errors) {
    pid_t me = getpid();
    if (compare(me, me, KCMP_VM, 0, 0) == -1 && errno == ENOSYS)
        SKIP("a kernel without it");
    EXPECT_ERRNO(compare(me, me, 99, 0, 0), EINVAL);
    EXPECT_ERRNO(compare(me, 0x7ffffffe, KCMP_VM, 0, 0), ESRCH);
}
