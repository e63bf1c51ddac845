// SPDX-License-Identifier: Apache-2.0
// covers: pidfd_open, ioctl
// PIDFD_GET_INFO, linux/pidfd.h: who a process is, and how it ended once it has been waited for.
#include "guest.h"
#include <sys/ioctl.h>
#include <sys/wait.h>

struct info {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
};
#define GET_INFO _IOWR(0xff, 11, struct info)

TEST(info) {
    pid_t pid = fork_child();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, 0));
    struct info i = {.mask = 3};
    if (ioctl(fd, GET_INFO, &i) < 0 && (errno == ENOTTY || errno == EINVAL)) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        SKIP("before Linux 6.13");
    }
    EXPECT_EQ(i.mask & 3, 3);
    EXPECT_EQ(i.pid, (uint32_t)pid);
    EXPECT_EQ(i.tgid, (uint32_t)pid);
    EXPECT_EQ(i.ppid, (uint32_t)getpid());
    EXPECT_EQ(i.euid, geteuid());
    EXPECT_EQ(i.fsgid, getegid());
    EXPECT_ERRNO(ioctl(fd, GET_INFO, NULL_POINTER), EINVAL);
    EXPECT_ERRNO(ioctl(fd, GET_INFO, KERNEL_POINTER), EFAULT);
    int small = ioctl(fd, _IOWR(0xff, 11, char[32]), &i) < 0 ? errno : 0;
    EXPECT_TRUE(small == ENOTTY || small == EINVAL);  // Linux 6.18, 6.13
    EXPECT_ERRNO(ioctl(fd, _IO(0xff, 99), &i), ENOTTY);
    EXPECT_OK(kill(pid, SIGKILL));
    int status;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    i = (struct info){.mask = 3};
    EXPECT_ERRNO(ioctl(fd, GET_INFO, &i), ESRCH);
    i = (struct info){.mask = 8};
    if (ioctl(fd, GET_INFO, &i) == 0) {  // since Linux 6.15
        EXPECT_TRUE(i.mask & 8);
        EXPECT_EQ(i.exit_code, status);
    }
    close(fd);
}
