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

static ssize_t write_flags(int fd, off_t off, int flags) {
    return pwritev2(fd, &(struct iovec){"xyz", 3}, 1, off, flags);
}
static ssize_t read_flags(int fd, off_t off, int flags) {
    char buffer[8];
    return preadv2(fd, &(struct iovec){buffer, sizeof(buffer)}, 1, off, flags);
}

TEST(flags_that_change_nothing) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    static const int flags[] = {RWF_HIPRI, RWF_DSYNC, RWF_SYNC, RWF_DSYNC | RWF_SYNC, RWF_APPEND};
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        EXPECT_EQ(write_flags(fd, 0, flags[i]), 3);
        EXPECT_EQ(read_flags(fd, 0, flags[i]), i < 4 ? 3 : 6);
    }
    close(fd);
}

// O_APPEND and an offset: at the end, unless RWF_NOAPPEND says otherwise (Linux 6.9).
TEST(noappend_flag) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0600));
    EXPECT_EQ(write_flags(fd, 0, 0), 3);
    ssize_t n = write_flags(fd, 0, 0x20);
    if (n < 0 && errno == EOPNOTSUPP)
        SKIP("an older kernel");
    EXPECT_EQ(n, 3);
    EXPECT_EQ(read_flags(fd, 0, 0), 3);
    EXPECT_EQ(write_flags(fd, 0, 0), 3);
    EXPECT_EQ(read_flags(fd, 0, 0), 6);
    EXPECT_ERRNO(write_flags(fd, 0, 0x20 | RWF_APPEND), EINVAL);
    close(fd);
}

// What lies in memory anyway does not know RWF_NOWAIT.
TEST(nowait_of_memory) {
    int fd = ASSERT_OK(memfd_create("m", 0));
    EXPECT_EQ(write_flags(fd, 0, 0), 3);
    EXPECT_ERRNO(write_flags(fd, 0, RWF_NOWAIT), EOPNOTSUPP);
    EXPECT_ERRNO(read_flags(fd, 0, RWF_NOWAIT), EOPNOTSUPP);
    close(fd);
    fd = ASSERT_OK(open("/proc/self/stat", O_RDONLY));
    EXPECT_ERRNO(read_flags(fd, 0, RWF_NOWAIT), EOPNOTSUPP);
    close(fd);
}

// A file that was just written is in memory: all that a read without waiting needs.
TEST(nowait_of_a_file) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    EXPECT_EQ(write_flags(fd, 0, 0), 3);
    ssize_t n = read_flags(fd, 0, RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP)
        SKIP("a file system without it");
    EXPECT_EQ(n, 3);
    EXPECT_EQ(read_flags(fd, 3, RWF_NOWAIT), 0);
    close(fd);
}

// A pipe without O_NONBLOCK: this one call does not wait.
TEST(nowait_of_a_pipe) {
    int p[2];
    static char chunk[65536];
    struct iovec v = {chunk, sizeof(chunk)};
    ASSERT_OK(pipe(p));
    EXPECT_ERRNO(read_flags(p[0], -1, RWF_NOWAIT), EAGAIN);
    EXPECT_EQ(pwritev2(p[1], &v, 1, -1, RWF_NOWAIT), (long)sizeof(chunk));
    EXPECT_ERRNO(write_flags(p[1], -1, RWF_NOWAIT), EAGAIN);
    EXPECT_EQ(read_flags(p[0], -1, RWF_NOWAIT), 8);
    close(p[0]);
    close(p[1]);
}

// The order of the checks: the descriptor, the buffers, an empty request, the flags.
TEST(order_of_checks) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT, 0600));
    struct iovec none = {NULL, 0};
    EXPECT_ERRNO(preadv2(-1, NULL_POINTER, 1, 0, 0x40000000), EBADF);
    EXPECT_ERRNO(preadv2(fd, KERNEL_POINTER, 1, 0, 0x40000000), EFAULT);
    EXPECT_EQ(preadv2(fd, &none, 1, 0, 0x40000000), 0);
    EXPECT_EQ(pwritev2(fd, &none, 1, 0, 0x40000000), 0);
    close(fd);
}

// Written through: O_SYNC and O_DSYNC are kept by the open file.
TEST(sync_opens) {
    in_tmpdir();
    int fd = ASSERT_OK(open("f", O_RDWR | O_CREAT | O_SYNC, 0600));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_SYNC, O_SYNC);
    EXPECT_EQ(write_flags(fd, 0, 0), 3);
    EXPECT_EQ(write(fd, "ab", 2), 2);
    close(fd);
    fd = ASSERT_OK(open("f", O_RDWR | O_DSYNC));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_SYNC, O_DSYNC);
    EXPECT_EQ(write(fd, "ab", 2), 2);
    close(fd);
}
