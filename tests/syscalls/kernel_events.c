// SPDX-License-Identifier: Apache-2.0
// covers: io_setup, io_submit, io_getevents, eventfd2, madvise, pidfd_open, kcmp, unshare
// What the kernel itself does to an object: an eventfd that AIO brings to overflow, a request that must not
// wait, the numbers of pidfds, a core that a limit cuts.
#include "guest.h"

#include <linux/aio_abi.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/sem.h>

static int64_t submit_read(aio_context_t ctx, int fd, char *to, int told, int flags)
{
    struct iocb cb = {.aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = (uint64_t)to,
                      .aio_nbytes = 1, .aio_rw_flags = flags};
    struct iocb *list = &cb;
    struct io_event event;
    struct timespec soon = {60, 0};
    if (told >= 0) {
        cb.aio_flags = IOCB_FLAG_RESFD;
        cb.aio_resfd = (uint32_t)told;
    }
    ASSERT_EQ(syscall(SYS_io_submit, ctx, 1, &list), 1);
    ASSERT_EQ(syscall(SYS_io_getevents, ctx, 1, 1, &event, &soon), 1);
    return event.res;
}

TEST(eventfd_overflows)
{
    aio_context_t ctx = 0;
    ASSERT_OK(syscall(SYS_io_setup, 4, &ctx));
    int fd = eventfd(0, EFD_NONBLOCK), zero = open("/dev/zero", O_RDONLY);
    uint64_t most = UINT64_MAX - 1;
    char byte;
    ASSERT_EQ(write(fd, &most, sizeof(most)), 8);
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN);
    EXPECT_EQ(submit_read(ctx, zero, &byte, fd, 0), 1);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLERR);
    uint64_t one = 1, got = 0;
    EXPECT_ERRNO(write(fd, &one, sizeof(one)), EAGAIN);
    EXPECT_EQ(read(fd, &got, sizeof(got)), 8);
    EXPECT_TRUE(got == UINT64_MAX);
    EXPECT_ERRNO(write(fd, "longer than eight", 16), EINVAL);
    syscall(SYS_io_destroy, ctx);
}

TEST(aio_that_does_not_wait)
{
    aio_context_t ctx = 0;
    int ends[2];
    char byte;
    ASSERT_OK(syscall(SYS_io_setup, 4, &ctx));
    ASSERT_OK(pipe(ends));
    EXPECT_EQ(submit_read(ctx, ends[0], &byte, -1, RWF_NOWAIT), -EAGAIN);
    ASSERT_EQ(write(ends[1], "x", 1), 1);
    EXPECT_EQ(submit_read(ctx, ends[0], &byte, -1, RWF_NOWAIT), 1);
    syscall(SYS_io_destroy, ctx);
}

TEST(numbers_of_pidfds)
{
    struct stat mine, again, other;
    pid_t child = fork_child();
    if (child == 0) {
        pause();
        child_done();
    }
    int a = (int)syscall(SYS_pidfd_open, getpid(), 0), b = (int)syscall(SYS_pidfd_open, getpid(), 0),
        c = (int)syscall(SYS_pidfd_open, child, 0);
    ASSERT_OK(fstat(a, &mine));
    ASSERT_OK(fstat(b, &again));
    ASSERT_OK(fstat(c, &other));
    kill(child, SIGKILL);
    wait_exit(child);
    if ((mine.st_mode & S_IFMT) == 0 && mine.st_ino == other.st_ino)
        SKIP("pidfds have inodes since Linux 6.9");
    EXPECT_EQ(mine.st_ino, again.st_ino);
    EXPECT_TRUE(mine.st_ino != other.st_ino);
}

TEST(a_cut_core_is_a_core)
{
    in_tmpdir();
    char pattern[64] = "";
    get_file("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
    if (pattern[0] == '|' || pattern[0] == '/')
        SKIP("cores go somewhere else");
    pid_t child = fork_child();
    if (child == 0) {
        struct rlimit page = {4096, 4096};
        setrlimit(RLIMIT_CORE, &page);
        abort();
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status));
}

TEST(lists_of_what_is_undone)
{
    pid_t child = fork_child();
    if (child == 0) {
        pause();
        child_done();
    }
    long r = syscall(SYS_kcmp, getpid(), child, KCMP_SYSVSEM, 0, 0);
    EXPECT_EQ(r, 0);  // neither has one
    kill(child, SIGKILL);
    wait_exit(child);
}
