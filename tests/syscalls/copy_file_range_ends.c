// SPDX-License-Identifier: Apache-2.0
// covers: copy_file_range
// How much one call copies: to the end of the source as it was, also within one file, and not onto itself
// (man 2 copy_file_range).
#include "guest.h"
#include <fcntl.h>
#include <sys/stat.h>

static off_t size_of(int fd) {
    struct stat st;
    ASSERT_OK(fstat(fd, &st));
    return st.st_size;
}

TEST(to_the_end_of_itself)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    off_t from = 3, to = 10;
    // A length that would reach into what is being written: cut to what is there, so nothing overlaps.
    EXPECT_EQ(copy_file_range(fd, &from, fd, &to, 1 << 20, 0), 7);
    EXPECT_EQ(from, 10);
    EXPECT_EQ(to, 17);
    EXPECT_EQ(size_of(fd), 17);
    from = 2, to = 5;
    EXPECT_ERRNO(copy_file_range(fd, &from, fd, &to, 10, 0), EINVAL);
    from = 17, to = 0;
    EXPECT_EQ(copy_file_range(fd, &from, fd, &to, 10, 0), 0);
    from = 0, to = 0;
    EXPECT_EQ(copy_file_range(fd, &from, fd, &to, 0, 0), 0);
}

// By two descriptors of one file too.
TEST(two_descriptors)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int in = ASSERT_OK(open("f", O_RDONLY)), out = ASSERT_OK(open("f", O_WRONLY));
    EXPECT_ERRNO(copy_file_range(in, NULL, out, NULL, 10, 0), EINVAL);
    ASSERT_OK(lseek(out, 0, SEEK_END));
    EXPECT_EQ(copy_file_range(in, NULL, out, NULL, 1 << 20, 0), 10);
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), 10);
    EXPECT_EQ(lseek(out, 0, SEEK_CUR), 20);
}

// More than one slice of whoever serves it: all in one call, in order.
TEST(long_one)
{
    in_tmpdir();
    enum { SIZE = 9 << 20 };
    int in = ASSERT_OK(open("in", O_RDWR | O_CREAT, 0600)),
        out = ASSERT_OK(open("out", O_RDWR | O_CREAT, 0600));
    for (long i = 0; i < SIZE / 4096; i++)
        ASSERT_EQ(pwrite(in, &i, sizeof(i), i * 4096 + 17), sizeof(i));
    ASSERT_OK(ftruncate(in, SIZE));
    EXPECT_EQ(copy_file_range(in, NULL, out, NULL, SIZE + 5, 0), SIZE);
    for (long i = 0, got; i < SIZE / 4096; i++) {
        ASSERT_EQ(pread(out, &got, sizeof(got), i * 4096 + 17), sizeof(got));
        if (got != i)
            FAIL("page %ld holds %ld", i, got);
    }
    EXPECT_EQ(lseek(in, 0, SEEK_CUR), SIZE);
}

// To just before the largest offset: as much as fits, or EFBIG where files cannot become so large.
TEST(near_the_largest_offset)
{
    in_tmpdir();
    put_file("f", "0123456789");
    int fd = ASSERT_OK(open("f", O_RDWR));
    off_t from = 0, to = INT64_MAX - 3;
    ssize_t n = copy_file_range(fd, &from, fd, &to, 10, 0);
    EXPECT_TRUE(n == 3 || (n < 0 && errno == EFBIG));
    from = 0, to = INT64_MAX;
    EXPECT_ERRNO(copy_file_range(fd, &from, fd, &to, 10, 0), EFBIG);
}
