// SPDX-License-Identifier: Apache-2.0
// covers: process_madvise, process_mrelease
// Hints about the memory of a process that a pidfd names, and giving back that of one that was killed
// (man 2 process_madvise, process_mrelease).
#include "guest.h"

#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static long hint(int fd, struct iovec *v, size_t n, int advice, unsigned flags)
{
    return syscall(SYS_process_madvise, fd, v, n, advice, flags);
}

TEST(oneself)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memset(p, 3, 4 * 4096);
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    struct iovec v[] = {{p, 4096}, {p + 8192, 8192}};
    EXPECT_EQ(hint(fd, v, 2, MADV_COLD, 0), 3 * 4096);
    EXPECT_EQ(hint(fd, v, 2, MADV_PAGEOUT, 0), 3 * 4096);
    EXPECT_EQ(hint(fd, v, 0, MADV_COLD, 0), 0);
    EXPECT_EQ(p[0] + p[8192], 6);
    close(fd);
    munmap(p, 4 * 4096);
}

TEST(child)
{
    if (geteuid() != 0)
        SKIP("needs CAP_SYS_NICE");
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, 0));
    struct iovec v = {p, 4 * 4096};
    EXPECT_EQ(hint(fd, &v, 1, MADV_COLD, 0), 4 * 4096);
    EXPECT_EQ(hint(fd, &v, 1, MADV_WILLNEED, 0), 4 * 4096);
    EXPECT_ERRNO(hint(fd, &v, 1, MADV_DONTNEED, 0), EINVAL);
    EXPECT_ERRNO(hint(fd, &v, 1, 9999, 0), EINVAL);
    kill(pid, SIGKILL);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    EXPECT_ERRNO(hint(fd, &v, 1, MADV_COLD, 0), ESRCH);
    close(fd);
    munmap(p, 4 * 4096);
}

TEST(errors)
{
    char *p = map_pages(4, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    struct iovec v[] = {{p, 4096}, {p + 1, 4096}};
    EXPECT_ERRNO(hint(fd, v, 1, MADV_COLD, 1), EINVAL);
    EXPECT_ERRNO(hint(-1, v, 1, MADV_COLD, 0), EBADF);
    EXPECT_ERRNO(hint(0, v, 1, MADV_COLD, 0), EBADF);
    EXPECT_ERRNO(hint(fd, KERNEL_POINTER, 1, MADV_COLD, 0), EFAULT);
    EXPECT_ERRNO(hint(fd, v, 1025, MADV_COLD, 0), EINVAL);
    EXPECT_ERRNO(hint(fd, v + 1, 1, MADV_COLD, 0), EINVAL);
    EXPECT_EQ(hint(fd, v, 2, MADV_COLD, 0), 4096);
    ASSERT_OK(munmap(p + 4096, 4096));
    v[1].iov_base = p + 4096;
    EXPECT_ERRNO(hint(fd, v + 1, 1, MADV_COLD, 0), ENOMEM);
    close(fd);
    munmap(p, 4 * 4096);
}

TEST(another_user)
{
    if (geteuid() != 0)
        SKIP("needs root");
    char *p = map_pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    IN_CHILD {
        struct iovec v = {p, 4096};
        ASSERT_OK(setresuid(65534, 65534, 65534));
        EXPECT_ERRNO(hint(fd, &v, 1, MADV_COLD, 0), EACCES);
    }
    close(fd);
    munmap(p, 4096);
}

TEST(release)
{
    int self = ASSERT_OK(syscall(SYS_pidfd_open, getpid(), 0));
    EXPECT_ERRNO(syscall(SYS_process_mrelease, self, 0), EINVAL);
    EXPECT_ERRNO(syscall(SYS_process_mrelease, self, 1), EINVAL);
    EXPECT_ERRNO(syscall(SYS_process_mrelease, -1, 0), EBADF);
    EXPECT_ERRNO(syscall(SYS_process_mrelease, 0, 0), EBADF);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    int fd = ASSERT_OK(syscall(SYS_pidfd_open, pid, 0));
    EXPECT_ERRNO(syscall(SYS_process_mrelease, fd, 0), EINVAL);
    kill(pid, SIGKILL);
    EXPECT_TRUE(syscall(SYS_process_mrelease, fd, 0) == 0 || errno == ESRCH);
    siginfo_t info;
    EXPECT_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    EXPECT_ERRNO(syscall(SYS_process_mrelease, fd, 0), ESRCH);
    EXPECT_EQ(wait_exit(pid), -SIGKILL);
    EXPECT_ERRNO(syscall(SYS_process_mrelease, fd, 0), ESRCH);
    close(fd);
    close(self);
}
