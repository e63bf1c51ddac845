// SPDX-License-Identifier: Apache-2.0
// covers: setrlimit, write, ftruncate, fallocate
// RLIMIT_FSIZE: short writes, allocations, SIGXFSZ and EFBIG (man 2 getrlimit).
#include "guest.h"

#include <sys/resource.h>

static void limit_to(rlim_t size)
{
    struct rlimit limit = {size, size};
    ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

TEST(ignored_signal_gives_efbig)
{
    in_tmpdir();
    IN_CHILD {
        int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
        signal(SIGXFSZ, SIG_IGN);
        limit_to(10);
        EXPECT_EQ(write(fd, "0123456", 7), 7);
        EXPECT_EQ(write(fd, "0123456", 7), 3);
        EXPECT_ERRNO(write(fd, "0", 1), EFBIG);
        EXPECT_ERRNO(ftruncate(fd, 11), EFBIG);
        EXPECT_OK(ftruncate(fd, 5));
        EXPECT_ERRNO(pwrite(fd, "x", 1, 100), EFBIG);
        EXPECT_EQ(pwrite(fd, "x", 1, 9), 1);
    }
}

TEST(default_signal_kills)
{
    in_tmpdir();
    pid_t pid = fork_child();
    if (pid == 0) {
        int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
        limit_to(10);
        EXPECT_EQ(write(fd, "0123456789", 10), 10);
        EXPECT_EQ(write(fd, "0", 1), -1);
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), -SIGXFSZ);
}

// Where blocks are memory, KEEP_SIZE is no way past the limit; what lies within the size is never refused.
static void limits_allocation(int fd)
{
    const int keep = FALLOC_FL_KEEP_SIZE;
    struct stat st;
    ASSERT_OK(ftruncate(fd, 3 << 20));
    limit_to(1 << 20);
    EXPECT_OK(fallocate(fd, 0, 0, 1 << 20));
    EXPECT_OK(fallocate(fd, 0, 2 << 20, 1 << 20));
    EXPECT_OK(fallocate(fd, keep, 2 << 20, 1 << 20));
    EXPECT_ERRNO(fallocate(fd, keep, 3 << 20, 16 << 20), EFBIG);
    EXPECT_ERRNO(fallocate(fd, 0, 3 << 20, 1), EFBIG);
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | keep, 0, 64 << 20));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 3 << 20);
    EXPECT_EQ(st.st_blocks, 0);
}

TEST(allocation_in_memory)
{
    IN_CHILD {
        signal(SIGXFSZ, SIG_IGN);
        limits_allocation(ASSERT_OK(memfd_create("f", 0)));
    }
    IN_CHILD {
        int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
        signal(SIGXFSZ, SIG_IGN);
        if (fd >= 0)
            limits_allocation(fd);
    }
}

TEST(allocation_raises_the_signal)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        int fd = ASSERT_OK(memfd_create("f", 0));
        limit_to(10);
        EXPECT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 11), -1);
        child_done();
    }
    EXPECT_EQ(wait_exit(pid), -SIGXFSZ);
}

TEST(pipes_are_not_limited)
{
    IN_CHILD {
        int fds[2];
        ASSERT_OK(pipe(fds));
        limit_to(1);
        EXPECT_EQ(write(fds[1], "0123", 4), 4);
    }
}
