// SPDX-License-Identifier: Apache-2.0
// covers: fsync, fdatasync, sync, syncfs, sync_file_range
// Flushing succeeds on files and directories and refuses pipes (man 2 fsync).
#include "guest.h"

TEST(files)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_OK(fsync(fd));
    EXPECT_OK(fdatasync(fd));
    close(fd);
    fd = ASSERT_OK(open(".", O_RDONLY));
    EXPECT_OK(fsync(fd));
    close(fd);
}

TEST(errors)
{
    EXPECT_ERRNO(fsync(-1), EBADF);
    EXPECT_ERRNO(fdatasync(-1), EBADF);
    EXPECT_ERRNO(syncfs(-1), EBADF);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(fsync(pipes[0]), EINVAL);
    EXPECT_ERRNO(fdatasync(pipes[1]), EINVAL);
    close(pipes[0]);
    close(pipes[1]);
}

TEST(ranges)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write(fd, "x", 1), 1);
    EXPECT_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
    EXPECT_ERRNO(sync_file_range(fd, 0, 0, 0x80), EINVAL);
    EXPECT_ERRNO(sync_file_range(fd, -1, 0, 0), EINVAL);
    EXPECT_ERRNO(sync_file_range(-1, 0, 0, 0), EBADF);
    close(fd);
}

TEST(range_of_a_device)
{
    int fd = ASSERT_OK(open("/dev/null", O_RDWR));
    EXPECT_ERRNO(sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE), ESPIPE);
    close(fd);
}
