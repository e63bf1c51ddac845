// SPDX-License-Identifier: Apache-2.0
// covers: read, write, pipe
// Buffers that end at an unmapped page: what was copied counts, a bad start is EFAULT (man 2 read, EFAULT).
#include "guest.h"

TEST(write_from_the_edge)
{
    int fds[2];
    ASSERT_OK(pipe2(fds, O_NONBLOCK));
    char *edge = edge_of_page(10);
    memcpy(edge, "0123456789", 10);
    EXPECT_EQ(write(fds[1], edge, 10), 10);
    EXPECT_ERRNO(write(fds[1], edge + 10, 10), EFAULT);
    char buffer[32];
    EXPECT_EQ(read(fds[0], buffer, sizeof(buffer)), 10);
    close(fds[0]);
    close(fds[1]);
}

TEST(read_to_the_edge)
{
    int fds[2];
    ASSERT_OK(pipe(fds));
    char *edge = edge_of_page(4);
    EXPECT_EQ(write(fds[1], "abcd", 4), 4);
    EXPECT_EQ(read(fds[0], edge, 4), 4);
    EXPECT_MEMEQ(edge, "abcd", 4);
    EXPECT_EQ(write(fds[1], "abcd", 4), 4);
    EXPECT_ERRNO(read(fds[0], edge + 4, 4), EFAULT);
    close(fds[0]);
    close(fds[1]);
}

TEST(file_read_stops_at_the_edge)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    ssize_t n = read(fd, edge_of_page(4), 10);
    EXPECT_TRUE(n == 4 || (n == -1 && errno == EFAULT));
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), n > 0 ? n : 0);
    close(fd);
}

TEST(wrapping_length)
{
    int fds[2];
    ASSERT_OK(pipe2(fds, O_NONBLOCK));
    char c = 'x';
    EXPECT_ERRNO(syscall(SYS_write, fds[1], KERNEL_POINTER, 100), EFAULT);
    EXPECT_ERRNO(syscall(SYS_write, fds[1], opaque_pointer(-1L), 100), EFAULT);
    EXPECT_ERRNO(syscall(SYS_write, fds[1], opaque_pointer(0x7fffffffffffUL), 100), EFAULT);
    EXPECT_ERRNO(syscall(SYS_write, fds[1], NONCANONICAL_POINTER, 1), EFAULT);
    EXPECT_ERRNO(syscall(SYS_read, fds[0], &c, 1), EAGAIN);
    close(fds[0]);
    close(fds[1]);
}
