// SPDX-License-Identifier: Apache-2.0
// covers: readv, writev
// Scatter and gather order, empty segments, limits on count and length (man 2 readv).
#include "guest.h"

#include <sys/uio.h>

TEST(gather_then_scatter)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out[] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}};
    EXPECT_EQ(writev(fd, out, 3), 6);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    char a[4] = {0}, b[4] = {0};
    struct iovec in[] = {{a, 3}, {b, 3}};
    EXPECT_EQ(readv(fd, in, 2), 6);
    EXPECT_STREQ(a, "abc");
    EXPECT_STREQ(b, "def");
    close(fd);
}

TEST(counts)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec one = {"x", 1};
    EXPECT_EQ(writev(fd, &one, 0), 0);
    EXPECT_ERRNO(writev(fd, &one, -1), EINVAL);
    EXPECT_ERRNO(writev(fd, &one, 1025), EINVAL);
    static struct iovec many[1024];
    for (int i = 0; i < 1024; i++)
        many[i] = (struct iovec){"y", 1};
    EXPECT_EQ(writev(fd, many, 1024), 1024);
    close(fd);
}

TEST(bad_vectors)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_ERRNO(writev(fd, NULL_POINTER, 1), EFAULT);
    EXPECT_ERRNO(readv(fd, no_access_page(), 1), EFAULT);
    struct iovec negative = {"x", (size_t)-1};
    EXPECT_ERRNO(writev(fd, &negative, 1), EINVAL);
    EXPECT_ERRNO(readv(fd, &negative, 1), EINVAL);
    struct iovec bad = {KERNEL_POINTER, 4};
    EXPECT_ERRNO(writev(fd, &bad, 1), EFAULT);
    EXPECT_ERRNO(writev(-1, &bad, 1), EBADF);
    close(fd);
}

TEST(short_read_fills_in_order)
{
    in_tmpdir();
    put_file("f", "abc");
    int fd = ASSERT_OK(open("f", O_RDONLY));
    char a[2], b[4] = "zzz", c[2] = "q";
    struct iovec in[] = {{a, 2}, {b, 3}, {c, 1}};
    EXPECT_EQ(readv(fd, in, 3), 3);
    EXPECT_MEMEQ(a, "ab", 2);
    EXPECT_STREQ(b, "czz");
    EXPECT_STREQ(c, "q");
    close(fd);
}
