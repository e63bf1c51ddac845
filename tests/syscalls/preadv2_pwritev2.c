// SPDX-License-Identifier: Apache-2.0
// covers: preadv, pwritev, preadv2, pwritev2
// Vectored positioned I/O, offset -1 as the file position, RWF flags (man 2 preadv2).
#include "guest.h"

#include <sys/uio.h>

TEST(positioned)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out[] = {{"ab", 2}, {"cd", 2}};
    EXPECT_EQ(pwritev(fd, out, 2, 2), 4);
    char buffer[8] = {0};
    struct iovec in = {buffer, 8};
    EXPECT_EQ(preadv(fd, &in, 1, 2), 4);
    EXPECT_STREQ(buffer, "abcd");
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_ERRNO(preadv(fd, &in, 1, -1), EINVAL);
    close(fd);
}

TEST(minus_one_uses_the_position)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out = {"abc", 3};
    EXPECT_EQ(pwritev2(fd, &out, 1, -1, 0), 3);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 3);
    EXPECT_EQ(lseek(fd, 1, SEEK_SET), 1);
    char buffer[8] = {0};
    struct iovec in = {buffer, 8};
    EXPECT_EQ(preadv2(fd, &in, 1, -1, 0), 2);
    EXPECT_STREQ(buffer, "bc");
    close(fd);
}

TEST(append_flag)
{
    in_tmpdir();
    put_file("f", "abc");
    int fd = ASSERT_OK(open("f", O_WRONLY));
    struct iovec out = {"d", 1};
    EXPECT_EQ(pwritev2(fd, &out, 1, 0, RWF_APPEND), 1);
    char buffer[8];
    get_file("f", buffer, sizeof(buffer));
    EXPECT_STREQ(buffer, "abcd");
    close(fd);
}

TEST(unknown_flags)
{
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec out = {"d", 1};
    EXPECT_ERRNO(pwritev2(fd, &out, 1, 0, 0x40000000), EOPNOTSUPP);
    EXPECT_ERRNO(preadv2(-1, &out, 1, 0, 0), EBADF);
    close(fd);
}
