// SPDX-License-Identifier: Apache-2.0
// covers: sendfile
// Copying from a file to a pipe or file, with and without an offset (man 2 sendfile).
#include "guest.h"

#include <sys/sendfile.h>

TEST(to_a_pipe)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY)), pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_EQ(sendfile(pipes[1], fd, NULL, 4), 4);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
    off_t offset = 6;
    EXPECT_EQ(sendfile(pipes[1], fd, &offset, 100), 4);
    EXPECT_EQ(offset, 10);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
    close(pipes[1]);
    char text[32];
    EXPECT_EQ(read_all(pipes[0], text, sizeof(text)), 8);
    EXPECT_STREQ(text, "01236789");
    close(pipes[0]);
    close(fd);
}

TEST(to_a_file)
{
    in_tmpdir();
    put_file("a", "source");
    int in = ASSERT_OK(open("a", O_RDONLY)), out = ASSERT_OK(open("b", O_WRONLY | O_CREAT, 0600));
    EXPECT_EQ(sendfile(out, in, NULL, 100), 6);
    EXPECT_EQ(sendfile(out, in, NULL, 100), 0);
    close(in);
    close(out);
    char text[16];
    get_file("b", text, sizeof(text));
    EXPECT_STREQ(text, "source");
}

TEST(errors)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY)), pipes[2];
    ASSERT_OK(pipe(pipes));
    EXPECT_ERRNO(sendfile(pipes[1], -1, NULL, 1), EBADF);
    EXPECT_ERRNO(sendfile(-1, fd, NULL, 1), EBADF);
    EXPECT_ERRNO(sendfile(fd, fd, NULL, 1), EBADF);
    EXPECT_ERRNO(syscall(SYS_sendfile, pipes[1], fd, KERNEL_POINTER, 1), EFAULT);
    off_t negative = -1;
    EXPECT_ERRNO(sendfile(pipes[1], fd, &negative, 1), EINVAL);
    close(pipes[0]);
    close(pipes[1]);
    close(fd);
}

TEST(offset_is_written_back_always)
{
    in_tmpdir();
    put_file("f", "");
    int in = ASSERT_OK(open("f", O_RDONLY)), out = ASSERT_OK(open("g", O_WRONLY | O_CREAT, 0600));
    off_t offset = 0;
    EXPECT_EQ(sendfile(out, in, &offset, 1), 0);
    EXPECT_ERRNO(sendfile(out, in, read_only_page(), 1), EFAULT);
    close(in);
    close(out);
}

TEST(large_at_once)
{
    in_tmpdir();
    const int64_t size = 20 << 20;
    int in = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600)), out = ASSERT_OK(open("g", O_RDWR | O_CREAT, 0600));
    ASSERT_OK(ftruncate(in, size));
    EXPECT_EQ(sendfile(out, in, NULL, size), size);
    EXPECT_EQ(lseek(out, 0, SEEK_END), size);
    close(in);
    close(out);
}
