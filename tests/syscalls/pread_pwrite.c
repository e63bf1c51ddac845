// SPDX-License-Identifier: Apache-2.0
// covers: pread64, pwrite64
// Positioned I/O leaves the offset alone and refuses pipes and negative offsets (man 2 pread).
#include "guest.h"

TEST(offset_stays)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(pwrite(fd, "world", 5, 6), 5);
    EXPECT_EQ(pwrite(fd, "hello ", 6, 0), 6);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    char buffer[16] = {0};
    EXPECT_EQ(pread(fd, buffer, 16, 0), 11);
    EXPECT_STREQ(buffer, "hello world");
    EXPECT_EQ(pread(fd, buffer, 5, 11), 0);
    EXPECT_EQ(pread(fd, buffer, 5, 1000000), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
}

TEST(hole_reads_as_zero)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(pwrite(fd, "x", 1, 10000), 1);
    char buffer[4] = "abc", zero[4] = {0};
    EXPECT_EQ(pread(fd, buffer, 4, 5000), 4);
    EXPECT_MEMEQ(buffer, zero, 4);
    close(fd);
}

TEST(append_ignores_the_position)
{
    in_tmpdir();
    put_file("f", "abc");
    int fd = ASSERT_OK(open("f", O_RDWR | O_APPEND));
    EXPECT_EQ(pwrite(fd, "d", 1, 0), 1);  // the documented Linux behaviour, see BUGS in pwrite(2)
    char buffer[8];
    get_file("f", buffer, sizeof(buffer));
    EXPECT_STREQ(buffer, "abcd");
    close(fd);
}

TEST(errors)
{
    in_tmpdir();
    char c = 0;
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(pread(fd, &c, 1, -1), EINVAL);
    EXPECT_ERRNO(pwrite(fd, &c, 1, -1), EINVAL);
    EXPECT_ERRNO(pread(-1, &c, 1, 0), EBADF);
    EXPECT_ERRNO(pwrite(fd, NULL_POINTER, 1, 0), EFAULT);
    close(fd);
    int pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(pread(pipes[0], &c, 1, 0), ESPIPE);
    EXPECT_ERRNO(pwrite(pipes[1], &c, 1, 0), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

// That there is no offset is said before how it is open.
TEST(wrong_end_of_a_pipe)
{
    int fds[2];
    char byte = 0;
    ASSERT_OK(pipe(fds));
    EXPECT_ERRNO(pwrite(fds[0], &byte, 1, 0), ESPIPE);
    EXPECT_ERRNO(pread(fds[1], &byte, 1, 0), ESPIPE);
    EXPECT_ERRNO(write(fds[0], &byte, 1), EBADF);
    close(fds[0]);
    close(fds[1]);
}
