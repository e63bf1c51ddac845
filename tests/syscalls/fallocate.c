// SPDX-License-Identifier: Apache-2.0
// covers: fallocate
// Allocation grows the file, KEEP_SIZE does not, PUNCH_HOLE zeroes (man 2 fallocate).
#include "guest.h"

// Some file systems lack some modes, and say so by EOPNOTSUPP.
static bool allocate(int fd, int mode, off_t start, off_t length)
{
    int result = fallocate(fd, mode, start, length);
    if (result < 0 && errno == EOPNOTSUPP)
        SKIP("not supported by the file system");
    return result == 0;
}

TEST(grows)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_TRUE(allocate(fd, 0, 100, 900));
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 1000);
    EXPECT_TRUE(allocate(fd, FALLOC_FL_KEEP_SIZE, 0, 10000));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 1000);
    EXPECT_TRUE(allocate(fd, 0, 0, 10));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 1000);
    close(fd);
}

TEST(punches_holes)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    char data[12288], back[12288];
    memset(data, 'x', sizeof(data));
    EXPECT_EQ(write(fd, data, sizeof(data)), sizeof(data));
    EXPECT_TRUE(allocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4000, 5000));
    memset(data + 4000, 0, 5000);
    EXPECT_EQ(pread(fd, back, sizeof(back), 0), sizeof(back));
    EXPECT_MEMEQ(back, data, sizeof(data));
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
    EXPECT_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
    EXPECT_ERRNO(fallocate(fd, 0, 0, -1), EINVAL);
    EXPECT_ERRNO(fallocate(-1, 0, 0, 1), EBADF);
    EXPECT_ERRNO(fallocate(fd, 0x8000, 0, 1), EOPNOTSUPP);
    EXPECT_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    close(fd);
    fd = ASSERT_OK(open("f", O_RDONLY));
    EXPECT_ERRNO(fallocate(fd, 0, 0, 1), EBADF);
    close(fd);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(fallocate(pipes[1], 0, 0, 1), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}
